/**
 * Finding stale results: what history and Git's trees say, and nothing else. No content is needed, and no times are looked at.
 *
 * The number of processes follows the number of results in steps of some hundreds, never one by one.
 */
import type { Config } from '../core/config.ts';
import { readHead } from '../dataset/refs.ts';
import type { Repo } from '../dataset/repo.ts';
import type { RunExtension } from '../record/run-record.gen.ts';
import type { Attestation } from './attestations.ts';
import { readAttestations } from './attestations-read.ts';
import { readChanges } from './changes.ts';
import { readHistory } from './history.ts';
import { allOf } from './revisions.ts';
import type { Change, HistoryCommit } from './history-types.ts';
import {
  type Cause,
  type CauseKind,
  type CurrentResult,
  currentResults,
  isJudged,
  type Judged,
  propagate,
  type StaleReport,
  startOf,
  type TreeEntry,
} from './stale.ts';
import { compareSpec, type Difference, type Forest, openForest } from './stale-compare.ts';
import { linkFollower } from './stale-links.ts';
import { type Spec, specsOf } from './stale-specs.ts';
import { expandSubdatasets, readInside, readState } from './stale-subdatasets.ts';
import { openTrees, type Trees } from './stale-trees.ts';

/** Results that are compared at the same time. */
const AT_ONCE = 256;
/** Causes that are told of one result. */
const MOST_CAUSES = 50;

/**
 * The results at HEAD that no longer follow from their inputs, code or image.
 *
 * A result is up to date, too, where a replay from the present state of its inputs has been attested as identical.
 * @param history all of HEAD's history, if the caller has read it already
 * Throws `git-failed`; what reading history throws.
 */
export async function staleRuns(repo: Repo, config: Config, history?: readonly HistoryCommit[]): Promise<StaleReport> {
  const { commit: head } = await readHead(repo);
  if (head === null) return { stale: [], checked: 0 };
  const all = history ?? (await readHistory(repo, config, allOf(head)));
  const dsid = config.get('datalad.dataset.id');
  const runs = all.filter((commit) => isJudged(commit, dsid, repo.root));
  if (runs.length === 0) return { stale: [], checked: 0 };
  const trees = openTrees(repo);
  const plain = await readChanges(repo, runs);
  const wanted = new Set([...plain.values()].flat().map(({ path }) => path));
  for (const { run } of runs) for (const { path } of dirtyInputs(run?.record.reprise)) wanted.add(path);
  const state = await readState(repo, head, wanted);
  const forest = openForest(trees, state.subdatasets);
  const changes = await expandSubdatasets(forest, plain);
  for (const { path } of [...changes.values()].flat()) wanted.add(path);
  const now = state.subdatasets.size === 0 ? state.entries : await readInside(forest, state.entries, wanted);
  const present = new Map([...now].filter(([path]) => wanted.has(path)));
  const results = currentResults(runs, changes, present);
  const mounts = [...now].filter(([, { mode }]) => mode === '160000').map(([path]) => path);
  const follow = linkFollower(trees, head);
  const view: View = {
    forest,
    follow,
    head,
    changes,
    now: present,
    known: new Set(all.map(({ commit }) => commit)),
    mounts,
  };
  const judged: Judged[] = [];
  for (let from = 0; from < results.length; from += AT_ONCE)
    judged.push(...(await Promise.all(results.slice(from, from + AT_ONCE).map((result) => judge(view, result)))));
  return propagate(await acquit(view, judged));
}

interface View {
  readonly forest: Forest;
  readonly follow: (spec: Spec) => Promise<readonly Spec[]>;
  readonly head: string;
  readonly changes: ReadonlyMap<string, readonly Change[]>;
  readonly now: ReadonlyMap<string, TreeEntry>;
  readonly known: ReadonlySet<string>;
  /** Paths of all subdatasets that are known, at any depth. */
  readonly mounts: readonly string[];
}

async function judge(view: View, result: CurrentResult): Promise<Judged> {
  const declared = specsOf(result.run.run.record, view.forest.top.repo.root);
  const specs = (await Promise.all(declared.map(view.follow))).flat();
  const inputs = await inputCauses(view, result, specs, startOf(result.run, view.known));
  const dirty = await dirtyCauses(view, result);
  const corrected = new Set(dirty.map(({ path }) => path));
  const causes = [
    ...inputs.causes.filter(({ path }) => !corrected.has(path)),
    ...dirty.filter(({ was, now }) => was !== now),
    ...(await outputCauses(view, result)),
  ];
  return {
    ...result,
    inputs: specs,
    causes: causes.slice(0, MOST_CAUSES),
    more: inputs.more || causes.length > MOST_CAUSES,
  };
}

