/**
 * Singularity Image Format, version 1: one file with a header, a table of descriptors and the objects that they describe.
 *
 * The layout is that of github.com/apptainer/sif, `pkg/sif/sif.go` and `descriptor.go`: little-endian, packed. The header's name and
 * times, and those of the descriptors, change whenever a file is built or signed again; the partitions' bytes do not.
 */
import { createHash, type Hash } from 'node:crypto';
import { decodeName } from '../../core/bytes.ts';
import { type ByteRange, MAX_JSON_BYTES, piecesOf, readRange } from './byte-range.ts';
import type { ImageFacts, ImagePartition } from './image.ts';
import { readDefaults } from './image-config.ts';
import { invalid } from './invalid.ts';
import { parseJson } from './json.ts';

const MAGIC = 'SIF_MAGIC\0';
const HEADER_BYTES = 128;
const DESCRIPTOR_BYTES = 585;
/** Programs reserve 48. */
const MAX_DESCRIPTORS = 4096;

const PARTITION = 0x4004;
const JSON_OBJECT = 0x4006;
/** SingularityCE 4 keeps an OCI image in a SIF instead of a partition. */
const OCI_INDEX = 0x400a;

const KINDS: Readonly<Record<number, ImagePartition['kind']>> = { 1: 'system', 2: 'primary', 3: 'data', 4: 'overlay' };

const ARCHITECTURES: Readonly<Record<string, string>> = {
  '01': '386',
  '02': 'amd64',
  '03': 'arm',
  '04': 'arm64',
  '05': 'ppc64',
  '06': 'ppc64le',
  '07': 'mips',
  '08': 'mipsle',
  '09': 'mips64',
  '10': 'mips64le',
  '11': 's390x',
  '12': 'riscv64',
};

interface SifObject {
  readonly type: number;
  readonly name: string;
  readonly range: ByteRange;
  /** What the type keeps beside the object: for a partition its kind and architecture. */
  readonly extra: Buffer;
}

/** Whether a file begins as a SIF does, after a launch line of 32 bytes. */
export function isSif(file: ByteRange): boolean {
  return readRange(file, 32 + MAGIC.length).toString('latin1', 32) === MAGIC;
}

/**
 * @param verify hash the file and its partitions; otherwise nothing but the header, the descriptors and the image's JSON is read
 * @throws `image-invalid` for a file that is cut short, contradicts itself, or holds no file system
 */
export async function readSif(file: ByteRange, image: string, verify: boolean): Promise<ImageFacts> {
  const header = readRange(file, HEADER_BYTES);
  if (header.length < HEADER_BYTES) throw invalid(image, 'its header is cut short');
  const version = textOf(header.subarray(42, 45));
  if (version !== '01') throw invalid(image, `it has version ${version} of SIF, and only version 01 is known`);
  const objects = readDescriptors(file, header, image);
  const primary = objects.find((object) => object.type === PARTITION && kindOf(object) === 'primary');
  if (!primary && !objects.some((object) => object.type === OCI_INDEX)) {
    throw invalid(image, 'it holds no primary file system');
  }
  const code = textOf(header.subarray(45, 48));
  const architecture = ARCHITECTURES[primary && code === '00' ? textOf(primary.extra.subarray(8, 11)) : code];
  const defaults = objects.find((object) => object.type === JSON_OBJECT && object.name === 'oci-config.json');
  return {
    ...(verify ? await hashObjects(file, objects) : {}),
    ...(architecture === undefined ? {} : { architecture, os: 'linux' }),
    ...(defaults ? { defaults: readDefaults(image, readJsonObject(defaults, image)) } : {}),
    size: file.size,
    files: [file.path],
  };
}

function readDescriptors(file: ByteRange, header: Buffer, image: string): readonly SifObject[] {
  const total = int64(header, 88);
  const offset = int64(header, 96);
  if (total > MAX_DESCRIPTORS) throw invalid(image, `it has ${total} descriptors; at most ${MAX_DESCRIPTORS} are read`);
  const size = total * DESCRIPTOR_BYTES;
  if (!(total >= 0 && offset >= HEADER_BYTES && offset + size <= file.size)) {
    throw invalid(image, 'its table of descriptors is cut short');
  }
  const table = readRange({ path: file.path, offset, size }, size);
  return Array.from({ length: total }, (_, at) => table.subarray(at * DESCRIPTOR_BYTES, (at + 1) * DESCRIPTOR_BYTES))
    .filter((entry) => entry[4] !== 0)
    .map((entry) => {
      const range = { path: file.path, offset: int64(entry, 17), size: int64(entry, 25) };
      if (!(range.offset >= 0 && range.size >= 0 && range.offset + range.size <= file.size)) {
        throw invalid(image, `it ends before byte ${range.offset + range.size}, where an object of it should end`);
      }
      return { type: entry.readInt32LE(0), name: textOf(entry.subarray(73, 201)), range, extra: entry.subarray(201) };
    });
}

/** Digests of the file and of its partitions, from one pass over its bytes. */
async function hashObjects(
  file: ByteRange,
  objects: readonly SifObject[],
): Promise<Pick<ImageFacts, 'digest' | 'partitions'>> {
  const whole = createHash('sha256');
  const partitions = objects.flatMap((object) => {
    const kind = object.type === PARTITION ? kindOf(object) : undefined;
    return kind ? [{ kind, range: object.range, hash: createHash('sha256') }] : [];
  });
  let at = 0;
  for await (const piece of piecesOf(file)) {
    whole.update(piece);
    for (const { range, hash } of partitions) updateOverlap(hash, piece, at, range);
    at += piece.length;
  }
  return {
    digest: `sha256:${whole.digest('hex')}`,
    partitions: partitions.map(({ kind, range, hash }) => {
      return { kind, digest: `sha256:${hash.digest('hex')}`, size: range.size };
    }),
  };
}

function updateOverlap(hash: Hash, piece: Buffer, at: number, range: ByteRange): void {
  const from = Math.max(range.offset - at, 0);
  const to = Math.min(range.offset + range.size - at, piece.length);
  if (from < to) hash.update(piece.subarray(from, to));
}

function readJsonObject(object: SifObject, image: string): unknown {
  if (object.range.size > MAX_JSON_BYTES) {
    throw invalid(image, `${object.name} has ${object.range.size} bytes; at most ${MAX_JSON_BYTES} are read`);
  }
  return parseJson(readRange(object.range, MAX_JSON_BYTES));
}

function kindOf(object: SifObject): ImagePartition['kind'] | undefined {
  return KINDS[object.extra.readInt32LE(4)];
}

/** A signed number; what does not fit a double comes out larger than any file. */
function int64(bytes: Buffer, at: number): number {
  return Number(bytes.readBigInt64LE(at));
}

function textOf(bytes: Buffer): string {
  const end = bytes.indexOf(0);
  return decodeName(end === -1 ? bytes : bytes.subarray(0, end));
}
