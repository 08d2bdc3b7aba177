/** Digests of files, read once, with proof that the file did not change meanwhile. */
import { createHash } from 'node:crypto';
import { type BigIntStats, closeSync, constants, fchmodSync, fstatSync, lstatSync, openSync, readSync } from 'node:fs';
import { fsPath } from '../../core/bytes.ts';
import type { Algorithm } from './keys.ts';

/** What tells one state of a file's content from another without reading it. */
export interface FileIdentity {
  readonly dev: bigint;
  readonly ino: bigint;
  readonly size: bigint;
  readonly mtimeNs: bigint;
}

export interface FileDigest {
  readonly hex: string;
  readonly size: number;
  readonly identity: FileIdentity;
}

const BUFFER_SIZE = 1 << 20;
let buffer: Buffer | undefined;

/**
 * Hashes a regular file.
 * @returns null when the file changed while it was read, is gone, or is no regular file; other system errors are thrown as they are
 */
export function hashFile(path: string, algorithm: Algorithm): FileDigest | null {
  const fd = openRegular(path);
  if (fd === null) return null;
  try {
    const before = fstatSync(fd, { bigint: true });
    if (!before.isFile()) return null;
    const hash = createHash(algorithm);
    buffer ??= Buffer.allocUnsafeSlow(BUFFER_SIZE);
    let size = 0;
    for (let got = readSync(fd, buffer); got > 0; got = readSync(fd, buffer)) {
      hash.update(got === BUFFER_SIZE ? buffer : buffer.subarray(0, got));
      size += got;
    }
    const identity = identityOf(before);
    if (BigInt(size) !== before.size || !sameIdentity(identity, identityOf(fstatSync(fd, { bigint: true }))))
      return null;
    return { hex: hash.digest('hex'), size, identity };
  } finally {
    closeSync(fd);
  }
}

function openRegular(path: string): number | null {
  try {
    return openSync(fsPath(path), constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    if (['ENOENT', 'ENOTDIR', 'ELOOP', 'ENXIO'].includes((error as NodeJS.ErrnoException).code ?? '')) return null;
    throw error;
  }
}

export function identityOf(stats: BigIntStats): FileIdentity {
  return { dev: stats.dev, ino: stats.ino, size: stats.size, mtimeNs: stats.mtimeNs };
}

/** Whether two observations are of the same file with unchanged content: what git-annex compares as well. */
export function sameIdentity(a: FileIdentity, b: FileIdentity): boolean {
  return a.dev === b.dev && a.ino === b.ino && a.size === b.size && a.mtimeNs === b.mtimeNs;
}

/** Whether a path still holds the file that was observed, with the content that it had then. */
export function isUnchanged(path: string, identity: FileIdentity): boolean {
  const stats = lstatSync(fsPath(path), { bigint: true, throwIfNoEntry: false });
  return stats !== undefined && sameIdentity(identityOf(stats), identity);
}

/** Sets the mode of a file, if it is still the one that was observed: never that of another one, nor through a symbolic link. */
export function chmodObserved(path: string, identity: FileIdentity, mode: number): void {
  const fd = openRegular(path);
  if (fd === null) return;
  try {
    const stats = fstatSync(fd, { bigint: true });
    if (stats.ino === identity.ino && stats.dev === identity.dev) fchmodSync(fd, mode);
  } finally {
    closeSync(fd);
  }
}
