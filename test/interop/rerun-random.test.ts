/** Random histories, rerun at random: DataLad 1.6 and we decide alike, and end with the same history and the same tree. */
import { fc } from '../support/random.ts';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { argumentsOf, someCase } from '../support/histories-random.ts';
import { type HistoryStage, openHistories, type Replayed } from '../support/histories-stage.ts';
import { describeWith } from '../support/oracles.ts';
import { createWorld, type World } from '../support/world.ts';

describeWith(['datalad-latest', 'git-annex'], 'reruns of random histories', () => {
  let world: World;
  let stage: HistoryStage;
  beforeAll(() => {
    world = createWorld();
    stage = openHistories(world);
  });
  afterAll(async () => {
    await stage.close();
    world.remove();
  });

  test('twelve reruns end as with DataLad', async () => {
    let number = 0;
    await fc.assert(
      fc.asyncProperty(someCase, async ({ history, asked }) => {
        const id = `random-${++number}`;
        const prepared = await stage.prepare(id, history);
        const steps = [
          ...(asked.from === undefined ? [] : [{ sh: `git checkout -q --detach ${asked.from}` }]),
          { rerun: argumentsOf(asked) },
        ];
        const [[theirs], [ours]] = await Promise.all([
          stage.replay(prepared, id, 'datalad-latest', steps),
          stage.replay(prepared, id, 'ours', steps),
        ]);
        const shown = `reprise rerun ${argumentsOf(asked).join(' ')}\n${ours?.stderr}`;
        expect(outcome(ours as Replayed), shown).toEqual(outcome(theirs as Replayed));
      }),
      { numRuns: 12, interruptAfterTimeLimit: 60_000 },
    );
  }, 600_000);
});

function outcome({ code, decisions, head, branches, commits, tree, status, unfinished }: Replayed) {
  // Where picking or merging ends in a conflict, Git has to be left in the middle of it by both; what it shows then is Git's.
  if (unfinished.length > 0) return { failed: code !== 0, decisions, commits, unfinished };
  return { code, decisions, head, branches, commits, tree, status };
}
