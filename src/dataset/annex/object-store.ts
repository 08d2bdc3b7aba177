/**
 * The object store of an annex: `.git/annex/objects`, as git-annex keeps it. Objects and the folders of keys are without write permission;
 * an object appears complete or not at all, and is never overwritten.
 */
import { randomUUID } from 'node:crypto';
import {
  chmodSync,
  closeSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  realpathSync,
  type Stats,
  statSync,
  unlinkSync,
  utimesSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { decodeName, fsPath } from '../../core/bytes.ts';
import { RepriseError } from '../../core/errors.ts';
import { cloneFile, lstatOrNull, partName } from '../../sys/files.ts';
import { objectPath } from './keys.ts';

const WRITE_BITS = 0o222;

/** Absolute path of a key's object in the repository whose work tree starts at `top`. */
export function objectIn(top: string, key: string): string {
  return `${top}/${objectPath(key)}`;
}

/** The mode of an object made from a file: no write permission, readable for its owner, executable as it was. */
export function frozenMode(mode: number): number {
  return (mode & 0o777 & ~WRITE_BITS) | 0o400;
}

/**
 * The folder of files in the making, on the file system of the objects. It is not git-annex's own folder for that (`othertmp`), as any
 * git-annex process empties that one while no other git-annex process holds its lock.
 */
export function partsFolder(top: string): string {
  return `${top}/.git/annex/reprise`;
}

/** A new name in the folder of files in the making. */
export function temporaryName(top: string): string {
  const folder = partsFolder(top);
  mkdirSync(fsPath(folder), { recursive: true });
  return partName(`${folder}/${randomUUID()}`);
}

/** A new name beside a file, for when the temporary folder is on another file system. */
export function nameBeside(path: string): string {
  return `${dirname(path)}/.reprise-${randomUUID()}.part`;
}

/**
 * Gives a file a second name in the object store.
 * @returns false where the key has an object already
 */
export function linkObject(file: string, object: string): boolean {
  return inKeyFolder(object, () => {
    try {
      linkSync(fsPath(file), fsPath(object));
      return true;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
      throw error;
    }
  });
}

/** Removes the name that `linkObject` gave to content that turned out not to belong to the key. */
export function unlinkObject(object: string): void {
  inKeyFolder(object, () => unlinkSync(fsPath(object)));
}

/** Runs an action while the folder of a key exists and is writable. */
function inKeyFolder<T>(object: string, action: () => T): T {
  const folder = dirname(object);
  for (let attempt = 1; ; attempt += 1) {
    try {
      mkdirSync(fsPath(folder), { recursive: true });
      chmodFolder(folder, (mode) => mode | 0o200);
      return action();
    } catch (error) {
      // Another process may remove or freeze the folder at this moment.
      const code = (error as NodeJS.ErrnoException).code ?? '';
      if (attempt === 5 || !['ENOENT', 'EACCES'].includes(code)) throw error;
    } finally {
      if (lstatOrNull(folder)) chmodFolder(folder, (mode) => mode & ~WRITE_BITS);
    }
  }
}

function chmodFolder(folder: string, change: (mode: number) => number): void {
  const mode = statSync(fsPath(folder)).mode & 0o7777;
  if (change(mode) !== mode) chmodSync(fsPath(folder), change(mode));
}

/** Write-protects an object and the folder of its key, where an interrupted process left them writable. */
export function freezeObject(object: string): void {
  chmodSync(fsPath(object), frozenMode(statSync(fsPath(object)).mode));
  chmodFolder(dirname(object), (mode) => mode & ~WRITE_BITS);
}

/** Copies content with its times to a new file, sharing blocks where possible; with `durable`, it is on the disk when this returns. */
export function copyContent(
  from: string,
  to: string,
  stats: Stats,
  options: { readonly mode: number; readonly durable: boolean },
): void {
  cloneFile(from, to);
  if (options.durable) {
    chmodSync(fsPath(to), 0o600);
    const fd = openSync(fsPath(to), 'r+');
    try {
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
  }
  utimesSync(fsPath(to), stats.atimeMs / 1000, stats.mtimeMs / 1000);
  chmodSync(fsPath(to), options.mode);
}

/**
 * Absolute path of something in the work tree.
 * @throws `path-outside` where a folder on the way is a symbolic link, behind which Git and git-annex do not look either; `path-missing`
 */
export function pathIn(top: string, path: string): string {
  const slash = path.lastIndexOf('/');
  if (
    slash === -1 ||
    realFolder(`${top}/${path.slice(0, slash)}`, path) === `${realFolder(top, path)}/${path.slice(0, slash)}`
  ) {
    return `${top}/${path}`;
  }
  throw new RepriseError('path-outside', `${path} is beyond a symbolic link`, { data: { path } });
}

function realFolder(folder: string, path: string): string {
  try {
    return decodeName(realpathSync.native(fsPath(folder), 'buffer'));
  } catch (cause) {
    throw new RepriseError('path-missing', `${path} does not exist`, { cause, data: { path } });
  }
}

/**
 * Runs file operations, and turns what the user can mend into errors with a code: `disk-full`, `permission-denied`.
 * @param path the file that the user knows
 */
export function withUserErrors<T>(path: string, action: () => T): T {
  try {
    return action();
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code ?? '';
    if (code === 'ENOSPC' || code === 'EDQUOT') {
      throw new RepriseError('disk-full', `There is no space left to add ${path} to the annex`, {
        cause,
        data: { path },
      });
    }
    if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS') {
      throw new RepriseError('permission-denied', `${path} may not be read or replaced`, { cause, data: { path } });
    }
    throw cause;
  }
}
