/** What runs changed inside subdatasets, and what is in them now, as far as their repositories are here. */
import { decodeName } from '../core/bytes.ts';
import { streamGit } from '../dataset/git-stream.ts';
import type { Repo } from '../dataset/repo.ts';
import { readChanges } from './changes.ts';
import type { Change } from './history-types.ts';
import type { Forest } from './stale-compare.ts';
import type { TreeEntry } from './stale.ts';

const SUBDATASET = '160000';
/** Deeper hierarchies than this are a mistake, or an attack. */
const MOST_LEVELS = 20;

/**
 * Replaces changes of a subdataset's commit by those of the files in it; where they cannot be had, the change of the commit stays.
 *
 * @param changes by commit of the dataset
 */
export async function expandSubdatasets(
  forest: Forest,
  changes: ReadonlyMap<string, readonly Change[]>,
): Promise<ReadonlyMap<string, readonly Change[]>> {
  const expanded = new Map(changes);
  for (let level = 0; level < MOST_LEVELS; level += 1) {
    const inner = await changesInside(
      forest,
      [...expanded.values()].flatMap((list) => list.filter(isMove)),
    );
    if (inner.size === 0) break;
    for (const [commit, list] of expanded) {
      if (list.some((change) => inner.has(change)))
        expanded.set(
          commit,
          list.flatMap((change) => inner.get(change) ?? [change]),
        );
    }
  }
  return expanded;
}

function isMove({ oldMode, newMode, oldSha, newSha }: Change): boolean {
  return oldMode === SUBDATASET && newMode === SUBDATASET && oldSha !== newSha;
}

async function changesInside(
  forest: Forest,
  moves: readonly Change[],
): Promise<ReadonlyMap<Change, readonly Change[]>> {
  const found = new Map<Change, readonly Change[]>();
  for (const [path, group] of byPath(moves)) {
    const trees = forest.at(path);
    if (trees === null) continue;
    const present = await Promise.all(
      group.map(async ({ oldSha, newSha }) => {
        const both = await Promise.all([trees.resolve(oldSha, ''), trees.resolve(newSha, '')]);
        return both.every((tree) => tree !== null);
      }),
    );
    for (const round of distinct(group.filter((_, index) => present[index]))) {
      const read = await readChanges(
        trees.repo,
        round.map(({ oldSha, newSha }) => ({ commit: newSha, parents: [oldSha] })),
      );
      for (const move of round) {
        const inside = read.get(move.newSha) ?? [];
        found.set(
          move,
          inside.map((change) => ({ ...change, path: `${path}/${change.path}` })),
        );
      }
    }
  }
  return found;
}

function byPath(moves: readonly Change[]): ReadonlyMap<string, readonly Change[]> {
  const groups = new Map<string, Change[]>();
  for (const move of moves) {
    const group = groups.get(move.path);
    if (group) group.push(move);
    else groups.set(move.path, [move]);
  }
  return groups;
}

/** Rounds in which no commit comes twice: answers are told apart by it. */
function distinct(moves: readonly Change[]): readonly (readonly Change[])[] {
  const rounds: { readonly seen: Set<string>; readonly moves: Change[] }[] = [];
  for (const move of moves) {
    let round = rounds.find(({ seen }) => !seen.has(move.newSha));
    if (!round) {
      round = { seen: new Set(), moves: [] };
      rounds.push(round);
    }
    round.seen.add(move.newSha);
    round.moves.push(move);
  }
  return rounds.map((round) => round.moves);
}

export interface HeadState {
  /** What is at those of the wanted paths at which there is something. */
  readonly entries: ReadonlyMap<string, TreeEntry>;
  /** Paths of the subdatasets of the dataset itself. */
  readonly subdatasets: ReadonlySet<string>;
}

/** Reads what is at some paths in a commit, with one look at its whole tree. */
export async function readState(repo: Repo, commit: string, wanted: ReadonlySet<string>): Promise<HeadState> {
  const entries = new Map<string, TreeEntry>();
  const subdatasets = new Set<string>();
  await streamGit(repo, ['ls-tree', '-r', '-z', '--full-tree', commit], (line) => {
    const tab = line.indexOf(9);
    const path = decodeName(line.subarray(tab + 1));
    const [mode = '', , sha = ''] = line.toString('latin1', 0, tab).split(' ');
    if (mode === SUBDATASET) subdatasets.add(path);
    if (mode === SUBDATASET || wanted.has(path)) entries.set(path, { mode, sha });
  });
  return { entries, subdatasets };
}

/** Adds what is at wanted paths inside subdatasets. */
export async function readInside(
  forest: Forest,
  entries: ReadonlyMap<string, TreeEntry>,
  wanted: ReadonlySet<string>,
): Promise<ReadonlyMap<string, TreeEntry>> {
  const all = new Map(entries);
  const open = [...entries].filter(([, { mode }]) => mode === SUBDATASET);
  for (let next = open.pop(); next; next = open.pop()) {
    const [path, { sha }] = next;
    const inside = [...wanted].filter((one) => one.startsWith(`${path}/`)).map((one) => one.slice(path.length + 1));
    const trees = inside.length === 0 ? null : forest.at(path);
    if (trees === null || (await trees.resolve(sha, '')) === null) continue;
    const state = await readState(trees.repo, sha, new Set(inside));
    for (const [name, entry] of state.entries) {
      all.set(`${path}/${name}`, entry);
      if (entry.mode === SUBDATASET) open.push([`${path}/${name}`, entry]);
    }
  }
  return all;
}
