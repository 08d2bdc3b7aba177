/**
 * The commits of one landing: the change itself and, where content went into the annex, what the `git-annex` branch has to know of it.
 *
 * What a few annexed links will be staged as is known beforehand. So their commits are written while Git still stages them, and used where both agree.
 */
import { createHash } from 'node:crypto';
import { readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { fsPath } from '../core/bytes.ts';
import { planPresence, type PresencePlan } from './annex-branch.ts';
import type { StorePlan } from './content-store.ts';
import { type CommitPlan, type TreeChange, writeCommits } from './fast-import.ts';
import type { RefChange } from './landing.ts';
import { git, type Repo } from './repo.ts';
import type { StagedEntry } from './staging.ts';

/** Commits that no branch has yet; refs of their own keep them. */
export interface Written {
  readonly plans: readonly CommitPlan[];
  /** In the order of the plans: the change, then the `git-annex` branch where that has to change. */
  readonly commits: readonly string[];
  readonly presence: PresencePlan | null;
}

/** How the commits are made, but for what they change. */
export interface Wording {
  /** Ref of the change; the other one gets its name with `-annex`. */
  readonly ref: string;
  /** The change as a commit, told whether another one goes with it. */
  readonly change: (withPresence: boolean) => Promise<Omit<CommitPlan, 'ref' | 'changes'>>;
  /** Who commits to the `git-annex` branch. */
  readonly annex: Pick<CommitPlan, 'author' | 'committer'>;
  /** Date of new entries in the `git-annex` branch, in seconds since 1970; null for now. */
  readonly annexDate: number | null;
}

/** Writes them. Throws `save-failed`, `git-failed`, `disk-full`. */
export async function writeLanding(
  repo: Repo,
  store: StorePlan,
  changes: readonly TreeChange[],
  keys: readonly string[],
  wording: Wording,
): Promise<Written> {
  const presence = await planPresence(repo, store.logs, keys, wording.annexDate);
  const main = { ref: wording.ref, changes, ...(await wording.change(presence !== null)) };
  const plans = presence ? [main, { ...presence.plan, ref: `${main.ref}-annex`, ...wording.annex }] : [main];
  return { plans, commits: await writeCommits(repo, plans), presence };
}

/** What lands with them: the branch, the `git-annex` branch, and the end of the refs that kept them. */
export function movesOf({ plans, commits, presence }: Written, ref: string, from: string | null): readonly RefChange[] {
  const moves: RefChange[] = [{ ref, from, to: commits[0] as string }];
  if (presence) moves.push({ ref: presence.ref, from: presence.from, to: commits[1] as string });
  return [...moves, ...plans.map((plan, index) => ({ ref: plan.ref, from: commits[index] as string, to: null }))];
}

/** Lets go of commits that do not land. */
export async function discard(repo: Repo, { plans }: Written): Promise<void> {
  await git(repo, ['update-ref', '--stdin'], { input: plans.map(({ ref }) => `delete ${ref}\n`).join('') });
}

/** More objects than these go into a pack, where they would be twice. */
const FEW = 30;

export interface ForeseenLink {
  readonly path: string;
  readonly sha: string;
  readonly content: Buffer;
}

/** What will be staged, where that is nothing but a few annexed links; else null. */
export function foreseeLinks(repo: Repo, store: StorePlan, deleted: readonly string[]): readonly ForeseenLink[] | null {
  const { plain, filtered, viaAnnex, linkShas } = store;
  if (filtered.length + viaAnnex.length + deleted.length > 0) return null;
  if (plain.length === 0 || plain.length > FEW || linkShas.size !== plain.length) return null;
  const links = plain.flatMap((path): readonly ForeseenLink[] => {
    const [sha, content] = [linkShas.get(path), linkText(join(repo.root, path))];
    return sha !== undefined && content !== null && sha === blobName(content, sha.length)
      ? [{ path, sha, content }]
      : [];
  });
  return links.length === plain.length ? links : null;
}

function linkText(path: string): Buffer | null {
  try {
    return readlinkSync(fsPath(path), 'buffer');
  } catch {
    return null;
  }
}

/** Name of a blob, by SHA-1 or SHA-256 (gitformat-hash-function-transition). */
function blobName(content: Buffer, length: number): string {
  return createHash(length === 64 ? 'sha256' : 'sha1')
    .update(`blob ${content.length}\0`)
    .update(content)
    .digest('hex');
}

/** Whether what was staged is what was foreseen. */
export function isForeseen(links: readonly ForeseenLink[], staged: readonly StagedEntry[]): boolean {
  const names = new Map(links.map(({ path, sha }) => [path, sha]));
  return (
    staged.length === links.length &&
    staged.every(({ path, mode, sha }) => mode === '120000' && names.get(path) === sha)
  );
}
