/** Layers: their digests as stored and uncompressed, checked against what the image claims. */
import { createHash, type Hash } from 'node:crypto';
import { Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import zlib from 'node:zlib';
import { type ByteRange, hashRange, piecesOf, readRange } from './byte-range.ts';
import type { Digest } from './digest.ts';
import type { ImageLayer } from './image.ts';
import { invalid, shorten, wrongDigest } from './invalid.ts';
import { demand, type Members } from './members.ts';

export interface LayerClaim {
  /** Name of the member that holds the layer. */
  readonly name: string;
  readonly diffId: Digest;
  /** Of the layer as stored, where the image names that too. */
  readonly digest?: Digest;
}

/**
 * Looks at the layers of an image, lowest first.
 *
 * @param verify hash them, so that a changed layer is found; otherwise they only have to be there
 * @throws `image-invalid` naming both digests, `content-unavailable`
 */
export async function readLayers(
  members: Members,
  claims: readonly LayerClaim[],
  verify: boolean,
): Promise<{
  readonly layers: readonly ImageLayer[];
  /** Where each is. */
  readonly places: readonly ByteRange[];
  /** The same, each once. */
  readonly ranges: readonly ByteRange[];
}> {
  // The same layer may come up again and again, as empty ones do.
  const seen = new Map<string, Found>();
  const layers: ImageLayer[] = [];
  const places: ByteRange[] = [];
  const ranges = new Map<string, ByteRange>();
  for (const claim of claims) {
    const range = demand(members, claim.name);
    const place = `${range.offset} ${range.path}`;
    const key = claim.digest ? `named ${place}` : place;
    const found = seen.get(key) ?? (await lookAt(members, range, claim, verify));
    seen.set(key, found);
    ranges.set(place, range);
    places.push(range);
    layers.push(check(members, claim, found, range));
  }
  return { layers, places, ranges: [...ranges.values()] };
}

interface Found {
  readonly compression: Compression;
  readonly stored?: Digest;
  readonly plain?: Digest;
}

function check(members: Members, claim: LayerClaim, found: Found, range: ByteRange): ImageLayer {
  const name = shorten(claim.name);
  if (found.stored && claim.digest && found.stored !== claim.digest) {
    throw wrongDigest(members.image, name, claim.digest, found.stored);
  }
  if (found.plain && found.plain !== claim.diffId) {
    throw wrongDigest(members.image, `${name}, uncompressed,`, claim.diffId, found.plain);
  }
  const digest = claim.digest ?? found.stored ?? claim.diffId;
  if (found.compression === 'none' && digest !== claim.diffId) {
    throw wrongDigest(members.image, name, claim.diffId, digest);
  }
  return { digest, diffId: claim.diffId, size: range.size };
}

async function lookAt(members: Members, range: ByteRange, claim: LayerClaim, verify: boolean): Promise<Found> {
  const compression = compressionOf(range);
  // A compressed layer that nothing names has to be hashed to have a digest at all.
  if (!verify && (compression === 'none' || claim.digest)) return { compression };
  if (compression === 'none') {
    const digest = await hashRange(range);
    return { compression, stored: digest, plain: digest };
  }
  const decompress = compression === 'gzip' ? zlib.createGunzip() : zstdDecompress();
  if (!verify || !decompress) return { compression, stored: await hashRange(range) };
  const stored = createHash('sha256');
  const plain = createHash('sha256');
  try {
    await pipeline(Readable.from(counting(range, stored)), decompress, into(plain));
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? '';
    if (!/^(Z_|ERR_ZSTD|ZSTD)/.test(code)) throw error;
    throw invalid(members.image, `${shorten(claim.name)} is damaged: its compressed data cannot be read`, { code });
  }
  return { compression, stored: `sha256:${stored.digest('hex')}`, plain: `sha256:${plain.digest('hex')}` };
}

type Compression = 'none' | 'gzip' | 'zstd';

function compressionOf(range: ByteRange): Compression {
  const magic = readRange(range, 4).toString('hex');
  if (magic.startsWith('1f8b')) return 'gzip';
  return magic === '28b52ffd' ? 'zstd' : 'none';
}

/** Node reads zstd from 22.15 on. Without it a layer is known by its digest as stored only. */
function zstdDecompress(): NodeJS.ReadWriteStream | null {
  const create = (zlib as { readonly createZstdDecompress?: () => NodeJS.ReadWriteStream }).createZstdDecompress;
  return create ? create() : null;
}

async function* counting(range: ByteRange, hash: Hash): AsyncGenerator<Buffer> {
  for await (const piece of piecesOf(range)) {
    hash.update(piece);
    yield piece;
  }
}

function into(hash: Hash): Writable {
  return new Writable({
    write(chunk: Buffer, _encoding, done) {
      hash.update(chunk);
      done();
    },
  });
}
