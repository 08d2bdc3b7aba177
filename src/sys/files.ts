/** Files, written so that a crash leaves either the old or the new content, never half of one. */
import { createHash } from 'node:crypto';
import {
  closeSync,
  constants,
  copyFileSync,
  fsyncSync,
  lstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  type Stats,
  writeSync,
} from 'node:fs';
import { hostname } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { fsPath } from '../core/bytes.ts';

/** lstat that answers null where nothing is. */
export function lstatOrNull(path: string): Stats | null {
  try {
    return lstatSync(fsPath(path), { throwIfNoEntry: false }) ?? null;
  } catch (error) {
    // A file is where a folder of the path would be: nothing is there either.
    if ((error as NodeJS.ErrnoException).code === 'ENOTDIR') return null;
    throw error;
  }
}

/** A file's content, or null where there is none. */
export function readOrNull(path: string): Buffer | null {
  try {
    return readFileSync(fsPath(path));
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    // ESRCH: a file of /proc whose process ended between opening and reading.
    if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'ESRCH') return null;
    throw error;
  }
}

/** A name for a file that this process is making: `<name>.<machine>.<pid>.part`. `isPartOfGone` tells when nobody will complete it. */
export function partName(path: string): string {
  return `${path}.${machineTag()}.${process.pid}.part`;
}

/** Tells this boot of this machine from others that may write to the same file system, without naming it. */
export function machineTag(): string {
  tag ??= createHash('sha256').update(`${hostname()}\0${bootId()}`).digest('hex').slice(0, 8);
  return tag;
}

let tag: string | undefined;

/** Boot id of the kernel, or an empty string where the system does not tell it. */
export function bootId(): string {
  boot ??= readOrNull('/proc/sys/kernel/random/boot_id')?.toString('utf8').trim() ?? '';
  return boot;
}

let boot: string | undefined;

/** Replaces a file in one step; with `durable`, it has reached the disk when this returns. The partial file lies beside it, or in `via`. */
export function writeAtomic(
  path: string,
  content: Buffer | string,
  options: { readonly durable?: boolean; readonly mode?: number; readonly via?: string } = {},
): void {
  const partial = partName(options.via === undefined ? path : join(options.via, basename(path)));
  mkdirSync(dirname(path), { recursive: true });
  try {
    const fd = openSync(partial, 'w', options.mode ?? 0o666);
    try {
      writeSync(fd, typeof content === 'string' ? Buffer.from(content, 'utf8') : content);
      if (options.durable) fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    renameSync(partial, path);
  } catch (error) {
    rmSync(partial, { force: true });
    throw error;
  }
  if (options.durable) syncFolder(dirname(path));
}

/** Makes the names in a folder durable. */
function syncFolder(folder: string): void {
  const fd = openSync(folder, 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** Copies a file, sharing its blocks where the file system can. */
export function cloneFile(from: string, to: string): void {
  copyFileSync(fsPath(from), fsPath(to), constants.COPYFILE_FICLONE);
}

/** Removes a file if it is there. */
export function removeIfThere(path: string): void {
  rmSync(fsPath(path), { force: true });
}
