/** `doctor`: what works here and what does not, with the reason and what would help. */
import type { RunnerName } from '../containers/plan.ts';
import type { Result, VerbOutcome } from '../core/result.ts';
import { findRepo } from '../dataset/repo.ts';
import { datasetOf } from '../dataset/targets.ts';
import { RUNNERS } from '../images/container-options.ts';
import type { Context } from '../sys/context.ts';
import { lookAtContainers } from './containers.ts';
import { type DatasetState, lookAtDataset } from './dataset.ts';
import { lookAtMachine } from './machine.ts';
import { type ProbePlace, withProbePlace } from './probe.ts';
import { lookAtRunners } from './runners.ts';

export interface DoctorOptions {
  readonly dataset?: string;
  /** Only this runner, which has to work. */
  readonly runner?: RunnerName;
  /** Run a container under each runner. */
  readonly probe?: boolean;
}

const NO_DATASET: DatasetState = { results: [], config: null, usesAnnex: false };

/**
 * Looks at what Reprise needs, at the runners, and in a dataset at its state and its containers. Changes nothing, and executes nothing of the dataset's.
 *
 * Results have the action `doctor`, a `kind` (`machine`, `runner`, `dataset`, `container`), a `name`, a `message` of one sentence and, where something is not
 * as it could be, `hints`. Status `impossible`: not to be had here, which may not matter; `error`: nothing works without it, or it is the runner that was
 * asked for. An error makes the exit code 1. What does not answer is not waited for longer than some seconds.
 *
 * With `probe`, a container of an image made here is run under each runner that answers, and nothing of it is left behind.
 *
 * @throws `no-dataset` for one that was named and is not there, `interrupted`
 */
export async function doctor(options: DoctorOptions, context: Context): Promise<VerbOutcome> {
  const { dataset, runner, probe = false } = options;
  const repo = dataset === undefined ? findRepo(context.cwd, context) : datasetOf(context, dataset);
  const names = runner === undefined ? RUNNERS : [runner];
  const required = runner !== undefined;
  const lookAt = (place: ProbePlace | null) => lookAtRunners({ names, required, place }, context);
  const looking = repo ? lookAtDataset(repo) : Promise.resolve(NO_DATASET);
  const [state, machine, runners] = await Promise.all([
    looking,
    looking.then(({ usesAnnex }) => lookAtMachine({ root: repo?.root ?? context.cwd, context }, usesAnnex)),
    probe ? withProbePlace(repo, context, lookAt) : lookAt(null),
  ]);
  const containers =
    repo && state.config ? await lookAtContainers(repo, state.config, { results: runners, named: runner ?? null }) : [];
  const results: readonly Result[] = [...machine, ...runners, ...state.results, ...containers];
  for (const result of results) context.emit({ kind: 'result', result });
  return { exitCode: results.some(({ status }) => status === 'error') ? 1 : 0, results };
}
