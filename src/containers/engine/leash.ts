/**
 * A leash: however this process ends, the container is removed.
 *
 * A shell in a session of its own waits on a pipe that only this process holds. If the pipe closes without a word, this process
 * was killed, and the shell becomes the program that removes the container; after a word it just ends. So the usual case costs
 * no more than starting a shell, and killing this process's whole group does not reach the leash.
 */
import type { Socket } from 'node:net';
import { isGone, type Owner } from '../../sys/owner.ts';
import { start } from '../../sys/proc.ts';

/**
 * $@: what removes the container. It waits in the background of a shell that ends at once, so that it is no child of this process: who ends
 * this process with all below it leaves it alone.
 */
const WAIT = `trap '' HUP INT QUIT TERM; { read -r word <&3 || exec "$@"; } &`;

export interface Leash {
  /** The container is gone: nothing is to be done any more. */
  release(): void;
}

/** @param remove the command line that removes the container, also if it is only about to be made */
export function putOnLeash(remove: readonly string[], env: NodeJS.ProcessEnv): Leash {
  const shell = start(['/bin/sh', '-c', WAIT, '/bin/sh', ...remove], {
    // Not in the user's folder, which it would keep busy.
    cwd: '/',
    env,
    // Not its standard input, which Node closes when the first shell ends.
    stdio: ['ignore', 'ignore', 'ignore', 'pipe'],
    detached: true,
  });
  shell.unref();
  const pipe = shell.stdio[3] as Socket;
  pipe.on('error', () => {});
  return { release: () => pipe.end('done\n') };
}

/** How often to look whether those who wait for us are still there. */
const LOOK_MS = 250;

/** Calls back once when an owner is gone. Returns what ends the watch. */
export function watchOwner(owner: Owner, gone: () => void): () => void {
  const timer = setInterval(() => {
    if (!isGone(owner)) return;
    clearInterval(timer);
    gone();
  }, LOOK_MS);
  timer.unref();
  return () => clearInterval(timer);
}
