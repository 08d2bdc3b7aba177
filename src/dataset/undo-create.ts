/** Taking back a creation that failed: everything new goes, everything old is as it was. */
import { readdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fsPath } from '../core/bytes.ts';
import { lstatOrNull, readOrNull } from '../sys/files.ts';
import { removeTree } from './remove-tree.ts';

/**
 * Remembers what is at a path before a dataset is created there.
 *
 * @param files what may be written in a folder that exists already, relative to it
 * @returns a function that undoes the creation. In a repository that was there before, commits stay.
 */
export function rememberFolder(path: string, files: readonly string[]): () => void {
  const firstMissing = firstMissingFolder(path);
  if (firstMissing !== null) return () => removeTree(firstMissing);
  const hadRepository = lstatOrNull(join(path, '.git')) !== null;
  const before = files.map((file) => [file, readOrNull(join(path, file))] as const);
  const folders = [...new Set(files.map(dirname))].filter(
    (folder) => folder !== '.' && !lstatOrNull(join(path, folder)),
  );
  return () => {
    if (!hadRepository) removeTree(join(path, '.git'));
    for (const [file, bytes] of before) {
      if (bytes === null) rmSync(fsPath(join(path, file)), { force: true });
      else writeFileSync(fsPath(join(path, file)), bytes);
    }
    for (const folder of folders) removeIfEmpty(join(path, folder));
  };
}

function firstMissingFolder(path: string): string | null {
  if (lstatOrNull(path)) return null;
  let missing = path;
  while (!lstatOrNull(dirname(missing))) missing = dirname(missing);
  return missing;
}

function removeIfEmpty(folder: string): void {
  if (lstatOrNull(folder)?.isDirectory() && readdirSync(fsPath(folder)).length === 0)
    rmSync(fsPath(folder), { recursive: true });
}
