/**
 * A POSIX shell line, cut into the simple commands it holds and their words, without running anything.
 *
 * Every shell that may be `/bin/sh` must agree with what is said here. Where dash and bash differ (`$'...'`, `&>`, `<<<`, brace
 * expansion), or where finding the end of an expansion would need a whole parser, the answer is that the line is not understood.
 * Source: POSIX.1-2017, Shell Command Language, sections 2.2 (quoting), 2.3 (token recognition) and 2.7 (redirection).
 */

export interface ShellWord {
  /** Offsets in the line; `end` is that of the character after it. */
  readonly start: number;
  readonly end: number;
  /** What the word means to the program that gets it; null where the shell would expand something first. */
  readonly value: string | null;
}

export interface SimpleCommand {
  readonly words: readonly ShellWord[];
  /** Where its redirections start, in order. */
  readonly redirections: readonly number[];
}

const OPERATORS = [
  '<<-',
  '&&',
  '||',
  ';;',
  '<<',
  '>>',
  '<&',
  '>&',
  '<>',
  '>|',
  '&',
  '|',
  ';',
  '(',
  ')',
  '<',
  '>',
] as const;
/** In bash these mean something else than in dash. */
const DIVERGENT = ['&>', '<<<', '<(', '>(', '|&', ';&', ';;&', '(('] as const;
/** A word ends before any of these. */
const METACHARACTERS = ' \t\n|&;<>()';
/** Expansions within expansions beyond this are not followed. */
const MAX_DEPTH = 16;

interface HereDocument {
  readonly delimiter: string;
  readonly quoted: boolean;
  readonly tabs: boolean;
}

/** Thrown inside this file only. */
class NotUnderstood extends Error {}

/** The simple commands of a line, in order; reserved words are words of theirs. Null: the line is not understood. */
export function simpleCommands(line: string): readonly SimpleCommand[] | null {
  try {
    return parse(line);
  } catch (error) {
    if (error instanceof NotUnderstood) return null;
    throw error;
  }
}

function parse(line: string): readonly SimpleCommand[] {
  if (line.includes('\0')) throw new NotUnderstood();
  const commands: SimpleCommand[] = [];
  let words: ShellWord[] = [];
  let redirections: number[] = [];
  let documents: HereDocument[] = [];
  let numbered: number | null = null;
  const finish = () => {
    if (words.length > 0 || redirections.length > 0) commands.push({ words, redirections });
    words = [];
    redirections = [];
  };
  let at = skipBlanks(line, 0);
  while (at < line.length) {
    if (line[at] === '\n') {
      finish();
      at += 1;
      for (const document of documents) at = skipDocument(line, at, document);
      documents = [];
    } else if (line[at] === '#') {
      const end = line.indexOf('\n', at);
      at = end === -1 ? line.length : end;
    } else {
      const operator = operatorAt(line, at);
      if (operator === undefined) {
        const word = readWord(line, at);
        at = word.end;
        if (isStreamNumber(line, word)) numbered = word.start;
        else words.push(word);
      } else if (/[<>]/.test(operator)) {
        redirections.push(numbered ?? at);
        numbered = null;
        const target = readWord(line, skipBlanks(line, at + operator.length));
        if (operator.startsWith('<<')) documents.push(documentOf(line, target, operator === '<<-'));
        at = target.end;
      } else {
        finish();
        at += operator.length;
      }
    }
    at = skipBlanks(line, at);
  }
  if (documents.length > 0) throw new NotUnderstood();
  finish();
  return commands;
}

/** Digits right before `<` or `>` number the stream that is redirected. */
function isStreamNumber(line: string, { start, end }: ShellWord): boolean {
  const source = line.slice(start, end);
  if (!'<>'.includes(line[end] ?? ' ')) return false;
  if (source.includes('\\\n')) throw new NotUnderstood();
  return /^[0-9]+$/.test(source);
}

function skipBlanks(line: string, from: number): number {
  let at = from;
  for (;;) {
    if (line[at] === ' ' || line[at] === '\t') at += 1;
    else if (line.startsWith('\\\n', at)) at += 2;
    else return at;
  }
}

function operatorAt(line: string, at: number): string | undefined {
  if (DIVERGENT.some((operator) => line.startsWith(operator, at))) throw new NotUnderstood();
  return OPERATORS.find((operator) => line.startsWith(operator, at));
}

