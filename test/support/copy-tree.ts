/** Copies of a prepared folder, one for each tool that is compared. */
import { execFile } from 'node:child_process';
import { lstatSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { decodeName, encodeName } from '../../src/core/bytes.ts';

const execute = promisify(execFile);

/** Copies what is in a folder; absolute paths of the original that repositories have in their configuration, as clones do, point into the copy. */
export async function copyTree(from: string, to: string): Promise<void> {
  await execute('cp', ['-a', `${from}/.`, to]);
  for (const path of configsBelow(to)) {
    const text = readFileSync(path, 'latin1');
    const moved = text.replaceAll(`${from}/`, `${to}/`);
    if (moved !== text) writeFileSync(path, moved, 'latin1');
  }
}

/** The `config` files of all repositories below a folder. */
function configsBelow(folder: string): readonly string[] {
  return readdirSync(encodeName(folder), { encoding: 'buffer' }).flatMap((bytes) => {
    const name = decodeName(bytes);
    const path = join(folder, name);
    if (lstatSync(encodeName(path)).isDirectory()) return name === 'objects' ? [] : configsBelow(path);
    return name === 'config' && path.includes('/.git/') ? [path] : [];
  });
}
