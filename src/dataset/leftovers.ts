/** Clearing away what killed processes left in a Git directory: files and refs that nobody will use again. */
import { type Dirent, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fsPath } from '../core/bytes.ts';
import { lstatOrNull, readOrNull } from '../sys/files.ts';
import { isGone, isPartOfGone, orphanedHelpers } from '../sys/owner.ts';
import { readOwner } from '../sys/lock.ts';
import { partsFolder } from './annex/object-store.ts';
import { settle } from './landing.ts';
import { git, gitText, type Repo } from './repo.ts';
import { stateDir, takeSaveLock } from './save-lock.ts';
import { installedBelow } from './subdatasets.ts';
import { clearWorkspaces } from './workspace-registry.ts';

/** How long Git processes of a killed process may take to end by themselves. */
const ORPHAN_PATIENCE_MS = 30_000;

/** A lock of Git is held for milliseconds; one that is older, where nobody is at work, was left by a process that was killed. */
const LOCK_AGE_MS = 1000;

/**
 * Removes Git's own locks on index and refs that killed Git processes have left.
 *
 * For callers that know that nobody is at work here; landings that were cut off are left to `clearLeftovers`.
 */
export async function clearGitLocks(repo: Repo): Promise<void> {
  await orphansEnded();
  await clearLocks([
    ...locksIn(repo.gitDir, false),
    ...locksIn(repo.commonDir, false),
    ...locksIn(join(repo.commonDir, 'refs'), true),
  ]);
}

/** The same for refs alone: unlike the index, whose lock a `git commit` holds while its editor is open, these are never held for long. */
async function clearRefLocks({ gitDir, commonDir }: Repo): Promise<void> {
  await clearLocks([
    join(gitDir, 'HEAD.lock'),
    join(commonDir, 'packed-refs.lock'),
    ...locksIn(join(commonDir, 'refs'), true),
  ]);
}

async function orphansEnded(): Promise<void> {
  const deadline = Date.now() + ORPHAN_PATIENCE_MS;
  while (orphanedHelpers().length > 0 && Date.now() < deadline) await sleep(20);
}

async function clearLocks(locks: readonly string[]): Promise<void> {
  for (const lock of locks) {
    for (let stat = lstatOrNull(lock); stat !== null; stat = lstatOrNull(lock)) {
      // A marker of a landing names its owner.
      if (readOrNull(lock)?.toString('latin1').startsWith('{')) break;
      if (Date.now() - stat.mtimeMs > LOCK_AGE_MS) rmSync(fsPath(lock), { force: true });
      else await sleep(50);
    }
  }
}

function locksIn(folder: string, deep: boolean): readonly string[] {
  let entries: readonly Dirent[];
  try {
    entries = readdirSync(folder, { withFileTypes: true });
  } catch {
    return [];
  }
  return entries.flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return deep ? locksIn(path, true) : [];
    return GIT_LOCK.test(entry.name) && (deep || !entry.name.startsWith('config')) ? [path] : [];
  });
}

const GIT_LOCK = /\.lock$/;

/** Clears a dataset and every installed subdataset below it, once nothing that a killed process has started is still at work. */
export async function clearLeftovers(repo: Repo): Promise<void> {
  await orphansEnded();
  await clearBelow(repo);
}

async function clearBelow(repo: Repo): Promise<void> {
  await clearOne(repo);
  for (const sub of await installedBelow(repo, null)) await clearBelow(sub);
}

/** Completes or undoes a landing that was cut off, and removes temporary files and refs. Nobody else can be landing meanwhile. */
async function clearOne(repo: Repo): Promise<void> {
  clearWorkspaces(repo);
  const lock = await takeSaveLock(repo);
  try {
    await clearRefLocks(repo);
    await settle(repo);
    const refs = await gitText(repo, ['for-each-ref', '--format=delete %(refname)', 'refs/reprise/landing/']);
    if (refs !== '') await git(repo, ['update-ref', '--stdin'], { input: `${refs}\n` });
    remove(repo.gitDir, (name) => name.startsWith('index.reprise-') || isPart(repo.gitDir, name, 'index.lock.'));
    for (const folder of new Set([stateDir(repo), join(repo.gitDir, 'reprise')]))
      remove(folder, (name) => OUR_LOCK.test(name) && isLeft(join(folder, name)));
    for (const folder of [
      join(repo.gitDir, 'reprise/runs'),
      // Jobs of container engines.
      join(repo.gitDir, 'reprise/containers'),
      partsFolder(repo.root),
    ])
      remove(folder, (name) => isPart(folder, name));
  } finally {
    lock.release();
  }
}

function isPart(folder: string, name: string, start = ''): boolean {
  return name.startsWith(start) && isPartOfGone(join(folder, name));
}

/** What is made on the way to a lock of ours, and the lock that nobody may ever ask for again. */
const OUR_LOCK = /\.lock\.|^annex-init\.lock$/;

/** Whether a file beside a lock is nobody's. Before its owner is written in it, its name tells who makes it. */
function isLeft(path: string): boolean {
  const owner = readOwner(path);
  return owner === null ? isPartOfGone(path) : isGone(owner);
}

function remove(folder: string, isStale: (name: string) => boolean): void {
  let names: readonly string[];
  try {
    names = readdirSync(folder);
  } catch {
    return;
  }
  for (const name of names) if (isStale(name)) rmSync(join(folder, name), { force: true });
}
