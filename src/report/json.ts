/**
 * Results as JSON in DataLad's convention: one object per line, or indented by two.
 *
 * The text is what Python's `json.dumps(result, sort_keys=True)` gives, escapes included, so that both tools' outputs compare
 * as text. All of it is ASCII; a byte of a name that is not UTF-8 is the escape `\udcXX`, as in Python.
 */
import { compareCodePoints } from '../core/bytes.ts';
import { maskSecrets } from './printable.ts';

/** What was recorded is shown as recorded, URLs in commands included: it is in the commit for all to read. */
const AS_RECORDED = new Set(['run_info', 'dry_run_info']);

/** One result as JSON; keys with an undefined value are left out. */
export function toJson(value: unknown, pretty = false): string {
  return write(value, pretty ? 0 : undefined, true);
}

function write(value: unknown, level: number | undefined, mask: boolean): string {
  if (value === null || value === undefined) return 'null';
  if (typeof value === 'string') return quote(mask ? maskSecrets(value) : value);
  if (typeof value === 'number' || typeof value === 'boolean') return JSON.stringify(value);
  if (typeof value !== 'object') throw new TypeError(`JSON cannot hold a ${typeof value}`);
  const next = level === undefined ? undefined : level + 1;
  if (Array.isArray(value)) {
    const items = value.map((item) => write(item, next, mask));
    return bracket('[', items, ']', level);
  }
  const fields = value as Readonly<Record<string, unknown>>;
  const entries: string[] = [];
  for (const key of Object.keys(fields).sort(compareCodePoints)) {
    if (fields[key] === undefined) continue;
    entries.push(`${quote(key)}: ${write(fields[key], next, mask && !AS_RECORDED.has(key))}`);
  }
  return bracket('{', entries, '}', level);
}

function bracket(left: string, items: readonly string[], right: string, level: number | undefined): string {
  if (items.length === 0) return left + right;
  if (level === undefined) return left + items.join(', ') + right;
  const inner = '  '.repeat(level + 1);
  return `${left}\n${inner}${items.join(`,\n${inner}`)}\n${'  '.repeat(level)}${right}`;
}

/** Python's `ensure_ascii`: everything outside printable ASCII is `\uXXXX`. Most texts need no escapes at all. */
function quote(text: string): string {
  if (!/[^\u0020-\u007e]|["\\]/.test(text)) return `"${text}"`;
  return JSON.stringify(text).replace(
    /[^\u0020-\u007e]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
