/**
 * Keys of git-annex as values: how one is made from a digest, taken apart, and turned into paths and link targets.
 *
 * Sources: git-annex's `Backend/Hash.hs`, `Types/Key.hs`, `Annex/Locations.hs` and `Annex/DirHashes.hs`. All rules work on the bytes of a
 * name; here names are strings decoded by `core/bytes.ts`, and go through bytes where the difference matters.
 */
import { createHash } from 'node:crypto';
import { decodeName, encodeName } from '../../core/bytes.ts';

/** The backends whose keys are made without git-annex, with the digest of each. */
export const BACKENDS = {
  MD5E: 'md5',
  MD5: 'md5',
  SHA1E: 'sha1',
  SHA1: 'sha1',
  SHA256E: 'sha256',
  SHA256: 'sha256',
  SHA512E: 'sha512',
  SHA512: 'sha512',
} as const;

export type Backend = keyof typeof BACKENDS;
export type Algorithm = (typeof BACKENDS)[Backend];

export interface ExtensionRules {
  /** `annex.maxextensionlength`: the longest extension in bytes, its dot not counted. */
  readonly maxExtensionLength?: number;
  /** `annex.maxextensions`, which git-annex knows since 2024. */
  readonly maxExtensions?: number;
}

/** Whether a backend's keys are made here. */
export function isNativeBackend(name: string): name is Backend {
  return Object.hasOwn(BACKENDS, name);
}

/**
 * The key of content.
 * @param fileName name or path of the file; only its last component matters, and only for backends that end in E
 */
export function keyForDigest(
  backend: Backend,
  size: number,
  hexDigest: string,
  fileName: string,
  rules: ExtensionRules = {},
): string {
  return `${backend}-s${size}--${hexDigest}${backend.endsWith('E') ? keptExtensions(fileName, rules) : ''}`;
}

/**
 * The extensions of a file name that its key keeps, with their dots, as git-annex selects them: from the end, as long as each is short
 * enough; those with other ASCII characters than letters and digits are passed over; two are kept.
 */
export function keptExtensions(fileName: string, rules: ExtensionRules = {}): string {
  const { maxExtensionLength = 4, maxExtensions = 2 } = rules;
  const bytes = encodeName(fileName).toString('latin1');
  const base = bytes.slice(bytes.lastIndexOf('/') + 1).replace(/^\.+/, '');
  const dot = base.indexOf('.');
  if (dot === -1) return '';
  const kept: string[] = [];
  // The part before the first dot of ".tar.gz" is empty; git-annex counts it, and empty ones between two dots, against the two.
  for (const part of base.slice(dot).split('.').reverse()) {
    if (part.length > maxExtensionLength || kept.length === maxExtensions) break;
    if (/^[0-9A-Za-z\x80-\xff]*$/.test(part)) kept.push(part);
  }
  const suffix = kept
    .reverse()
    .filter((part) => part !== '')
    .map((part) => `.${part}`)
    .join('');
  return decodeName(Buffer.from(suffix, 'latin1'));
}

export interface Key {
  readonly backend: string;
  readonly size?: number;
  readonly mtime?: number;
  readonly chunkSize?: number;
  readonly chunkNumber?: number;
  /** What follows the double dash: for hash backends the digest, and the extensions. */
  readonly name: string;
}

const KEY = /^([^-]+)(?:-s(\d+))?(?:-m(\d+))?(?:-S(\d+))?(?:-C(\d+))?--(.*)$/s;

/** Takes a key apart; null where git-annex would not accept it as one either. */
export function parseKey(key: string): Key | null {
  const found = KEY.exec(key);
  if (!found) return null;
  const [, backend = '', size, mtime, chunkSize, chunkNumber, name = ''] = found;
  if (mayHaveExtension(backend) && extensionBytes(name) > 64) return null;
  return {
    backend,
    ...(size === undefined ? {} : { size: Number(size) }),
    ...(mtime === undefined ? {} : { mtime: Number(mtime) }),
    ...(chunkSize === undefined ? {} : { chunkSize: Number(chunkSize) }),
    ...(chunkNumber === undefined ? {} : { chunkNumber: Number(chunkNumber) }),
    name,
  };
}

/** Names of backends end in E when their keys carry extensions; WORM and URL keys are names of another kind. */
function mayHaveExtension(backend: string): boolean {
  return backend.endsWith('E');
}

