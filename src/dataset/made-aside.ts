/** Folders of a work tree that appear complete or not at all, whoever else makes the same, and whenever their maker is killed. */
import { chmodSync, chownSync, mkdirSync, readdirSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fsPath } from '../core/bytes.ts';
import { partName } from '../sys/files.ts';
import { isPartOfGone, randomId } from '../sys/owner.ts';
import { moveTree } from './move-tree.ts';
import { removeTree } from './remove-tree.ts';
import type { Repo } from './repo.ts';
import { stateDir } from './save-lock.ts';

/**
 * Has a folder made in the Git directory, and moves it to its place; what killed processes left there is cleared away.
 *
 * @param path absolute; nothing is there, or an empty folder
 * @returns false, with nothing changed, where something is there by now
 */
export async function madeAside(repo: Repo, path: string, make: (aside: string) => Promise<void>): Promise<boolean> {
  const all = join(stateDir(repo), 'clones');
  mkdirSync(fsPath(all), { recursive: true });
  for (const name of readdirSync(all)) if (isPartOfGone(join(all, name))) removeTree(join(all, name));
  const work = partName(join(all, randomId()));
  try {
    mkdirSync(fsPath(work));
    inheritAs(work, dirname(path));
    const aside = join(work, 'folder');
    await make(aside);
    mkdirSync(fsPath(dirname(path)), { recursive: true });
    moveTree(aside, path);
    return true;
  } catch (error) {
    if (['ENOTEMPTY', 'EEXIST'].includes((error as NodeJS.ErrnoException).code ?? '')) return false;
    throw error;
  } finally {
    removeTree(work);
  }
}

/** What is made in a shared Git directory gets its group: here it is to get that of the place that it is made for. */
function inheritAs(folder: string, place: string): void {
  let model = place;
  while (!statSync(fsPath(model), { throwIfNoEntry: false })) model = dirname(model);
  const { mode, gid } = statSync(fsPath(model));
  const handsDown = mode & 0o2000;
  const { uid, gid: own } = statSync(fsPath(folder));
  const group = handsDown === 0 ? (process.getegid?.() ?? own) : gid;
  if (group !== own) chownSync(fsPath(folder), uid, group);
  chmodSync(fsPath(folder), 0o700 | handsDown);
}
