/**
 * Which files go into the annex and which into Git: `annex.largefiles`, `annex.dotfiles`, decided without git-annex where the answer is certain.
 */
import { type Expression, matchesGlob, parseExpression } from './matching-expression.ts';

export type Largeness = 'large' | 'small' | 'undecided';

export interface LargefilesSources {
  /** `annex.largefiles` of Git's configuration; it overrides the attribute. */
  readonly config: string | undefined;
  /** The attribute as `git check-attr` prints it (`unspecified`, `set`, ...), or undefined. */
  readonly attribute: string | undefined;
  /** What `git annex config` stores in the `git-annex` branch (`config.log`). */
  readonly branch: string | undefined;
}

export interface FileFacts {
  /** Path from the top of the repository. */
  readonly path: string;
  readonly size: number;
  /** Reads the first bytes of the file, at least as many as asked for where the file has them. Only called for terms that look at content. */
  readonly readHead: (length: number) => Uint8Array;
}

/** Decides whether a file is large; `dotfiles` is `annex.dotfiles`, which DataLad sets for each of its calls. */
export function decideLargeness(sources: LargefilesSources, dotfiles: boolean, file: FileFacts): Largeness {
  if (!dotfiles && isDotfile(file.path)) return 'small';
  const text = effectiveExpression(sources);
  if (text === undefined) return 'large';
  const expression = parseCached(text);
  if (!expression) return 'undecided';
  const matched = evaluate(expression, file);
  return matched === null ? 'undecided' : matched ? 'large' : 'small';
}

/** Whether a file or one of the folders above it has a name that starts with a dot. */
export function isDotfile(path: string): boolean {
  return path.split('/').some((part) => part.startsWith('.') && part !== '.' && part !== '..');
}

function effectiveExpression({ config, attribute, branch }: LargefilesSources): string | undefined {
  if (config !== undefined) return config;
  return attribute === undefined || attribute === 'unspecified' || attribute === '' ? branch : attribute;
}

const parsed = new Map<string, Expression | null>();

/** A dataset has one or two expressions for all its files. */
function parseCached(text: string): Expression | null {
  let expression = parsed.get(text);
  if (expression === undefined) {
    expression = parseExpression(text);
    if (parsed.size < 1000) parsed.set(text, expression);
  }
  return expression;
}

function evaluate(expression: Expression, file: FileFacts): boolean | null {
  switch (expression.kind) {
    case 'anything':
      return true;
    case 'nothing':
      return false;
    case 'not': {
      const inner = evaluate(expression.of, file);
      return inner === null ? null : !inner;
    }
    case 'and':
    case 'or': {
      const deciding = expression.kind === 'or';
      const left = evaluate(expression.left, file);
      if (left === deciding) return left;
      const right = evaluate(expression.right, file);
      if (right === deciding) return right;
      return left === null || right === null ? null : !deciding;
    }
    case 'larger':
      return file.size > expression.than;
    case 'smaller':
      return file.size < expression.than;
    case 'path':
      return matchesGlob(expression.glob, file.path);
    case 'binary':
      return isBinary(file);
    default:
      // Only libmagic can tell.
      return null;
  }
}

/** libmagic looks for an encoding in the first 64 KiB; before 5.40 in all it reads, which is 1 MiB. */
const ENCODING_HEAD = 1 << 16;
const WHOLE_HEAD = 1 << 20;

/** Whether libmagic calls the encoding `binary`, where every version of it says the same; null otherwise. */
export function isBinary(file: Pick<FileFacts, 'size' | 'readHead'>): boolean | null {
  // "Empty" and "very short file (no magic)" are binary by definition.
  if (file.size < 2) return true;
  const head = file.readHead(WHOLE_HEAD);
  if (head.length < Math.min(file.size, WHOLE_HEAD)) return null;
  if (startsWithMark(head)) return null;
  const zero = head.indexOf(0);
  if (zero !== -1) return zero < ENCODING_HEAD ? true : null;
  return isPlainText(head, file.size > head.length) ? false : null;
}

/** UTF-16, UTF-32 and UTF-7 announce themselves at the start; there, zero bytes are text, and plain letters not plain. */
function startsWithMark(head: Uint8Array): boolean {
  const [a, b, c, d] = head;
  return (
    (a === 0xff && b === 0xfe) ||
    (a === 0xfe && b === 0xff) ||
    (a === 0 && b === 0 && c === 0xfe && d === 0xff) ||
    (a === 0x2b && b === 0x2f)
  );
}

const TEXT_CONTROLS = new Set([7, 8, 9, 10, 12, 13, 27]);
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** ASCII without the control characters that libmagic does not expect in text, or UTF-8 of the same. */
function isPlainText(head: Uint8Array, truncated: boolean): boolean {
  let ascii = true;
  for (const byte of head) {
    if (byte >= 0x80) ascii = false;
    else if ((byte < 32 && !TEXT_CONTROLS.has(byte)) || byte === 127) return false;
  }
  if (ascii) return true;
  try {
    utf8.decode(head, { stream: truncated });
    return true;
  } catch {
    return false;
  } finally {
    if (truncated) flush();
  }
}

/** Forgets the sequence that the end of the head cut in two. */
function flush(): void {
  try {
    utf8.decode();
  } catch {
    // The cut sequence itself; whatever preceded it has been checked.
  }
}
