/**
 * A container's streams, byte for byte and without piling up in memory.
 *
 * Format: Docker Engine API, "Stream format" of `POST /containers/{id}/attach`: frames of a stream's number, three zero bytes and
 * the length as a big-endian 32-bit number, then that many bytes. dockerode's own demultiplexer does not wait for slow readers.
 */
import type { Duplex, Readable, Writable } from 'node:stream';

const HEADER = 8;
const STDERR = 2;

/** Pieces of stdout and stderr in the order that they arrive in; a frame may come in several pieces. */
export async function* demultiplex(
  source: AsyncIterable<Buffer>,
): AsyncGenerator<{ readonly stream: 'stdout' | 'stderr'; readonly bytes: Buffer }> {
  const header = Buffer.alloc(HEADER);
  let inHeader = 0;
  let left = 0;
  for await (const chunk of source) {
    for (let at = 0; at < chunk.length; ) {
      if (left === 0) {
        const size = chunk.copy(header, inHeader, at, at + HEADER - inHeader);
        at += size;
        inHeader += size;
        if (inHeader < HEADER) break;
        inHeader = 0;
        left = header.readUInt32BE(4);
        continue;
      }
      const bytes = chunk.subarray(at, at + left);
      at += bytes.length;
      left -= bytes.length;
      yield { stream: header[0] === STDERR ? 'stderr' : 'stdout', bytes };
    }
  }
}

/** Writes and waits until there is room for more. @returns false if nobody reads any more */
export function writeTo(target: Writable, bytes: Buffer): Promise<boolean> {
  return new Promise((resolve, reject) => {
    target.write(bytes, (error) => {
      if (!error) resolve(true);
      else if ((error as NodeJS.ErrnoException).code === 'EPIPE') resolve(false);
      else reject(error);
    });
  });
}

/** Passes our input on to its end, and then says that it has ended. Ends quietly when the other side is gone; drops what that says. */
export function feed(source: Readable, target: Duplex): void {
  // The command may end without reading all of it.
  target.on('error', () => {});
  target.resume();
  source.on('error', () => target.end());
  source.pipe(target);
}
