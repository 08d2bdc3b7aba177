/** One Git repository of a dataset: where it is, and how to speak to it. */
import { existsSync, readFileSync, realpathSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { decodeName, fsPath } from '../core/bytes.ts';
import { RepriseError } from '../core/errors.ts';
import { quoteWord } from '../core/quote.ts';
import type { Context } from '../sys/context.ts';
import { lstatOrNull, readOrNull } from '../sys/files.ts';
import { HELPER_VARIABLE, helperTagOf, thisOwner } from '../sys/owner.ts';
import { execute, type ProcResult } from '../sys/proc.ts';

export interface Repo {
  /** Absolute path of the work tree, as the user reached it (symbolic links kept). */
  readonly root: string;
  /** The repository's own Git directory; for a linked work tree not the shared one. */
  readonly gitDir: string;
  /** The Git directory that holds refs and objects; equal to gitDir except in linked work trees. */
  readonly commonDir: string;
  readonly context: Context;
}

/** Where Git is asked: a repository, or any folder for what it says without one. */
export type Place = Pick<Repo, 'root' | 'context'>;

/** Finds the repository at or above an absolute folder, or null. Reads files only: no process is started. */
export function findRepo(start: string, context: Context): Repo | null {
  for (let folder = start; ; folder = dirname(folder)) {
    const repo = repoAt(folder, context);
    if (repo || folder === dirname(folder)) return repo;
  }
}

/** The repository whose work tree is exactly this absolute folder, or null. */
export function repoAt(root: string, context: Context): Repo | null {
  const gitDir = gitDirOf(root);
  if (gitDir === null || !isGitDir(gitDir)) return null;
  const common = readOrNull(join(gitDir, 'commondir'))?.toString('utf8').trim();
  return { root, gitDir, commonDir: common ? resolve(realOf(gitDir), common) : gitDir, context };
}

/** What `.git` of a folder stands for, or null. git-annex makes a link of the file that it is in submodules and linked work trees. */
function gitDirOf(root: string): string | null {
  const dotGit = join(root, '.git');
  const stat = lstatOrNull(dotGit);
  if (stat?.isFile()) return gitFileTarget(dotGit, root);
  if (!stat?.isSymbolicLink()) return stat && dotGit;
  if (!existsSync(fsPath(dotGit))) return null;
  const real = realOf(dotGit);
  // Named as the user reaches it, as DataLad does.
  return lstatOrNull(real)?.isFile() ? gitFileTarget(real, root) : dotGit;
}

/** Refuses a folder inside a Git directory, as Git does; `no-dataset`. */
export function assertInWorkTree(repo: Repo, folder: string): void {
  if (!relative(repo.root, folder).split('/').includes('.git')) return;
  throw new RepriseError('no-dataset', `${folder} is inside a Git directory, which has no files to work on`, {
    hints: [`cd ${quoteWord(repo.root)}`],
    data: { path: folder },
  });
}

/** Refs that are not in files: HEAD names a branch that does not exist, for programs that do not know (git-config(1), extensions.refStorage). */
export function reftableError({ root }: Place): RepriseError {
  return new RepriseError('not-a-dataset', `The refs of ${root} are in a reftable, which Reprise does not read`, {
    hints: [`git -C ${quoteWord(root)} refs migrate --ref-format=files   # needs Git 2.46`],
    data: { path: root },
  });
}

function realOf(path: string): string {
  return decodeName(realpathSync(fsPath(path), 'buffer'));
}

/** As `findRepo`, for a dataset the user named or stands in; throws `no-dataset`, `not-a-dataset` for one that cannot be worked with. */
export function requireRepo(start: string, context: Context, exact: boolean): Repo {
  const repo = exact ? repoAt(start, context) : findRepo(start, context);
  if (repo) {
    assertInWorkTree(repo, start);
    if (lstatOrNull(join(repo.commonDir, 'reftable'))) throw reftableError(repo);
    return repo;
  }
  if (isGitDir(start) && lstatOrNull(join(start, 'objects'))) {
    throw new RepriseError('no-dataset', `${start} is a bare repository, which has no files to work on`, {
      hints: [`git clone ${quoteWord(start)}`],
      data: { path: start },
    });
  }
  throw new RepriseError('no-dataset', exact ? `No dataset is at ${start}` : `No dataset is at or above ${start}`, {
    hints: ['reprise create --force .'],
    data: { path: start },
  });
}

function gitFileTarget(dotGit: string, root: string): string | null {
  const match = /^gitdir: (.+?)\n?$/.exec(readFileSync(fsPath(dotGit), 'utf8'));
  return match ? resolve(root, match[1] as string) : null;
}

function isGitDir(path: string): boolean {
  return lstatOrNull(join(path, 'HEAD')) !== null;
}

/** Variables that tie Git to another repository or index; inherited from a hook they would misdirect every call. */
const MISLEADING = [
  'GIT_DIR',
  'GIT_WORK_TREE',
  'GIT_INDEX_FILE',
  'GIT_PREFIX',
  'GIT_COMMON_DIR',
  'GIT_OBJECT_DIRECTORY',
  'GIT_ALTERNATE_OBJECT_DIRECTORIES',
  'GIT_NAMESPACE',
  'GIT_LITERAL_PATHSPECS',
  'GIT_GLOB_PATHSPECS',
  'GIT_NOGLOB_PATHSPECS',
  'GIT_ICASE_PATHSPECS',
  'GIT_EXTERNAL_DIFF',
  // For `git config` the file that it works on, and nothing for others.
  'GIT_CONFIG',
  // Of a hook that is asked whether objects are to be taken: no ref can be moved meanwhile.
  'GIT_QUARANTINE_PATH',
  'GIT_SHALLOW_FILE',
  'GIT_GRAFT_FILE',
  'GIT_INTERNAL_SUPER_PREFIX',
  'GIT_IMPLICIT_WORK_TREE',
  'GIT_ATTR_SOURCE',
  // The repository has been found already.
  'GIT_CEILING_DIRECTORIES',
] as const;

const HELPER_TAG = helperTagOf(thisOwner());

/** The environment for our own Git and git-annex calls: English messages, no prompt, no misdirection, `-c` passed on. */
export function gitEnv(context: Context, extra: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv {
  const env: NodeJS.ProcessEnv = {
    ...context.env,
    LC_MESSAGES: 'C',
    LANGUAGE: 'C',
    GIT_TERMINAL_PROMPT: '0',
    [HELPER_VARIABLE]: HELPER_TAG,
  };
  for (const name of MISLEADING) delete env[name];
  return { ...env, ...asEnv(context, [...context.overrides, ...UTF8]), ...extra };
}

/** Messages hold records, which are UTF-8, whatever a user's terminal shows (git-log(1), "Discussion"). */
const UTF8 = [
  ['i18n.logOutputEncoding', 'UTF-8'],
  ['i18n.commitEncoding', 'UTF-8'],
] as const;

/** `-c key=value` as Git's GIT_CONFIG_COUNT variables, after those already in the environment. */
export function overridesAsEnv(context: Context): NodeJS.ProcessEnv {
  return asEnv(context, context.overrides);
}

function asEnv(context: Context, settings: Context['overrides']): NodeJS.ProcessEnv {
  if (settings.length === 0) return {};
  const first = Number(context.env['GIT_CONFIG_COUNT'] ?? 0);
  const env: NodeJS.ProcessEnv = { GIT_CONFIG_COUNT: String(first + settings.length) };
  for (const [index, [key, value]] of settings.entries()) {
    env[`GIT_CONFIG_KEY_${first + index}`] = key;
    env[`GIT_CONFIG_VALUE_${first + index}`] = value;
  }
  return env;
}

export interface GitOptions {
  readonly input?: Buffer | string;
  readonly env?: NodeJS.ProcessEnv;
  /** Exit codes that are answers, not failures. Default [0]. */
  readonly accept?: readonly number[];
  readonly cwd?: string;
}

/**
 * Runs Git in a repository and returns all that came out.
 *
 * Throws `git-failed` with Git's own words for any exit code not accepted.
 */
export async function git(repo: Place, args: readonly string[], options: GitOptions = {}): Promise<ProcResult> {
  const result = await execute(['git', ...args], {
    cwd: options.cwd ?? repo.root,
    env: gitEnv(repo.context, options.env),
    ...(options.input === undefined ? {} : { input: options.input }),
  });
  if (result.code !== null && (options.accept ?? [0]).includes(result.code)) return result;
  throw gitFailure(args, result, repo);
}

/** As `git`, but returns stdout as text without its final newline. */
export async function gitText(repo: Place, args: readonly string[], options: GitOptions = {}): Promise<string> {
  return (await git(repo, args, options)).stdout.toString('utf8').replace(/\n$/, '');
}

function gitFailure(args: readonly string[], result: ProcResult, repo: Place): RepriseError {
  const words = result.stderr.trim();
  if (/No space left on device|Disk quota exceeded/.test(words)) {
    return new RepriseError('disk-full', `There is no space left for Git in ${repo.root}`, {
      hints: ['df -h .'],
      data: { stderr: words },
    });
  }
  if (/Please tell me who you are|empty ident name|unable to auto-detect email/.test(words)) {
    return new RepriseError('identity-missing', 'Git does not know who commits', {
      hints: ["git config --global user.name 'Your Name'", 'git config --global user.email you@example.org'],
    });
  }
  const unknown = /unknown repository extensions? found:\s*(\S+)|(Expected git repo version .*)/.exec(words);
  if (unknown) {
    const reason = unknown[2] ?? `it does not know the extension ${unknown[1]}`;
    return new RepriseError(
      'not-a-dataset',
      `The Git here cannot work with the repository at ${repo.root}: ${reason}`,
      {
        hints: ['git --version'],
        data: { stderr: words },
      },
    );
  }
  const verb = args.find((arg, index) => !arg.startsWith('-') && args[index - 1] !== '-c') ?? '';
  const how = result.signal ? `was ended by ${result.signal}` : `exited ${result.code}`;
  return new RepriseError(
    'git-failed',
    `git ${verb} ${how} in ${repo.root}: ${words.split('\n').slice(-3).join(' ') || 'no message'}`,
    {
      data: { argv: ['git', ...args], stderr: words },
    },
  );
}
