/**
 * The members of a tar file, found by its headers alone: the data between them is skipped, not read.
 *
 * Compressed tar files are not read.
 */
import { closeSync, openSync, readSync } from 'node:fs';
import { posix } from 'node:path';
import { fsPath } from '../../core/bytes.ts';
import type { ByteRange } from './byte-range.ts';
import { invalid, shorten } from './invalid.ts';
import { type Members, staysInside } from './members.ts';
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
} from './tar-header.ts';

const MAX_LINKS = 16;

type Member =
  | { readonly kind: 'file'; readonly range: ByteRange }
  | { readonly kind: 'link'; readonly target: string }
  | { readonly kind: 'other' };

/**
 * @param file the whole tar file
 * @param image path of the image, for messages
 * @returns its members, or null if this is no tar file
 * @throws `image-invalid` for a tar file that is cut short, has a damaged header or too many members
 */
export function tarMembers(file: ByteRange, image: string): Members | null {
  const fd = openSync(fsPath(file.path), 'r');
  try {
    const members = indexTar(fd, file, image);
    return members && { image, find: (name) => findMember(members, image, name) };
  } finally {
    closeSync(fd);
  }
}

function findMember(members: ReadonlyMap<string, Member | 'twice'>, image: string, name: string): ByteRange | null {
  if (!staysInside(name)) throw invalid(image, `it names the member ${shorten(name)}, which is outside of it`);
  let at = name;
  for (let hops = 0; hops <= MAX_LINKS; hops += 1) {
    const member = members.get(at);
    if (!member) return null;
    if (member === 'twice') throw invalid(image, `it holds ${shorten(at)} twice`);
    if (member.kind === 'file') return member.range;
    if (member.kind === 'other') throw invalid(image, `${shorten(at)} is not a file`);
    if (!staysInside(member.target)) throw invalid(image, `${shorten(at)} is a link that leads out of it`);
    at = member.target;
  }
  throw invalid(image, `${shorten(name)} is a link that leads round in a circle`);
}

function indexTar(fd: number, file: ByteRange, image: string): Map<string, Member | 'twice'> | null {
  const members = new Map<string, Member | 'twice'>();
  let extension: Extension = {};
  let count = 0;
  for (let at = 0; at + BLOCK <= file.size; ) {
    const header = readAt(fd, at, BLOCK);
    if (header.every((byte) => byte === 0)) break;
    if (!checksumHolds(header)) {
      if (at === 0) return null;
      throw invalid(image, `its tar header at byte ${at} is damaged`);
    }
    count += 1;
    if (count > MAX_MEMBERS) throw invalid(image, `it has more than ${MAX_MEMBERS} members`);
    const type = String.fromCharCode(header[156] as number);
    const size = extension.size ?? numberField(header, 124, 12);
    const data = at + BLOCK;
    if (!Number.isSafeInteger(size) || size < 0) throw invalid(image, `its tar header at byte ${at} has no valid size`);
    if (data + size > file.size) {
      throw invalid(image, `it ends before byte ${data + size}, where a member of it should end`);
    }
    at = data + Math.ceil(size / BLOCK) * BLOCK;
    if (type === 'x' || type === 'L' || type === 'K') {
      if (size > MAX_EXTENSION_BYTES) throw invalid(image, `a name in it has ${size} bytes`);
      extension = extend(extension, type, readAt(fd, data, size));
      continue;
    }
    if (type === 'g') continue;
    const name = memberName(extension.path ?? headerName(header));
    const range = { path: file.path, offset: file.offset + data, size };
    const member = asMember(type, name, extension.linkpath ?? textField(header, 157, 100), range);
    if (name !== '' && type !== '5') members.set(name, members.has(name) ? 'twice' : member);
    extension = {};
  }
  return count === 0 ? null : members;
}

function asMember(type: string, name: string, target: string, range: ByteRange): Member {
  if (type === '0' || type === '\0' || type === '7') return { kind: 'file', range };
  if (type === '1') return { kind: 'link', target: memberName(target) };
  if (type === '2') {
    const from = posix.dirname(name);
    return { kind: 'link', target: target.startsWith('/') ? target : posix.normalize(posix.join(from, target)) };
  }
  return { kind: 'other' };
}

function readAt(fd: number, at: number, size: number): Buffer {
  const bytes = Buffer.alloc(size);
  readSync(fd, bytes, 0, size, at);
  return bytes;
}
