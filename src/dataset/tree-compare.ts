/**
 * What a recorded commit and a replay of it have at the paths that either of them wrote, through subdatasets.
 *
 * Decided on names of objects and keys; per repository one Git process finds the paths, and two read links and pointers.
 */
import { createHash } from 'node:crypto';
import { readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { decodeName, encodeName, fsPath } from '../core/bytes.ts';
import { lstatOrNull } from '../sys/files.ts';
import { MAX_POINTER, keyFromLink, parsePointer } from './annex/keys.ts';
import { contentAt } from './presence.ts';
import { readHead } from './refs.ts';
import { git, type Repo, repoAt } from './repo.ts';
import { diffCommits, type TreeDifferences, type TreeEntry } from './tree-changes.ts';
import { readBlobs, type ScanEntry, scanWorktree, WITHOUT_ANNEX_FILTER } from './worktree.ts';

/** What is at a path. `sha` is the name of the blob, or of a subdataset's commit. */
export type FileState =
  | { readonly kind: 'annex'; readonly key: string; readonly sha: string }
  /** `path`: absolute, for a file of the work tree that Git does not have yet. */
  | { readonly kind: 'file'; readonly sha: string; readonly path?: string }
  | { readonly kind: 'link'; readonly sha: string }
  | { readonly kind: 'dataset'; readonly sha: string };

export interface ComparedPath {
  /** Relative to the top dataset. */
  readonly path: string;
  /** The repository that the path belongs to, and the path in it. */
  readonly repo: Repo;
  readonly own: string;
  /** Whether the recorded commit changed or declared it; otherwise only the replay wrote it. */
  readonly isOutput: boolean;
  readonly recorded: FileState | null;
  readonly replayed: FileState | null;
}

export interface ComparedStates {
  /** State before the recorded commit; null for none. */
  readonly parent: string | null;
  readonly recorded: string;
  /** State that the replay started from; null for none. */
  readonly base: string | null;
  /** Commit of the replay; null for what lies in the work tree on top of HEAD. */
  readonly replayed: string | null;
  /** Paths of their own repository that do not count. */
  readonly except?: (own: string) => boolean;
  /** Paths (from the top) that are outputs of the recorded commit although it did not change them. Costs a listing of its tree. */
  readonly declared?: (path: string) => boolean;
}

/**
 * Reads both states of every path that the recorded commit changed or declared, or that the replay wrote and has otherwise than that commit.
 *
 * All states are full names of commits. A subdataset whose commits are not all here is one path.
 */
export async function compareStates(top: Repo, states: ComparedStates): Promise<readonly ComparedPath[]> {
  return compareLevel(top, '', states);
}

interface Pair {
  readonly own: string;
  readonly recorded: TreeEntry | null;
  readonly replayed: TreeEntry | FileState | null;
}

async function compareLevel(repo: Repo, prefix: string, states: ComparedStates): Promise<ComparedPath[]> {
  const { recorded, declared, except = () => false } = states;
  const now = states.replayed ?? (await readHead(repo)).commit;
  const [[changed, written, differing, listed], scanned] = await Promise.all([
    diffCommits(repo, [
      [states.parent, recorded],
      [states.base, now],
      [recorded, now],
      // All that the recorded commit holds, where that is asked for.
      [declared ? null : recorded, recorded],
    ]),
    states.replayed === null ? scanWorktree(repo, { untracked: 'all' }) : [],
  ]);
  const onDisk = new Map(scanned.map((entry) => [entry.path.replace(/\/$/, ''), entry]));
  const isDeclared = (own: string) => declared?.(`${prefix}${own}`) === true;
  const paths = new Set([...changed.keys(), ...onDisk.keys()]);
  for (const path of differing.keys()) if (written.has(path) || isDeclared(path)) paths.add(path);
  for (const [path, { after }] of listed) if (after?.mode === '160000' || isDeclared(path)) paths.add(path);
  const pairs: Pair[] = [];
  const below: ComparedPath[] = [];
  for (const own of paths) {
    if (except(own)) continue;
    const entry = onDisk.get(own);
    const before = listed.get(own)?.after ?? recordedEntry(own, changed, differing, entry);
    const after = differing.has(own) ? (differing.get(own)?.after ?? null) : before;
    if (before?.mode === '160000' && after?.mode === '160000' && entry?.worktreeState !== 'D') {
      const inner = await innerStates(repo, own, states, {
        parent: changed.has(own) ? (changed.get(own)?.before ?? null) : before,
        recorded: before,
        base: written.has(own) ? (written.get(own)?.before ?? null) : after,
        replayed: after,
      });
      if (inner) {
        below.push(...(await compareLevel(inner.repo, `${prefix}${own}/`, inner.states)));
        continue;
      }
    }
    pairs.push({ own, recorded: before, replayed: after });
  }
  const read = await readPairs(repo, pairs, onDisk);
  return [
    ...read.map((pair) => {
      const isOutput = changed.has(pair.own) || (listed.has(pair.own) && isDeclared(pair.own));
      return { ...pair, path: `${prefix}${pair.own}`, repo, isOutput };
    }),
    ...below,
  ];
}

/** What the recorded commit has at a path, from whichever comparison names it. */
function recordedEntry(
  path: string,
  changed: TreeDifferences,
  differing: TreeDifferences,
  scanned: ScanEntry | undefined,
): TreeEntry | null {
  const known = changed.has(path) ? changed.get(path)?.after : differing.get(path)?.before;
  if (known !== undefined) return known;
  if (!scanned || scanned.kind === 'untracked' || scanned.headMode === '000000') return null;
  return { mode: scanned.headMode, sha: scanned.headSha };
}

/** The states of a subdataset; null where it is not here, or not all of its commits are. */
async function innerStates(
  repo: Repo,
  path: string,
  states: ComparedStates,
  links: Readonly<Record<'parent' | 'recorded' | 'base' | 'replayed', TreeEntry | null>>,
): Promise<{ readonly repo: Repo; readonly states: ComparedStates } | null> {
  const inner = repoAt(join(repo.root, path), repo.context);
  if (!inner) return null;
  const commitOf = (entry: TreeEntry | null) => (entry?.mode === '160000' ? entry.sha : null);
  const found = {
    parent: commitOf(links.parent),
    recorded: commitOf(links.recorded) as string,
    base: commitOf(links.base),
    replayed: states.replayed === null ? null : commitOf(links.replayed),
  };
  const needed = Object.values(found).filter((sha) => sha !== null);
  const checked = await git(inner, ['cat-file', '--buffer', '--batch-check=%(objecttype)'], {
    input: needed.map((sha) => `${sha}^{tree}\n`).join(''),
  });
  const complete = checked.stdout
    .toString('latin1')
    .trimEnd()
    .split('\n')
    .every((type) => type === 'tree');
  const { declared, ...rest } = states;
  const inside = declared ? { declared } : {};
  return complete ? { repo: inner, states: { ...rest, ...inside, ...found } } : null;
}

/** How many blobs are read at a time: links and pointers are small, but a file just below the limit for pointers is not. */
const AT_A_TIME = 4096;
async function readPairs(
  repo: Repo,
  pairs: readonly Pair[],
  onDisk: ReadonlyMap<string, ScanEntry>,
): Promise<readonly Pick<ComparedPath, 'own' | 'recorded' | 'replayed'>[]> {
  const sizes = (pairs[0]?.recorded ?? pairs[0]?.replayed)?.sha.length;
  const algorithm = sizes === 64 ? 'sha256' : 'sha1';
  const keys = new Map<string, { readonly ofLink: string | null; readonly ofPointer: string | null }>();
  const note = (sha: string, blob: Buffer) => {
    keys.set(sha, { ofLink: keyFromLink(decodeName(blob)), ofPointer: parsePointer(blob) });
  };
  const unread = new Set<string>();
  for (const { own, recorded, replayed } of pairs) {
    for (const entry of [recorded, replayed as TreeEntry | null]) {
      if (entry === null || entry.mode === '160000' || keys.has(entry.sha)) continue;
      const blob = blobOnDisk(join(repo.root, own), algorithm, entry.sha);
      if (blob) note(entry.sha, blob);
      else unread.add(entry.sha);
    }
  }
  const names = [...unread];
  for (let at = 0; at < names.length; at += AT_A_TIME) {
    const some = names.slice(at, at + AT_A_TIME);
    for (const [index, blob] of (await readBlobs(repo, some, MAX_POINTER)).entries())
      if (blob) note(some[index] as string, blob);
  }
  const stateOf = (entry: TreeEntry | null): FileState | null => {
    if (entry === null) return null;
    const { mode, sha } = entry;
    if (mode === '160000') return { kind: 'dataset', sha };
    const key = mode === '120000' ? keys.get(sha)?.ofLink : keys.get(sha)?.ofPointer;
    if (key) return { kind: 'annex', key, sha };
    return { kind: mode === '120000' ? 'link' : 'file', sha };
  };
  const disk = await readDisk(
    repo,
    pairs.map((pair) => pair.own).filter((own) => onDisk.has(own)),
    algorithm,
  );
  return pairs.map(({ own, recorded, replayed }) => ({
    own,
    recorded: stateOf(recorded),
    replayed: onDisk.has(own) ? (disk.get(own) ?? null) : stateOf(replayed as TreeEntry | null),
  }));
}

/**
 * The content of a blob, where it lies in the work tree: most outputs come out as they were recorded, and no process has to be asked for them.
 * Null for anything that is not exactly that blob, and for what is too large to be a link or a pointer.
 */
function blobOnDisk(path: string, algorithm: 'sha1' | 'sha256', sha: string): Buffer | null {
  try {
    const stat = lstatOrNull(path);
    const isSmall = stat !== null && (stat.isSymbolicLink() || (stat.isFile() && stat.size <= MAX_POINTER));
    if (!isSmall) return null;
    const bytes = stat.isSymbolicLink() ? readlinkSync(fsPath(path), 'buffer') : readFileSync(fsPath(path));
    return blobName(algorithm, bytes) === sha ? bytes : null;
  } catch {
    // It may not be read, or has just been replaced: Git has the blob in any case.
    return null;
  }
}

/** States of files in the work tree that differ from the last commit; nothing for one that is gone. */
async function readDisk(
  repo: Repo,
  paths: readonly string[],
  algorithm: 'sha1' | 'sha256',
): Promise<ReadonlyMap<string, FileState>> {
  const states = new Map<string, FileState>();
  const files: string[] = [];
  for (const path of paths) {
    const absolute = join(repo.root, path);
    const stat = lstatOrNull(absolute);
    if (!stat) continue;
    const content = contentAt(repo, path);
    if (content.kind === 'annexed') states.set(path, { kind: 'annex', key: content.key, sha: '' });
    else if (stat.isSymbolicLink()) {
      const sha = blobName(algorithm, readlinkSync(fsPath(absolute), 'buffer'));
      states.set(path, { kind: 'link', sha });
    } else if (stat.isFile()) files.push(path);
    else {
      const inner = repoAt(absolute, repo.context);
      const sha = inner ? (await readHead(inner)).commit : null;
      if (sha !== null) states.set(path, { kind: 'dataset', sha });
    }
  }
  const shas = await hashFiles(repo, files, algorithm);
  for (const [index, path] of files.entries())
    states.set(path, { kind: 'file', sha: shas[index] as string, path: join(repo.root, path) });
  return states;
}

function blobName(algorithm: 'sha1' | 'sha256', bytes: Buffer): string {
  return createHash(algorithm).update(`blob ${bytes.length}\0`).update(bytes).digest('hex');
}

/** The blobs that Git would make of files, its own conversions applied. */
async function hashFiles(
  repo: Repo,
  paths: readonly string[],
  algorithm: 'sha1' | 'sha256',
): Promise<readonly string[]> {
  if (paths.length === 0) return [];
  // Names come to Git on lines; one with a line break is read here.
  const plain = paths.filter((path) => !path.includes('\n') && !path.startsWith('"'));
  const { stdout } = await git(repo, [...WITHOUT_ANNEX_FILTER, 'hash-object', '--stdin-paths'], {
    input: encodeName(plain.map((path) => `${path}\n`).join('')),
  });
  const names = stdout.toString('latin1').split('\n');
  const byPath = new Map(plain.map((path, index) => [path, names[index] as string]));
  return paths.map((path) => byPath.get(path) ?? blobName(algorithm, readFileSync(fsPath(join(repo.root, path)))));
}
