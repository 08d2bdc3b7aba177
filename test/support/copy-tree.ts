/** Copies of a prepared folder, one for each tool that is compared. */
import { execFile } from 'node:child_process';
import { lstatSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { decodeName, encodeName } from '../../src/core/bytes.ts';
import { renewSentinel } from '../../src/dataset/annex/sentinel.ts';

const execute = promisify(execFile);

/** Copies what is in a folder; absolute paths of the original that repositories have in their configuration, as clones do, point into the copy. */
export async function copyTree(from: string, to: string): Promise<void> {
  await execute('cp', ['-a', `${from}/.`, to]);
  for (const path of gitFilesBelow(to, 'config')) {
    const text = readFileSync(path, 'latin1');
    const moved = text.replaceAll(`${from}/`, `${to}/`);
    if (moved !== text) writeFileSync(path, moved, 'latin1');
  }
  settleIn(to);
}

/** Lets git-annex note that all repositories below a folder lie where they lie: in a copy, it does not see some quick changes (`copied.test.ts`). */
export function settleIn(folder: string): void {
  for (const path of gitFilesBelow(folder, 'sentinal.cache')) renewSentinel(dirname(path));
}

/** The files of a name in the Git directories below a folder. */
function gitFilesBelow(folder: string, wanted: string): readonly string[] {
  return readdirSync(encodeName(folder), { encoding: 'buffer' }).flatMap((bytes) => {
    const name = decodeName(bytes);
    const path = join(folder, name);
    if (lstatSync(encodeName(path)).isDirectory()) return name === 'objects' ? [] : gitFilesBelow(path, wanted);
    return name === wanted && path.includes('/.git/') ? [path] : [];
  });
}
