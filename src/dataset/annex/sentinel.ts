/**
 * Git-annex's sentinel: a file whose inode tells whether the repository still lies where its inodes were noted.
 *
 * In a copy it does not, and git-annex then takes an unlocked file for unchanged if its size is the noted one and its time of change is
 * less than two seconds from it. A command that writes `2` over `1` within two seconds has then changed nothing, for Git as well.
 *
 * Source: git-annex, `Annex/InodeSentinal.hs` and `Utility/InodeCache.hs` (`compareWeak`); its spelling is `sentinal`.
 */
import { lstatSync } from 'node:fs';
import { join } from 'node:path';
import { fsPath } from '../../core/bytes.ts';
import { readOrNull, writeAtomic } from '../../sys/files.ts';

const NOTE = 'sentinal.cache';

/**
 * Whether git-annex has noted another sentinel than there is: the repository was copied. Not where that cannot be read.
 *
 * @param annex absolute path of `.git/annex`
 */
export function isCopied(annex: string): boolean {
  return unlessRefused(() => noteToMake(annex) !== null) ?? false;
}

/**
 * Notes the sentinel as it is now, so that git-annex compares inodes, sizes and exact times: what was noted of other inodes does not fit
 * any more, and git-annex looks at the content of such a file, once. Where that cannot be written, all is as it was.
 */
export function renewSentinel(annex: string): void {
  unlessRefused(() => {
    const note = noteToMake(annex);
    if (note !== null) writeAtomic(join(annex, NOTE), note);
  });
}

/** `INODE SIZE SECONDS`, as git-annex writes it; without a fraction it compares whole seconds. Null where nothing is to be noted. */
function noteToMake(annex: string): string | null {
  const noted = readOrNull(join(annex, NOTE))?.toString('latin1').split(' ');
  if (noted === undefined) return null;
  const { ino, size, mtimeNs } = lstatSync(fsPath(join(annex, 'sentinal')), { bigint: true });
  const inode = String(BigInt.asUintN(64, ino));
  const seconds = String(mtimeNs / 1_000_000_000n);
  return noted[0] === inode && noted[2] === seconds ? null : `${inode} ${size} ${seconds}`;
}

function unlessRefused<T>(act: () => T): T | null {
  try {
    return act();
  } catch (error) {
    if (typeof (error as NodeJS.ErrnoException).syscall !== 'string') throw error;
    return null;
  }
}
