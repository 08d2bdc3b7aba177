/** The part of lzma-native that `xz.ts` uses; the package brings no types of its own. */
declare module 'lzma-native' {
  import type { Transform } from 'node:stream';

  const lzma: {
    readonly CHECK_CRC64: number;
    compress(data: Buffer, options: { readonly preset: number; readonly check: number }): Promise<Buffer>;
    createDecompressor(options: { readonly memlimit: number }): Transform;
  };
  export default lzma;
}
