/** The behaviour page's scenarios of `rerun`: DataLad 1.6 and we (and DataLad 0.18, where that is asked for), each on a copy of the same history. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { basicScenarios } from '../support/histories-basics.ts';
import { effectScenarios } from '../support/histories-effects.ts';
import { mergeScenarios } from '../support/histories-merges.ts';
import { ontoScenarios } from '../support/histories-onto.ts';
import { oddRecordScenarios } from '../support/histories-odd-records.ts';
import { optionScenarios } from '../support/histories-options.ts';
import { orderScenarios } from '../support/histories-order.ts';
import { oldRecordScenarios } from '../support/histories-records.ts';
import { stopScenarios } from '../support/histories-stops.ts';
import { type RerunScenario, titleOf } from '../support/histories-scenario.ts';
import { type Aspect, aspects, type HistoryStage, openHistories, type Replayed } from '../support/histories-stage.ts';
import { comparesOld, describeWith } from '../support/oracles.ts';
import { createWorld, type World } from '../support/world.ts';

const scenarios: readonly RerunScenario[] = [
  ...basicScenarios,
  ...ontoScenarios,
  ...mergeScenarios,
  ...optionScenarios,
  ...oldRecordScenarios,
  ...orderScenarios,
  ...oddRecordScenarios,
  ...effectScenarios,
  ...stopScenarios,
];

describeWith(['datalad-latest', 'git-annex'], 'rerun does what DataLad 1.6 does', () => {
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

  for (const scenario of scenarios)
    for (const [number, form] of scenario.forms.entries()) {
      const { difference, shows } = form;
      test.concurrent(`${scenario.id}: ${scenario.title}: ${titleOf(form)}${difference ? ` (${difference.because})` : ''}`, async () => {
        const prepared = await stage.prepare(scenario.id, scenario.history);
        const old = form.notOld === undefined && (form.old || number === 0) && comparesOld;
        const replay = (tool: Parameters<HistoryStage['replay']>[2]) =>
          stage.replay(prepared, `${scenario.id}-${number}`, tool, form.steps);
        if (difference?.aspects.length === 0) {
          const ours = await replay('ours');
          return difference.ours(ours.at(-1) as Replayed, ours);
        }
        const [theirs, ours, older] = await Promise.all([
          replay('datalad-latest'),
          replay('ours'),
          old ? replay('datalad') : undefined,
        ]);
        if (older) expect(older.map(ofOld)).toEqual(theirs.map(ofOld));
        if (difference) {
          difference.ours(ours.at(-1) as Replayed, ours);
          for (const aspect of difference.aspects)
            expect(pick(ours.at(-1), [aspect]), `${aspect} no longer differs`).not.toEqual(
              pick(theirs.at(-1), [aspect]),
            );
          return;
        }
        if (shows) expect(theirs.at(-1)).toMatchObject(shows);
        for (const [at, their] of theirs.entries())
          expect(pick(ours[at], aspects), ours[at]?.stderr).toEqual(pick(their, aspects));
      }, 600_000);
    }
});

function pick(replayed: Replayed | undefined, which: readonly Aspect[]): Partial<Replayed> {
  return Object.fromEntries(which.map((aspect) => [aspect, replayed?.[aspect]]));
}

/** DataLad 0.18 exits 1 for any failure, and its reports are compared by what they decide. */
function ofOld(replayed: Replayed): Partial<Replayed> {
  const same = pick(
    replayed,
    aspects.filter((aspect) => aspect !== 'report'),
  );
  return { ...same, code: replayed.code === 0 ? 0 : 1 };
}
