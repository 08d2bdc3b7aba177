/**
 * Which results no longer follow from what they were made of. Pure decisions over what history and trees say.
 *
 * A result is what one run wrote last. A later run supersedes it where it replays it (its `chain`) or is the same work again (same
 * command, folder and declared paths): what the later one found unchanged and did not commit anew is its result all the same.
 */
import type { RunRecord } from '../record/run-record.gen.ts';
import type { Change, HistoryCommit, RecordedRun } from './history-types.ts';
import { refusedPath } from './refused-paths.ts';
import { namesPath, type Spec } from './stale-specs.ts';

/** What a file is in a Git tree. */
export interface TreeEntry {
  readonly mode: string;
  readonly sha: string;
}

export type CauseKind =
  | 'input-changed'
  | 'input-added'
  | 'input-removed'
  /** A file that a container image is made of. */
  | 'image-changed'
  /** A file that the command names and that was not declared. */
  | 'code-changed'
  /** An input is the result of a run that is outdated itself. */
  | 'upstream-stale'
  /** A commit that is no run changed or removed the result. */
  | 'output-edited'
  | 'output-missing';

export interface Cause {
  readonly kind: CauseKind;
  /** Relative to the root of the dataset. */
  readonly path: string;
  /** Identity of the content when the run started (for outputs: when it ended), and now: `annex:KEY`, `git:SHA`, or null. */
  readonly was: string | null;
  readonly now: string | null;
  /** The run that makes the input, for `upstream-stale`. */
  readonly by?: string;
}

export interface StaleResult {
  /** The run; `run` is not null. */
  readonly run: HistoryCommit & { readonly run: RecordedRun };
  /** Files that it is the last run to have written, in the order of their paths. */
  readonly outputs: readonly string[];
  readonly causes: readonly Cause[];
  /** There are more causes than are listed. */
  readonly more: boolean;
  /** Whether running it again is what mends it. Not where only its outputs were edited or removed: that may have been meant. */
  readonly outdated: boolean;
}

export interface StaleReport {
  /** Producers come before those who use what they make. */
  readonly stale: readonly StaleResult[];
  /** How many results there are, stale or not. */
  readonly checked: number;
}

/** A run whose results are still there. */
export interface CurrentResult {
  readonly run: StaleResult['run'];
  /** What the run wrote, by path. */
  readonly outputs: ReadonlyMap<string, TreeEntry>;
}

/** What a run wrote to one path. */
interface Written extends TreeEntry {
  readonly by: number;
}

const NOTHING = '000000';

/**
 * Attributes the files that runs wrote to the runs that stand for them now.
 *
 * @param commits all commits that are reachable, parents before children
 * @param changes what the runs among them changed, inside subdatasets as far as they are here
 * @param now what is at these paths now; one that is not there is gone
 */
export function currentResults(
  commits: readonly HistoryCommit[],
  changes: ReadonlyMap<string, readonly Change[]>,
  now: ReadonlyMap<string, TreeEntry>,
): readonly CurrentResult[] {
  const runs = commits.filter((commit): commit is StaleResult['run'] => commit.run !== null);
  const successor = runs.map((_, at) => at);
  const byCommit = new Map<string, number>();
  const byWork = new Map<string, number>();
  const written = new Map<string, Written[]>();
  for (const [at, { commit, run }] of runs.entries()) {
    const work = workOf(run.record);
    for (const before of [...run.record.chain.map((name) => byCommit.get(name)), byWork.get(work)])
      if (before !== undefined) successor[before] = at;
    byCommit.set(commit, at);
    byWork.set(work, at);
    for (const { path, newMode, newSha } of changes.get(commit) ?? []) {
      if (isBookkeeping(path, run)) continue;
      const versions = written.get(path) ?? [];
      if (newMode === NOTHING) written.delete(path);
      else if (versions.push({ by: at, mode: newMode, sha: newSha }) === 1) written.set(path, versions);
    }
  }
  const outputs = runs.map(() => new Map<string, TreeEntry>());
  for (const [path, versions] of written) {
    // A merge or a revert may have brought back what an earlier run wrote.
    const version = versions.findLast(({ sha }) => sha === now.get(path)?.sha) ?? versions.at(-1);
    if (version === undefined) continue;
    const by = last(successor, version.by);
    (outputs[by] as Map<string, TreeEntry>).set(path, { mode: version.mode, sha: version.sha });
  }
  return runs.flatMap((run, at) => {
    const own = outputs[at] as Map<string, TreeEntry>;
    // A run of which nothing is left has no result that could be stale.
    return [...own.keys()].some((path) => now.has(path)) ? [{ run, outputs: own }] : [];
  });
}

function last(successor: readonly number[], from: number): number {
  let at = from;
  while (successor[at] !== at) at = successor[at] as number;
  return at;
}

