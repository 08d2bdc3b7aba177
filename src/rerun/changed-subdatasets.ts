/** Subdatasets in which a recorded run wrote, whether it declared that or not: a fresh clone has to install them before the command runs. */
import { join } from 'node:path';
import type { Result } from '../core/result.ts';
import { type Repo, repoAt } from '../dataset/repo.ts';
import { matchInstalling } from '../run/globs.ts';
import { readDeepChanges } from './changes.ts';
import { withChanges } from './plan.ts';
import type { PlanStep, ReplayPlan } from './replay-plan.gen.ts';

/**
 * Installs them, level by level; what a run made anew is left to its command.
 *
 * @returns the step with the changes inside of what could be installed; a failure is reported, and the command will meet it
 */
export async function installChanged(
  repo: Repo,
  plan: ReplayPlan,
  step: PlanStep,
  report: (result: Result) => void,
): Promise<PlanStep> {
  const tried = new Set<string>();
  for (let known = step; ; ) {
    const absent = (known.changes ?? [])
      .filter(({ path, type, state }) => type === 'dataset' && state === 'modified' && !tried.has(path))
      .map(({ path }) => path)
      .filter((path) => repoAt(join(repo.root, path), repo.context) === null);
    if (absent.length === 0) return known;
    for (const path of absent) tried.add(path);
    await matchInstalling(
      { repo, pwd: repo.root, relativePwd: '.' },
      absent.map((path) => `${path}/`),
      report,
    );
    known = withChanges({ ...plan, steps: [step] }, await readDeepChanges(repo, [step])).steps[0] ?? known;
  }
}
