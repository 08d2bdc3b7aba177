/** Commands over a hierarchy of datasets, put together at random: DataLad 1.6 and we leave the same in each of them, and once more when that is rerun. */
import { fc } from '../support/random.ts';
import { test } from 'vitest';
import { describeWith } from '../support/oracles.ts';
import { type Ending, leftIn, type Scenario } from '../support/scenario.ts';
import { expectSameEndings } from '../support/twins-random.ts';
import { stageOfTests } from '../support/twins-run.ts';

/** Annexed files of the ground, each in a dataset of its own but two. */
const KNOWN = ['sub/f', 'sub/g', 'sub/inner/i', 'dir/other/o', 'top'];
const known = fc.constantFrom(...KNOWN);
const any = fc.constantFrom(...KNOWN, 'sub/new', 'sub/inner/deep/new', 'dir/other/new', 'new', 'dir/plain');

/** A shell line that changes files; what is a link was not made writable, and is left alone where it is not replaced. */
const change = fc.oneof(
  {
    weight: 3,
    arbitrary: fc
      .tuple(any, fc.constantFrom('one', 'two', 'longer one'))
      .map(([path, text]) => `mkdir -p "$(dirname $r/${path})"; rm -f $r/${path}; printf '%s' '${text}' > $r/${path}`),
  },
  ...[
    known.map((path) => `rm -f $r/${path}`),
    known.map((path) => `test -L $r/${path} || touch $r/${path}`),
    known.map((path) => `test -L $r/${path} || test ! -e $r/${path} || echo more >> $r/${path}`),
    fc
      .constantFrom(['sub/f', 'sub/moved'], ['top', 'sub/top'], ['sub/inner/i', 'sub/i'], ['dir/other/o', 'o'])
      .map(([from, to]) => `test ! -f $r/${from} || test -L $r/${from} || mv $r/${from} $r/${to}`),
  ].map((arbitrary) => ({ weight: 1, arbitrary })),
);

const plan = fc.record({
  up: fc.constantFrom('', '', '../'),
  dataset: fc.constantFrom<readonly string[]>([], [], ['-d', '$W/ds']),
  changes: fc.array(change, { minLength: 1, maxLength: 4 }),
  inputs: fc.uniqueArray(fc.constantFrom('sub/f', 'sub', '*', '.', 'dir', 'sub/*', 'top', 'dir/other/o'), {
    maxLength: 2,
  }),
  // `sub` without a slash is told of in the scenarios.
  outputs: fc.uniqueArray(
    fc.constantFrom('sub/f', 'sub/', 'sub/*', '**/f', 'top', 'dir/other/o', 'sub/inner/', '.', 'dir', 'new', 'sub/new'),
    { maxLength: 3 },
  ),
  explicit: fc.boolean(),
  again: fc.boolean(),
});
type Plan = typeof plan extends fc.Arbitrary<infer T> ? T : never;

function scenarioOf({ up, dataset, changes, inputs, outputs, explicit, again }: Plan, id: string): Scenario {
  const cwd = up === '' ? 'ds' : 'ds/dir';
  const args = [
    'run',
    ...dataset,
    ...inputs.flatMap((path) => ['-i', up + path]),
    ...outputs.flatMap((path) => ['-o', up + path]),
    ...(explicit ? ['--explicit'] : []),
    [`r=${up === '' ? '.' : '..'}`, ...changes].join('; '),
  ];
  return {
    id,
    title: id,
    base: 'hierarchy',
    steps: [{ args, cwd }, ...(again ? [{ args: ['rerun'], cwd: dataset.length > 0 ? 'ds' : cwd }] : [])],
  };
}

function outcome({ codes, state }: Ending) {
  return { codes, left: leftIn(state) };
}

describeWith(['datalad-latest', 'git-annex'], 'run in a hierarchy at random', () => {
  const twins = stageOfTests();

  test('six runs end as with DataLad', async () => {
    await expectSameEndings(twins.stage, { plan, numRuns: 6, scenarioOf, outcome });
  }, 600_000);
});
