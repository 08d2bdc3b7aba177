/** Removing folders that hold an annex. */
import { chmodSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { decodeName, fsPath } from '../core/bytes.ts';
import { lstatOrNull } from '../sys/files.ts';

/** Removes a folder with all that is in it, an annex's read-only folders included. */
export function removeTree(path: string): void {
  makeWritable(path);
  rmSync(fsPath(path), { recursive: true, force: true, maxRetries: 3 });
}

/** git-annex makes its object folders read-only; nobody but root could remove what is in them. */
function makeWritable(folder: string): void {
  if (!lstatOrNull(folder)?.isDirectory()) return;
  chmodSync(fsPath(folder), 0o700);
  for (const entry of readdirSync(fsPath(folder), { withFileTypes: true, encoding: 'buffer' })) {
    if (entry.isDirectory()) makeWritable(join(folder, decodeName(entry.name)));
  }
}
