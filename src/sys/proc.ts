/**
 * The only door to other processes.
 *
 * `execute` runs one to its end and returns what came out; `start` hands back the bare child. Both take an argument list, never a
 * command line, and never a shell. Plain `node:child_process`: it is the hot path of every command.
 */
import { type ChildProcess, type StdioOptions, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { RepriseError } from '../core/errors.ts';

export interface ProcOptions {
  readonly cwd: string;
  /** The whole environment of the child. */
  readonly env: NodeJS.ProcessEnv;
  readonly input?: Buffer | string;
  /** `inherit` passes the child's stderr through; otherwise it is collected. */
  readonly stderr?: 'inherit' | 'collect';
  /** Kills it; what came out until then is the answer. By default it may take as long as it needs. */
  readonly signal?: AbortSignal;
}

export interface ProcResult {
  /** Exit code; null when a signal ended the process. */
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: Buffer;
  readonly stderr: string;
}

/** Runs a program to its end; never rejects for an exit code, only when it cannot be started (`path-missing` for its folder, `git-missing`, `annex-missing`, `command-not-started`). */
export function execute(argv: readonly [string, ...string[]], options: ProcOptions): Promise<ProcResult> {
  return new Promise((resolve, reject) => {
    const stdio: StdioOptions = [
      options.input === undefined ? 'ignore' : 'pipe',
      'pipe',
      options.stderr === 'inherit' ? 'inherit' : 'pipe',
    ];
    const child = spawn(argv[0], argv.slice(1), { cwd: options.cwd, env: options.env, stdio });
    const out: Buffer[] = [];
    const err: Buffer[] = [];
    child.stdout?.on('data', (chunk: Buffer) => out.push(chunk));
    child.stderr?.on('data', (chunk: Buffer) => err.push(chunk));
    const end = (code: number | null, signal: NodeJS.Signals | null) => {
      options.signal?.removeEventListener('abort', stop);
      resolve({ code, signal, stdout: Buffer.concat(out), stderr: Buffer.concat(err).toString('utf8') });
    };
    const stop = () => giveUp(child, end);
    options.signal?.addEventListener('abort', stop);
    if (options.signal?.aborted) stop();
    child.on('error', (cause) => reject(startError(argv[0], options.cwd, cause)));
    child.on('close', end);
    if (options.input !== undefined && child.stdin) {
      // A child that ends without reading its input is told from by its exit code, not by a broken pipe.
      child.stdin.on('error', () => {});
      child.stdin.end(options.input);
    }
  });
}

/** Neither a process that cannot be killed nor one that it has left behind keeps us waiting. */
function giveUp(child: ChildProcess, end: (code: null, signal: NodeJS.Signals) => void): void {
  child.kill('SIGKILL');
  for (const stream of child.stdio) stream?.destroy();
  child.unref();
  end(null, 'SIGKILL');
}

/** Starts a program whose standard streams are passed through or given, and hands back the bare child. */
export function start(
  argv: readonly [string, ...string[]],
  options: Omit<ProcOptions, 'input' | 'stderr'> & { readonly stdio: StdioOptions; readonly detached?: boolean },
): ChildProcess {
  const { cwd, env, stdio, detached = false } = options;
  return spawn(argv[0], argv.slice(1), { cwd, env, stdio, detached });
}

/** Why a program could not be started. The system says the same of a program that is not there and of a folder that is not. */
export function startError(program: string, cwd: string, cause: Error): RepriseError {
  const code = (cause as NodeJS.ErrnoException).code;
  if (code === 'ENOENT' && !existsSync(cwd)) {
    return new RepriseError('path-missing', `The folder ${cwd} does not exist any more`, {
      cause,
      data: { path: cwd },
    });
  }
  if (code === 'ENOENT' && program === 'git') {
    return new RepriseError('git-missing', 'Git is not installed, or is not on the PATH', {
      cause,
      hints: ['apt-get install git'],
    });
  }
  if (code === 'ENOENT' && program === 'git-annex') {
    return new RepriseError('annex-missing', 'git-annex is not installed, or is not on the PATH', {
      cause,
      hints: ['apt-get install git-annex'],
    });
  }
  return new RepriseError('command-not-started', `${program} could not be started: ${cause.message}`, { cause });
}
