/** What a tool left in a folder: history, trees, work trees and messages of every repository in it, free of where the folder is. */
import { execFile } from 'node:child_process';
import { existsSync, lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { promisify } from 'node:util';
import { decodeName, encodeName } from '../../src/core/bytes.ts';

const execute = promisify(execFile);

export interface CommitState {
  readonly subject: string;
  readonly message: string;
  /** Positions of the parents in this list. */
  readonly parents: readonly number[];
}

export interface RepoState {
  readonly branch: string;
  /** Commits reachable from HEAD, oldest first. */
  readonly commits: readonly CommitState[];
  /** Lines of `git ls-tree -r HEAD`. */
  readonly tree: readonly string[];
  /** Lines of `git status --porcelain`, with ignored files. */
  readonly status: readonly string[];
  readonly editmsg: string | null;
}

export interface FolderState {
  readonly repos: Readonly<Record<string, RepoState>>;
  /** Every path that is not in a `.git`: what it is and what is in it. */
  readonly files: Readonly<Record<string, string>>;
}

/** @param names texts that differ from twin to twin (folders, most of all) and what to put instead. */
export async function readState(
  folder: string,
  env: NodeJS.ProcessEnv,
  names: readonly (readonly [string, string])[],
): Promise<FolderState> {
  const files: Record<string, string> = {};
  const roots: string[] = [];
  walk(folder, folder, files, roots);
  const repos = await Promise.all(roots.map((root) => readRepo(root, env, names)));
  return {
    repos: Object.fromEntries(roots.map((root, at) => [relative(folder, root), repos[at] as RepoState])),
    files,
  };
}

function walk(top: string, folder: string, files: Record<string, string>, roots: string[]): void {
  const entries = readdirSync(encodeName(folder), { encoding: 'buffer' })
    .map((name) => decodeName(name))
    .sort();
  if (entries.includes('.git')) roots.push(folder);
  if (entries.length === 0) files[`${relative(top, folder)}/`] = 'empty folder';
  for (const name of entries) {
    if (name === '.git') continue;
    const path = join(folder, name);
    const stat = lstatSync(encodeName(path));
    if (stat.isDirectory()) walk(top, path, files, roots);
    else files[relative(top, path)] = describe(path, stat);
  }
}

function describe(path: string, stat: { mode: number; size: number; isSymbolicLink(): boolean }): string {
  if (stat.isSymbolicLink()) {
    return `link ${readlinkSync(encodeName(path))}${existsSync(encodeName(path)) ? '' : ' (dangling)'}`;
  }
  const content = stat.size > 2000 ? `${stat.size} bytes` : readFileSync(encodeName(path)).toString('latin1');
  return `file ${stat.mode & 0o100 ? 'x' : '-'} ${content}`;
}

/** Where Git keeps a work tree's files of its own; read here, as a process for each such question makes up much of a test's time. */
export function gitDirOf(root: string): string {
  const path = join(root, '.git');
  if (!lstatSync(path).isFile()) return path;
  return resolve(
    root,
    readFileSync(path, 'utf8')
      .replace(/^gitdir: /, '')
      .trim(),
  );
}

/** Full name of the branch that HEAD is at; null where it is at none. */
export function branchAt(gitDir: string): string | null {
  return /^ref: (.+)\n$/.exec(readFileSync(join(gitDir, 'HEAD'), 'utf8'))?.[1] ?? null;
}

async function readRepo(
  root: string,
  env: NodeJS.ProcessEnv,
  names: readonly (readonly [string, string])[],
): Promise<RepoState> {
  const git = async (...args: string[]) => {
    const done = await execute('git', args, { cwd: root, env, maxBuffer: 1 << 28, encoding: 'latin1' }).catch(() => ({
      stdout: '',
    }));
    return done.stdout;
  };
  const gitDir = gitDirOf(root);
  const [log, tree, status] = await Promise.all([
    git('log', '--reverse', '--topo-order', '--format=%H%x00%P%x00%B%x01', 'HEAD'),
    git('ls-tree', '-r', '-z', 'HEAD'),
    git('status', '--porcelain', '-z', '--untracked-files=all', '--ignored'),
  ]);
  const plain = (text: string) =>
    names.reduce((result, [from, to]) => result.replaceAll(from, to), Buffer.from(text, 'latin1').toString('utf8'));
  const rows = log
    .split('\x01\n')
    .filter((row) => row !== '')
    .map((row) => row.split('\0') as [string, string, string]);
  const position = new Map(rows.map(([sha], at) => [sha, at]));
  const commits = rows.map(([, parents, message]) => ({
    subject: plain(message.split('\n')[0] ?? ''),
    message: plain(message),
    parents: parents
      .split(' ')
      .filter((sha) => sha !== '')
      .map((sha) => position.get(sha) ?? -1),
  }));
  const editmsg = join(gitDir, 'COMMIT_EDITMSG');
  return {
    branch: branchAt(gitDir) ?? '',
    commits,
    // A subdataset's commit is compared with the subdataset; here only that it is one, in an order that its name has no part in.
    tree: entries(tree)
      .map((line) => line.replace(/^160000 commit [0-9a-f]+/, '160000 commit'))
      .sort(),
    status: entries(status),
    editmsg: existsSync(editmsg) ? plain(readFileSync(editmsg, 'latin1')) : null,
  };
}

function entries(listing: string): readonly string[] {
  return listing
    .split('\0')
    .filter((line) => line !== '')
    .sort();
}
