/** The headers of a tar file: ustar, GNU long names and pax (POSIX.1-2017, pax interchange format). */
import { decodeName } from '../../core/bytes.ts';

export const BLOCK = 512;
/** Saved images have some hundred members. */
export const MAX_MEMBERS = 50_000;
export const MAX_EXTENSION_BYTES = 1 << 20;

/** What the headers before a member's own say about it. */
export interface Extension {
  readonly path?: string;
  readonly linkpath?: string;
  readonly size?: number;
}

/** Adds what a header of type x, L or K holds. */
export function extend(known: Extension, type: 'x' | 'L' | 'K', bytes: Buffer): Extension {
  if (type === 'L') return { ...known, path: untilNul(bytes) };
  if (type === 'K') return { ...known, linkpath: untilNul(bytes) };
  let extension = known;
  // Each record is `<length> <key>=<value>\n`, where the length counts the whole record.
  for (let at = 0; at < bytes.length; ) {
    const space = bytes.indexOf(0x20, at);
    const length = space === -1 ? Number.NaN : Number(bytes.toString('latin1', at, space));
    if (!Number.isSafeInteger(length) || length <= space - at) break;
    const record = decodeName(bytes.subarray(space + 1, at + length - 1));
    const equals = record.indexOf('=');
    const value = record.slice(equals + 1);
    const key = record.slice(0, equals);
    if (key === 'path') extension = { ...extension, path: value };
    if (key === 'linkpath') extension = { ...extension, linkpath: value };
    if (key === 'size') extension = { ...extension, size: /^[0-9]+$/.test(value) ? Number(value) : Number.NaN };
    at += length;
  }
  return extension;
}

/** A member's name without `./` before it and `/` after it. */
export function memberName(name: string): string {
  return name.replace(/^(?:\.\/+)+/, '').replace(/\/+$/, '');
}

export function headerName(header: Buffer): string {
  const name = textField(header, 0, 100);
  // Only POSIX ustar has a prefix there: GNU tar keeps times in its place.
  const prefix = header.toString('latin1', 257, 263) === 'ustar\0' ? textField(header, 345, 155) : '';
  return prefix === '' ? name : `${prefix}/${name}`;
}

export function textField(header: Buffer, at: number, length: number): string {
  return untilNul(header.subarray(at, at + length));
}

function untilNul(bytes: Buffer): string {
  const end = bytes.indexOf(0);
  return decodeName(end === -1 ? bytes : bytes.subarray(0, end));
}

/** Octal digits, or GNU's binary form for what does not fit them. */
export function numberField(header: Buffer, at: number, length: number): number {
  if (((header[at] as number) & 0x80) !== 0) return Number(header.readBigInt64BE(at + length - 8));
  const digits = header
    .toString('latin1', at, at + length)
    .replace(/[\0 ]+$/, '')
    .trimStart();
  return digits === '' ? 0 : /^[0-7]+$/.test(digits) ? Number.parseInt(digits, 8) : Number.NaN;
}

/** Whether a block is a header. */
export function checksumHolds(header: Buffer): boolean {
  let sum = 8 * 0x20;
  for (let at = 0; at < BLOCK; at += 1) if (at < 148 || at >= 156) sum += header[at] as number;
  return sum === numberField(header, 148, 8);
}
