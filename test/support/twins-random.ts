/** What is put together at random, done by DataLad 1.6 and by us. */
import { expect } from 'vitest';
import { fc } from './random.ts';
import type { Ending, Scenario } from './scenario.ts';
import type { Stage } from './twins-run.ts';

export interface Comparison<T> {
  readonly plan: fc.Arbitrary<T>;
  readonly numRuns: number;
  readonly scenarioOf: (given: T, id: string) => Scenario;
  /** Steps that depend on what the set-up has made of the dataset, whose root this is; by default those of the scenario. */
  readonly stepsIn?: (root: string, given: T) => Scenario['steps'];
  /** What has to be the same. */
  readonly outcome: (ending: Ending) => unknown;
}

/** Expects both tools to end alike, whatever the plan gives. */
export async function expectSameEndings<T>(stage: Stage, comparison: Comparison<T>): Promise<void> {
  const { plan, numRuns, scenarioOf, stepsIn, outcome } = comparison;
  let number = 0;
  await fc.assert(
    fc.asyncProperty(plan, async (given) => {
      const asleep = scenarioOf(given, `fuzz-${++number}`);
      await stage.prepare(asleep, ['datalad-latest', 'ours']);
      const steps = stepsIn?.(`${stage.folder(asleep, 'ours')}/ds`, given) ?? asleep.steps;
      const scenario = { ...asleep, steps };
      const [theirs, ours] = await Promise.all([stage.play(scenario, 'datalad-latest'), stage.play(scenario, 'ours')]);
      const what = `${scenario.setUp ?? ''}\n${JSON.stringify(steps)}\n${ours.stderr.join('\n')}`;
      expect(outcome(ours), what).toEqual(outcome(theirs));
    }),
    { numRuns, interruptAfterTimeLimit: 60_000 },
  );
}
