/**
 * File names as strings without loss.
 *
 * A POSIX file name is bytes. Names that are valid UTF-8 become ordinary strings; each byte that is not part of valid
 * UTF-8 becomes a lone surrogate U+DC80..U+DCFF, as in Python's `surrogateescape` (PEP 383). So every name survives the way
 * through our strings, and a record that names it can be read by DataLad.
 */

const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Decodes the bytes of a name or of a command's output; invalid bytes become lone surrogates. */
export function decodeName(bytes: Uint8Array): string {
  try {
    return strictUtf8.decode(bytes);
  } catch {
    return decodeEscaping(bytes);
  }
}

/** Decodes the text of a commit: as UTF-8 where it is that, and otherwise by the encoding that its header names. */
export function decodeText(bytes: Uint8Array, encoding: string): string {
  try {
    return strictUtf8.decode(bytes);
  } catch {
    return decodeAs(encoding, bytes) ?? decodeName(bytes);
  }
}

/** Null for what is not in this encoding, or one that nobody knows. */
function decodeAs(encoding: string, bytes: Uint8Array): string | null {
  try {
    return new TextDecoder(encoding, { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return null;
  }
}

function decodeEscaping(bytes: Uint8Array): string {
  let out = '';
  let at = 0;
  while (at < bytes.length) {
    const size = validSequence(bytes, at);
    if (size === 0) {
      out += String.fromCharCode(0xdc00 + (bytes[at] as number));
      at += 1;
    } else {
      out += strictUtf8.decode(bytes.subarray(at, at + size));
      at += size;
    }
  }
  return out;
}

/** Length of the valid UTF-8 sequence at `at`, or 0. */
function validSequence(bytes: Uint8Array, at: number): number {
  const first = bytes[at] as number;
  const size = first < 0x80 ? 1 : first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0;
  if (size < 2) return size;
  if (at + size > bytes.length) return 0;
  try {
    strictUtf8.decode(bytes.subarray(at, at + size));
    return size;
  } catch {
    return 0;
  }
}

/** Encodes a name back to the bytes that `decodeName` read. */
export function encodeName(name: string): Buffer {
  if (name.isWellFormed()) return Buffer.from(name, 'utf8');
  const parts: Buffer[] = [];
  let run = '';
  for (const char of name) {
    const unit = char.charCodeAt(0);
    if (char.length === 1 && unit >= 0xdc80 && unit <= 0xdcff) {
      parts.push(Buffer.from(run, 'utf8'), Buffer.from([unit - 0xdc00]));
      run = '';
    } else {
      run += char;
    }
  }
  parts.push(Buffer.from(run, 'utf8'));
  return Buffer.concat(parts);
}

/** The form of a path that Node's file functions take: the string itself, or its bytes where a string would lose some. */
export function fsPath(path: string): string | Buffer {
  return path.isWellFormed() ? path : encodeName(path);
}

/** Splits NUL-terminated output into names. */
export function splitNul(bytes: Buffer): string[] {
  const names: string[] = [];
  let from = 0;
  for (let to = bytes.indexOf(0, from); to !== -1; to = bytes.indexOf(0, from)) {
    names.push(decodeName(bytes.subarray(from, to)));
    from = to + 1;
  }
  if (from < bytes.length) names.push(decodeName(bytes.subarray(from)));
  return names;
}

/** Joins names into NUL-terminated input for a child process. */
export function joinNul(names: readonly string[]): Buffer {
  if (names.every((name) => name.isWellFormed())) return Buffer.from(names.map((name) => `${name}\0`).join(''), 'utf8');
  return Buffer.concat(names.flatMap((name) => [encodeName(name), Buffer.from([0])]));
}

/** Compares two strings by code point, as Python sorts them. */
export function compareCodePoints(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i += 1) {
    if (a.charCodeAt(i) === b.charCodeAt(i)) continue;
    // The second half of a pair is looked at together with the first.
    const at = i > 0 && isHigh(a.charCodeAt(i - 1)) ? i - 1 : i;
    const difference = (a.codePointAt(at) as number) - (b.codePointAt(at) as number);
    return difference === 0 ? (a.codePointAt(i) as number) - (b.codePointAt(i) as number) : difference;
  }
  return a.length - b.length;
}

function isHigh(unit: number): boolean {
  return unit >= 0xd800 && unit <= 0xdbff;
}
