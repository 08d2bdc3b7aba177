/** Commands and options put together at random: DataLad 1.6 and we leave the same trees, records and work trees. */
import { fc } from '../support/random.ts';
import { test } from 'vitest';
import { describeWith } from '../support/oracles.ts';
import { type Base, type Ending, leftIn, type Scenario } from '../support/scenario.ts';
import { expectSameEndings } from '../support/twins-random.ts';
import { stageOfTests } from '../support/twins-run.ts';

/** A shell line that changes files; paths are relative to the root of the dataset, which is `$r`. */
const change = fc.oneof(
  fc
    .tuple(
      fc.constantFrom('new', 'a.in', 'd/n.dat', 'deep/er/x', 'with blank', 'ü.txt', '.dot', 'd/1.dat', 'code.txt'),
      fc.constantFrom('one', 'two', ''),
    )
    .map(
      ([path, text]) => `mkdir -p "$(dirname "$r/${path}")"; rm -f "$r/${path}"; printf '%s' '${text}' > "$r/${path}"`,
    ),
  fc
    .constantFrom('b.in', 'd/2.dat', 'code.txt', 'late')
    .map(
      (path) =>
        `cat "$r/${path}" > "$r/t.m.p" 2>/dev/null; echo more >> "$r/t.m.p"; rm -f "$r/${path}"; mv "$r/t.m.p" "$r/${path}"`,
    ),
  fc.constantFrom('a.in', 'b.in', 'd/2.dat', 'd', 'nope').map((path) => `rm -rf "$r/${path}"`),
  fc
    .constantFrom(['a.in', 'z.in'], ['b.in', 'd/b.in'], ['d/1.dat', 'e-1.dat'], ['d', 'moved'])
    .map(
      ([from = '', to = '']) =>
        `test ! -e "$r/${from}" || test ! -d "$(dirname "$r/${to}")" || mv "$r/${from}" "$r/${to}"`,
    ),
  fc
    .constantFrom('prog', 'd/prog')
    .map((path) => `mkdir -p "$r/d"; rm -f "$r/${path}"; echo x > "$r/${path}"; chmod +x "$r/${path}"`),
  fc.constant('ln -sfn nowhere "$r/link"'),
  fc.constant('mkdir -p "$r/empty/folder"'),
);

const plan = fc.record({
  base: fc.constantFrom<Base>('files', 'git', 'text'),
  inFolder: fc.boolean(),
  changes: fc.array(change, { minLength: 1, maxLength: 4 }),
  inputs: fc.uniqueArray(fc.constantFrom('.', '*', '*.*'), { maxLength: 2 }),
  outputs: fc.uniqueArray(fc.constantFrom('new', '*.in', '*', 'd', '**/*.dat', 'none*', 'code.txt', 'deep'), {
    maxLength: 3,
  }),
  explicit: fc.boolean(),
  expand: fc.option(fc.constantFrom('inputs', 'outputs', 'both')),
  message: fc.option(fc.constantFrom('plain', 'two\n\nlines', 'ü "q" \\ {x}')),
  echo: fc.boolean(),
  sidecar: fc.boolean(),
});

type Plan = typeof plan extends fc.Arbitrary<infer T> ? T : never;

function scenarioOf(given: Plan, id: string): Scenario {
  // A command that takes its own folder away makes DataLad fail; here its results are saved (test/dataset/run-names.test.ts).
  const inFolder = given.inFolder && !given.changes.some((line) => /(rm -rf|mv) "\$r\/d"/.test(line));
  // Sidecars are in Git here and in the annex there (S-06), and only here need a change (S-25): they are compared where neither shows.
  const sidecar = given.sidecar && given.base === 'git';
  const outputs = sidecar ? [...given.outputs, 'beside'] : given.outputs;
  const line = [
    `r=${inFolder ? '..' : '.'}`,
    ...given.changes,
    ...(sidecar ? ['echo x > beside'] : []),
    ...(given.echo ? ['echo {inputs} {outputs} > "$r/seen"'] : []),
  ].join('; ');
  const args = [
    'run',
    ...given.inputs.flatMap((path) => ['-i', path]),
    ...outputs.flatMap((path) => ['-o', path]),
    ...(given.explicit ? ['--explicit'] : []),
    ...(given.expand ? ['--expand', given.expand] : []),
    ...(given.message ? ['-m', given.message] : []),
    ...(sidecar ? ['--sidecar', 'yes'] : []),
    line.replaceAll(/\{(?!inputs\}|outputs\})/g, '{{'),
  ];
  return {
    id,
    title: id,
    base: given.base,
    setUp: 'mkdir -p ds/d; touch ds/d/.keep; cd ds; $REPRISE save -m keep',
    steps: [{ args, cwd: inFolder ? 'ds/d' : 'ds' }],
  };
}

function outcome({ codes, printed, state }: Ending) {
  return { codes, printed, left: leftIn(state) };
}

describeWith(['datalad-latest', 'git-annex'], 'run at random', () => {
  const twins = stageOfTests();

  test('ten runs end as with DataLad', async () => {
    await expectSameEndings(twins.stage, { plan, numRuns: 10, scenarioOf, outcome });
  }, 600_000);
});
