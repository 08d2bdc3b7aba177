/**
 * What a pattern names in two commits, and how that differs: trees that are equal are never looked into.
 *
 * Subdatasets are looked into where their repository is here and has both commits; elsewhere their commit stands for all that is in them.
 */
import { join } from 'node:path';
import { type Repo, repoAt } from '../dataset/repo.ts';
import { linkOnTheWay } from '../dataset/subdatasets.ts';
import { componentMatcher, type Spec } from './stale-specs.ts';
import { openTrees, type Trees } from './stale-trees.ts';
import type { TreeEntry } from './stale.ts';

export interface Difference {
  /** Relative to the root of the dataset. */
  readonly path: string;
  /** The dataset or subdataset that has it. */
  readonly repo: Repo;
  readonly was: string | null;
  readonly now: string | null;
}

/** A dataset with its subdatasets, as far as they are here. */
export interface Forest {
  /** The trees of the dataset at a path (empty for the top); null where it is not here. */
  readonly at: (path: string) => Trees | null;
  readonly top: Trees;
  /** Paths of subdatasets in the commit that everything is compared with. */
  readonly subdatasets: ReadonlySet<string>;
}

/** The trees of a dataset. */
export function openForest(top: Trees, subdatasets: ReadonlySet<string>): Forest {
  const known = new Map<string, Trees | null>([['', top]]);
  return {
    top,
    subdatasets,
    at(path) {
      const before = known.get(path);
      if (before !== undefined) return before;
      // What was a folder in one commit may be a link out of the dataset today.
      const isReal = linkOnTheWay(top.repo, path) === null;
      const repo = isReal ? repoAt(join(top.repo.root, path), top.repo.context) : null;
      const trees = repo === null ? null : openTrees(repo);
      known.set(path, trees);
      return trees;
    },
  };
}

export interface Comparison {
  readonly forest: Forest;
  /** Commits; null for a state without any file: then everything that a spec names is found, in subdatasets as well. */
  readonly base: string | null;
  readonly head: string;
  /** Takes a difference; false when no more are wanted. */
  readonly found: (difference: Difference) => Promise<boolean>;
}

/** The search for what one spec names. */
interface Search extends Comparison {
  /** Places that were compared, with how much of the pattern was left: several `**` lead to one place on more ways than can be taken. */
  readonly seen: Set<string>;
}

type Side = TreeEntry | null;

const folderOf = (side: Side): string | null => (side?.mode === '40000' ? side.sha : null);
const subdatasetOf = (side: Side): string | null => (side?.mode === '160000' ? side.sha : null);
const fileOf = (side: Side): Side => (folderOf(side) === null ? side : null);

/** Finds all differences in what a spec names. */
export async function compareSpec(given: Comparison, spec: Spec): Promise<void> {
  const comparison: Search = { ...given, seen: new Set() };
  const { forest, base, head } = comparison;
  const { parts, role } = spec;
  // Where the subdatasets of a commit are that is not the present one, only its trees tell.
  const depth = base === null ? 0 : plainDepth(parts.slice(0, spec.literal), forest.subdatasets);
  const sides = async (count: number): Promise<readonly [Side, Side]> => {
    const path = parts.slice(0, count).join('/');
    return Promise.all([base === null ? null : forest.top.resolve(base, path), forest.top.resolve(head, path)]);
  };
  if (depth > 1) {
    // One folder serves many files, and is mostly the same.
    const [was, now] = await sides(depth - 1);
    if (was?.sha === now?.sha) return;
  }
  const [was, now] = await sides(depth);
  const prefix = parts.slice(0, depth).join('/');
  if (role === 'code') {
    // What was no file then is no code of the run.
    if (fileOf(was) && depth === parts.length) await compareEntries(comparison, forest.top, prefix, was, now, []);
    return;
  }
  await compareEntries(comparison, forest.top, prefix, was, now, parts.slice(depth));
}

