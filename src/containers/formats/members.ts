/** The named parts of an image that is stored as a folder or as a tar file. */
import { lstatSync, realpathSync, type Stats, statSync } from 'node:fs';
import { join } from 'node:path';
import { decodeName, fsPath } from '../../core/bytes.ts';
import { type ByteRange, MAX_JSON_BYTES, readRange } from './byte-range.ts';
import { invalid, shorten, unavailable } from './invalid.ts';

export interface Members {
  /** Path of the image, for messages. */
  readonly image: string;
  /**
   * Where the bytes of a member are, or null where there is no such member.
   *
   * @throws `image-invalid` for a name or a link that leads out of the image, `content-unavailable` for content that is not here
   */
  find(name: string): ByteRange | null;
}

/** The bytes of a member that has to be there. @throws as `Members.find`, and `image-invalid` where it is missing */
export function demand(members: Members, name: string): ByteRange {
  const range = members.find(name);
  if (!range) throw invalid(members.image, `${shorten(name)} is missing from it`);
  return range;
}

/** A small member in memory. @throws as `demand`, and `image-invalid` where it is too large */
export function readMember(members: Members, name: string): Buffer {
  const range = demand(members, name);
  if (range.size > MAX_JSON_BYTES) {
    throw invalid(members.image, `${shorten(name)} has ${range.size} bytes; at most ${MAX_JSON_BYTES} are read`);
  }
  return readRange(range, MAX_JSON_BYTES);
}

/** Whether a name stays inside the image: relative, and without `.`, `..` and empty parts. */
export function staysInside(name: string): boolean {
  return !name.includes('\0') && name.split('/').every((part) => part !== '' && part !== '.' && part !== '..');
}

/**
 * The members of a folder.
 *
 * Links are followed where they stay in the folder, where they lead to an annexed object (`.../annex/objects/.../KEY/KEY`: a file
 * that git-annex itself put there), and where `isAllowed` says so.
 */
export function folderMembers(folder: string, isAllowed: (realPath: string) => boolean = () => false): Members {
  const root = realPath(folder);
  return {
    image: folder,
    find(name) {
      if (!staysInside(name)) throw invalid(folder, `it names the member ${shorten(name)}, which is outside of it`);
      const path = join(root, name);
      const stat = statOrNull(path);
      if (!stat) {
        if (isLink(path)) throw unavailable(folder, name);
        return null;
      }
      const real = realPath(path);
      if (!real.startsWith(`${root}/`) && !isAnnexObject(real) && !isAllowed(real)) {
        throw invalid(folder, `${shorten(name)} is a link that leads out of it, to ${real}`);
      }
      if (!stat.isFile()) throw invalid(folder, `${shorten(name)} is not a file`);
      const range = { path: real, offset: 0, size: stat.size };
      if (isPointer(range)) throw unavailable(folder, name);
      return range;
    },
  };
}

/** Whether a file is git-annex's stand-in for content that is not here, as unlocked files have it. */
export function isPointer(file: ByteRange): boolean {
  return file.size < 32768 && readRange(file, POINTER.length).equals(POINTER);
}

/** stat through links that answers null where nothing is, or where a link leads nowhere. */
export function statOrNull(path: string): Stats | null {
  try {
    return statSync(fsPath(path), { throwIfNoEntry: false }) ?? null;
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ENOTDIR' || code === 'ELOOP' || code === 'ENAMETOOLONG') return null;
    throw error;
  }
}

/** Whether a symbolic link is at a path. */
export function isLink(path: string): boolean {
  try {
    return lstatSync(fsPath(path), { throwIfNoEntry: false })?.isSymbolicLink() ?? false;
  } catch {
    return false;
  }
}

/** A path without links. */
export function realPath(path: string): string {
  return decodeName(realpathSync(fsPath(path), { encoding: 'buffer' }));
}

const POINTER = Buffer.from('/annex/objects/');
const ANNEX_OBJECT = /\/annex\/objects\/(?:[^/]+\/){0,2}([^/]+)\/\1$/s;

function isAnnexObject(path: string): boolean {
  return ANNEX_OBJECT.test(path);
}
