/**
 * Carrying a plan out in the work tree, step by step.
 *
 * Which commit each step builds on, and whether a commit without a run is skipped or picked, follows DataLad (`_rerun` in its
 * `local/rerun.py`) with two exceptions: without `--onto` the branch never loses what is on it (S-01, `detour.ts`), and `--onto` holds for the first commit of the range wherever it
 * was made (S-12).
 */
import type { Config } from '../core/config.ts';
import type { Result } from '../core/result.ts';
import { correspondingBranch } from '../dataset/adjusted.ts';
import { readHead, readRef } from '../dataset/refs.ts';
import { git, type Repo } from '../dataset/repo.ts';
import { decodeName } from '../core/bytes.ts';
import { RepriseError } from '../core/errors.ts';
import { needsDetour, returnFromDetour } from './detour.ts';
import { checkout, isAncestor, merge, pick } from './git-steps.ts';
import { FOREIGN } from './plan.ts';
import { noteBase, noteBegin, noteDone, noteMade, type Progress } from './progress.ts';
import type { PlanStep, ReplayPlan } from './replay-plan.gen.ts';

/** What a step came to. */
export type Ending = 'run' | 'skip' | 'pick' | 'merge';

interface Outcome {
  readonly ending: Ending;
  readonly exitCode?: number;
  /** A commit of the old history, and the one that was taken for it. */
  readonly taken?: readonly [old: string, now: string];
}

/** What carrying out needs from outside. */
export interface Applying {
  readonly repo: Repo;
  readonly config: Config;
  readonly plan: ReplayPlan;
  /** Commits of the range that the start holds already. */
  readonly contained: ReadonlySet<string>;
  readonly report: (result: Result) => void;
  /** Executes the record of a step on what is checked out, and judges what came out; returns an exit code when the rerun has to stop. */
  readonly execute: (step: PlanStep) => Promise<number>;
}

/** Where a step is built. */
interface Base {
  readonly commit: string;
  /** A commit of the old history that has this one in its place from now on. */
  readonly replaces: string | null;
}

export interface Applied {
  /** The commit that the new history ends with, or has come to. */
  readonly head: string;
  /** How many runs were executed. */
  readonly executed: number;
  /** Exit code of the command that stopped it; 0 when all is done. */
  readonly exitCode: number;
}

/** Carries out the steps that are left; returns where it ended. Throws what Git steps and runs throw. */
export async function applySteps(given: Applying, from: Progress): Promise<Applied> {
  const { repo, plan } = given;
  const replaced = new Map(from.replaced);
  const anchor = plan.steps[0]?.parents[0];
  if (plan.checkout && anchor !== undefined && anchor !== plan.checkout.commit && !replaced.has(anchor))
    replaced.set(anchor, plan.checkout.commit);
  let { executed } = from;
  // The plan names what HEAD was at: on an adjusted branch that is no commit of the history that runs are recorded in.
  const isFirst = from.at === 0 && !from.begun && plan.checkout === null;
  let head = isFirst ? await logicalHead(repo) : from.head;
  for (let at = from.at; at < plan.steps.length; at += 1) {
    const step = plan.steps[at] as PlanStep;
    noteBegin(repo.gitDir, at, head);
    const outcome = await applyStep(given, step, head, replaced, at === from.at ? from.onto : null);
    const { ending, exitCode = 0, taken } = outcome;
    if (exitCode !== 0) return { head, executed, exitCode };
    const now = await logicalHead(repo);
    // Of a merge of what the start holds already, only the replayed side may be left: HEAD is there, and what follows stands on it.
    const isMade = ending === 'merge' || (ending !== 'skip' && now !== head);
    const added = taken ? [taken] : [];
    if (now !== step.commit && isMade) added.push([step.commit, now]);
    for (const [old, to] of added) replaced.set(old, to);
    head = now;
    if (ending === 'run') executed += 1;
    noteDone(repo.gitDir, at, { head, replaced: added, ran: ending === 'run' });
  }
  return { head, executed, exitCode: 0 };
}

async function applyStep(
  given: Applying,
  step: PlanStep,
  head: string,
  replaced: ReadonlyMap<string, string>,
  onto: string | null,
): Promise<Outcome> {
  const { repo, plan } = given;
  if (step.action === 'skip') return skipped(given, step, 'skip');
  if (step.action === 'merge') {
    if (plan.checkout || !hasOldParents(step, replaced)) return mergeAgain(given, step, head, replaced);
    if (await holds(given, step.commit, head)) return skipped(given, step, 'merge');
  }
  if (needsDetour(plan, step, head)) return takeDetour(given, step, head, onto ?? (step.parents[0] as string));
  const base = await baseOf(given, step, head, replaced);
  if (base === null) return skipped(given, step, 'skip');
  if (base.replaces === null) return applyOn(given, step, head, base.commit);
  noteBase(repo.gitDir, base.replaces, base.commit);
  return { ...(await applyOn(given, step, head, base.commit)), taken: [base.replaces, base.commit] };
}

/** Executes or picks a step on top of a commit. */
async function applyOn(given: Applying, step: PlanStep, head: string, base: string): Promise<Outcome> {
  const { repo, report } = given;
  if (step.action !== 'run' && (await holds(given, step.commit, base))) return skipped(given, step, 'skip');
  await moveTo(repo, head, base);
  if (step.action === 'run') {
    announce(repo, step);
    return { ending: 'run', exitCode: await given.execute(step) };
  }
  const picked = await pick(repo, step.commit, step.parents.length > 1);
  if (picked === 'empty') return skipped(given, step, 'skip');
  report(stepResult(repo, step, 'pick'));
  return { ending: 'pick' };
}