/** git-annex refuses keys with long extensions, since those could hide what a hash collision needs. */
function extensionBytes(name: string): number {
  const dot = name.indexOf('.');
  return dot === -1 ? 0 : encodeName(name.slice(dot)).length;
}

const ESCAPES: Readonly<Record<string, string>> = { '&': '&a', '%': '&s', ':': '&c', '/': '%' };
const UNESCAPES: Readonly<Record<string, string>> = { a: '&', s: '%', c: ':' };

/** The file name that stands for a key in the object store, in links and in the `git-annex` branch. */
export function keyFileName(key: string): string {
  return key.replace(/[&%:/]/g, (char) => ESCAPES[char] as string);
}

/** The key that a file name of the object store stands for, or null. */
export function keyFromFileName(name: string): string | null {
  const unescape = (part: string) => {
    const [head = '', ...escaped] = part.split('&');
    return head + escaped.map((text) => (UNESCAPES[text.charAt(0)] ?? text.charAt(0)) + text.slice(1)).join('');
  };
  const key = name.split('%').map(unescape).join('/');
  return parseKey(key) ? key : null;
}

const DIGITS = '0123456789zqjxkmvwgpfZQJXKMVWGPF';

/** The two folder levels of the object store of a repository with a work tree: `XX/YY`. */
export function hashDirMixed(key: string): string {
  const word = keyDigest(key).readUInt32LE(0);
  const digit = (at: number) => DIGITS[(word >>> (6 * at)) & 31] as string;
  return `${digit(1)}${digit(0)}/${digit(3)}${digit(2)}`;
}

/** The two folder levels of the `git-annex` branch and of bare repositories: `abc/def`. */
export function hashDirLower(key: string): string {
  const hex = keyDigest(key).toString('hex');
  return `${hex.slice(0, 3)}/${hex.slice(3, 6)}`;
}

function keyDigest(key: string): Buffer {
  const whole = key.replace(/^([^-]+(?:-s\d+)?(?:-m\d+)?)-S\d+-C\d+--/, '$1--');
  return createHash('md5').update(encodeName(whole)).digest();
}

/** Where the content of a key lies, from the folder that holds `.git`. */
export function objectPath(key: string): string {
  const name = keyFileName(key);
  return `.git/annex/objects/${hashDirMixed(key)}/${name}/${name}`;
}

/**
 * The target of the symbolic link that stands for a locked annexed file.
 *
 * Links go through `.git` at the top of the work tree. In a submodule and in a linked work tree git-annex turns the `.git` file into a
 * symbolic link, so that the same target works there.
 * @param pathInRepo path of the file from the top of its repository
 */
export function linkTarget(pathInRepo: string, key: string): string {
  return '../'.repeat(pathInRepo.split('/').length - 1) + objectPath(key);
}

const OBJECTS = '/annex/objects/';

/** The key that a symbolic link's target names, or null where the link does not point into an annex. */
export function keyFromLink(target: string): string | null {
  return `/${target}`.includes(OBJECTS) ? keyFromFileName(target.slice(target.lastIndexOf('/') + 1)) : null;
}

/** The key that a blob names, whether it is the target of a locked file's link or an unlocked file's pointer; null for anything else. */
export function keyFromBlob(blob: Uint8Array): string | null {
  // A link is one line without an end: whatever has one is no link.
  return parsePointer(blob) ?? (blob.includes(10) ? null : keyFromLink(decodeName(blob)));
}

/** Git-annex's limit for pointer files with additional lines. */
export const MAX_POINTER = 32768;

/**
 * The key that a pointer file (an unlocked annexed file, as Git stores it) names, or null.
 * @param bytes content of the file; 32769 bytes are enough
 */
export function parsePointer(bytes: Uint8Array): string | null {
  if (bytes.length > MAX_POINTER) return null;
  const [first = '', ...rest] = decodeName(bytes).split('\n');
  const line = first.endsWith('\r') ? first.slice(0, -1) : first;
  if (!line.startsWith(OBJECTS)) return null;
  if (rest.length > 0 && rest.pop() !== '') return null;
  if (!rest.every((more) => more.includes('/annex/'))) return null;
  return keyFromFileName(line.slice(line.lastIndexOf('/') + 1));
}
