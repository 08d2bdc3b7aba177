/**
 * Placeholders in commands and paths: Python's `str.format` for texts and lists of texts, as DataLad's `run` uses it.
 *
 * Source: "Format String Syntax" of the Python library reference, `string.Formatter`, and DataLad's `SequenceFormatter`, which
 * formats each element of a list and joins them with spaces. Never read: attributes (`{inputs.x}`), which would reach into
 * the program instead of the values.
 */
import { RepriseError } from './errors.ts';
import { convert, formatString, MAX_EXPANSION, type Refusal } from './format-spec.ts';

export type Value = string | readonly string[];
export type Values = Readonly<Record<string, Value>>;

export interface FormatOptions {
  /** What a list gives: its elements joined with spaces (in a command), or an error (in a path, where it has no meaning). */
  readonly lists?: 'join' | 'refuse';
}

interface Field {
  /** Offset of the opening brace. */
  readonly at: number;
  /** All up to the conversion or specification: a name, and perhaps indices. */
  readonly path: string;
  readonly conversion: string | undefined;
  readonly spec: string;
  /** Offset of the specification. */
  readonly specAt: number;
}

/** Python nests specifications (`{name:{width}}`) this deep. */
const MAX_DEPTH = 2;

/** An expansion under way. */
interface Scope {
  readonly template: string;
  readonly values: Values;
  readonly lists: 'join' | 'refuse';
}

/**
 * Expands the placeholders of a template.
 *
 * @throws `placeholder-unknown` for a name that has no value
 * @throws `placeholder-invalid` for whatever else Python refuses, for attributes, and for results beyond 16 MiB
 */
export function formatTemplate(template: string, values: Values, options: FormatOptions = {}): string {
  return expand({ template, values, lists: options.lists ?? 'join' }, template, 0, MAX_DEPTH);
}

/**
 * The names that a template refers to, those inside specifications included.
 *
 * @throws `placeholder-invalid` for unbalanced braces
 */
export function placeholderNames(template: string): ReadonlySet<string> {
  const names = new Set<string>();
  const collect = (text: string, base: number, depth: number): void => {
    for (const piece of pieces(template, text, base)) {
      if (typeof piece === 'string') continue;
      names.add(splitPath(piece.path).name);
      if (depth > 0) collect(piece.spec, piece.specAt, depth - 1);
    }
  };
  collect(template, 0, MAX_DEPTH);
  return names;
}

function expand(scope: Scope, text: string, base: number, depth: number): string {
  let out = '';
  for (const piece of pieces(scope.template, text, base)) {
    out += typeof piece === 'string' ? piece : expandField(scope, piece, depth);
    if (out.length > MAX_EXPANSION) throw invalid(scope.template, base, 'its expansion is longer than 16 MiB');
  }
  return out;
}

function expandField(scope: Scope, field: Field, depth: number): string {
  const found = lookUp(scope, field);
  if (scope.lists === 'refuse' && typeof found !== 'string') {
    const { name } = splitPath(field.path);
    throw invalid(scope.template, field.at, `${name} is a list, which cannot be part of a path`, [
      `Write {${name}[0]} for its first value`,
    ]);
  }
  const value = field.conversion === undefined ? found : convert(found, field.conversion);
  if (isRefusal(value)) throw invalid(scope.template, field.at, value.refused);
  if (depth === 0) throw invalid(scope.template, field.at, 'specifications are nested too deeply');
  const spec = expand(scope, field.spec, field.specAt, depth - 1);
  const parts: string[] = [];
  let length = 0;
  for (const element of typeof value === 'string' ? [value] : value) {
    const part = formatString(element, spec);
    if (typeof part !== 'string') throw invalid(scope.template, field.at, part.refused);
    length += part.length + 1;
    if (length > MAX_EXPANSION) throw invalid(scope.template, field.at, 'its expansion is longer than 16 MiB');
    parts.push(part);
  }
  return parts.join(' ');
}

function isRefusal(value: Value | Refusal): value is Refusal {
  return typeof value === 'object' && 'refused' in value;
}

function lookUp({ template, values }: Scope, field: Field): Value {
  const { name, rest } = splitPath(field.path);
  if (name === '' || /^\p{Nd}+$/u.test(name)) {
    throw invalid(template, field.at, 'placeholders have names here, not positions');
  }
  if (!Object.hasOwn(values, name)) throw unknown(template, field.at, name, Object.keys(values));
  let value = values[name] as Value;
  for (let at = 0; at < rest.length; ) {
    const step = /^\[([^\]]+)\]/.exec(rest.slice(at));
    if (!step) throw invalid(template, field.at, reasonAgainst(rest.slice(at)));
    const index = step[1] as string;
    if (!/^[0-9]+$/.test(index)) throw invalid(template, field.at, `[${index}] is not a number counted from 0`);
    const element: string | undefined = (typeof value === 'string' ? Array.from(value) : value)[Number(index)];
    if (element === undefined) {
      throw invalid(template, field.at, `[${index}] is out of range, ${name} has ${value.length}, counted from 0`);
    }
    value = element;
    at += step[0].length;
  }
  return value;
}

