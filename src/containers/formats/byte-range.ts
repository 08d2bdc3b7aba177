/** Bytes of a file, read and hashed in pieces: images are larger than memory. */
import { createHash } from 'node:crypto';
import { closeSync, constants, openSync, readSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { fsPath } from '../../core/bytes.ts';
import type { Digest } from './digest.ts';
import { invalid } from './invalid.ts';

export interface ByteRange {
  /** Real path of the file. */
  readonly path: string;
  readonly offset: number;
  readonly size: number;
}

/** What may be read into memory at once: manifests and configurations are a few kilobytes. */
export const MAX_JSON_BYTES = 8 << 20;

const PIECE = 1 << 18;
// A FIFO or device that takes the file's place in between must not block us.
const READ = constants.O_RDONLY | constants.O_NONBLOCK;

/** The bytes of a range, in pieces. @throws `image-invalid` if the file ends before the range does */
export async function* piecesOf(range: ByteRange): AsyncGenerator<Buffer<ArrayBuffer>> {
  const file = await open(fsPath(range.path), READ);
  try {
    for (let done = 0; done < range.size; ) {
      const piece = Buffer.allocUnsafe(Math.min(PIECE, range.size - done));
      const { bytesRead } = await file.read(piece, 0, piece.length, range.offset + done);
      if (bytesRead === 0) throw truncated(range);
      done += bytesRead;
      yield piece.subarray(0, bytesRead);
    }
  } finally {
    await file.close();
  }
}

/** SHA-256 of a range. */
export async function hashRange(range: ByteRange): Promise<Digest> {
  const hash = createHash('sha256');
  for await (const piece of piecesOf(range)) hash.update(piece);
  return `sha256:${hash.digest('hex')}`;
}

/** A range in memory; at most `limit` bytes of it. @throws `image-invalid` if the file ends before the range does */
export function readRange(range: ByteRange, limit: number): Buffer {
  const wanted = Math.min(range.size, limit);
  const bytes = Buffer.alloc(wanted);
  const fd = openSync(fsPath(range.path), READ);
  try {
    for (let done = 0; done < wanted; ) {
      const got = readSync(fd, bytes, done, wanted - done, range.offset + done);
      if (got === 0) throw truncated(range);
      done += got;
    }
  } finally {
    closeSync(fd);
  }
  return bytes;
}

/** SHA-256 of bytes in memory. */
export function digestOf(bytes: Uint8Array): Digest {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

function truncated(range: ByteRange): Error {
  return invalid(range.path, `it ends before byte ${range.offset + range.size}`);
}
