/** Staging into an index of one's own, and reading back what was really staged. */
import { dirname } from 'node:path';
import { decodeName, encodeName, joinNul } from '../core/bytes.ts';
import { RepriseError } from '../core/errors.ts';
import { lstatOrNull } from '../sys/files.ts';
import { askAnnex } from './annex-batch.ts';
import type { Change } from './content-store.ts';
import { annexEnv } from './annex-env.ts';
import { git, type Repo } from './repo.ts';
import { WITHOUT_ANNEX_FILTER } from './worktree.ts';

export interface StagePlan {
  /** Files, links and subdatasets that Git takes as they are. */
  readonly plain: readonly string[];
  /** Unlocked annexed files: git-annex's filter turns them into pointers. */
  readonly filtered: readonly string[];
  /** Files that git-annex itself has to add. */
  readonly viaAnnex: readonly string[];
  readonly deleted: readonly string[];
}

export interface StagedEntry {
  readonly path: string;
  readonly status: 'added' | 'modified' | 'deleted';
  /** Octal mode before; `000000` for what is new. */
  readonly oldMode: string;
  /** Octal mode and object name after the change; `000000` and zeros for a deletion. */
  readonly mode: string;
  readonly sha: string;
}

/** Stages paths into the index file `index`. Throws `annex-failed` with git-annex's reasons. */
export async function stageInto(repo: Repo, index: string, plan: StagePlan): Promise<void> {
  const env = { GIT_INDEX_FILE: index };
  if (plan.deleted.length > 0) {
    const gone = plan.deleted.flatMap((path) => [
      Buffer.from(`0 ${'0'.repeat(40)}\t`),
      encodeName(path),
      Buffer.from([0]),
    ]);
    await git(repo, ['update-index', '-z', '--index-info'], { env, input: Buffer.concat(gone) });
  }
  const update = ['update-index', '--add', '--replace', '-z', '--stdin'];
  if (plan.plain.length > 0) await git(repo, [...WITHOUT_ANNEX_FILTER, ...update], { env, input: joinNul(plan.plain) });
  if (plan.filtered.length > 0) {
    const filterEnv = { ...(await annexEnv(repo)), ...env };
    const stage = (paths: readonly string[]) =>
      git(repo, ['-c', 'annex.largefiles=anything', ...update], { env: filterEnv, input: joinNul(paths) });
    const sizeOf = (path: string) => lstatOrNull(`${repo.root}/${path}`)?.size;
    const sizes = plan.filtered.map(sizeOf);
    await stage(plan.filtered);
    // Where the content of a pointer is here, the filter has put it in its place, and Git has noted the pointer's size.
    const filled = plan.filtered.filter((path, at) => sizeOf(path) !== sizes[at]);
    if (filled.length > 0) await stage(filled);
  }
  if (plan.viaAnnex.length > 0) await annexAdd(repo, plan.viaAnnex, env);
}

/** Lets git-annex add files, ignored ones too: whoever names a file wants it. Its exit code says nothing, `success` in each answer does. */
async function annexAdd(repo: Repo, files: readonly string[], env: NodeJS.ProcessEnv): Promise<void> {
  const failures: string[] = [];
  // DataLad annexes dotfiles like others, unless configured otherwise.
  for await (const answer of askAnnex(repo, { args: ['add', '--force', '-c', 'annex.dotfiles=true'], files, env })) {
    if (answer.success !== true)
      failures.push(`${answer.file ?? 'a file'}: ${answer['error-messages']?.join('; ') || 'no reason given'}`);
  }
  if (failures.length === 0) return;
  throw new RepriseError(
    'annex-failed',
    `git-annex could not add ${failures.length} of ${files.length} files: ${failures[0]}`,
    { data: { failures } },
  );
}

/** What an index holds that a commit does not, for the given paths; a null commit stands for an empty tree. */
export async function readStaged(
  repo: Repo,
  index: string,
  commit: string | null,
  paths: ReadonlySet<string>,
): Promise<readonly StagedEntry[]> {
  const against =
    commit ??
    (await git(repo, ['hash-object', '-t', 'tree', '-w', '--stdin'], { input: '' })).stdout.toString('latin1').trim();
  const args = [
    'diff-index',
    '--cached',
    '--raw',
    '--no-renames',
    '--no-abbrev',
    '--ignore-submodules=none',
    '-z',
    against,
  ];
  const output = (await git(repo, args, { env: { GIT_INDEX_FILE: index } })).stdout;
  return parseRawDiff(output).filter((entry) => paths.has(entry.path));
}

/** Parses `--raw -z` output (git-diff-index(1)). */
export function parseRawDiff(output: Buffer): StagedEntry[] {
  const entries: StagedEntry[] = [];
  for (let at = 0; at < output.length; ) {
    const headEnd = output.indexOf(0, at);
    const nameEnd = output.indexOf(0, headEnd + 1);
    const [oldMode, mode, , sha, letter] = output
      .subarray(at + 1, headEnd)
      .toString('latin1')
      .split(' ') as [string, string, string, string, string];
    entries.push({
      path: decodeName(output.subarray(headEnd + 1, nameEnd)),
      status: letter === 'A' ? 'added' : letter === 'D' ? 'deleted' : 'modified',
      oldMode,
      mode,
      sha,
    });
    at = nameEnd + 1;
  }
  return entries;
}

/** The changes whose path exists in the work tree, and those whose path does not. */
export function splitByPresence<T extends Pick<Change, 'path' | 'removed'>>(
  repo: Repo,
  changes: readonly T[],
): { readonly present: readonly T[]; readonly absent: readonly T[] } {
  const present: T[] = [];
  const absent: T[] = [];
  const linked = new Map<string, boolean>();
  const isPresent = ({ path, removed }: T) =>
    removed !== true && isThere(repo, path) && !isBehindLink(repo, dirname(path), linked);
  for (const change of changes) (isPresent(change) ? present : absent).push(change);
  return { present, absent };
}

/** A folder in the place of a tracked file means that the file is gone, unless it is a repository of its own. */
function isThere(repo: Repo, path: string): boolean {
  const stat = lstatOrNull(`${repo.root}/${path}`);
  return stat !== null && (!stat.isDirectory() || lstatOrNull(`${repo.root}/${path}/.git`) !== null);
}

/** What lies behind a symbolic link does not belong to the repository at that path. */
function isBehindLink(repo: Repo, folder: string, known: Map<string, boolean>): boolean {
  if (folder === '.') return false;
  const before = known.get(folder);
  if (before !== undefined) return before;
  const answer =
    lstatOrNull(`${repo.root}/${folder}`)?.isSymbolicLink() === true || isBehindLink(repo, dirname(folder), known);
  known.set(folder, answer);
  return answer;
}
