/** The shape of a history: its commits by name rather than by id, so that histories made by different tools can be compared. */
import { execFile } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { branchAt, gitDirOf } from './twins-state.ts';

const execute = promisify(execFile);

/** Names of commits by id. */
export type CommitNames = ReadonlyMap<string, string>;

export interface Shape {
  /** `main at c'`, `detached at b`. */
  readonly head: string;
  /** Every local branch and the commit that it is at. */
  readonly branches: readonly string[];
  /** Commits that the prepared history does not have, oldest first: `c' <- b a'`, the tree, and the message with names for ids. */
  readonly commits: readonly string[];
  /** An operation of Git's that was not brought to its end. */
  readonly unfinished: readonly string[];
}

interface Commit {
  readonly id: string;
  readonly parents: readonly string[];
  readonly tree: string;
  readonly message: string;
}

/** Names of the commits of a prepared history: their tags, or their subjects. */
export async function nameCommits(repo: string, env: NodeJS.ProcessEnv): Promise<CommitNames> {
  const git = gitIn(repo, env);
  const [tags, commits] = await Promise.all([
    git('for-each-ref', '--format=%(refname:short) %(objectname)', 'refs/tags'),
    readLog(git),
  ]);
  const names = new Map(lines(tags).map((line) => line.split(' ').reverse() as [string, string]));
  for (const { id, message } of commits)
    if (!names.has(id)) names.set(id, unused(new Set(names.values()), subjectOf(message)));
  return names;
}

/**
 * The shape of a repository that began with the named commits.
 *
 * A new commit bears the name of what it was made from and a prime: of the commit that its record was derived from, or of the one with the same message.
 *
 * @param withTrees false where trees hold commits of subdatasets, which are named by their dates and messages
 */
export async function readShape(
  repo: string,
  env: NodeJS.ProcessEnv,
  known: CommitNames,
  withTrees = true,
): Promise<Shape> {
  const git = gitIn(repo, env);
  const gitDir = gitDirOf(repo);
  const [refs, log] = await Promise.all([
    git('for-each-ref', '--format=%(refname:short) %(objectname)', 'refs/heads'),
    readLog(git),
  ]);
  const heads = lines(refs).map((line) => line.split(' ') as [string, string]);
  const branch = branchAt(gitDir)?.replace(/^refs\/heads\//, '');
  const head =
    branch === undefined ? readFileSync(`${gitDir}/HEAD`, 'utf8').trim() : (new Map(heads).get(branch) ?? 'HEAD');
  const all = new Map(known);
  const messages = new Map(
    log.filter(({ id }) => known.has(id)).map(({ id, message }) => [withoutSidecar(message), id]),
  );
  const fresh = log.filter(({ id }) => !known.has(id));
  for (const commit of fresh) all.set(commit.id, unused(new Set(all.values()), originOf(commit, all, messages)));
  const name = (id: string) => all.get(id) ?? id;
  return {
    head: `${branch ?? 'detached'} at ${name(head)}`,
    branches: heads.filter(([ref]) => ref !== 'git-annex').map(([ref, id]) => `${ref} at ${name(id)}`),
    commits: fresh.map((commit) => {
      const message = commit.message.replace(/\b[0-9a-f]{40}\b/g, name);
      return `${name(commit.id)} <- ${commit.parents.map(name).join(' ')}\n${withTrees ? commit.tree : ''}\n${message}`;
    }),
    unfinished: readdirSync(gitDir).filter((file) => /^(CHERRY_PICK|MERGE|REVERT)_HEAD$/.test(file)),
  };
}

function originOf(commit: Commit, names: CommitNames, messages: ReadonlyMap<string, string>): string {
  const chain = /"chain": \[([^\]]*)\]/.exec(commit.message)?.[1] ?? '';
  const last = chain.match(/[0-9a-f]{40}/g)?.at(-1) ?? messages.get(withoutSidecar(commit.message));
  return last === undefined ? subjectOf(commit.message) : `${names.get(last) ?? last}'`;
}

/** The chain of a record in a sidecar is there: such a commit is known by the rest of its message. */
const withoutSidecar = (message: string): string => message.replace(/^"[0-9a-f]{32}"$/m, '""');

function unused(taken: ReadonlySet<string>, wanted: string): string {
  let name = wanted;
  for (let number = 2; taken.has(name); number++) name = `${wanted}#${number}`;
  return name;
}

type Git = (...args: string[]) => Promise<string>;

function gitIn(cwd: string, env: NodeJS.ProcessEnv): Git {
  return async (...args) => {
    const options = { cwd, env, maxBuffer: 1 << 28 };
    const done = await execute('git', args, options).catch(() => ({ stdout: '' }));
    return done.stdout;
  };
}

/** Commits of all branches and of HEAD, oldest first. */
async function readLog(git: Git): Promise<readonly Commit[]> {
  const log = await git(
    'log',
    '--reverse',
    '--topo-order',
    '--format=%H%x00%P%x00%T%x00%B%x01',
    'HEAD',
    '--exclude=git-annex',
    '--branches',
    '--tags',
  );
  return log
    .split('\x01\n')
    .filter((row) => row !== '')
    .map((row) => {
      const [id = '', parents = '', tree = '', message = ''] = row.split('\0');
      return { id, parents: parents.split(' ').filter((parent) => parent !== ''), tree, message: message.trimEnd() };
    });
}

const subjectOf = (message: string): string => message.split('\n', 1)[0] ?? '';

function lines(text: string): readonly string[] {
  return text.split('\n').filter((line) => line !== '');
}
