/** One step of a plan, executed in some dataset: the record, with what the user asked for. */
import type { Config } from '../core/config.ts';
import type { Result } from '../core/result.ts';
import type { Repo } from '../dataset/repo.ts';
import { covers } from '../run/plan.ts';
import { type ReplayOptions, replayRun } from '../run/replay.ts';
import { replayLauncher } from '../images/replay-launcher.ts';
import { bookkeeping } from './compare.ts';
import { installChanged } from './changed-subdatasets.ts';
import { recordOf } from './plan.ts';
import type { PlanStep, ReplayPlan } from './replay-plan.gen.ts';
import type { ReplayRequest } from './request.ts';

/**
 * Executes the record of a step on what is checked out in a dataset, and saves what changed. Returns the result of the run; throws what `run` throws.
 *
 * @param home root of the dataset that the user has; another than that of `repo` where this is a workspace
 */
export async function replayStep(
  repo: Repo,
  config: Config,
  plan: ReplayPlan,
  request: ReplayRequest,
  step: PlanStep,
  report: (result: Result) => void,
  home: string,
): Promise<Result> {
  const record = recordOf(step);
  const message = plan.message ?? step.run?.message;
  const { assumeReady, explicit, jobs } = request;
  const options: ReplayOptions = {
    onCmdFailure: request.onCmdFailure ?? (goesOn(request) ? 'all' : 'error'),
    ...(assumeReady === undefined ? {} : { assumeReady }),
    ...(explicit === undefined ? {} : { explicit }),
    ...(jobs === undefined ? {} : { jobs }),
    ...(step.run?.sidecar === undefined ? {} : { sidecar: true }),
    ...(message === undefined ? {} : { message }),
  };
  const ready = covers(assumeReady, 'outputs') ? step : await installChanged(repo, plan, step, report);
  const replay = {
    record,
    chain: [...record.chain, step.commit],
    written: writtenBy(ready, bookkeeping(config, [record])),
  };
  const launcher = replayLauncher({ repo, home, record, commit: step.commit, runner: request.runner });
  return replayRun(repo, config, replay, options, report, launcher);
}

/** Whether a failed command is saved, and the next step follows. */
export function goesOn({ onFailure }: ReplayRequest): boolean {
  return onFailure === 'ignore' || onFailure === 'continue';
}

/** Files that a run's command wrote according to its commit. */
function writtenBy(step: PlanStep, isBookkeeping: (path: string) => boolean): readonly string[] {
  return (step.changes ?? [])
    .filter(({ path, state, type }) => state !== 'deleted' && type !== 'dataset' && !isBookkeeping(path))
    .map(({ path }) => path);
}
