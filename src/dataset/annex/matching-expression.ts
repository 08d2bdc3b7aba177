/**
 * Matching expressions of git-annex (`annex.largefiles`): parsed into a tree, or not at all.
 *
 * git-annex is forgiving: it accepts misplaced parentheses and missing operators, and then reads some expressions in surprising ways. Whatever
 * is not written in the plain form gives null here, and is left to git-annex.
 * Sources: git-annex's `Utility/Matcher.hs`, `Annex/FileMatcher.hs`, `Utility/DataUnits.hs`, `Utility/Glob.hs`.
 */

export type Expression =
  | { readonly kind: 'anything' | 'nothing' }
  | { readonly kind: 'and' | 'or'; readonly left: Expression; readonly right: Expression }
  | { readonly kind: 'not'; readonly of: Expression }
  | { readonly kind: 'larger' | 'smaller'; readonly than: number }
  | { readonly kind: 'path'; readonly glob: string }
  | { readonly kind: 'binary' }
  /** Understood, but only libmagic can tell. */
  | { readonly kind: 'magic' };

interface Parser {
  readonly tokens: readonly string[];
  at: number;
}

/** Parses an expression; null where it is empty, malformed, or says something that is not known here. */
export function parseExpression(text: string): Expression | null {
  // Haskell's `words` also splits at Unicode spaces, and nothing but ASCII is needed for the terms.
  if (!/^[\t\n\v\f\r\x20-\x7e]*$/.test(text)) return null;
  const parser: Parser = { tokens: text.match(/[()]|[^\s()]+/g) ?? [], at: 0 };
  const whole = parseChain(parser, 0);
  return parser.at === parser.tokens.length ? whole : null;
}

/** `and` and `or` bind equally and to the left; two terms without a word between them are joined by `and`. */
function parseChain(parser: Parser, depth: number): Expression | null {
  let left = parseUnary(parser, depth);
  while (left && parser.at < parser.tokens.length) {
    const word = parser.tokens[parser.at];
    if (word === ')') break;
    const kind: 'and' | 'or' = word === 'or' ? 'or' : 'and';
    if (word === 'and' || word === 'or') parser.at += 1;
    // Inside parentheses git-annex reads "a (b or c)" as "a and b or c".
    else if (depth > 0) return null;
    const right = parseUnary(parser, depth);
    left = right && { kind, left, right };
  }
  return left;
}

function parseUnary(parser: Parser, depth: number): Expression | null {
  if (depth > 100) return null;
  const word = parser.tokens[parser.at];
  parser.at += 1;
  if (word === undefined) return null;
  if (word === 'not') {
    const of = parseUnary(parser, depth + 1);
    return of && { kind: 'not', of };
  }
  if (word !== '(') return parseTerm(word);
  const inner = parseChain(parser, depth + 1);
  if (parser.tokens[parser.at] !== ')') return null;
  parser.at += 1;
  return inner;
}

function parseTerm(word: string): Expression | null {
  if (word === 'anything' || word === 'nothing') return { kind: word };
  const equals = word.indexOf('=');
  if (equals === -1) return null;
  const value = word.slice(equals + 1);
  switch (word.slice(0, equals)) {
    case 'largerthan':
    case 'smallerthan': {
      const than = parseSize(value);
      return than === null ? null : { kind: word.startsWith('l') ? 'larger' : 'smaller', than };
    }
    case 'include':
      return isPlainGlob(value) ? { kind: 'path', glob: value } : null;
    case 'exclude':
      return isPlainGlob(value) ? { kind: 'not', of: { kind: 'path', glob: value } } : null;
    case 'mimeencoding':
      return value === 'binary' ? { kind: 'binary' } : isPlainGlob(value) ? { kind: 'magic' } : null;
    case 'mimetype':
      return isPlainGlob(value) ? { kind: 'magic' } : null;
    default:
      return null;
  }
}

/** Character classes and backslashes depend on git-annex's version. */
function isPlainGlob(glob: string): boolean {
  return glob !== '' && !/[[\]\\]/.test(glob);
}

const PREFIXES = ['k', 'm', 'g', 't', 'p', 'e', 'z', 'y'];
const DECIMAL = ['kilo', 'mega', 'giga', 'tera', 'peta', 'exa', 'zetta', 'yotta'];
const BINARY = ['kibi', 'mebi', 'gibi', 'tebi', 'pebi', 'exbi', 'zebi', 'yobi'];

function unitTable(): ReadonlyMap<string, number> {
  const table = new Map<string, number>([['', 1]]);
  const add = (factor: number, abbreviation: string, name: string) => {
    // The first unit that fits wins: "b" is a byte, "mb" a megabyte.
    const spellings = [abbreviation, name, `${name}s`];
    if (abbreviation.endsWith('b')) spellings.push(abbreviation.slice(0, -1));
    for (const spelling of spellings) if (!table.has(spelling)) table.set(spelling, factor);
  };
  add(1, 'b', 'byte');
  for (const [i, prefix] of PREFIXES.entries()) {
    add(1000 ** (i + 1), `${prefix}b`, `${DECIMAL[i]}byte`);
    add(1024 ** (i + 1), `${prefix}ib`, `${BINARY[i]}byte`);
    add(1000 ** (i + 1) / 8, `${prefix}bit`, `${DECIMAL[i]}bit`);
  }
  return table;
}

const UNITS = unitTable();

/** A size such as `100kb`, `1.5MiB` or `0`, in bytes; null where it is written in any other way. */
export function parseSize(text: string): number | null {
  const found = /^(\d{1,15}(?:\.\d{1,15})?)([a-z]*)$/i.exec(text);
  if (!found) return null;
  const factor = UNITS.get((found[2] ?? '').toLowerCase());
  return factor === undefined ? null : roundHalfEven(Number(found[1]) * factor);
}

/** Haskell's `round`. */
function roundHalfEven(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  return rest < 0.5 || (rest === 0.5 && floor % 2 === 0) ? floor : floor + 1;
}

/**
 * Whether a path matches a glob, in which `*` stands for any text, slashes included, and `?` for one character; null where the
 * answer depends on git-annex's locale or version.
 */
export function matchesGlob(glob: string, path: string): boolean | null {
  if (path.includes('\n')) return null;
  if (glob.includes('?') && /[^\0-\x7f]/.test(path)) return null;
  // Plain backtracking to the last star: linear enough, and safe from hostile patterns.
  let [g, p, star, mark] = [0, 0, -1, 0];
  while (p < path.length) {
    if (glob[g] === '*') {
      star = g;
      mark = p;
      g += 1;
    } else if (g < glob.length && (glob[g] === '?' || glob[g] === path[p])) {
      g += 1;
      p += 1;
    } else if (star !== -1) {
      mark += 1;
      g = star + 1;
      p = mark;
    } else {
      return false;
    }
  }
  while (glob[g] === '*') g += 1;
  return g === glob.length;
}
