/** What differs between the last commit, the index and the work tree: one `git status`, read exactly. */
import { join } from 'node:path';
import { decodeName } from '../core/bytes.ts';
import { MAX_POINTER, parsePointer } from './annex/keys.ts';
import { annexEnv } from './annex-env.ts';
import { assertIndex } from './index-check.ts';
import { nextAnswer } from './object-reader.ts';
import { git, type Repo, repoAt } from './repo.ts';
import { isPassable, selectBelow } from './tracked.ts';

export interface ScanEntry {
  /** Relative to the root of the repository; a trailing slash marks a folder that is untracked as a whole. */
  readonly path: string;
  readonly kind: 'untracked' | 'changed' | 'unmerged';
  /** Git's status letters: `.` unchanged, M, A, D, T (type). */
  readonly indexState: string;
  readonly worktreeState: string;
  /** Octal modes such as `100644`; `000000` where absent. */
  readonly headMode: string;
  readonly indexMode: string;
  readonly worktreeMode: string;
  readonly headSha: string;
  readonly indexSha: string;
  /** A link in the last commit, staged as the pointer of an unlocked file, which is as it was staged. */
  readonly unlocked?: true;
  /** Present for subdatasets. */
  readonly submodule?: { readonly commitChanged: boolean; readonly modified: boolean; readonly untracked: boolean };
}

export interface ScanOptions {
  readonly untracked: 'all' | 'normal' | 'no';
  /** Literal paths, relative to the root. Everything when absent. */
  readonly paths?: readonly string[];
}

/** Settings that keep git-annex's filter out of a Git call: it costs a process start wherever Git must re-read a file. */
export const WITHOUT_ANNEX_FILTER = [
  '-c',
  'filter.annex.process=',
  '-c',
  'filter.annex.clean=',
  '-c',
  'filter.annex.smudge=',
] as const;

/** Settings that keep hooks from running: they can stop what is half done. What git-annex's own are for, `fillPointers` does. */
export const WITHOUT_HOOKS = ['-c', 'core.hooksPath=/dev/null'] as const;

/**
 * Scans a work tree. Ignored files are never listed; subdatasets are one entry each.
 *
 * Files are compared without git-annex's filter first. Only where an unlocked annexed file looks modified that way is the scan
 * repeated with the filter, which alone can tell; and a subdataset that looks modified is scanned by itself.
 */
export async function scanWorktree(repo: Repo, options: ScanOptions): Promise<readonly ScanEntry[]> {
  const entries = await scan(repo, options, WITHOUT_ANNEX_FILTER);
  // The filter notes content that it has not seen yet as being here.
  const filtered = (await pointersAmong(repo, entries)) ? await scan(repo, options, [], await annexEnv(repo)) : entries;
  return markUnlocked(repo, await withoutTouched(repo, options, filtered));
}

/** Leaves out subdatasets that look modified without the filter, but have no change: unlocked files that were only touched, or copied with all around them. */
async function withoutTouched(
  repo: Repo,
  { untracked }: ScanOptions,
  entries: readonly ScanEntry[],
): Promise<readonly ScanEntry[]> {
  const kept: ScanEntry[] = [];
  for (const entry of entries) {
    const { indexState, submodule } = entry;
    const isSuspect =
      indexState === '.' && submodule?.modified === true && !submodule.commitChanged && !submodule.untracked;
    const sub = isSuspect ? repoAt(join(repo.root, entry.path), repo.context) : null;
    if (sub === null || (await scanWorktree(sub, { untracked })).length > 0) kept.push(entry);
  }
  return kept;
}

async function markUnlocked(repo: Repo, entries: readonly ScanEntry[]): Promise<readonly ScanEntry[]> {
  const suspects = entries.filter(
    (entry) => entry.headMode === '120000' && entry.indexMode.startsWith('100') && entry.worktreeState === '.',
  );
  const blobs = await readBlobs(
    repo,
    suspects.map((entry) => entry.indexSha),
    MAX_POINTER,
  );
  const unlocked = new Set(suspects.filter((_, at) => isPointer(blobs[at] ?? null)));
  return unlocked.size === 0
    ? entries
    : entries.map((entry) => (unlocked.has(entry) ? { ...entry, unlocked: true } : entry));
}

function isPointer(blob: Buffer | null): boolean {
  return blob !== null && parsePointer(blob) !== null;
}

/** More paths than this cost Git more as pathspecs than a look at everything. */
const MOST_PATHSPECS = 500;

async function scan(
  repo: Repo,
  options: ScanOptions,
  settings: readonly string[],
  env: NodeJS.ProcessEnv = {},
): Promise<readonly ScanEntry[]> {
  const { paths } = options;
  if (paths?.length === 0) return [];
  const args = [
    '--no-optional-locks',
    ...settings,
    'status',
    '--porcelain=v2',
    '-z',
    '--no-renames',
    '--no-ahead-behind',
    '--ignore-submodules=none',
  ];
  const all = paths === undefined || paths.some((path) => path === '' || path === '.');
  const limited = !all && paths.length <= MOST_PATHSPECS && isPassable(paths);
  const specs = limited ? ['--', ...paths.map((path) => `:(top,literal)${path}`)] : [];
  const result = await git(repo, [...args, `--untracked-files=${options.untracked}`, ...specs], { env });
  const entries = mergeRecreated(parsePorcelain(result.stdout));
  // No file has an empty name: what Git has read is not an index.
  if (entries.some((entry) => entry.path === '')) assertIndex(repo);
  return limited || all ? entries : selectBelow(entries, paths);
}

