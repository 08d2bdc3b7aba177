/**
 * Order among those who save into one repository: our own lock, and DataLad's.
 *
 * DataLad takes a POSIX record lock on `.git/datalad/run-save.lck` while it saves a run (its pull request 7925). Node cannot take
 * such a lock, but it can see one: `/proc/locks` names the inode. Waiting for it, together with Git's own `index.lock`, which
 * `landing.ts` holds while a commit lands, keeps both tools apart in one dataset.
 */
import { mkdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { RepriseError } from '../core/errors.ts';
import { readOrNull } from '../sys/files.ts';
import { type Lock, takeLock } from '../sys/lock.ts';
import type { Repo } from './repo.ts';

/** Long enough for ten thousand savers in a row, short enough to be noticed. */
const PATIENCE_MS = 10 * 60 * 1000;

/** Our folder for state of this repository, shared by its linked work trees. */
export function stateDir(repo: Repo): string {
  return join(repo.commonDir, 'reprise');
}

/** Takes the lock for saving into a repository; throws `lock-timeout`. */
export async function takeSaveLock(repo: Repo): Promise<Lock> {
  mkdirSync(stateDir(repo), { recursive: true });
  const lock = await takeLock(join(stateDir(repo), 'save.lock'), PATIENCE_MS);
  try {
    await waitForDatalad(repo);
    return lock;
  } catch (error) {
    lock.release();
    throw error;
  }
}

async function waitForDatalad(repo: Repo): Promise<void> {
  const path = join(repo.commonDir, 'datalad/run-save.lck');
  const deadline = Date.now() + PATIENCE_MS;
  while (isRecordLocked(path)) {
    if (Date.now() > deadline) {
      throw new RepriseError('lock-timeout', `DataLad has been saving in ${repo.root} for too long`, {
        hints: [`fuser -v ${path}`],
        data: { path },
      });
    }
    await sleep(20);
  }
}

/** Whether any process holds a POSIX or flock lock on a file; false where the system does not tell (proc_locks(5), Linux only). */
export function isRecordLocked(path: string): boolean {
  const inode = statSync(path, { throwIfNoEntry: false })?.ino;
  if (inode === undefined) return false;
  const table = readOrNull('/proc/locks')?.toString('latin1') ?? '';
  // "1: POSIX  ADVISORY  WRITE 4711 fe:00:1234 0 EOF"; "->" marks one that waits.
  return table
    .split('\n')
    .some((line) => !line.includes('->') && new RegExp(`\\s[0-9a-f]+:[0-9a-f]+:${inode}\\s`).test(line));
}
