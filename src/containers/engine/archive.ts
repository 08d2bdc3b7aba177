/**
 * A stored image as the tar file that `docker load` reads, whatever form it is stored in.
 *
 * Format: Docker image specification 1.2, "Combined Image JSON + Filesystem Changeset Format": `manifest.json` names the
 * configuration and the layers. Engines since Docker 1.10 read it, and they unpack compressed layers. Made as a stream: nothing
 * but one piece of a layer is in memory.
 */
import { type ByteRange, piecesOf } from '../formats/byte-range.ts';

/** A stored image, taken apart: what it is made of, wherever the parts lie. */
export interface EngineImage {
  /** Where it is stored, for messages. */
  readonly path: string;
  /** SHA-256 of the configuration, `sha256:...`. */
  readonly configDigest: string;
  readonly config: ByteRange;
  /** Lowest first; the layers may be compressed, `diffId` is that of the tar in them. */
  readonly layers: readonly { readonly diffId: string; readonly part: ByteRange }[];
}

/** The name under which images are kept in an engine, so that its clean-up does not take them for leftovers. */
export function engineTag(configDigest: string): string {
  return `reprise-image:${hex(configDigest)}`;
}

const BLOCK = 512;

/** The pieces of the tar file. @param sent told how many bytes of the image have been read */
export async function* dockerArchive(
  image: EngineImage,
  sent: (bytes: number) => void = () => {},
): AsyncGenerator<Buffer> {
  const configName = `${hex(image.configDigest)}.json`;
  const manifest = [
    {
      Config: configName,
      RepoTags: [engineTag(image.configDigest)],
      Layers: image.layers.map(({ diffId }) => layerName(diffId)),
    },
  ];
  yield* member('manifest.json', Buffer.from(JSON.stringify(manifest)));
  yield* fileMember(configName, image.config, sent);
  const done = new Set<string>();
  for (const { diffId, part } of image.layers) {
    if (done.has(diffId)) continue;
    done.add(diffId);
    yield* fileMember(layerName(diffId), part, sent);
  }
  yield TAR_END;
}

/** What is after the last member of a tar file. */
export const TAR_END = Buffer.alloc(2 * BLOCK);

/** How many bytes `sent` will be told in the end. */
export function archiveSize(image: EngineImage): number {
  const layers = new Map(image.layers.map(({ diffId, part }) => [diffId, part.size]));
  return [...layers.values()].reduce((sum, size) => sum + size, image.config.size);
}

function layerName(diffId: string): string {
  return `${hex(diffId)}.tar`;
}

function hex(digest: string): string {
  return digest.slice('sha256:'.length);
}

/** A member of a tar file that is in memory. */
export function* member(name: string, bytes: Buffer, mode: '0644' | '0755' = '0644'): Generator<Buffer> {
  yield header(name, bytes.length, mode);
  yield bytes;
  yield padding(bytes.length);
}

async function* fileMember(name: string, part: ByteRange, sent: (bytes: number) => void): AsyncGenerator<Buffer> {
  yield header(name, part.size, '0644');
  for await (const piece of piecesOf(part)) {
    sent(piece.length);
    yield piece;
  }
  yield padding(part.size);
}

function padding(size: number): Buffer {
  return Buffer.alloc((BLOCK - (size % BLOCK)) % BLOCK);
}

/** A header of POSIX.1-1988 (ustar); a size of 8 GiB and more in GNU's base-256 form. */
function header(name: string, size: number, mode: string): Buffer {
  const block = Buffer.alloc(BLOCK);
  block.write(name, 0, 100, 'latin1');
  block.write(`000${mode}\0`, 100, 'latin1');
  block.write('0000000\0', 108, 'latin1');
  block.write('0000000\0', 116, 'latin1');
  if (size < 8 ** 11) {
    block.write(`${size.toString(8).padStart(11, '0')}\0`, 124, 'latin1');
  } else {
    block.writeBigUInt64BE(BigInt(size), 128);
    block[124] = 0x80;
  }
  block.write('00000000000\0', 136, 'latin1');
  block.write('        ', 148, 'latin1');
  block.write('0', 156, 'latin1');
  block.write('ustar\u000000', 257, 'latin1');
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return block;
}