function reasonAgainst(rest: string): string {
  if (rest.startsWith('.')) return 'attributes cannot be read';
  return rest.startsWith('[') ? 'its index is empty or not closed' : "only '[' may follow ']'";
}

function splitPath(path: string): { readonly name: string; readonly rest: string } {
  const end = path.search(/[.[]/);
  return end === -1 ? { name: path, rest: '' } : { name: path.slice(0, end), rest: path.slice(end) };
}

/**
 * Cuts a text into literal pieces and fields, one by one, so that errors come in the order in which Python meets them.
 * `base` is the offset of the text within the whole template, for messages.
 */
function* pieces(template: string, text: string, base: number): Generator<string | Field> {
  let at = 0;
  while (at < text.length) {
    const brace = indexOfAny(text, '{}', at);
    if (brace > at) yield text.slice(at, brace);
    if (brace === text.length) return;
    if (text[brace + 1] === text[brace]) {
      yield text[brace] as string;
      at = brace + 2;
    } else if (text[brace] === '}' || brace + 1 === text.length) {
      throw invalid(template, base + brace, `'${text[brace]}' stands alone`);
    } else {
      const { field, end } = readField(template, text, base, brace);
      yield field;
      at = end;
    }
  }
}

function readField(template: string, text: string, base: number, open: number): { field: Field; end: number } {
  let at = open + 1;
  // Within an index every character but ']' is part of it.
  for (; at < text.length && !'{}:!'.includes(text[at] as string); at += 1) {
    if (text[at] === '[') at = indexOfAny(text, ']', at + 1);
  }
  const path = text.slice(open + 1, at);
  const field = { at: base + open, path, conversion: undefined, spec: '', specAt: base + at };
  if (text[at] === '{') throw invalid(template, base + open, "a name cannot hold '{'");
  if (text[at] === '}') return { field, end: at + 1 };
  let conversion: string | undefined;
  if (text[at] === '!') {
    conversion = text[at + 1];
    at += 2;
    if (text[at] === '}') return { field: { ...field, conversion }, end: at + 1 };
    if (at < text.length && text[at] !== ':') throw invalid(template, base + open, "':' must follow its conversion");
  }
  const start = at + 1;
  let depth = 1;
  for (at = start; at < text.length; at += 1) {
    if (text[at] === '{') depth += 1;
    else if (text[at] === '}') depth -= 1;
    if (depth === 0) {
      return { field: { ...field, conversion, spec: text.slice(start, at), specAt: base + start }, end: at + 1 };
    }
  }
  throw invalid(template, base + open, "its '}' is missing");
}

function indexOfAny(text: string, wanted: string, from: number): number {
  let at = from;
  while (at < text.length && !wanted.includes(text[at] as string)) at += 1;
  return at;
}

const LITERAL_HINT = 'Write {{name}} for literal braces, or give --no-placeholders';

function invalid(
  template: string,
  at: number,
  reason: string,
  hints: readonly string[] = [LITERAL_HINT],
): RepriseError {
  return new RepriseError(
    'placeholder-invalid',
    `The placeholder at character ${at + 1} of ${excerpt(template, at)} is malformed: ${reason}`,
    { hints, data: { position: at } },
  );
}

function unknown(template: string, at: number, name: string, known: readonly string[]): RepriseError {
  const near = nearest(name, known);
  return new RepriseError(
    'placeholder-unknown',
    `There is no placeholder {${name}}, which stands at character ${at + 1} of ${excerpt(template, at)}`,
    { hints: [near === undefined ? LITERAL_HINT : `Did you mean {${near}}?`], data: { position: at, name } },
  );
}

function excerpt(template: string, at: number): string {
  const [from, to] = [Math.max(0, at - 20), at + 40];
  return JSON.stringify(`${from > 0 ? '...' : ''}${template.slice(from, to)}${to < template.length ? '...' : ''}`);
}

/** The known name at an edit distance of at most 2, nearest first. */
function nearest(name: string, known: readonly string[]): string | undefined {
  if (name.length > 64) return undefined;
  let best: string | undefined;
  let least = 3;
  for (const candidate of known) {
    if (Math.abs(candidate.length - name.length) > 2) continue;
    const distance = editDistance(name, candidate);
    if (distance < least) [best, least] = [candidate, distance];
  }
  return best;
}

function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const replaced = (row[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[j] as number) + 1, (next[j - 1] as number) + 1));
    }
    row = next;
  }
  return row[b.length] as number;
}
