/** XZ, through liblzma as Python's `lzma` module uses it. Loaded when the first sidecar is met. */

/** Compresses to the bytes that Python's `lzma.compress` writes: one stream, preset 6, CRC64. */
export async function compressXz(data: Buffer): Promise<Buffer> {
  const { default: lzma } = await import('lzma-native');
  return lzma.compress(data, { preset: 6, check: lzma.CHECK_CRC64 });
}

/** Preset 9 needs 65 MiB to decompress; a header that asks for much more is not a sidecar's. */
const DECODER_MEMORY = 128 * 2 ** 20;
/** liblzma answers a piece of input with all its output at once; pieces this small keep that below about 16 MiB. */
const PIECE = 2048;

/**
 * Decompresses one or several XZ streams (or the older LZMA format).
 *
 * @param limit largest result in bytes: compressed data may come from an attacker
 * @returns the data, or a phrase that says why there is none
 */
export async function decompressXz(data: Buffer, limit: number): Promise<Buffer | string> {
  if (data.length === 0) return 'is empty';
  const { default: lzma } = await import('lzma-native');
  const decoder = lzma.createDecompressor({ memlimit: DECODER_MEMORY });
  return new Promise((resolve) => {
    const parts: Buffer[] = [];
    let size = 0;
    let at = 0;
    const finish = (result: Buffer | string): void => {
      at = data.length;
      decoder.removeAllListeners('data');
      resolve(result);
    };
    decoder.on('error', (error: Error) => finish(`is not valid XZ (${error.message})`));
    decoder.on('data', (part: Buffer) => {
      size += part.length;
      if (size > limit) finish(`holds more than ${limit} bytes`);
      else parts.push(part);
    });
    decoder.on('end', () => finish(Buffer.concat(parts)));
    const feed = (): void => {
      if (at >= data.length) {
        decoder.end();
        return;
      }
      const piece = data.subarray(at, at + PIECE);
      at += PIECE;
      decoder.write(piece, feed);
    };
    feed();
  });
}
