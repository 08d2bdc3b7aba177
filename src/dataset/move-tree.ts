/** Moving a file or a folder with all that is in it, to where nothing is, or an empty folder. */
import { cpSync, renameSync } from 'node:fs';
import { fsPath } from '../core/bytes.ts';
import { removeTree } from './remove-tree.ts';

/** Moves in one step; by copying where the two places are on different file systems, as a Git directory and a work tree may be. */
export function moveTree(from: string, to: string): void {
  try {
    renameSync(fsPath(from), fsPath(to));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EXDEV') throw error;
    cpSync(from, to, { recursive: true, verbatimSymlinks: true, preserveTimestamps: true });
    removeTree(from);
  }
}