function readWord(line: string, start: number): ShellWord {
  let value = '';
  let dynamic = false;
  let brace = false;
  let at = start;
  while (at < line.length && !METACHARACTERS.includes(line[at] as string)) {
    const char = line[at] as string;
    if (char === '\\') {
      if (at + 1 === line.length) throw new NotUnderstood();
      if (line[at + 1] !== '\n') value += line[at + 1];
      at += 2;
    } else if (char === "'") {
      const end = line.indexOf("'", at + 1);
      if (end === -1) throw new NotUnderstood();
      value += line.slice(at + 1, end);
      at = end + 1;
    } else if (char === '"') {
      const quoted = readDoubleQuotes(line, at, 0);
      value += quoted.value ?? '';
      dynamic ||= quoted.value === null;
      at = quoted.end;
    } else if (char === '$' || char === '`') {
      const end = expansionEnd(line, at, 0, false);
      if (end === null) value += char;
      else dynamic = true;
      at = end ?? at + 1;
    } else {
      brace ||= char === '{';
      dynamic ||= '*?['.includes(char) || (char === '~' && (at === start || '=:\n'.includes(line[at - 1] as string)));
      dynamic ||= brace && (char === ',' || /^\.[.\\]/.test(line.slice(at, at + 2)));
      value += char;
      at += 1;
    }
  }
  if (at === start) throw new NotUnderstood();
  return { start, end: at, value: dynamic ? null : value };
}

interface Quoted {
  readonly value: string | null;
  readonly end: number;
}

function readDoubleQuotes(line: string, open: number, depth: number): Quoted {
  let value = '';
  let dynamic = false;
  let at = open + 1;
  while (at < line.length && line[at] !== '"') {
    const char = line[at] as string;
    const next = line[at + 1];
    if (char === '\\' && next !== undefined && '$`"\\\n'.includes(next)) {
      if (next !== '\n') value += next;
      at += 2;
    } else if (char === '$' || char === '`') {
      const end = expansionEnd(line, at, depth, true);
      if (end === null) value += char;
      else dynamic = true;
      at = end ?? at + 1;
    } else {
      value += char;
      at += 1;
    }
  }
  if (at >= line.length) throw new NotUnderstood();
  return { value: dynamic ? null : value, end: at + 1 };
}

/** Where an expansion ends that starts with `$` or a backquote; null where the `$` is only itself. */
function expansionEnd(line: string, at: number, depth: number, inQuotes: boolean): number | null {
  if (line[at] === '`') {
    const match = /`[^`\\'"#]*`/y;
    match.lastIndex = at;
    if (!match.test(line)) throw new NotUnderstood();
    return match.lastIndex;
  }
  const next = line[at + 1] ?? '';
  if (next === '(') return substitutionEnd(line, at + 2, depth + 1);
  if (next === '[' || next === '\\' || (!inQuotes && (next === "'" || next === '"'))) throw new NotUnderstood();
  const simple = next === '{' ? /\$\{[^{}'"`\\$\n]*\}/y : /\$([A-Za-z_][A-Za-z0-9_]*|[0-9@*#?$!-])/y;
  simple.lastIndex = at;
  if (simple.test(line)) return simple.lastIndex;
  if (next === '{') throw new NotUnderstood();
  return null;
}

/** The end of `$( ... )`, for contents without here-documents, comments, or the lone parentheses of `case`. */
function substitutionEnd(line: string, from: number, depth: number): number {
  if (depth > MAX_DEPTH) throw new NotUnderstood();
  let open = 1;
  let at = from;
  while (at < line.length) {
    const char = line[at] as string;
    if (char === '`' || char === '#' || line.startsWith('<<', at)) throw new NotUnderstood();
    if (char === "'") at = line.indexOf("'", at + 1) + 1 || line.length;
    else if (char === '"') at = readDoubleQuotes(line, at, depth).end;
    else if (char === '\\') at += 2;
    else {
      if (char === '(') open += 1;
      if (char === ')') open -= 1;
      at += 1;
      if (open > 0) continue;
      if (/\bcase\b/.test(line.slice(from, at))) throw new NotUnderstood();
      return at;
    }
  }
  throw new NotUnderstood();
}

function documentOf(line: string, target: ShellWord, tabs: boolean): HereDocument {
  const source = line.slice(target.start, target.end);
  if (target.value === null || source.includes('\n')) throw new NotUnderstood();
  return { delimiter: target.value, quoted: source !== target.value, tabs };
}

/** Where the line after a here-document starts. */
function skipDocument(line: string, from: number, { delimiter, quoted, tabs }: HereDocument): number {
  let at = from;
  while (at < line.length) {
    const end = line.indexOf('\n', at) === -1 ? line.length : line.indexOf('\n', at);
    const text = line.slice(at, end);
    if ((tabs ? text.replace(/^\t+/, '') : text) === delimiter) return end;
    // A backslash at the end joins lines before they are compared, and an expansion may span several.
    if (!quoted && /\\$|`|\$[({]/.test(text)) throw new NotUnderstood();
    at = end + 1;
  }
  throw new NotUnderstood();
}
