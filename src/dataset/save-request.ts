/** What a save is asked for, and what that means for one entry of a scan. */
import { join } from 'node:path';
import type { Config } from '../core/config.ts';
import type { Result } from '../core/result.ts';
import type { CommittedEntry } from './staged-entries.ts';
import type { Change } from './content-store.ts';
import { pathsBelow } from './hierarchy.ts';
import type { Repo } from './repo.ts';
import type { ScanEntry } from './worktree.ts';

export interface SaveTreeRequest {
  readonly message: string;
  /**
   * Paths relative to the top, literal, files or folders; null for everything. Empty means all of the top dataset, and with a final slash all of a
   * subdataset.
   */
  readonly paths: readonly string[] | null;
  readonly recursive: boolean;
  /** Configuration of the top dataset, if the caller has read it. */
  readonly config?: Config;
  /** How many levels of subdatasets; unlimited when absent. */
  readonly depth?: number;
  /** Leave untracked files alone. */
  readonly updatedOnly?: boolean;
  readonly toGit?: boolean;
  /** Paths that go into Git whatever `annex.largefiles` says. */
  readonly inGit?: readonly string[];
  readonly amend?: boolean;
  /** Asked under the lock when the top dataset has nothing to commit: whether the message is worth an empty commit. */
  readonly worthEmpty?: () => Promise<boolean>;
  /** What a scan of the top dataset found, if the caller has just made one for these paths. */
  readonly scanned?: readonly ScanEntry[];
  /** Changes that are not to be saved although they are there; of this dataset or of one below it. */
  readonly except?: (entry: ScanEntry, where: Repo) => boolean;
  /** How to treat commits that were made since a known state. */
  readonly join?: JoinPlan;
}

/**
 * Where commits of one's own were made since a known state, that state and the result are joined by a merge commit that carries the
 * message: DataLad's form of a run whose command commits. Where others committed meanwhile, a commit on top carries it.
 */
export interface JoinPlan {
  /** State of the top dataset before. */
  readonly from: string | null;
  /** State of each subdataset before, by path from the top. */
  readonly subHeads: ReadonlyMap<string, string | null>;
  /** Message of the commit of what is left uncommitted. */
  readonly remainder: string;
  /** Counts the commits since a state by whose they are. Called under the lock. */
  readonly meanwhile: (repo: Repo, from: string, to: string) => Promise<Meanwhile>;
  /** The commit with the message that an earlier attempt has landed in a repository, if one has. */
  readonly landed: (repo: Repo) => Promise<{ readonly commit: string; readonly isMerge: boolean } | null>;
  /** Told of a commit with the message before it lands. */
  readonly landing: (repo: Repo, commit: string) => void;
  /** Words for the reflog: of the commit with the message, and of that of the remainder. */
  readonly actions?: { readonly record: string; readonly remainder: string };
}

export interface Meanwhile {
  readonly own: number;
  readonly foreign: number;
  /** A commit that carries the message already. */
  readonly recorded?: { readonly commit: string; readonly isMerge: boolean } | null;
}

/** Whether to go into a subdataset: when asked to recurse, or when something inside was named. */
export function isWanted(request: SaveTreeRequest, sub: string): boolean {
  if (request.recursive) return (request.depth ?? 1) > 0;
  return request.paths?.some((path) => path.startsWith(`${sub}/`)) ?? false;
}

/** What of a subdataset that is wanted is to be saved, relative to it: without recursion, what was named inside it and no more. */
export function wantedBelow({ paths, recursive }: SaveTreeRequest, sub: string): readonly string[] | null {
  if (paths === null) return null;
  return pathsBelow(recursive ? paths : paths.filter((path) => path.startsWith(`${sub}/`)), sub);
}

/** Where only paths inside a subdataset were asked for, its new state is recorded only if something of ours is in it. */
export function isOurs(request: SaveTreeRequest, entry: ScanEntry, touched: boolean): boolean {
  if (!entry.submodule || request.paths === null || pathsBelow(request.paths, entry.path) === null) return true;
  return touched;
}

/** A folder that Git lists as untracked as a whole is a repository of its own: a new subdataset. */
export function toChange(entry: ScanEntry, { inGit = [], toGit = false }: SaveTreeRequest): Change {
  const path = entry.path.endsWith('/') ? entry.path.slice(0, -1) : entry.path;
  const head = entry.headSha === '' ? {} : { headMode: entry.headMode, headSha: entry.headSha };
  // What was unlocked only, or unlocked and staged, is locked again when it is saved, as DataLad does it.
  const locks = entry.unlocked === true && !toGit;
  // `git mv` stages the link of an annexed file as it was: it is made to point right, as git-annex's hook does it before a commit.
  const isLink = entry.indexMode === '120000';
  const staged = entry.kind === 'changed' && entry.worktreeState === '.' && !entry.submodule && !locks && !isLink;
  const removed = staged && entry.indexState === 'D';
  return {
    path,
    ...head,
    ...(inGit.includes(path) ? { inGit: true } : {}),
    ...(staged ? { staged } : {}),
    ...(removed ? { removed } : {}),
  };
}

/** DataLad's result for one path: reported against the dataset that holds it. */
export function entryResult(repo: Repo, entry: CommittedEntry): Result {
  const deleted = entry.status === 'deleted';
  const mode = deleted ? entry.oldMode : entry.mode;
  // Of what is gone DataLad knows only what the tree held.
  const type = mode === '160000' ? 'dataset' : deleted && mode === '120000' ? 'symlink' : 'file';
  const common = { status: 'ok', path: join(repo.root, entry.path), type, refds: repo.root } as const;
  return deleted ? { action: 'delete', ...common } : { action: 'add', ...common, key: entry.key };
}