/** How what a result was made of differs between a commit and the present one. */
async function inputCauses(
  view: View,
  { run, outputs }: CurrentResult,
  specs: readonly Spec[],
  base: string | null,
): Promise<{ readonly causes: readonly Cause[]; readonly more: boolean }> {
  const causes = new Map<string, Cause>();
  const own = new Map((view.changes.get(run.commit) ?? []).map((change) => [change.path, change]));
  let more = false;
  for (const spec of specs) {
    const found = async (difference: Difference): Promise<boolean> => {
      const { path, was, now } = difference;
      // What the run did to its own input does not make it stale.
      if (causes.has(path) || (await isOwn(view, own.get(path) ?? outputs.get(path), difference))) return true;
      more = causes.size === MOST_CAUSES;
      if (!more) causes.set(path, { kind: kindOf(spec, difference), path, was, now });
      return !more;
    };
    await compareSpec({ forest: view.forest, base, head: view.head, found }, spec);
    if (more) break;
  }
  return { causes: [...causes.values()], more };
}

async function isOwn(view: View, own: Change | TreeEntry | undefined, { path, now }: Difference): Promise<boolean> {
  if (own === undefined) return false;
  const entry = 'newSha' in own ? { mode: own.newMode, sha: own.newSha } : own;
  if (entry.mode === '000000') return now === null;
  return now !== null && now === (await treesOf(view, path).digest(entry));
}

function kindOf({ role }: Spec, { was, now }: Difference): CauseKind {
  if (role === 'image') return 'image-changed';
  if (role === 'code') return 'code-changed';
  return was === null ? 'input-added' : now === null ? 'input-removed' : 'input-changed';
}

/** Inputs that were not as committed when the run started: what counts is what they held. Listed whether they differ or not. */
async function dirtyCauses(view: View, { run }: CurrentResult): Promise<readonly Cause[]> {
  const causes = dirtyInputs(run.run.record.reprise).map(async ({ path, digest }): Promise<Cause | null> => {
    const entry = view.now.get(path);
    const present = entry === undefined ? null : await treesOf(view, path).digestLike(entry, digest);
    // Bytes cannot be told from a key of another kind.
    if (present === undefined) return null;
    return { kind: present === null ? 'input-removed' : 'input-changed', path, was: digest, now: present };
  });
  return (await Promise.all(causes)).filter((cause) => cause !== null);
}

function dirtyInputs(extension: RunExtension | undefined): NonNullable<RunExtension['dirty_inputs']> {
  return extension?.dirty_inputs ?? [];
}

async function outputCauses(view: View, { outputs }: CurrentResult): Promise<readonly Cause[]> {
  const causes: Cause[] = [];
  for (const [path, written] of outputs) {
    const entry = view.now.get(path);
    if (entry?.sha === written.sha) continue;
    const trees = treesOf(view, path);
    const was = await trees.digest(written);
    const is = entry === undefined ? null : await trees.digest(entry);
    if (was !== is) causes.push({ kind: is === null ? 'output-missing' : 'output-edited', path, was, now: is });
    if (causes.length > MOST_CAUSES) break;
  }
  return causes;
}

/** The trees of the innermost subdataset around a path. */
function treesOf({ forest, mounts }: View, path: string): Trees {
  const around = mounts.filter((mount) => path.startsWith(`${mount}/`)).sort((a, b) => b.length - a.length);
  return forest.at(around[0] ?? '') ?? forest.top;
}

/** Drops the causes that a later replay has shown to make no difference: same inputs as now, identical results. */
async function acquit(view: View, judged: readonly Judged[]): Promise<readonly Judged[]> {
  const suspects = judged.filter(({ causes }) => causes.some(({ kind }) => !kind.startsWith('output-')));
  if (suspects.length === 0) return judged;
  const commits = suspects.map(({ run }) => run.commit);
  const attested = new Map<string, Attestation[]>();
  for (const { attestation } of await readAttestations(view.forest.top.repo, { commits })) {
    if (attestation.verdict !== 'identical') continue;
    const list = attested.get(attestation.commit) ?? [];
    if (list.push(attestation) === 1) attested.set(attestation.commit, list);
  }
  const acquitted = new Set<Judged>();
  for (const suspect of suspects) {
    for (const { base } of attested.get(suspect.run.commit) ?? []) {
      if ((await inputCauses(view, suspect, suspect.inputs, base)).causes.length > 0) continue;
      acquitted.add(suspect);
      break;
    }
  }
  return judged.map((one) =>
    acquitted.has(one)
      ? { ...one, more: false, causes: one.causes.filter(({ kind }) => kind.startsWith('output-')) }
      : one,
  );
}
