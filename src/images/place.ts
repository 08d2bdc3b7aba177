/** Putting an image from the work folder into the dataset, so that it can be undone. */
import { mkdirSync, readdirSync, rmdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fsPath } from '../core/bytes.ts';
import { moveTree } from '../dataset/move-tree.ts';
import { removeTree } from '../dataset/remove-tree.ts';
import { lstatOrNull } from '../sys/files.ts';

/**
 * Moves what is at `from` to `to`, and what is there first into the work folder.
 *
 * @returns puts everything back as it was
 */
export function placeImage(from: string, to: string, workFolder: string): () => void {
  const made = missingFolders(dirname(to));
  mkdirSync(fsPath(dirname(to)), { recursive: true });
  const replaced = lstatOrNull(to) ? join(workFolder, 'replaced') : null;
  if (replaced !== null) moveTree(to, replaced);
  const undo = (): void => {
    removeTree(to);
    if (replaced !== null) moveTree(replaced, to);
    for (const folder of made) if (readdirSync(fsPath(folder)).length === 0) rmdirSync(fsPath(folder));
  };
  try {
    moveTree(from, to);
  } catch (error) {
    undo();
    throw error;
  }
  return undo;
}

/** Moves an image into the work folder, and with it the folders that it leaves empty; returns what puts it back. */
export function removeImage(path: string, workFolder: string): () => void {
  const removed = join(workFolder, 'removed');
  moveTree(path, removed);
  let empty = dirname(path);
  for (; readdirSync(fsPath(empty)).length === 0; empty = dirname(empty)) rmdirSync(fsPath(empty));
  return () => {
    mkdirSync(fsPath(dirname(path)), { recursive: true });
    moveTree(removed, path);
  };
}

/** Folders at and above a path that are not there, innermost first. */
function missingFolders(path: string): readonly string[] {
  return lstatOrNull(path) ? [] : [path, ...missingFolders(dirname(path))];
}
