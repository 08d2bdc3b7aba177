/** `git clone` through simple-git: the one place that knows it. Loaded when something is to be cloned. */
import type { SimpleGitProgressEvent } from 'simple-git';
import { RepriseError } from '../core/errors.ts';
import type { Context } from '../sys/context.ts';
import { gitEnv } from './repo.ts';

/** What Git may speak. Helpers such as `ext::` run commands that the URL names. */
const PROTOCOLS = ['file', 'http', 'https', 'ssh'];

/** Why a URL from somebody else's dataset is not given to Git, or null when it may be. */
export function urlRefusal(url: string): string | null {
  if (url === '' || url.startsWith('-')) return 'it would be read as an option';
  if (/[\0\n]/.test(url)) return 'it has a line break or NUL byte';
  if (/^[A-Za-z0-9][A-Za-z0-9+.-]*::/.test(url)) return 'it names a remote helper';
  const scheme = /^([A-Za-z][A-Za-z0-9+.-]*):\/\//.exec(url)?.[1]?.toLowerCase();
  if (scheme !== undefined && !PROTOCOLS.includes(scheme)) return `its protocol is ${scheme}`;
  // ssh would read a host that starts with a hyphen as an option.
  if (/^(?:ssh:\/\/)?(?:[^/@]*@)?-/.test(url)) return 'its host name starts with a hyphen';
  return null;
}

/**
 * Clones `url` into `path` (absolute; absent or an empty folder).
 *
 * @param name what progress calls the clone
 * Throws `git-failed` with Git's words, or with the reason why the URL is refused. What a failure leaves behind is the caller's to remove.
 */
export async function cloneRepository(context: Context, url: string, path: string, name: string): Promise<void> {
  const refusal = urlRefusal(url);
  if (refusal !== null)
    throw new RepriseError('git-failed', `${url} is not cloned from: ${refusal}`, { data: { url } });
  const { simpleGit } = await import('simple-git');
  const label = `clone ${name}`;
  const env = { ...gitEnv(context), GIT_ALLOW_PROTOCOL: context.env['GIT_ALLOW_PROTOCOL'] ?? PROTOCOLS.join(':') };
  const git = simpleGit({
    baseDir: context.cwd,
    // Its default takes a failing command that printed nothing for a success.
    errors: (_, { exitCode, stdErr }) =>
      exitCode === 0
        ? undefined
        : new Error(Buffer.concat(stdErr).toString('utf8').trim() || `git clone exited ${exitCode}`),
    progress: (event: SimpleGitProgressEvent) =>
      context.emit({ kind: 'progress', label, done: event.processed, total: event.total, unit: 'files' }),
    // The environment is the user's own, so an ssh command or a configuration in it is the user's choice. Nothing of the dataset's gets there.
    allowEnvironment: Object.keys(env),
    unsafe: USERS_OWN_SETTINGS,
  }).env(env);
  try {
    await git.raw(['clone', '--progress', '--', url, path]);
  } catch (cause) {
    throw new RepriseError('git-failed', `${url} could not be cloned: ${lastWords(cause)}`, { cause, data: { url } });
  } finally {
    context.emit({ kind: 'progress-end', label });
  }
}

/** simple-git refuses an environment that sets any of these, unless told that it is trusted. */
const USERS_OWN_SETTINGS = {
  allowUnsafeAlias: true,
  allowUnsafeAskPass: true,
  allowUnsafeConfigEnvCount: true,
  allowUnsafeConfigPaths: true,
  allowUnsafeCredentialHelper: true,
  allowUnsafeDiffExternal: true,
  allowUnsafeDiffTextConv: true,
  allowUnsafeEditor: true,
  allowUnsafeExec: true,
  allowUnsafeFilter: true,
  allowUnsafeFsMonitor: true,
  allowUnsafeGitProxy: true,
  allowUnsafeGpgProgram: true,
  allowUnsafeHooksPath: true,
  allowUnsafeInclude: true,
  allowUnsafeMergeDriver: true,
  allowUnsafePack: true,
  allowUnsafePager: true,
  allowUnsafeProtocolOverride: true,
  allowUnsafeSshCommand: true,
  allowUnsafeTemplateDir: true,
  allowUnsafeUrlRewrite: true,
} as const;

function lastWords(cause: unknown): string {
  const text = cause instanceof Error ? cause.message : String(cause);
  const lines = text.split(/[\r\n]+/).filter((line) => /^(fatal|error|remote|warning): /.test(line));
  return lines.join(' ') || text.trim().split('\n').at(-1) || 'no message';
}
