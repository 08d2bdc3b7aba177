/**
 * What follows the name of a placeholder: format specifications (`:>10`) and conversions (`!r`) of strings, as Python has them.
 *
 * Source: "Format Specification Mini-Language" of the Python library reference, and CPython 3.11's behaviour for `str`.
 */

/** No expansion may grow beyond this many UTF-16 units: a hostile width must not take the memory away. */
export const MAX_EXPANSION = 16 * 1024 * 1024;

/** The mini-language needs a dozen characters; only nested placeholders make specifications long. */
const MAX_SPEC = 1000;

/** A reason, in words, why a specification or conversion cannot be applied. */
export interface Refusal {
  readonly refused: string;
}

type Side = '<' | '>' | '^';

interface Spec {
  readonly fill: string;
  readonly side: Side;
  readonly width: number;
  readonly precision: number;
}

/** `format(text, spec)` of Python for a string. */
export function formatString(text: string, spec: string): string | Refusal {
  if (spec === '') return text;
  if (spec.length > MAX_SPEC) return { refused: 'the specification is too long' };
  const parsed = parseSpec(spec);
  return 'refused' in parsed ? parsed : pad(text, parsed);
}

function parseSpec(spec: string): Spec | Refusal {
  // By code point: the fill character may be any one character.
  const chars = Array.from(spec);
  let fill: string | undefined;
  let side: string | undefined;
  if (isAlignment(chars[1])) [fill, side] = chars.splice(0, 2);
  else if (isAlignment(chars[0])) side = chars.shift();
  const [, flags = '', zero = '', width = '', rest = ''] =
    /^([-+ ]?z?#?)(0?)([0-9]*)(.*)$/su.exec(chars.join('')) ?? [];
  if (side === '=') return { refused: "the alignment '=' is for numbers" };
  if (flags !== '') return { refused: `'${flags}' is for numbers` };
  const [, precision, tail = ''] = /^(?:\.([0-9]+))?(.*)$/su.exec(rest) ?? [];
  if (tail.startsWith('.')) return { refused: 'the precision is missing' };
  if (tail !== '' && tail !== 's') return { refused: `'${tail}' is not a format of a text` };
  // A zero is the fill only where none was given; as part of the width it changes nothing.
  const limits = { width: Number(width), precision: precision === undefined ? Infinity : Number(precision) };
  if (limits.width > MAX_EXPANSION) return { refused: 'the width is too large' };
  if (precision !== undefined && limits.precision > Number.MAX_SAFE_INTEGER) {
    return { refused: 'the precision is too large' };
  }
  return { fill: fill ?? (zero === '0' ? '0' : ' '), side: (side ?? '<') as Side, ...limits };
}

function isAlignment(char: string | undefined): boolean {
  return char === '<' || char === '>' || char === '=' || char === '^';
}

function pad(text: string, { fill, side, width, precision }: Spec): string {
  let shown = text;
  let length = text.length;
  if (length > precision || width > 0) {
    const chars = Array.from(text).slice(0, precision);
    shown = chars.join('');
    length = chars.length;
  }
  const missing = Math.max(0, width - length);
  const before = side === '<' ? 0 : side === '>' ? missing : Math.floor(missing / 2);
  return fill.repeat(before) + shown + fill.repeat(missing - before);
}

/** What Python does not print as itself in `repr`: other (C*) and separators (Z*) except the space. */
const UNPRINTABLE = /[\p{C}\p{Z}]/u;
const ESCAPES: Readonly<Record<string, string>> = { '\\': '\\\\', '\n': '\\n', '\r': '\\r', '\t': '\\t' };

/** `str()`, `repr()` or `ascii()` of Python for a string or a list of strings. */
export function convert(value: string | readonly string[], conversion: string): string | Refusal {
  if (conversion === 's' && typeof value === 'string') return value;
  if (conversion !== 's' && conversion !== 'r' && conversion !== 'a') {
    return { refused: `the conversion '!${conversion}' does not exist (r, s and a do)` };
  }
  const one = (text: string): string => representation(text, conversion === 'a');
  return typeof value === 'string' ? one(value) : `[${value.map(one).join(', ')}]`;
}

function representation(text: string, asciiOnly: boolean): string {
  const quote = text.includes("'") && !text.includes('"') ? '"' : "'";
  let out = quote;
  for (const char of text) {
    const point = char.codePointAt(0) as number;
    if (char === quote) out += `\\${char}`;
    else if (char === ' ') out += char;
    else if (point < 0x7f || !(asciiOnly || UNPRINTABLE.test(char))) out += ESCAPES[char] ?? plainOrHex(char, point);
    else out += hex(point);
  }
  return out + quote;
}

function plainOrHex(char: string, point: number): string {
  return point < 0x20 ? hex(point) : char;
}

function hex(point: number): string {
  if (point <= 0xff) return `\\x${point.toString(16).padStart(2, '0')}`;
  return point <= 0xffff ? `\\u${point.toString(16).padStart(4, '0')}` : `\\U${point.toString(16).padStart(8, '0')}`;
}
