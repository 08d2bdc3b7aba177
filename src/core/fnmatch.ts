/**
 * One component of a shell pattern, matched as Python's `fnmatch` does: `*`, `?`, `[seq]`, `[!seq]`, everything else literal.
 *
 * Source: CPython 3.11's `fnmatch.translate`, its treatment of odd sets included. Matching never takes more than
 * (length of the name)² steps, whatever the pattern.
 */

interface CharSet {
  readonly negated: boolean;
  readonly ranges: readonly (readonly [number, number])[];
}

/** A code point, a set of code points, any one of them, or any number of any. */
type Token = number | CharSet | 'any' | 'star';

export type NameMatcher = (name: string) => boolean;

/** Whether a text has characters that make it a pattern. */
export function hasMagic(text: string): boolean {
  return /[*?[]/.test(text);
}

/** A pattern that matches a text and nothing else (Python's `glob.escape`). */
export function escapeMagic(text: string): string {
  return text.replaceAll(/[*?[]/g, '[$&]');
}

/** Compiles a pattern into a function that tells whether a whole name matches it. */
export function nameMatcher(pattern: string): NameMatcher {
  const tokens = tokenise(pattern);
  return (name) => matches(tokens, codePoints(name));
}

function codePoints(text: string): readonly number[] {
  return Array.from(text, (char) => char.codePointAt(0) as number);
}

function matches(tokens: readonly Token[], name: readonly number[]): boolean {
  let token = 0;
  let at = 0;
  // After the last star: where to go on when what follows it does not match. Earlier stars never need another try.
  let starToken = -1;
  let starAt = 0;
  while (at < name.length) {
    const wanted = tokens[token];
    if (wanted === 'star') {
      token += 1;
      starToken = token;
      starAt = at;
    } else if (wanted !== undefined && accepts(wanted, name[at] as number)) {
      token += 1;
      at += 1;
    } else if (starToken !== -1) {
      starAt += 1;
      at = starAt;
      token = starToken;
    } else {
      return false;
    }
  }
  while (tokens[token] === 'star') token += 1;
  return token === tokens.length;
}

function accepts(token: Token, point: number): boolean {
  if (typeof token === 'number') return token === point;
  if (typeof token === 'string') return true;
  return token.negated !== token.ranges.some(([low, high]) => low <= point && point <= high);
}

function tokenise(pattern: string): Token[] {
  const chars = Array.from(pattern);
  const tokens: Token[] = [];
  for (let at = 0; at < chars.length; at += 1) {
    const char = chars[at] as string;
    if (char === '*') {
      if (tokens.at(-1) !== 'star') tokens.push('star');
    } else if (char === '?') {
      tokens.push('any');
    } else if (char === '[') {
      const end = endOfSet(chars, at + 1);
      tokens.push(end === -1 ? point(char) : setToken(chars.slice(at + 1, end)));
      if (end !== -1) at = end;
    } else {
      tokens.push(point(char));
    }
  }
  return tokens;
}

function point(char: string): number {
  return char.codePointAt(0) as number;
}

/** Index of the closing bracket; one that comes first in the set (after `!`) belongs to it. -1: not a set. */
function endOfSet(chars: readonly string[], start: number): number {
  let from = start;
  if (chars[from] === '!') from += 1;
  if (chars[from] === ']') from += 1;
  return chars.indexOf(']', from);
}

function setToken(chars: readonly string[]): Token {
  const chunks = splitAtRanges(chars);
  const first = chunks[0] as string[];
  if (chunks.length === 1 && first.length === 0) return { negated: false, ranges: [] };
  const negated = first[0] === '!';
  if (negated) first.shift();
  if (negated && chunks.length === 1 && first.length === 0) return 'any';
  const ranges: [number, number][] = [];
  for (const [at, chunk] of chunks.entries()) {
    for (const char of chunk) ranges.push([point(char), point(char)]);
    const next = chunks[at + 1];
    if (next === undefined) continue;
    const [low, high] = [chunk.at(-1), next[0]];
    // Python's own pattern starts with the hyphen here, which makes it an ordinary character.
    if (low === undefined) ranges.push([point('-'), point('-')]);
    else ranges.push([point(low), point(high as string)]);
  }
  return { negated, ranges };
}

/** Cuts a set at the hyphens that make ranges; ranges that end before they start vanish with both their ends. */
function splitAtRanges(chars: readonly string[]): string[][] {
  const chunks: string[][] = [];
  let start = 0;
  let from = chars[0] === '!' ? 2 : 1;
  for (let hyphen = chars.indexOf('-', from); hyphen !== -1; hyphen = chars.indexOf('-', from)) {
    chunks.push(chars.slice(start, hyphen));
    start = hyphen + 1;
    from = hyphen + 3;
  }
  const last = chars.slice(start);
  if (last.length > 0 || chunks.length === 0) chunks.push(last);
  else chunks.at(-1)?.push('-');
  for (let k = chunks.length - 1; k > 0; k -= 1) {
    const [before, after] = [chunks[k - 1] as string[], chunks[k] as string[]];
    if (point(before.at(-1) as string) > point(after[0] as string)) {
      chunks.splice(k - 1, 2, [...before.slice(0, -1), ...after.slice(1)]);
    }
  }
  return chunks;
}