function workOf({ cmd, pwd, inputs, outputs }: RunRecord): string {
  return JSON.stringify([cmd, pwd, inputs, outputs]);
}

/** The run's own record, and what it printed. */
function isBookkeeping(path: string, { record, sidecar }: RecordedRun): boolean {
  const log = record.reprise?.log;
  return (sidecar !== null && path.endsWith(`/${sidecar}`)) || path === log?.out || path === log?.err;
}

/** Whether a run can be judged here: it is this dataset's, and names nothing outside of it. */
export function isJudged({ run, parents }: HistoryCommit, dsid: string | undefined, root: string): boolean {
  if (run === null || parents.length > 2) return false;
  return (run.record.dsid === undefined || run.record.dsid === dsid) && refusedPath(run.record, root) === null;
}

/** The commit in whose state a run found its inputs: as recorded if it is part of this history, else its first parent. */
export function startOf({ run, parents }: StaleResult['run'], known: ReadonlySet<string>): string | null {
  const base = run.record.reprise?.base;
  return typeof base === 'string' && known.has(base) ? base : (parents[0] ?? null);
}

/** A result with what was found about it. */
export interface Judged extends CurrentResult {
  readonly inputs: readonly Spec[];
  readonly causes: readonly Cause[];
  readonly more: boolean;
}

const BY_HAND: ReadonlySet<CauseKind> = new Set(['output-edited', 'output-missing']);

/** Orders results, and hands on that a result is outdated to those who use it. */
export function propagate(judged: readonly Judged[]): StaleReport {
  const producers = producersOf(judged);
  const order = topological(judged.length, (at) => [...(producers[at]?.keys() ?? [])]);
  const outdated = new Set<number>();
  const stale: StaleResult[] = [];
  for (const at of order) {
    const { run, outputs, causes: own, more } = judged[at] as Judged;
    const upstream = [...(producers[at] as ReadonlyMap<number, string>)]
      .filter(([producer]) => outdated.has(producer))
      .map(([producer, path]): Cause => {
        const by = (judged[producer] as Judged).run.commit;
        return { kind: 'upstream-stale', path, was: null, now: null, by };
      });
    const causes = [...own, ...upstream];
    if (causes.length === 0) continue;
    const isOutdated = causes.some(({ kind }) => !BY_HAND.has(kind));
    if (isOutdated) outdated.add(at);
    stale.push({ run, outputs: [...outputs.keys()].sort(), causes, more, outdated: isOutdated });
  }
  return { stale, checked: judged.length };
}

/** For each result, the results that it uses, each with one of their files. */
function producersOf(judged: readonly Judged[]): readonly ReadonlyMap<number, string>[] {
  const owners = new Map<string, number>();
  for (const [at, { outputs }] of judged.entries()) for (const path of outputs.keys()) owners.set(path, at);
  const paths = [...owners.keys()].sort();
  const found = new Map<string, readonly string[]>();
  const matching = (spec: Spec): readonly string[] => {
    const key = spec.parts.join('/');
    const known = found.get(key) ?? pathsOf(paths, spec);
    found.set(key, known);
    return known;
  };
  return judged.map(({ inputs }, at) => {
    const used = new Map<number, string>();
    for (const path of inputs.flatMap(matching)) {
      const owner = owners.get(path) as number;
      if (owner !== at && !used.has(owner)) used.set(owner, path);
    }
    return used;
  });
}

/** The paths, of sorted ones, that a spec names. */
function pathsOf(paths: readonly string[], spec: Spec): readonly string[] {
  const prefix = spec.parts.slice(0, spec.literal).join('/');
  let low = 0;
  for (let high = paths.length; low < high; ) {
    const middle = (low + high) >> 1;
    if ((paths[middle] as string) < prefix) low = middle + 1;
    else high = middle;
  }
  const named: string[] = [];
  for (; low < paths.length && (paths[low] as string).startsWith(prefix); low += 1)
    if (namesPath(spec, paths[low] as string)) named.push(paths[low] as string);
  return named;
}

/** Positions so that each comes after those it needs; in a circle, and otherwise, in their own order. */
function topological(count: number, needs: (at: number) => readonly number[]): readonly number[] {
  const order: number[] = [];
  const state = new Uint8Array(count);
  for (let start = 0; start < count; start += 1) {
    const stack = [start];
    while (stack.length > 0) {
      const at = stack.at(-1) as number;
      if (state[at] === 0) {
        state[at] = 1;
        for (const need of needs(at).toReversed()) if (state[need] === 0) stack.push(need);
      } else {
        stack.pop();
        if (state[at] === 1) order.push(at);
        state[at] = 2;
      }
    }
  }
  return order;
}
