/**
 * Python's `glob.glob(pattern, recursive=True)`: the same paths, the same number of times, in any order.
 *
 * Source: CPython 3.14's `glob`; with 3.11's, `none/**` matched a folder that was not there. A folder is read once per call, and entries are
 * looked at one by one only where a literal name or a symbolic link asks for it.
 */
import { lstatSync, readdirSync, statSync } from 'node:fs';
import { decodeName, fsPath } from '../core/bytes.ts';
import { RepriseError } from '../core/errors.ts';
import { hasMagic, nameMatcher } from '../core/fnmatch.ts';

/** What is in a folder; `folders` and `links` are parts of `names`. */
interface Listing {
  readonly names: readonly string[];
  readonly folders: readonly string[];
  readonly links: readonly string[];
}

const NOTHING: Listing = { names: [], folders: [], links: [] };

/** Links that lead in circles, and many `**` in a row, can name more paths than there is memory. */
const MAX_STEPS = 10_000_000;
/** Reading a folder costs about as much as handling this many names. */
const READ_STEPS = 10;
/** No path that a system takes has more parts than this. */
const MAX_PARTS = 2048;

interface Search {
  readonly pattern: string;
  readonly cwd: string;
  readonly read: Map<string, Listing>;
  stepsLeft: number;
}

/**
 * Paths that match a pattern, relative to `cwd` unless the pattern is absolute.
 *
 * @param maxSteps how many names may be handled, a folder counting as ten
 * @throws `pattern-too-wide` when the pattern names more paths than can be handled, or has too many parts
 */
export function globPaths(pattern: string, cwd: string, maxSteps: number = MAX_STEPS): string[] {
  if (pattern.split('/', MAX_PARTS + 1).length > MAX_PARTS) {
    throw new RepriseError(
      'pattern-too-wide',
      `A pattern has more than ${MAX_PARTS} parts: ${pattern.slice(0, 60)}...`,
    );
  }
  const paths = find({ pattern, cwd, read: new Map(), stepsLeft: maxSteps }, pattern, false);
  // A leading `**` also finds the start itself, which has no name.
  return pattern.startsWith('**') ? paths.filter((path) => path !== '') : paths;
}

function find(search: Search, pattern: string, foldersOnly: boolean): string[] {
  const [head, tail] = splitLast(pattern);
  if (!hasMagic(pattern)) {
    const found = tail === '' ? isFolder(search, head) : exists(search, pattern);
    return found ? [pattern] : [];
  }
  const heads = hasMagic(head) ? find(search, head, true) : [head];
  const inFolder = findInFolder(tail);
  const paths: string[] = [];
  for (const folder of heads) {
    for (const name of inFolder(search, folder, foldersOnly)) paths.push(join(folder, name));
  }
  return paths;
}

type InFolder = (search: Search, folder: string, foldersOnly: boolean) => readonly string[];

/** How the last component of a pattern is looked for in a folder. */
function findInFolder(tail: string): InFolder {
  if (tail === '') return (search, folder) => (isFolder(search, folder) ? [''] : []);
  if (!hasMagic(tail)) return (search, folder) => (exists(search, join(folder, tail)) ? [tail] : []);
  if (tail === '**') return everythingBelow;
  const match = nameMatcher(tail);
  const hidden = tail.startsWith('.');
  return (search, folder, foldersOnly) =>
    namesIn(search, folder, foldersOnly).filter((name) => (hidden || !name.startsWith('.')) && match(name));
}

function everythingBelow(search: Search, folder: string, foldersOnly: boolean): string[] {
  const paths = folder === '' || isFolder(search, folder) ? [''] : [];
  const descend = (from: string, prefix: string): void => {
    const { folders, links } = list(search, from);
    for (const name of namesIn(search, from, foldersOnly)) {
      if (!name.startsWith('.')) paths.push(join(prefix, name));
    }
    for (const name of [...folders, ...links]) {
      if (!name.startsWith('.')) descend(join(from, name), join(prefix, name));
    }
  };
  descend(folder, '');
  return paths;
}

function namesIn(search: Search, folder: string, foldersOnly: boolean): readonly string[] {
  const { names, folders, links } = list(search, folder);
  if (!foldersOnly) return spend(search, names);
  return spend(search, [...folders, ...links.filter((name) => isFolder(search, join(folder, name)))]);
}

function spend(search: Search, names: readonly string[]): readonly string[] {
  search.stepsLeft -= names.length + 1;
  if (search.stepsLeft < 0) {
    throw new RepriseError(
      'pattern-too-wide',
      `The pattern ${JSON.stringify(search.pattern)} names too many paths in ${search.cwd}`,
      { hints: ['Name fewer folders, or use ** only once; symbolic links may lead in circles'] },
    );
  }
  return names;
}

function list(search: Search, folder: string): Listing {
  const known = search.read.get(folder);
  if (known) return known;
  search.stepsLeft -= READ_STEPS;
  const listing = readFolder(absolute(search, folder));
  search.read.set(folder, listing);
  return listing;
}

function readFolder(path: string): Listing {
  try {
    const entries = readdirSync(fsPath(path), { withFileTypes: true });
    if (!entries.some((entry) => entry.name.includes('\uFFFD'))) return listingOf(entries, (name) => name);
    // Perhaps not a name with that character, but one whose bytes a string could not keep.
    return listingOf(readdirSync(fsPath(path), { withFileTypes: true, encoding: 'buffer' }), decodeName);
  } catch {
    return NOTHING;
  }
}

interface Entry<Name> {
  readonly name: Name;
  isDirectory(): boolean;
  isSymbolicLink(): boolean;
}

function listingOf<Name>(entries: readonly Entry<Name>[], decode: (name: Name) => string): Listing {
  const names: string[] = [];
  const folders: string[] = [];
  const links: string[] = [];
  for (const entry of entries) {
    const name = decode(entry.name);
    names.push(name);
    if (entry.isDirectory()) folders.push(name);
    else if (entry.isSymbolicLink()) links.push(name);
  }
  return { names, folders, links };
}

function exists(search: Search, path: string): boolean {
  return answers(() => lstatSync(fsPath(absolute(search, path)), { throwIfNoEntry: false }) !== undefined);
}

function isFolder(search: Search, path: string): boolean {
  if (path === '') return false;
  return answers(() => statSync(fsPath(absolute(search, path)), { throwIfNoEntry: false })?.isDirectory() === true);
}

/** What cannot be looked at (no permission, a circle of links, a NUL in the name) does not exist, as in Python. */
function answers(look: () => boolean): boolean {
  try {
    return look();
  } catch {
    return false;
  }
}

/** Nothing is normalised: `link/..` is the parent of where the link leads. */
function absolute(search: Search, path: string): string {
  return path.startsWith('/') ? path : `${search.cwd}/${path}`;
}

function join(folder: string, name: string): string {
  return folder === '' || folder.endsWith('/') ? folder + name : `${folder}/${name}`;
}

/** Python's `os.path.split`: the slashes between both parts vanish, unless there is nothing else. */
export function splitLast(path: string): readonly [string, string] {
  const at = path.lastIndexOf('/') + 1;
  const head = path.slice(0, at);
  return [head.replace(/(?<=[^/])\/+$/, ''), path.slice(at)];
}
