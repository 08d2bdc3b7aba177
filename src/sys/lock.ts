/**
 * A lock file that orders processes on one or more hosts.
 *
 * It is made with link(2), which is atomic on local and network file systems alike; the owner is written in it, so that the lock of
 * a process that was killed is taken over. Nothing here relies on flock(2), which many cluster file systems do not have.
 */
import { createHash } from 'node:crypto';
import { existsSync, linkSync, lstatSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { RepriseError } from '../core/errors.ts';
import { quoteWord } from '../core/quote.ts';
import { partName } from './files.ts';
import { isGone, isSameOwner, type Owner, randomId, thisOwner } from './owner.ts';
import { waitForTurn } from './turn.ts';

export interface Lock {
  release(): void;
}

/** How often a waiter looks whether the holder is still alive, in milliseconds. */
const HOLDER_CHECK_MS = 500;

/** Takes a lock, waiting up to `timeoutMs`; throws `lock-timeout` naming the holder. */
export async function takeLock(path: string, timeoutMs: number): Promise<Lock> {
  const deadline = Date.now() + timeoutMs;
  const turn = waitForTurn(path);
  let nextCheck = Date.now();
  try {
    for (;;) {
      // A look costs one system call; only where nothing is, it is worth making a file.
      if (!existsSync(path) && tryLock(path)) return { release: () => rmSync(path, { force: true }) };
      if (Date.now() >= nextCheck) {
        nextCheck = Date.now() + HOLDER_CHECK_MS;
        const holder = readOwner(path);
        if (holder && isGone(holder) && breakLock(path, holder)) continue;
        if (Date.now() > deadline) throw timedOut(path, holder);
      }
      await sleep(turn.pause());
    }
  } finally {
    turn.leave();
  }
}

/** Takes a lock if nobody has it, or its holder is gone; null where somebody is at work. Never waits. */
export function tryTakeLock(path: string, purpose?: string): Lock | null {
  for (;;) {
    if (tryLock(path, purpose)) return { release: () => rmSync(path, { force: true }) };
    const holder = readOwner(path);
    if (holder === null && !existsSync(path)) continue;
    if (holder === null || !isGone(holder) || !breakLock(path, holder)) return null;
  }
}

function timedOut(path: string, holder: Owner | null): RepriseError {
  return new RepriseError(
    'lock-timeout',
    `${path} has been held by process ${holder?.pid ?? '(unknown)'} on ${holder?.host ?? '(unknown)'} for too long`,
    {
      hints: [`rm ${quoteWord(path)}   # only if that process is gone`],
      data: { path, holder },
    },
  );
}

/** Makes the lock file; false when somebody has it. */
function tryLock(path: string, purpose?: string): boolean {
  const own = partName(`${path}.${randomId()}`);
  try {
    writeFileSync(own, JSON.stringify({ ...thisOwner(), purpose }));
    linkSync(own, path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    // Over NFS a lost reply turns a successful link into "exists": the link count tells.
    return lstatSync(own).nlink === 2;
  } finally {
    // On a full disk it may be there without its content.
    rmSync(own, { force: true });
  }
}

/** Who holds a lock, and what for, if that was said. */
export interface Holder extends Owner {
  readonly purpose?: string;
}

/** The owner written in a lock file; null when it is gone or not ours. */
export function readOwner(path: string): Holder | null {
  try {
    const owner: unknown = JSON.parse(readFileSync(path, 'utf8'));
    return typeof owner === 'object' && owner !== null && 'pid' in owner && 'host' in owner && 'boot' in owner
      ? (owner as Holder)
      : null;
  } catch {
    return null;
  }
}

/**
 * Removes the lock of an owner that is gone.
 *
 * A claim, named after that owner, decides who may: an owner that is gone never comes back, so between check and removal nothing can
 * change, and no fresh lock is ever removed. A claim whose holder is gone as well is broken in the same way.
 */
function breakLock(path: string, gone: Owner): boolean {
  const claim = `${path}.${createHash('sha1').update(`${gone.host} ${gone.boot} ${gone.pid} ${gone.start}`).digest('hex').slice(0, 16)}`;
  if (!tryLock(claim)) {
    const holder = readOwner(claim);
    return holder !== null && isGone(holder) && breakLock(claim, holder);
  }
  try {
    const now = readOwner(path);
    if (!now || !isSameOwner(now, gone)) return false;
    rmSync(path, { force: true });
    return true;
  } finally {
    rmSync(claim, { force: true });
  }
}
