/** Finding the commit that replays a step among those that were made meanwhile. */
import type { Config } from '../core/config.ts';
import type { Repo } from '../dataset/repo.ts';
import { readHistory } from './history.ts';
import type { HistoryCommit } from './history-types.ts';
import type { PlanStep } from './replay-plan.gen.ts';
import { between } from './revisions.ts';

/** The last commit after one and up to another whose record says that it replays a step, whoever saved it; null for none. */
export async function findReplay(
  repo: Repo,
  config: Config,
  step: PlanStep,
  from: string,
  to: string,
): Promise<HistoryCommit | null> {
  const made = await readHistory(repo, config, between(from, to));
  return made.findLast(({ run }) => run?.record.chain.at(-1) === step.commit) ?? null;
}