/** A file that is removed from the index but there again is listed twice by Git: as a deletion, and as untracked. It is one change. */
function mergeRecreated(entries: readonly ScanEntry[]): readonly ScanEntry[] {
  const untracked = new Set(entries.filter((entry) => entry.kind === 'untracked').map((entry) => entry.path));
  const recreated = new Set(
    entries.filter((entry) => entry.kind === 'changed' && untracked.has(entry.path)).map((entry) => entry.path),
  );
  if (recreated.size === 0) return entries;
  return entries
    .filter((entry) => entry.kind !== 'untracked' || !recreated.has(entry.path))
    .map((entry) => (recreated.has(entry.path) ? { ...entry, worktreeState: 'M' } : entry));
}

async function pointersAmong(repo: Repo, entries: readonly ScanEntry[]): Promise<boolean> {
  const suspects = entries
    .filter((entry) => entry.worktreeState === 'M' && entry.indexMode.startsWith('100'))
    .map((entry) => entry.indexSha);
  if (suspects.length === 0) return false;
  const blobs = await readBlobs(repo, suspects, MAX_POINTER);
  return blobs.some(isPointer);
}

/** Reads blobs by object name; null for one that is larger than the limit (in bytes) or missing. */
export async function readBlobs(
  repo: Repo,
  names: readonly string[],
  limit: number,
): Promise<readonly (Buffer | null)[]> {
  if (names.length === 0) return [];
  const sizes = (
    await git(repo, ['cat-file', '--buffer', '--batch-check=%(objecttype) %(objectsize)'], {
      input: `${names.join('\n')}\n`,
    })
  ).stdout
    .toString('utf8')
    .split('\n');
  const wanted = names.filter((_, index) => {
    const [type, size] = sizes[index]?.split(' ') ?? [];
    return type === 'blob' && Number(size) <= limit;
  });
  if (wanted.length === 0) return names.map(() => null);
  const contents = parseBatch(
    (await git(repo, ['cat-file', '--buffer', '--batch'], { input: wanted.map((name) => `${name}\n`).join('') }))
      .stdout,
  );
  const byName = new Map(wanted.map((name, index) => [name, contents[index] ?? null]));
  return names.map((name) => byName.get(name) ?? null);
}

/** Splits the output of `git cat-file --batch` into contents; null for an object that is missing. */
export function parseBatch(output: Buffer): (Buffer | null)[] {
  const contents: (Buffer | null)[] = [];
  for (let answer = nextAnswer(output, 0); answer !== null; answer = nextAnswer(output, answer.end))
    contents.push(answer.content);
  return contents;
}

/** Parses `git status --porcelain=v2 -z` (git-status(1), "Porcelain Format Version 2"), made with --no-renames. */
export function parsePorcelain(output: Buffer): ScanEntry[] {
  const entries: ScanEntry[] = [];
  for (let from = 0; from < output.length; ) {
    const to = output.indexOf(0, from);
    const line = decodeName(output.subarray(from, to === -1 ? output.length : to));
    from = to === -1 ? output.length : to + 1;
    const entry = parseLine(line);
    if (entry) entries.push(entry);
  }
  return entries;
}

const ABSENT = { headMode: '000000', indexMode: '000000', worktreeMode: '000000', headSha: '', indexSha: '' } as const;

function parseLine(line: string): ScanEntry | null {
  if (line.startsWith('? '))
    return { ...ABSENT, path: line.slice(2), kind: 'untracked', indexState: '?', worktreeState: '?' };
  const match = /^([1u]) (.)(.) (N\.\.\.|S(.)(.)(.)) ([\s\S]*)$/.exec(line);
  if (!match) return null;
  const [, form, indexState, worktreeState, sub, commit, modified, untracked, rest] = match as unknown as string[];
  const fields = (rest as string).split(' ');
  const skip = form === 'u' ? 7 : 5;
  const [headMode, indexMode] = fields as [string, string];
  return {
    path: fields.slice(skip).join(' '),
    kind: form === 'u' ? 'unmerged' : 'changed',
    indexState: indexState as string,
    worktreeState: worktreeState as string,
    headMode,
    indexMode,
    worktreeMode: fields[form === 'u' ? 3 : 2] as string,
    headSha: fields[form === 'u' ? 4 : 3] as string,
    indexSha: fields[form === 'u' ? 5 : 4] as string,
    ...(sub?.startsWith('S')
      ? { submodule: { commitChanged: commit === 'C', modified: modified === 'M', untracked: untracked === 'U' } }
      : {}),
  };
}
