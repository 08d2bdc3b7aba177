/**
 * A container that must not get hold of the user's terminal: Apptainer hands its own streams on as they are.
 *
 * A program that has a terminal behaves otherwise than one under Docker or in a job, and one of somebody else's image could type into it
 * (TIOCSTI, ioctl_tty(2)). So what is a terminal here is a pipe there, and there is no terminal in control of its session.
 */
import { isatty } from 'node:tty';
import { start } from '../../sys/proc.ts';
import { putOnLeash } from '../engine/leash.ts';
import { handOnSignals, numberOf } from '../engine/signals.ts';

/** Whether any of our streams is a terminal, so that a command has to be started through here. */
export function hasTerminal(): boolean {
  return [0, 1, 2].some((fd) => isatty(fd));
}

/** Runs a program to its end, with pipes in the place of terminals. Returns its exit code; 128+N after signal N. */
export async function runPiped(argv: readonly [string, ...string[]], env: NodeJS.ProcessEnv): Promise<number> {
  const signals = handOnSignals();
  const stdio = [0, 1, 2].map((fd) => (isatty(fd) ? 'pipe' : 'inherit'));
  const child = start(argv, { cwd: process.cwd(), env, stdio, detached: true });
  const ended = new Promise<number>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => resolve(code ?? 128 + numberOf(signal ?? 'SIGKILL')));
  });
  const leash = putOnLeash(['/bin/sh', '-c', 'kill -KILL -- "-$1"', 'sh', String(child.pid)], env);
  signals.attach(async (signal) => child.kill(signal));
  if (child.stdin) {
    // The command may end without reading all of it.
    child.stdin.on('error', () => {});
    process.stdin.pipe(child.stdin);
  }
  child.stdout?.pipe(process.stdout);
  child.stderr?.pipe(process.stderr);
  try {
    return await ended;
  } finally {
    leash.release();
    signals.stop();
  }
}
