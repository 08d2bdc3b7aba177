/** A rerun in the work tree from where it is to its end: steps, verdicts, attestations, the branch. */
import type { Config } from '../core/config.ts';
import { RepriseError } from '../core/errors.ts';
import { quoteWord } from '../core/quote.ts';
import type { Result } from '../core/result.ts';
import { readHead, readRef } from '../dataset/refs.ts';
import { git, type Repo } from '../dataset/repo.ts';
import type { RunRecord } from '../record/run-record.gen.ts';
import { exitCodeOf } from '../run/run.ts';
import { type Applied, applySteps, logicalHead } from './apply.ts';
import { recordAttestations } from './attestations.ts';
import { attach, checkout, isAncestor } from './git-steps.ts';
import { conclude } from './conclude.ts';
import { judge, judgementResult } from './judge.ts';
import { forget, type Kept } from './kept.ts';
import { keepLeftBehind } from './left-behind.ts';
import { FOREIGN } from './plan.ts';
import { noteJudgement, type Progress, readJudgements, readProgress } from './progress.ts';
import type { PlanStep } from './replay-plan.gen.ts';
import { findReplay } from './replay-commit.ts';
import { goesOn } from './replay-step.ts';
import { type SideBySide, sideBySide } from './side-by-side.ts';

/** Carries a kept rerun on; returns the exit code. Throws what its steps throw, after noting how far it came. */
export async function carryOut(
  repo: Repo,
  config: Config,
  kept: Kept,
  from: Progress,
  report: (result: Result) => void,
): Promise<number> {
  const { plan, request } = kept;
  const { checkout: start } = plan;
  const contained = await containedIn(repo, kept);
  const runs = sideBySide(repo, config, plan, request, contained, report);
  let applied: Applied;
  try {
    if (start && from.at === 0 && !from.begun) {
      // A rerun that was killed right here has made the branch already.
      const isThere = start.branch !== null && (await readHead(repo)).ref === `refs/heads/${start.branch}`;
      if (!isThere) await checkout(repo, start.commit, start.branch);
      repo.context.emit({ kind: 'info', text: `checkout commit ${start.commit.slice(0, 7)};` });
    }
    applied = await applySteps(
      {
        repo,
        config,
        plan,
        contained,
        report,
        execute: (step) => execute(repo, config, kept, runs, step, report),
      },
      from,
    );
    if (applied.exitCode === 0) {
      await keepLeftBehind(repo, kept, applied.head);
      await restoreBranch(repo, kept, applied.head);
    }
  } catch (error) {
    await stop(repo, kept);
    throw error;
  } finally {
    await runs.close();
  }
  const judgements = readJudgements(repo.gitDir);
  if (applied.exitCode !== 0) {
    await stop(repo, kept);
    return request.onFailure === 'ignore' ? 0 : applied.exitCode;
  }
  await recordAttestations(
    repo,
    judgements.map(({ attestation }) => attestation),
  );
  forget(repo.gitDir);
  const foreign = applied.executed === 0 && plan.steps.some(({ reason }) => reason === FOREIGN);
  return conclude(repo, request, judgements, foreign, report);
}

/** Which commits of the range the start holds already. */
async function containedIn(repo: Repo, { plan, range }: Kept): Promise<ReadonlySet<string>> {
  const start = plan.checkout?.commit ?? plan.start.commit;
  const commits = plan.steps.map(({ commit }) => commit);
  if (start === plan.revision) return new Set(commits);
  const left = (await git(repo, ['rev-list', ...range, `^${start}`, '--'])).stdout.toString('latin1').split('\n');
  const missing = new Set(left);
  return new Set(commits.filter((commit) => !missing.has(commit)));
}

/** Executes one record and judges what came out; the exit code when this has to be the end. */
async function execute(
  repo: Repo,
  config: Config,
  { request }: Kept,
  runs: SideBySide,
  step: PlanStep,
  report: (result: Result) => void,
): Promise<number> {
  // Others may have committed since the step before.
  const head = await logicalHead(repo);
  const result = await runs.execute(step, head);
  const exitCode = exitCodeOf(result);
  if (exitCode !== 0 && !goesOn(request)) return exitCode;
  const record = result['run_info'] as RunRecord;
  const made = await whatWasMade(repo, config, step, head);
  const failed = exitCode !== 0;
  const unsaved = request.explicit ?? false;
  const judgement = await judge(repo, config, { step, base: head, ...made, record, failed, unsaved });
  noteJudgement(repo.gitDir, judgement);
  report(judgementResult(repo, judgement, request.verify ?? false));
  return 0;
}

/** The commit of a replay and the one before it, whatever others have committed meanwhile; the same twice where nothing was to be saved. */
async function whatWasMade(
  repo: Repo,
  config: Config,
  step: PlanStep,
  head: string,
): Promise<{ readonly before: string; readonly now: string }> {
  const now = await logicalHead(repo);
  if (now === head) return { before: head, now };
  const replay = await findReplay(repo, config, step, head, now);
  return replay === null ? { before: now, now } : { before: replay.parents[0] as string, now: replay.commit };
}

/** Lets the branch have the new history where HEAD had to leave it; throws `branch-moved`. */
async function restoreBranch(repo: Repo, kept: Kept, head: string): Promise<void> {
  const { plan } = kept;
  const branch = plan.checkout ? plan.checkout.branch && `refs/heads/${plan.checkout.branch}` : plan.start.ref;
  if (!branch || (await readHead(repo)).ref !== null) return;
  const tip = await readRef(repo, branch);
  const name = branch.replace('refs/heads/', '');
  if (tip === null) {
    throw new RepriseError('branch-moved', `${branch} was deleted meanwhile, so the replayed history has no branch`, {
      hints: [`git checkout -b ${quoteWord(name)} ${head}   # and then: reprise rerun --continue`],
    });
  }
  // The user's branch keeps what others have put on it meanwhile.
  const made = new Set(readProgress(repo.gitDir, kept).replaced.values());
  if (plan.checkout === null && !made.has(tip) && !(await isAncestor(repo, tip, head))) {
    throw new RepriseError(
      'branch-moved',
      `${branch} has got other commits meanwhile, so the replayed history was not put on it`,
      {
        hints: [`git checkout ${quoteWord(name)} && git merge ${head}   # and then: reprise rerun --continue`],
        data: { ref: branch, commit: head, found: tip },
      },
    );
  }
  await attach(repo, branch, head, tip);
}

/** Keeps what a stopped rerun needs to go on, or forgets it where nothing was done yet. */
async function stop(repo: Repo, kept: Kept): Promise<void> {
  const head = await readHead(repo);
  const { start } = kept.plan;
  if (head.ref === start.ref && head.commit === start.commit && readJudgements(repo.gitDir).length === 0) {
    forget(repo.gitDir);
    return;
  }
  repo.context.emit({
    kind: 'warning',
    text: 'the rerun has stopped half-way',
    hints: ['reprise rerun --continue', 'reprise rerun --abort'],
  });
}
