/**
 * `-f '{action}|{status}'`: one line per result from a template in Python's format language, as DataLad has it.
 *
 * A property that a result does not have gives `N/A`. `{metadata[name]}` reads a key of an object, `{inputs[0]}` an item of
 * a list; a colon within such a key is written `#`.
 */
import { RepriseError } from '../core/errors.ts';
import { convert, formatString } from '../core/format-spec.ts';
import type { Result } from '../core/result.ts';

const MISSING = 'N/A';

interface Field {
  readonly name: string;
  readonly keys: readonly string[];
  readonly conversion: string | undefined;
  readonly spec: string;
}

/** Turns a result into one line; `show` makes values safe for where they go. */
export type Template = (result: Result, show: (value: string) => string) => string;

/**
 * Reads a template, so that a mistake in it is found before anything is done.
 *
 * @throws `usage` for unbalanced braces, attributes, positions, unknown conversions and specifications that are not for text
 */
export function parseTemplate(template: string): Template {
  const pieces = split(template);
  for (const piece of pieces) if (typeof piece !== 'string') render(template, piece, 'x');
  return (result, show) =>
    pieces
      .map((piece) => (typeof piece === 'string' ? piece : show(render(template, piece, lookUp(piece, result)))))
      .join('');
}

function split(template: string): (string | Field)[] {
  const pieces: (string | Field)[] = [];
  // A doubled brace, a field, or a brace that is neither.
  const token = /\{\{|\}\}|\{([^{}!:[\]]*)((?:\[[^\]]+\])*)(?:!([^:}]*))?(?::([^{}]*))?\}|[{}]/g;
  let from = 0;
  for (const match of template.matchAll(token)) {
    pieces.push(template.slice(from, match.index));
    from = match.index + match[0].length;
    if (match[0] === '{{' || match[0] === '}}') pieces.push(match[0].charAt(0));
    else if (match[0].length === 1) throw malformed(template, `the brace at character ${match.index + 1} stands alone`);
    else pieces.push(fieldOf(template, match));
  }
  pieces.push(template.slice(from));
  return pieces;
}

function fieldOf(template: string, match: RegExpMatchArray): Field {
  const [, name = '', keys = '', conversion, spec = ''] = match;
  if (!/^[A-Za-z_][\w-]*$/.test(name)) throw malformed(template, `'${name}' is not the name of a property`);
  return { name, keys: [...keys.matchAll(/\[([^\]]+)\]/g)].map((key) => key[1] as string), conversion, spec };
}

function lookUp(field: Field, result: Result): string {
  let value: unknown = Object.hasOwn(result, field.name) ? result[field.name] : undefined;
  for (const key of field.keys) {
    const name = Array.isArray(value) ? key : key.replaceAll('#', ':');
    value =
      typeof value === 'object' && value !== null && Object.hasOwn(value, name) ? Reflect.get(value, name) : undefined;
  }
  return value === undefined ? MISSING : pythonText(value);
}

function render(template: string, { conversion, spec }: Field, text: string): string {
  const converted = conversion === undefined ? text : convert(text, conversion);
  const formatted = typeof converted === 'string' ? formatString(converted, spec) : converted;
  if (typeof formatted !== 'string') throw malformed(template, formatted.refused);
  return formatted;
}

/** Python's `str()`: texts inside lists and objects are quoted, the three constants have their Python names. */
function pythonText(value: unknown, nested = false): string {
  if (typeof value === 'string') {
    const quoted = nested ? convert(value, 'r') : value;
    return typeof quoted === 'string' ? quoted : value;
  }
  if (value === null || value === undefined) return 'None';
  if (typeof value === 'boolean') return value ? 'True' : 'False';
  if (typeof value === 'number') return String(value);
  if (Array.isArray(value)) return `[${value.map((item) => pythonText(item, true)).join(', ')}]`;
  if (typeof value !== 'object') throw new TypeError(`a result cannot hold a ${typeof value}`);
  return `{${Object.entries(value)
    .map(([key, item]) => `${pythonText(key, true)}: ${pythonText(item, true)}`)
    .join(', ')}}`;
}

function malformed(template: string, reason: string): RepriseError {
  return new RepriseError('usage', `The output format ${JSON.stringify(template)} is malformed: ${reason}`, {
    hints: ["reprise -f '{action}|{status}|{path}' status", 'Write {{ and }} for literal braces'],
  });
}
