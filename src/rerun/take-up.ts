/**
 * Where a stopped rerun goes on: what became of the step in which it stopped.
 *
 * As with `git rebase --continue`, what was committed meanwhile stays, and the rerun goes on from there. The step itself counts as done only where that
 * holds it: a commit whose record says that it replays the run, a pick with the author and date of its original, a merge of all that was to be merged.
 */
import { decodeName } from '../core/bytes.ts';
import type { Config } from '../core/config.ts';
import { RepriseError } from '../core/errors.ts';
import type { Result } from '../core/result.ts';
import { git, type Repo } from '../dataset/repo.ts';
import { scanWorktree } from '../dataset/worktree.ts';
import { leftByCommands } from '../run/nesting.ts';
import { dirtyDataset } from '../run/run.ts';
import { logicalHead } from './apply.ts';
import { needsDetour, returnFromDetour } from './detour.ts';
import { abandon, complete, isAncestor, type Picked, resetTo, unfinished } from './git-steps.ts';
import type { HistoryCommit } from './history-types.ts';
import { judge, judgementResult } from './judge.ts';
import type { Kept } from './kept.ts';
import { keepCommit } from './kept-refs.ts';
import { recordOf } from './plan.ts';
import { noteDone, noteFollowed, noteJudgement, noteOnto, type Progress, readProgress } from './progress.ts';
import { findReplay } from './replay-commit.ts';
import type { PlanStep } from './replay-plan.gen.ts';

/**
 * Finds out from where a stopped rerun goes on. Throws `dataset-dirty`, `replay-conflict`, `history-rewritten`.
 *
 * @param killed whether the command of the step was cut off
 */
export async function takeUp(
  repo: Repo,
  config: Config,
  kept: Kept,
  progress: Progress,
  killed: boolean,
  report: (result: Result) => void,
): Promise<Progress> {
  const { plan } = kept;
  const step = progress.begun ? (plan.steps[progress.at] as PlanStep) : null;
  const isLeftOut = step !== null && (await completeHalf(repo, step, killed)) === 'empty';
  await assertClean(repo, kept);
  // What is checked out first is still to be checked out.
  if (step === null && progress.at === 0 && plan.checkout) return progress;
  if (isLeftOut) return endStep(repo, kept, progress, false);
  if (step && progress.made !== null) {
    await returnFromDetour(repo, plan, step, { base: detourBase(step, progress), made: progress.made });
    return endStep(repo, kept, progress, true);
  }
  const now = await logicalHead(repo);
  if (now === progress.place || now === progress.head) return progress;
  const isBeside = step !== null && needsDetour(plan, step, progress.head);
  const place = isBeside && (await isAncestor(repo, progress.head, now)) ? progress.head : progress.place;
  if (!(await isAncestor(repo, place, now)) || (await isOld(repo, kept, now))) throw leftBehind(repo, place, now);
  if (step?.action === 'run') {
    const replay = await findReplay(repo, config, step, place, now);
    if (replay) {
      await judgeReplay(repo, config, kept, step, replay, report);
      if (isBeside) await returnFromDetour(repo, plan, step, { base: detourBase(step, progress), made: now });
      return endStep(repo, kept, progress, true);
    }
    if (await leftByCommands(repo, place, now)) {
      const ref = await keepCommit(repo, `refs/reprise/unfinished/${kept.id}-commits`, now);
      await resetTo(repo, place);
      repo.context.emit({ kind: 'info', text: `what the command had committed is kept as ${ref}` });
      return progress;
    }
  } else if (step && (await isPickedOrMerged(repo, step, progress, now))) return endStep(repo, kept, progress, false);
  if (isBeside && place !== progress.head) noteOnto(repo.gitDir, now);
  else noteFollowed(repo.gitDir, place, now);
  return readProgress(repo.gitDir, kept);
}

/** What a step beside the branch was executed on. */
function detourBase(step: PlanStep, { onto }: Progress): string {
  return onto ?? (step.parents[0] as string);
}

/** Completes a pick or merge whose conflicts were resolved; of a command that was cut off, what it left half-done goes. */
async function completeHalf(repo: Repo, step: PlanStep, killed: boolean): Promise<Picked | null> {
  const half = unfinished(repo);
  if (half === null) return null;
  if (step.action !== 'run') return complete(repo, half, step.commit);
  if (killed) await abandon(repo, half);
  return null;
}

/** Notes that the step is done by what is there now. */
async function endStep(repo: Repo, kept: Kept, progress: Progress, ran: boolean): Promise<Progress> {
  const { commit } = kept.plan.steps[progress.at] as PlanStep;
  const head = await logicalHead(repo);
  noteDone(repo.gitDir, progress.at, { head, replaced: head === commit ? [] : [[commit, head]], ran });
  return readProgress(repo.gitDir, kept);
}

/** Whether a commit was there before the rerun began. */
async function isOld(repo: Repo, { plan }: Kept, commit: string): Promise<boolean> {
  const known = [plan.start.commit, plan.revision, ...(plan.checkout ? [plan.checkout.commit] : [])];
  const made = await git(repo, ['rev-list', '--max-count=1', commit, ...known.map((one) => `^${one}`), '--']);
  return made.stdout.length === 0;
}

async function assertClean(repo: Repo, kept: Kept): Promise<void> {
  if (kept.request.explicit) return;
  const dirty = await scanWorktree(repo, { untracked: 'normal' });
  if (dirty.length > 0) throw dirtyDataset(repo.root, dirty);
}

function leftBehind(repo: Repo, place: string, now: string): RepriseError {
  return new RepriseError(
    'history-rewritten',
    `HEAD is at ${now.slice(0, 8)}, which does not follow ${place.slice(0, 8)}, where the rerun has stopped in ${repo.root}`,
    { hints: [`git reset --keep ${place}`, 'reprise rerun --abort'], data: { stopped: place, head: now } },
  );
}

/** Judges what was saved as the result of a step. */
async function judgeReplay(
  repo: Repo,
  config: Config,
  kept: Kept,
  step: PlanStep,
  replay: HistoryCommit,
  report: (result: Result) => void,
): Promise<void> {
  const before = replay.parents[0] as string;
  const record = replay.run?.record ?? recordOf(step);
  const judgement = await judge(repo, config, {
    step,
    base: before,
    before,
    now: replay.commit,
    record,
    failed: false,
  });
  noteJudgement(repo.gitDir, judgement);
  report(judgementResult(repo, judgement, kept.request.verify ?? false));
}

/** Whether what was committed holds the pick of a commit, or joins all that a merge joins. */
async function isPickedOrMerged(
  repo: Repo,
  { parents, author, date }: PlanStep,
  { place, replaced }: Progress,
  now: string,
): Promise<boolean> {
  const { stdout } = await git(repo, ['log', '--format=%an%n%aI', `${place}..${now}`, '--']);
  const lines = decodeName(stdout).split('\n');
  if (lines.some((line, at) => line === date && lines[at - 1] === author)) return true;
  if (parents.length < 2) return false;
  const joined = parents.map((parent) => replaced.get(parent) ?? parent);
  const inside = await Promise.all(joined.map((parent) => isAncestor(repo, parent, now)));
  return inside.every(Boolean);
}
