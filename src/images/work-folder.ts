/** A folder in the Git directory where an image is put together, gone when the work ends, however it ends. */
import { mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Repo } from '../dataset/repo.ts';
import { removeTree } from '../dataset/remove-tree.ts';
import { partName } from '../sys/files.ts';
import { interruptible } from '../sys/interrupts.ts';
import { isPartOfGone, randomId } from '../sys/owner.ts';

/**
 * Gives `work` a folder on the file system of the dataset; what killed processes left there before is cleared away.
 *
 * A signal aborts the given AbortSignal, and is the error of whatever the work throws after that.
 * @throws `interrupted`
 */
export async function withWorkFolder<T>(
  repo: Repo,
  work: (folder: string, signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const all = join(repo.gitDir, 'reprise/images');
  mkdirSync(all, { recursive: true });
  for (const name of readdirSync(all)) if (isPartOfGone(join(all, name))) removeTree(join(all, name));
  const folder = partName(join(all, randomId()));
  mkdirSync(folder);
  try {
    return await interruptible((signal) => work(folder, signal));
  } finally {
    removeTree(folder);
  }
}
