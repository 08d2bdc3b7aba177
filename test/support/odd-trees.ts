/** Random trees with odd names, and random patterns to look for them. */
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { fc } from './random.ts';
import { compareCodePoints, fsPath } from '../../src/core/bytes.ts';

type Kind = 'file' | 'folder' | { readonly link: string };
type Tree = readonly (readonly [path: string, kind: Kind])[];

/** Makes what can be made of a random tree: an entry in the way of another leaves that one out. */
export function plant(root: string, tree: Tree): void {
  for (const [path, kind] of tree) {
    const full = `${root}/${path}`;
    try {
      mkdirSync(fsPath(kind === 'folder' ? full : dirname(full)), { recursive: true });
      if (kind === 'file') writeFileSync(fsPath(full), '', { flag: 'wx' });
      else if (kind !== 'folder') symlinkSync(fsPath(kind.link), fsPath(full));
    } catch (error) {
      if (!['EEXIST', 'ENOTDIR', 'ENOENT', 'EISDIR', 'ELOOP'].includes((error as NodeJS.ErrnoException).code ?? ''))
        throw error;
    }
  }
}

const name = fc.constantFrom(
  'a',
  'b',
  'ab',
  'A',
  'a.dat',
  '.h',
  '.git',
  'x y',
  "it's",
  'new\nline',
  'tab\t',
  '{b}',
  '[x]',
  'a*',
  'é',
  '\udcff',
  'b\udce9',
  '-d',
  'a-b',
  '!',
  '^',
  '\\',
  ']',
  '...',
);
const path = fc.array(name, { minLength: 1, maxLength: 4 }).map((parts) => parts.join('/'));
// Links lead to neighbours: no circles, whose number of paths would explode in both implementations.
const kind: fc.Arbitrary<Kind> = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom<Kind>('file', 'folder') },
  { weight: 1, arbitrary: fc.oneof(name, fc.constant('nowhere')).map((link) => ({ link })) },
);
/** Files, folders and links under names of every odd kind. */
export const tree = fc.array(fc.tuple(path, kind), { maxLength: 20 });

const component = fc.oneof(
  fc.constantFrom(
    '*',
    '*',
    '?',
    '.*',
    'a*',
    '*b',
    '*.dat',
    '?*',
    '[ab]',
    '[!a]*',
    '[.]*',
    '[a-c]*',
    '[',
    '[]',
    '[]]',
    '[!]',
    '[[]x]',
    '[b-a]',
    '[!b-a]',
    '[\\^]',
    '.',
    '..',
    'nope',
  ),
  name,
  fc.string({ unit: fc.constantFrom(...Array.from('ab*?[]!-^.\\')), minLength: 1, maxLength: 5 }),
);
/** Patterns that may match something in such a tree. */
export const pattern = fc
  .tuple(
    fc.constantFrom('', '', '', '', './', '/', '../'),
    fc.array(fc.oneof({ weight: 5, arbitrary: component }, { weight: 1, arbitrary: fc.constant('**') }), {
      minLength: 1,
      maxLength: 4,
    }),
    fc.constantFrom('/', '/', '/', '//'),
    fc.constantFrom('', '', '', '/', '//'),
  )
  .filter(([, parts]) => parts.filter((part) => part === '**').length <= 2)
  .map(([start, parts, slash, end]) => (start === '/' ? '' : start) + parts.join(slash) + end);

/** Trees are planted this deep, so that a pattern with `..` parts and `**` does not read the whole machine. */
export const DEEP = 'p/q/r/s/t';

export const sorted = (paths: readonly string[]): string[] => [...paths].sort(compareCodePoints);
