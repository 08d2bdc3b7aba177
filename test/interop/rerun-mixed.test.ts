/** Histories that DataLad 0.18, DataLad 1.6 and we recorded in turn: each tool reruns all of it, and also what the others reran. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { History, Recorder } from '../support/histories.ts';
import { asked, type Form, rerun, titleOf } from '../support/histories-scenario.ts';
import { type HistoryStage, openHistories, type Replayed } from '../support/histories-stage.ts';
import { describeWith } from '../support/oracles.ts';
import { createWorld, type World } from '../support/world.ts';

const by =
  (...recorders: readonly Recorder[]) =>
  (at: number) =>
    recorders[at % recorders.length] as Recorder;

/** Every tool records what every other one builds on. */
function mixed(base: History['base'], turn: (at: number) => Recorder): History {
  const out = (name: string) => ['-o', name];
  return {
    base,
    commits: [
      { name: 'data', files: { 'a.in': 'a\n', 'b.in': 'b\n' } },
      { name: 'static', run: 'cat {inputs} > {outputs}', options: ['-i', '*.in', ...out('all')], by: turn(0) },
      { name: 'growing', run: 'echo x >> grows', options: ['-m', 'it grows: "ü"', ...out('grows')], by: turn(1) },
      {
        name: 'chained',
        run: 'cat all grows > both',
        options: ['-i', 'all', '-i', 'grows', ...out('both')],
        by: turn(2),
      },
      { name: 'undeclared', run: 'mkdir -p d; echo 1 > "d/o ne"; echo 2 > two', by: turn(3) },
      { name: 'plain', files: { 'c.in': 'c\n' } },
      { name: 'side', on: ['growing'], run: 'echo side > side', by: turn(4) },
      { name: 'merged', on: ['plain', 'side'], merge: true },
      { name: 'last', run: 'cat grows side > last', options: [...out('last'), '-i', 'grows'], by: turn(5) },
    ],
  };
}

const histories: Readonly<Record<string, History>> = {
  'in turn, in the annex': mixed('annex', by('datalad', 'ours', 'datalad-latest')),
  'in turn, in Git': mixed('git', by('ours', 'datalad')),
};

/** The results of one tool are rerun by the next. */
const relay = (...turns: readonly Recorder[]): Form => ({
  steps: turns.map((tool, at) => ({
    rerun: at === 0 ? ['--since=', '--onto=', '-b', 'again'] : ['--since=plain'],
    by: tool,
  })),
});

describeWith(['datalad', 'datalad-latest', 'git-annex'], 'histories of several tools', () => {
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

  for (const [title, history] of Object.entries(histories)) {
    const forms = [
      ...asked('--since=', '--since= --onto= -b new', '--report --since='),
      { steps: [rerun('undeclared', '--onto='), rerun('growing'), rerun()] },
    ];
    for (const [number, form] of forms.entries())
      test.concurrent(`recorded ${title}: ${titleOf(form)}`, async () => {
        const prepared = await stage.prepare(slug(title), history);
        const [theirs, ours] = await Promise.all(
          (['datalad-latest', 'ours'] as const).map((tool) =>
            stage.replay(prepared, `${slug(title)}-${number}`, tool, form.steps),
          ),
        );
        expect(ours?.map(told)).toEqual(theirs?.map(told));
      }, 600_000);
  }

  test.concurrent('reruns of reruns end alike, whoever was before', async () => {
    const prepared = await stage.prepare('relay', mixed('git', by('ours', 'datalad')));
    const orders = [
      relay('datalad-latest', 'datalad-latest', 'datalad-latest'),
      relay('ours', 'datalad', 'datalad-latest'),
      relay('datalad', 'ours', 'ours'),
    ];
    const ended = await Promise.all(
      orders.map((form, at) => stage.replay(prepared, `relay-${at}`, 'ours', form.steps)),
    );
    for (const other of ended.slice(1)) expect(other.map(shape)).toEqual(ended[0]?.map(shape));
  }, 600_000);
});

const slug = (title: string) => title.replaceAll(/[^a-zA-Z0-9]+/g, '-');
const told = (replayed: Replayed) => ({ ...replayed, stdout: '', stderr: '' });
const shape = ({ code, decisions, head, branches, commits, tree, status }: Replayed) => ({
  code,
  decisions,
  head,
  branches,
  commits,
  tree,
  status,
});
