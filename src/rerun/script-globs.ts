/**
 * Patterns of records as patterns of a POSIX shell: lines of a script that print, quoted and in order, what they match when they run.
 *
 * A shell has no `**`: it stands for no folder, one, two, ..., until there is no folder so deep.
 */
import { hasMagic } from '../core/fnmatch.ts';
import { quoteWord } from '../core/quote.ts';
import { subPatterns } from '../dataset/globbed-paths.ts';

/** Whether a path is no pattern. */
export function isStatic(path: string): boolean {
  return !hasMagic(path);
}

/**
 * Lines that print what a pattern matches; where nothing does, the folders that a leading part of it matches, as DataLad does; else the pattern
 * itself, or a failure where it is needed.
 */
export function matching(pattern: string, needed: boolean): readonly string[] {
  const attempts = [pattern, ...subPatterns(pattern)];
  const last = needed ? `fail ${quoteWord(`no input matches ${pattern}`)}` : `quote ${quoteWord(pattern)}`;
  const [first, ...others] = attempts.map((attempt) => `found=$(${search(attempt)})`);
  const fallbacks = others.map((line) => `[ -n "$found" ] || ${line}`);
  return [first as string, ...fallbacks, `if [ -n "$found" ]; then printf '%s' "$found"; else ${last}; fi`];
}

/** A command that prints the quoted matches of one pattern. */
function search(pattern: string): string {
  const parts = pattern.split('/').filter((part, at, all) => part !== '**' || all[at - 1] !== '**');
  const deep = parts.flatMap((part, at) => (part === '**' ? [at] : []));
  const literal = parts.findIndex(hasMagic);
  const head = parts
    .slice(0, literal)
    .map((part) => `${part}/`)
    .join('');
  // Python's `.*` does not match `.` and `..`, a shell's does.
  const verb = parts.some((part) => part.startsWith('.') && hasMagic(part)) ? `hidden ${quoteWord(head)}` : 'present';
  return `{ ${listing(verb, parts, deep, 0, '')}; } | sorted`;
}

/** Nested loops, one for each `**`; `deepN` holds `*` and a slash as often as there are folders. */
function listing(
  verb: string,
  parts: readonly string[],
  deep: readonly number[],
  level: number,
  before: string,
): string {
  const at = deep[level];
  const from = level === 0 ? 0 : (deep[level - 1] as number) + 1;
  if (at === undefined) return `${verb} ${before}${parts.slice(from).map(component).join('/')}`;
  const head =
    before +
    parts
      .slice(from, at)
      .map((part) => `${component(part)}/`)
      .join('');
  const name = `deep${level}`;
  const below = `${head}\${${name}}`;
  // `**` at the end is everything, the folder itself included.
  const isLast = at === parts.length - 1;
  const start = isLast && head !== '' ? `${verb} ${head}; ${name}=` : `${name}=`;
  const inner = isLast ? `${verb} ${below}*` : listing(verb, parts, deep, level + 1, below);
  return `${start}; while ${inner}; ${name}="$${name}*/"; folders ${below}; do :; done`;
}

/** One component: quoted but for what is special in it. A shell's set is written so that each character in it means itself. */
export function component(part: string): string {
  let out = '';
  let plain = '';
  const flush = (): void => {
    if (plain !== '') out += quoteWord(plain);
    plain = '';
  };
  for (let at = 0; at < part.length; at += 1) {
    const char = part.charAt(at);
    const set = char === '[' ? /^\[(!?)(\]?[^\]]*)\]/s.exec(part.slice(at)) : null;
    if (char === '*' || char === '?') {
      flush();
      out += char;
    } else if (set?.[2]) {
      flush();
      out += shellSet(set[1] as string, set[2]);
      at += set[0].length - 1;
    } else plain += char;
  }
  flush();
  return out;
}

function shellSet(negation: string, characters: string): string {
  const all = Array.from(characters);
  const shell = all.map((char, at) => {
    const isRange = char === '-' && at > 0 && at < all.length - 1;
    return isRange ? '-' : /[A-Za-z0-9]/.test(char) ? char : char === "'" ? `"'"` : `'${char}'`;
  });
  return `[${negation}${shell.join('')}]`;
}
