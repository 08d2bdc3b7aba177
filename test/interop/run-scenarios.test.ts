/** The behaviour page's scenarios of `run`, played by DataLad 1.6 and by us (and by DataLad 0.18, where that is asked for) on copies of one dataset. */
import { expect, test } from 'vitest';
import { comparesOld, describeWith } from '../support/oracles.ts';
import { type Aspect, aspects, type Ending, type Scenario } from '../support/scenario.ts';
import { commandScenarios } from '../support/scenario-command.ts';
import { commitScenarios } from '../support/scenario-commits.ts';
import { failureScenarios } from '../support/scenario-failures.ts';
import { hierarchyScenarios } from '../support/scenario-hierarchy.ts';
import { inputScenarios } from '../support/scenario-inputs.ts';
import { outputScenarios } from '../support/scenario-outputs.ts';
import { recordScenarios } from '../support/scenario-record.ts';
import { savingScenarios } from '../support/scenario-saving.ts';
import { stageOfTests } from '../support/twins-run.ts';

const scenarios: readonly Scenario[] = [
  ...recordScenarios,
  ...commandScenarios,
  ...inputScenarios,
  ...outputScenarios,
  ...savingScenarios,
  ...failureScenarios,
  ...hierarchyScenarios,
  ...commitScenarios,
];

describeWith(['datalad-latest', 'git-annex'], 'run does what DataLad 1.6 does', () => {
  const twins = stageOfTests();

  for (const scenario of scenarios) {
    test.concurrent(`${scenario.id}: ${scenario.title}${scenario.difference ? ` (${scenario.difference.because})` : ''}`, async () => {
      const old = scenario.notOld === undefined && comparesOld;
      await twins.stage.prepare(scenario, ['datalad-latest', 'ours', ...(old ? (['datalad'] as const) : [])]);
      const [latest, ours, older] = await Promise.all([
        twins.stage.play(scenario, 'datalad-latest'),
        twins.stage.play(scenario, 'ours'),
        old ? twins.stage.play(scenario, 'datalad') : undefined,
      ]);
      const deliberate = scenario.difference?.aspects ?? [];
      const same = aspects.filter((aspect) => !deliberate.includes(aspect));
      // How a run is refused is told by error code; that it is refused, by both.
      const theirs = { ...latest, refused: ours.refused };
      expect(pick(ours, same)).toEqual(pick(theirs, same));
      if (older) {
        const shared = same.filter((aspect) => aspect !== 'results' && aspect !== 'code');
        expect({ ...pick(older, shared), codes: older.codes.map(Boolean) }).toEqual({
          ...pick(latest, shared),
          codes: latest.codes.map(Boolean),
        });
      }
      for (const aspect of deliberate)
        expect(pick(ours, [aspect]), `${aspect} no longer differs`).not.toEqual(pick(theirs, [aspect]));
      scenario.difference?.ours(ours);
    }, 600_000);
  }
});

/** The named aspects of an ending, in a form that shows well when it differs. */
function pick(ending: Ending, which: readonly Aspect[]): Record<string, unknown> {
  const repos = (of: (repo: Ending['state']['repos'][string]) => unknown) =>
    Object.fromEntries(Object.entries(ending.state.repos).map(([path, repo]) => [path, of(repo)]));
  const views: Record<Aspect, () => unknown> = {
    code: () => ending.codes,
    results: () => comparable(ending),
    printed: () => ending.printed,
    commits: () => repos((repo) => repo.commits),
    tree: () => repos((repo) => repo.tree),
    status: () => repos((repo) => repo.status),
    files: () => ending.state.files,
    // `git commit` writes this file too: it counts where nothing was committed.
    editmsg: () => (ending.codes.at(-1) === 0 || ending.committed ? null : repos((repo) => repo.editmsg)),
    branch: () => repos((repo) => repo.branch),
  };
  return Object.fromEntries(which.map((aspect) => [aspect, views[aspect]()]));
}

/**
 * Results in an order that does not depend on which file was done first, without what the tools tell each in their own way:
 * content that was there and datasets without a change (`notneeded`), untouched outputs that were only locked again, folders that were asked for
 * when their files were fetched, and how a run was refused.
 */
function comparable(ending: Ending): readonly unknown[] {
  const key = (result: Record<string, unknown>) => JSON.stringify([result['action'], result['path'], result['type']]);
  return ending.results.map((results, step) => {
    const refused = ending.refused[step];
    const told = results.filter(
      (result) =>
        result['status'] !== 'notneeded' &&
        !(result['action'] === 'get' && result['type'] === 'directory') &&
        !(refused && (result['action'] === 'run' || result['action'] === 'save' || result['action'] === 'reprise')) &&
        !(result['action'] === 'add' && ending.untouched.has(String(result['path']))),
    );
    return told.sort((a, b) => (key(a) < key(b) ? -1 : 1));
  });
}
