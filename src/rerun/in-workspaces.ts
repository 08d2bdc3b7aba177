/** Replays in throw-away checkouts of the recorded states: nothing of the user's is changed, and nothing depends on the order. */
import type { Config } from '../core/config.ts';
import type { Result } from '../core/result.ts';
import { readHead } from '../dataset/refs.ts';
import { readConfig } from '../dataset/read-config.ts';
import type { Repo } from '../dataset/repo.ts';
import { openWorkspace } from '../dataset/workspace.ts';
import type { RunRecord } from '../record/run-record.gen.ts';
import { exitCodeOf } from '../run/run.ts';
import { type Judgement, judge, judgementResult } from './judge.ts';
import { recordOf } from './plan.ts';
import type { PlanStep, ReplayPlan } from './replay-plan.gen.ts';
import { relocated } from './relocated.ts';
import { replayStep } from './replay-step.ts';
import type { ReplayRequest } from './request.ts';

/**
 * Replays the runs of a plan, each in a workspace at the first parent of its commit, up to `jobs` at once.
 *
 * A command that fails is a verdict like any other, and the next one follows. Throws what opening a workspace and preparing a run throws.
 */
export async function replayInWorkspaces(
  repo: Repo,
  plan: ReplayPlan,
  request: ReplayRequest,
  report: (result: Result) => void,
): Promise<readonly Judgement[]> {
  const steps = plan.steps.filter(({ action }) => action === 'run');
  const done: Judgement[] = [];
  let next = 0;
  const work = async () => {
    for (let at = next++; at < steps.length; at = next++) {
      const judgement = await replayOne(repo, plan, request, steps[at] as PlanStep, report);
      report(judgementResult(repo, judgement, request.verify ?? false));
      done[at] = judgement;
    }
  };
  await Promise.all(Array.from({ length: Math.min(request.jobs ?? 1, steps.length) }, work));
  return done;
}

async function replayOne(
  repo: Repo,
  plan: ReplayPlan,
  request: ReplayRequest,
  step: PlanStep,
  report: (result: Result) => void,
): Promise<Judgement> {
  const base = step.parents[0] as string;
  repo.context.emit({ kind: 'info', text: `run commit ${step.commit.slice(0, 7)} in a workspace` });
  const workspace = await openWorkspace(repo, base, { subdatasets: 'recorded', content: contentFor(step) });
  try {
    const config: Config = await readConfig(workspace.repo);
    const inside = (result: Result) => report(relocated(result, workspace.root, repo.root));
    const result = await replayStep(workspace.repo, config, plan, request, step, inside, repo.root);
    const failed = exitCodeOf(result) !== 0;
    const now = (await readHead(workspace.repo)).commit as string;
    const judgement = await judge(workspace.repo, config, {
      step,
      base,
      before: base,
      now,
      record: result['run_info'] as RunRecord,
      failed,
    });
    // The commit goes with the workspace.
    const attestation = { ...judgement.attestation, replayed: null };
    return { ...judgement, replayed: null, attestation };
  } finally {
    await workspace.close();
  }
}

/** A run that declares no inputs may read anything; the image of a container, an extra input, says nothing about that. */
function contentFor(step: PlanStep): 'on-demand' | 'present' {
  return recordOf(step).inputs.length === 0 ? 'present' : 'on-demand';
}
