/**
 * JSON text byte for byte as Python's `json.dumps(..., sort_keys=True, ensure_ascii=False)` writes it.
 *
 * DataLad's inline records and sidecar names are defined by that text. One thing differs on purpose: a lone surrogate (our
 * and Python's stand-in for a byte that is not UTF-8) is written as the escape `\udcXX`. Python would leave it raw, which no
 * UTF-8 file can hold; reading the escape gives the same string in both languages.
 */
import { compareCodePoints } from '../core/bytes.ts';

/** JSON with one space of indent per level: the text of an inline record. Throws a TypeError for what JSON cannot hold. */
export function toPrettyJson(value: unknown): string {
  return write(value, { colon: ': ', open: (level) => `\n${' '.repeat(level)}`, comma: ',' }, 0);
}

/** JSON on one line without blanks: the text inside a sidecar. Throws a TypeError for what JSON cannot hold. */
export function toCompactJson(value: unknown): string {
  return write(value, { colon: ':', open: () => '', comma: ',' }, 0);
}

interface Layout {
  readonly colon: string;
  readonly comma: string;
  /** What stands before an item, and before the closing bracket, at a level of nesting. */
  readonly open: (level: number) => string;
}

function write(value: unknown, layout: Layout, level: number): string {
  if (value === null || typeof value === 'boolean') return String(value);
  if (typeof value === 'string') return JSON.stringify(value);
  if (typeof value === 'number') return writeNumber(value);
  if (Array.isArray(value)) {
    return bracket(
      '[',
      value.map((item) => write(item, layout, level + 1)),
      ']',
      layout,
      level,
    );
  }
  if (typeof value === 'object') {
    const entries = Object.entries(value).filter(([, item]) => item !== undefined);
    entries.sort(([a], [b]) => compareCodePoints(a, b));
    const items = entries.map(([key, item]) => JSON.stringify(key) + layout.colon + write(item, layout, level + 1));
    return bracket('{', items, '}', layout, level);
  }
  throw new TypeError(`JSON cannot hold a ${typeof value}`);
}

function bracket(left: string, items: readonly string[], right: string, layout: Layout, level: number): string {
  if (items.length === 0) return left + right;
  const before = layout.open(level + 1);
  return left + before + items.join(layout.comma + before) + layout.open(level) + right;
}

/** Safe integers as Python's int, everything else as Python's float: `repr` has the same digits, but its own layout. */
function writeNumber(value: number): string {
  if (!Number.isFinite(value)) throw new TypeError(`JSON cannot hold ${value}`);
  if (Object.is(value, -0)) return '-0.0';
  if (Number.isSafeInteger(value)) return String(value);
  const [digits, exponent] = value.toExponential().split('e') as [string, string];
  const power = Number(exponent);
  if (power < -4 || power >= 16) {
    return `${digits}e${power < 0 ? '-' : '+'}${String(Math.abs(power)).padStart(2, '0')}`;
  }
  const plain = String(value);
  return plain.includes('.') ? plain : `${plain}.0`;
}
