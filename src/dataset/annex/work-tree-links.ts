/** Annexed files in the work tree: a link in the place of a file, a writable copy in the place of a link, each in one step. */
import { lutimesSync, readlinkSync, renameSync, symlinkSync } from 'node:fs';
import { decodeName, fsPath } from '../../core/bytes.ts';
import { RepriseError } from '../../core/errors.ts';
import { lstatOrNull, removeIfThere } from '../../sys/files.ts';
import { type FileIdentity, isUnchanged } from './digest.ts';
import { keyFromLink, parseKey } from './keys.ts';
import { copyContent, nameBeside, objectIn, pathIn, temporaryName, withUserErrors } from './object-store.ts';

/** A symbolic link that waits under a temporary name. */
export interface PreparedLink {
  readonly temporary: string;
  readonly target: string;
  readonly seconds: number;
}

/**
 * Makes the link that is to replace a file, with the file's modification time. Done first, as a full disk shows here.
 * The caller removes `temporary` in any case.
 */
export function prepareLink(top: string, target: string, file: FileIdentity): PreparedLink {
  const seconds = Number(file.mtimeNs / 1_000_000_000n) + Number(file.mtimeNs % 1_000_000_000n) / 1e9;
  const prepared = { temporary: temporaryName(top), target, seconds };
  makeLink(prepared.temporary, prepared);
  return prepared;
}

function makeLink(path: string, { target, seconds }: PreparedLink): void {
  symlinkSync(fsPath(target), fsPath(path));
  lutimesSync(fsPath(path), seconds, seconds);
}

/**
 * Replaces a file by a prepared link.
 * @returns false, with nothing changed, where the file is no longer the expected one
 */
export function replaceByLink(prepared: PreparedLink, file: string, expected: FileIdentity): boolean {
  if (!isUnchanged(file, expected)) return false;
  try {
    renameSync(fsPath(prepared.temporary), fsPath(file));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EXDEV') throw error;
    const beside = nameBeside(file);
    try {
      makeLink(beside, prepared);
      if (!isUnchanged(file, expected)) return false;
      renameSync(fsPath(beside), fsPath(file));
    } finally {
      removeIfThere(beside);
    }
  }
  return true;
}

/**
 * Puts a symbolic link in the place of whatever file is there.
 * @param path path from the top of the work tree
 * @param mtimeMs modification time of the link; the present where it is not given
 */
export function relink(top: string, path: string, target: string, mtimeMs?: number): void {
  withUserErrors(path, () =>
    renameInto(top, pathIn(top, path), (temporary) => {
      symlinkSync(fsPath(target), fsPath(temporary));
      if (mtimeMs !== undefined) lutimesSync(fsPath(temporary), mtimeMs / 1000, mtimeMs / 1000);
      return true;
    }),
  );
}

/**
 * Replaces the link of an annexed file by a writable copy of its content, with the times and mode that `git annex unlock` gives it.
 * @param path path of the link from the top of the work tree
 * @returns the key, and the target that `relink` takes to put the link back
 * @throws `content-unavailable` where the content is not here, or not complete; `permission-denied`, `disk-full`
 */
export function unlockCopy(top: string, path: string): { readonly key: string; readonly target: string } {
  const link = pathIn(top, path);
  const target = lstatOrNull(link)?.isSymbolicLink() ? decodeName(readlinkSync(fsPath(link), 'buffer')) : '';
  const key = keyFromLink(target);
  const object = key === null ? null : lstatOrNull(objectIn(top, key));
  if (key === null || !object?.isFile() || object.size !== (parseKey(key)?.size ?? object.size)) {
    throw new RepriseError('content-unavailable', `The content of ${path} is not present`, { data: { path } });
  }
  withUserErrors(path, () =>
    renameInto(top, link, (temporary) => {
      copyContent(objectIn(top, key), temporary, object, { mode: (object.mode & 0o777) | 0o200, durable: false });
      return lstatOrNull(temporary)?.size === object.size;
    }),
  );
  return { key, target };
}

/** Makes something under a temporary name and renames it over `file`, unless `make` says that it must not be. */
function renameInto(top: string, file: string, make: (temporary: string) => boolean): boolean {
  // A leftover of an interrupted process belongs where `recover` clears it away, not among the user's files.
  for (const temporary of [temporaryName(top), nameBeside(file)]) {
    let isPlaced = false;
    try {
      if (!make(temporary)) return false;
      renameSync(fsPath(temporary), fsPath(file));
      isPlaced = true;
      return true;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EXDEV') throw error;
    } finally {
      if (!isPlaced) removeIfThere(temporary);
    }
  }
  return false;
}
