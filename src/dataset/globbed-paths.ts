/**
 * Declared inputs or outputs as patterns, and what they match now. Source: DataLad's `support.globbedpaths`.
 *
 * A pattern without a match may still have a partial one: the longest leading part of it that has wildcards and matches folders.
 * Those may be subdatasets that are not installed yet.
 */
import { realpathSync } from 'node:fs';
import { relative, resolve } from 'node:path';
import { compareCodePoints, decodeName, fsPath } from '../core/bytes.ts';
import { hasMagic } from '../core/fnmatch.ts';
import { globPaths, splitLast } from './glob.ts';

export interface GlobResult {
  /** Whether `.` was among the patterns: the whole folder, never globbed. */
  readonly dot: boolean;
  /** The other patterns in the order given, relative to the folder. */
  readonly patterns: readonly string[];
  /** Sorted paths of each pattern that matches. */
  readonly hits: ReadonlyMap<string, readonly string[]>;
  /** Sorted folders of each pattern of which only a leading part matches. */
  readonly partial: ReadonlyMap<string, readonly string[]>;
  /** Patterns of which nothing matches. */
  readonly misses: ReadonlySet<string>;
}

export type Glob = (pattern: string, cwd: string) => readonly string[];

/**
 * Matches patterns in a folder.
 *
 * @param pwd absolute path of the folder; absolute patterns are made relative to it
 * @throws `pattern-too-wide`
 */
export function globPatterns(patterns: readonly string[], pwd: string, glob: Glob = globPaths): GlobResult {
  const globbed = patterns.filter((pattern) => !isDot(pattern));
  const relatives = globbed.map((pattern) => (pattern.startsWith('/') ? relative(pwd, pattern) || '.' : pattern));
  const hits = new Map<string, readonly string[]>();
  const partial = new Map<string, readonly string[]>();
  const misses = new Set<string>();
  const search = (pattern: string): readonly string[] => normaliseHits(glob(pattern, pwd), pwd);
  for (const pattern of new Set(relatives)) {
    const found = search(pattern);
    if (found.length > 0) {
      hits.set(pattern, found);
      continue;
    }
    const folders = firstFound(subPatterns(pattern), search);
    if (folders) partial.set(pattern, folders);
    else misses.add(pattern);
  }
  return { dot: globbed.length < patterns.length, patterns: relatives, hits, partial, misses };
}

export interface ExpandOptions {
  /** Include `.`, first, if it was given. Default: true. */
  readonly dot?: boolean;
  /** Include the folders of partial matches. Default: true. */
  readonly partial?: boolean;
  /** Include, as they are, patterns of which nothing matches. Default: true. */
  readonly misses?: boolean;
}

/** All paths, in the order of the patterns; a path that several patterns match comes several times. */
export function expand(result: GlobResult, options: ExpandOptions = {}): string[] {
  const { dot = true, partial = true, misses = true } = options;
  const paths = result.patterns.flatMap((pattern) => {
    const found = result.hits.get(pattern) ?? (partial ? result.partial.get(pattern) : undefined);
    return found ?? (misses && result.misses.has(pattern) ? [pattern] : []);
  });
  return dot && result.dot ? ['.', ...paths] : paths;
}

/** Only what is there: no partial matches, no patterns. */
export function expandStrict(result: GlobResult, options: Pick<ExpandOptions, 'dot'> = {}): string[] {
  return expand(result, { ...options, partial: false, misses: false });
}

/** What Python's `strip` takes away. */
const SPACE = /[\t-\r\x1c-\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]/g;

function isDot(pattern: string): boolean {
  // The pattern of all spaces is costly to compile, and hardly ever needed.
  return (
    pattern === '.' ||
    (pattern.length > 1 && pattern.includes('.') && !/[^\s.]/.test(pattern) && pattern.replaceAll(SPACE, '') === '.')
  );
}

function firstFound(
  patterns: readonly string[],
  search: (pattern: string) => readonly string[],
): readonly string[] | undefined {
  for (const pattern of patterns) {
    const found = search(pattern);
    if (found.length > 0) return found;
  }
  return undefined;
}

/** Leading parts of a pattern that have wildcards, longest first, each with a final slash. */
export function subPatterns(pattern: string): string[] {
  let [head, tail] = splitLast(pattern);
  if (tail === '') [head, tail] = splitLast(head);
  const parts: string[] = [];
  let magic = hasMagic(tail);
  while (head !== '' && head !== '/') {
    const [above, last] = splitLast(head);
    if (magic && !hasMagic(head)) break;
    magic ||= hasMagic(last);
    if (magic) parts.push(`${head}/`);
    head = above;
  }
  return parts;
}

/** Paths in their shortest form and sorted; a final slash stays, and so does a leading `./` that is all there is to shorten. */
function normaliseHits(paths: readonly string[], pwd: string): string[] {
  let real: string | undefined;
  const normalised = paths.map((path) => {
    // Most paths have nothing to shorten: no empty part, no '.', no '..'.
    if (!/(?:^|\/)\.{0,2}(?:\/|$)/.test(path)) return path;
    real ??= decodeName(realpathSync(fsPath(pwd), { encoding: 'buffer' }));
    const shortest = (relative(real, resolve(real, path)) || '.') + (path.endsWith('/') ? '/' : '');
    return path === `./${shortest}` ? path : shortest;
  });
  return normalised.sort(compareCodePoints);
}