async function takeDetour(given: Applying, step: PlanStep, head: string, base: string): Promise<Outcome> {
  const { repo, plan } = given;
  await moveTo(repo, head, base);
  announce(repo, step);
  const exitCode = await given.execute(step);
  if (exitCode !== 0) return { ending: 'run', exitCode };
  const made = await logicalHead(repo);
  noteMade(repo.gitDir, made);
  await returnFromDetour(repo, plan, step, { base, made });
  return { ending: 'run' };
}

function announce(repo: Repo, step: PlanStep): void {
  const text = `run commit ${step.commit.slice(0, 7)}; (${shortened(step.run?.message ?? '')})`;
  repo.context.emit({ kind: 'info', text });
}

/** What a commit is built on; null where there is nothing to do as the commit is kept as it is. */
async function baseOf(
  { repo, plan }: Applying,
  step: PlanStep,
  head: string,
  replaced: ReadonlyMap<string, string>,
): Promise<Base | null> {
  if (plan.linear) return { commit: head, replaces: null };
  const parent = step.parents[0] as string;
  const known = replaced.get(parent);
  if (known !== undefined) return { commit: known, replaces: null };
  if (parent === head) return { commit: head, replaces: null };
  // A commit of another branch that starts above our start stays where it is.
  if (plan.checkout && (await isAncestor(repo, plan.checkout.commit, parent)))
    return step.action === 'run' ? { commit: parent, replaces: null } : null;
  return { commit: head, replaces: parent };
}

function hasOldParents(step: PlanStep, replaced: ReadonlyMap<string, string>): boolean {
  return step.parents.every((parent) => !replaced.has(parent));
}

/** Makes a merge again whose parents were replaced; one whose parents are the old ones is kept. */
async function mergeAgain(
  given: Applying,
  step: PlanStep,
  head: string,
  replaced: ReadonlyMap<string, string>,
): Promise<Outcome> {
  const { repo, plan, report } = given;
  const start = plan.checkout?.commit ?? plan.start.commit;
  if (hasOldParents(step, replaced)) {
    if (!(await holds(given, step.commit, head))) await moveTo(repo, head, step.commit);
    return skipped(given, step, 'merge');
  }
  if (step.commit === head) return skipped(given, step, 'merge');
  let parents = step.parents.map((parent) => replaced.get(parent) ?? parent);
  if (given.contained.has(step.commit)) {
    const inStart = await Promise.all(parents.map((parent) => isAncestor(repo, parent, start)));
    parents = parents.filter((_, at) => !inStart[at]);
  }
  const [first, ...others] = parents;
  if (first === undefined) return skipped(given, step, 'merge');
  await moveTo(repo, head, first);
  if (others.length > 0) await merge(repo, step.commit, others, await messageOf(repo, step.commit));
  report(stepResult(repo, step, 'merge'));
  return { ending: 'merge' };
}

async function messageOf(repo: Repo, commit: string): Promise<string> {
  return decodeName((await git(repo, ['log', '-1', '--format=%B', commit, '--'])).stdout).replace(/\n$/, '');
}

/** Whether the new history at a commit holds a commit of the old one. */
async function holds({ repo, contained }: Applying, commit: string, at: string): Promise<boolean> {
  return contained.has(commit) || isAncestor(repo, commit, at);
}

async function moveTo(repo: Repo, from: string, to: string): Promise<void> {
  if (from === to) return;
  const { ref } = await readHead(repo);
  if (correspondingBranch(ref) !== null) {
    throw new RepriseError('adjusted-branch', 'History with side branches cannot be replayed on an adjusted branch', {
      hints: [`git checkout ${correspondingBranch(ref)?.replace('refs/heads/', '')}`],
    });
  }
  await checkout(repo, to);
}

/** The commit that HEAD stands for: on an adjusted branch, that of the branch it was made from. */
export async function logicalHead(repo: Repo): Promise<string> {
  const { ref, commit } = await readHead(repo);
  const branch = correspondingBranch(ref);
  return ((branch === null ? null : await readRef(repo, branch)) ?? commit) as string;
}

function skipped({ repo, report }: Applying, step: PlanStep, ending: Ending): Outcome {
  report(stepResult(repo, step, ending));
  return { ending: 'skip' };
}

const WORDS: Readonly<Record<Ending, string>> = {
  run: 'run',
  skip: 'skipping',
  pick: 'cherry picking',
  merge: 'merging',
};

/** The result of a commit that is not executed, as DataLad reports it. */
export function stepResult(repo: Repo, step: PlanStep, ending: Ending): Result {
  const reason = step.reason === null ? '' : `${step.commit.slice(0, 7)} ${step.reason}; `;
  return {
    action: 'run',
    status: step.reason === FOREIGN ? 'notneeded' : 'ok',
    path: repo.root,
    type: 'dataset',
    message: `${reason}${WORDS[ending]}`,
    commit: step.commit,
    parents: step.parents,
    rerun_action: ending,
  };
}

/** DataLad shows this much of a message. */
function shortened(message: string): string {
  return message.length > 20 ? `${message.slice(0, 17)}...` : message;
}
