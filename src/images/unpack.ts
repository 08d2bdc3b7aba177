/**
 * Unpacking a tar file as it comes: what `docker save` writes becomes the folder that DataLad stores.
 *
 * The tar may come from anybody. Every member stays below the folder; links are made when everything else is there, so that nothing is
 * written through one; and no member takes another one's place.
 */
import { linkSync, mkdirSync, symlinkSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { dirname, join, posix } from 'node:path';
import { fsPath } from '../core/bytes.ts';
import { shorten } from '../containers/formats/invalid.ts';
import { staysInside } from '../containers/formats/members.ts';
import {
  BLOCK,
  checksumHolds,
  type Extension,
  extend,
  headerName,
  MAX_EXTENSION_BYTES,
  MAX_MEMBERS,
  memberName,
  numberField,
  textField,
} from '../containers/formats/tar-header.ts';
import { RepriseError } from '../core/errors.ts';

interface Link {
  readonly name: string;
  readonly target: string;
  readonly hard: boolean;
}

/**
 * Unpacks into an existing, empty folder. Ends early, with an error, when the source does.
 *
 * @param label what the tar is of, for messages
 * @param unpacked told how many bytes of the source have been read, again and again
 * @throws `image-invalid` for what is no tar file, is cut short, or has members that do not belong below the folder
 */
export async function unpackTar(
  source: AsyncIterable<Uint8Array>,
  folder: string,
  label: string,
  unpacked: (bytes: number) => void = () => {},
): Promise<void> {
  const reader = readerOf(source, label, unpacked);
  const links: Link[] = [];
  let extension: Extension = {};
  for (let count = 0; ; ) {
    const header = await reader.block();
    if (header === null || header.every((byte) => byte === 0)) break;
    if (!checksumHolds(header)) throw unsound(label, count === 0 ? 'it is no tar file' : 'a header of it is damaged');
    count += 1;
    if (count > MAX_MEMBERS) throw unsound(label, `it has more than ${MAX_MEMBERS} members`);
    const type = String.fromCharCode(header[156] as number);
    const size = extension.size ?? numberField(header, 124, 12);
    if (!Number.isSafeInteger(size) || size < 0) throw unsound(label, 'a member of it has no valid size');
    if (type === 'x' || type === 'L' || type === 'K' || type === 'g') {
      if (size > MAX_EXTENSION_BYTES) throw unsound(label, `a name in it has ${size} bytes`);
      const bytes = await reader.data(size);
      if (type !== 'g') extension = extend(extension, type, bytes);
      continue;
    }
    const name = memberName(extension.path ?? headerName(header));
    const target = extension.linkpath ?? textField(header, 157, 100);
    extension = {};
    if (type === '5' && (name === '' || name === '.')) continue;
    assertInside(label, name);
    if (type === '5') makeFolder(join(folder, name), () => twice(label, name));
    else if (type === '1' || type === '2') links.push({ name, target, hard: type === '1' });
    else if (type === '0' || type === '\0' || type === '7') {
      const mode = (numberField(header, 100, 8) & 0o111) === 0 ? 0o666 : 0o777;
      await writeMember(reader, join(folder, name), size, mode, () => twice(label, name));
      continue;
    } else throw unsound(label, `${shorten(name)} is neither a file, a folder nor a link`);
    await reader.data(0, size);
  }
  const linkNames = new Set(links.filter(({ hard }) => !hard).map(({ name }) => name));
  for (const link of links) makeLink(folder, label, link, linkNames);
  await reader.rest();
}

async function writeMember(
  reader: Reader,
  path: string,
  size: number,
  mode: number,
  inTheWay: () => Error,
): Promise<void> {
  makeFolder(dirname(path), inTheWay);
  let file: FileHandle;
  try {
    file = await open(fsPath(path), 'wx', mode);
  } catch (error) {
    throw (error as NodeJS.ErrnoException).code === 'EEXIST' ? inTheWay() : error;
  }
  try {
    for await (const piece of reader.pieces(size)) await file.writeFile(piece);
  } finally {
    await file.close();
  }
}

function makeLink(folder: string, label: string, { name, target, hard }: Link, linkNames: ReadonlySet<string>): void {
  const path = join(folder, name);
  const inside = hard ? memberName(target) : posix.normalize(posix.join(posix.dirname(name), target));
  if (target.startsWith('/') || !staysInside(inside)) {
    throw unsound(label, `${shorten(name)} is a link that leads out of it`);
  }
  // By name a link below a link may stay inside, and yet lead out from where it really is.
  if ([name, inside].some((way) => foldersOf(way).some((part) => linkNames.has(part)))) {
    throw unsound(label, `${shorten(name)} is a link that is reached through another one`);
  }
  makeFolder(dirname(path), () => twice(label, name));
  try {
    if (hard) linkSync(fsPath(join(folder, inside)), fsPath(path));
    else symlinkSync(fsPath(target), fsPath(path));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST') throw twice(label, name);
    if (code === 'ENOENT') throw unsound(label, `${shorten(name)} is a link to what is not in it`);
    throw error;
  }
}

function foldersOf(name: string): readonly string[] {
  const parts = name.split('/');
  return parts.slice(1).map((_, at) => parts.slice(0, at + 1).join('/'));
}

function makeFolder(path: string, inTheWay: () => Error): void {
  try {
    mkdirSync(fsPath(path), { recursive: true });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw code === 'EEXIST' || code === 'ENOTDIR' ? inTheWay() : error;
  }
}

function assertInside(label: string, name: string): void {
  const sound = staysInside(name) && name.split('/').every((part) => part.toLowerCase() !== '.git');
  if (!sound)
    throw unsound(label, `it has a member ${JSON.stringify(shorten(name))}, which cannot be part of a dataset`);
}

interface Reader {
  /** The next block; null at the end of the source. */
  block(): Promise<Buffer | null>;
  /** The data of a member, its padding passed over; `skipped` more bytes of data are passed over, too. */
  data(size: number, skipped?: number): Promise<Buffer>;
  pieces(size: number): AsyncGenerator<Buffer>;
  /** Reads to the end of the source, so that whoever writes it can end in peace. */
  rest(): Promise<void>;
}

function readerOf(source: AsyncIterable<Uint8Array>, label: string, unpacked: (bytes: number) => void): Reader {
  const iterator = source[Symbol.asyncIterator]();
  let pending: Buffer = Buffer.alloc(0);
  let total = 0;
  /** Up to `most` bytes; null at the end. */
  const take = async (most: number): Promise<Buffer | null> => {
    while (pending.length === 0) {
      const next = await iterator.next();
      if (next.done) return null;
      pending = Buffer.from(next.value.buffer, next.value.byteOffset, next.value.byteLength);
      total += pending.length;
      unpacked(total);
    }
    const piece = pending.subarray(0, most);
    pending = pending.subarray(piece.length);
    return piece;
  };
  async function* exactly(size: number): AsyncGenerator<Buffer> {
    for (let left = size; left > 0; ) {
      const piece = await take(left);
      if (piece === null) throw unsound(label, 'it ends in the middle of a member');
      left -= piece.length;
      yield piece;
    }
  }
  const gather = async (size: number): Promise<Buffer> => {
    const pieces: Buffer[] = [];
    for await (const piece of exactly(size)) pieces.push(piece);
    return Buffer.concat(pieces);
  };
  const pass = async (size: number): Promise<void> => {
    for await (const piece of exactly(size)) void piece;
  };
  const padding = (size: number): number => (BLOCK - (size % BLOCK)) % BLOCK;
  return {
    async block() {
      const first = await take(BLOCK);
      if (first === null || first.length === BLOCK) return first;
      return Buffer.concat([first, await gather(BLOCK - first.length)]);
    },
    async data(size, skipped = 0) {
      const bytes = await gather(size);
      await pass(skipped + padding(size + skipped));
      return bytes;
    },
    async *pieces(size) {
      yield* exactly(size);
      await pass(padding(size));
    },
    async rest() {
      while ((await take(1 << 20)) !== null);
    },
  };
}

function twice(label: string, name: string): RepriseError {
  return unsound(label, `it holds ${shorten(name)} twice`);
}

function unsound(label: string, problem: string): RepriseError {
  return new RepriseError('image-invalid', `The archive of ${label} cannot be unpacked: ${problem}`, {
    data: { image: label },
  });
}