/** How many leading components can be looked up by Git: no newline in them, and no subdataset among them. */
function plainDepth(parts: readonly string[], subdatasets: ReadonlySet<string>): number {
  const blocked = parts.findIndex(
    (part, index) => part.includes('\n') || subdatasets.has(parts.slice(0, index + 1).join('/')),
  );
  return blocked === -1 ? parts.length : blocked;
}

/** Compares two entries at one path, of which `rest` of a pattern is still to be matched. */
async function compareEntries(
  comparison: Search,
  trees: Trees,
  path: string,
  was: Side,
  now: Side,
  rest: readonly string[],
): Promise<boolean> {
  if (was?.sha === now?.sha) return true;
  const place = `${trees.repo.root}\0${path}\0${rest.length}`;
  if (comparison.seen.has(place)) return true;
  comparison.seen.add(place);
  const subdatasets = [subdatasetOf(was), subdatasetOf(now)] as const;
  if (subdatasets.some((sha) => sha !== null)) return compareSubdatasets(comparison, trees, path, [was, now], rest);
  const folders = [folderOf(was), folderOf(now)] as const;
  if (folders.some((sha) => sha !== null) && !(await compareFolders(comparison, trees, path, folders, rest)))
    return false;
  // A file is not what a pattern with further components names.
  return rest.some((part) => part !== '**') ? true : compareFiles(comparison, trees, path, [fileOf(was), fileOf(now)]);
}

async function compareFiles(
  { found }: Comparison,
  trees: Trees,
  path: string,
  [was, now]: readonly [Side, Side],
): Promise<boolean> {
  const [before, after] = await Promise.all([was && trees.digest(was), now && trees.digest(now)]);
  return before === after || found({ path, repo: trees.repo, was: before, now: after });
}

async function compareFolders(
  comparison: Search,
  trees: Trees,
  path: string,
  [was, now]: readonly [string | null, string | null],
  rest: readonly string[],
): Promise<boolean> {
  const none: ReadonlyMap<string, TreeEntry> = new Map();
  const [before, after] = await Promise.all([
    was === null ? none : trees.tree(was),
    now === null ? none : trees.tree(now),
  ]);
  const [part, ...further] = rest;
  // `**` at the end names the folder itself, and so everything in it.
  const everything = part === undefined || rest.every((one) => one === '**');
  const accepts = everything
    ? () => true
    : part === '**'
      ? (name: string) => !name.startsWith('.')
      : componentMatcher(part);
  const names = [...new Set([...before.keys(), ...after.keys()])];
  for (const name of names.filter((one) => before.get(one)?.sha !== after.get(one)?.sha).sort()) {
    const [from, to] = [before.get(name) ?? null, after.get(name) ?? null];
    const below = path === '' ? name : `${path}/${name}`;
    if (!everything && part === '**' && componentMatches(further, name)) {
      if (!(await compareEntries(comparison, trees, below, from, to, further.slice(1)))) return false;
    }
    if (!accepts(name)) continue;
    const left = everything ? [] : part === '**' ? rest : further;
    if (!(await compareEntries(comparison, trees, below, from, to, left))) return false;
  }
  return true;
}

function componentMatches([part]: readonly string[], name: string): boolean {
  return part !== undefined && part !== '**' && componentMatcher(part)(name);
}

async function compareSubdatasets(
  comparison: Search,
  trees: Trees,
  path: string,
  sides: readonly [Side, Side],
  rest: readonly string[],
): Promise<boolean> {
  const [was, now] = [subdatasetOf(sides[0]), subdatasetOf(sides[1])];
  // Of a subdataset that came or went its commit says enough, unless all files are asked for.
  const isOneSided = was === null || now === null;
  const inner = isOneSided && comparison.base !== null ? null : comparison.forest.at(path);
  if (inner) {
    const root = (sha: string | null) => (sha === null ? null : inner.resolve(sha, ''));
    const [from, to] = await Promise.all([root(was), root(now)]);
    if ((from || was === null) && (to || now === null)) return compareEntries(comparison, inner, path, from, to, rest);
  }
  return compareFiles(comparison, trees, path, sides);
}
