/** Records in sidecars where nothing else changes: no commit of ours holds nothing but a sidecar, and those that DataLad made are judged by what they declare. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { dataladArgv, describeWith } from '../support/oracles.ts';
import { attestationsIn, copyOf, verdictsOf } from '../support/replays.ts';
import { commitsOf, leftovers } from '../support/runs.ts';
import { cliPath, createWorld, type World } from '../support/world.ts';

let world: World;
let template: string;

beforeAll(() => {
  world = createWorld();
  template = world.path('template');
  world.ok([process.execPath, cliPath, 'create', template]);
  world.ok([process.execPath, cliPath, 'create', '-d', template, join(template, 'sub')]);
  world.sh(template, 'mkdir d; echo in >in; printf same >out; printf same >d/a; printf same >sub/out');
  world.ok([process.execPath, cliPath, 'save', '-r', '-d', template, '-m', 'data']);
});
afterAll(() => world.remove());

const sidecars = (dataset: string) =>
  readdirSync(join(dataset, '.datalad')).filter((name) => name === 'runinfo').length;
const headOf = (dataset: string) => world.git(dataset, 'rev-parse', 'HEAD');

describeWith(['git-annex'], 'a record in a sidecar', () => {
  test('is not committed alone for outputs that came out the same, here or in a subdataset', () => {
    const dataset = copyOf(world, template, 'same');
    const before = headOf(dataset);
    const options = ['run', '--sidecar', 'yes', '-o', 'out', '-o', 'sub/out', '-o', 'd/*'];
    for (const command of ['true', 'printf same >out', 'printf same >sub/out; printf same >d/a'])
      expect(world.reprise(dataset, [...options, command])).toMatchObject({ code: 0 });
    expect([headOf(dataset), sidecars(dataset), world.git(dataset, 'status', '--porcelain')]).toEqual([before, 0, '']);
    expect(world.reprise(dataset, [...options, 'printf same >out; printf other >sub/out'])).toMatchObject({ code: 0 });
    expect(commitsOf(world, dataset, `${before}..HEAD`).map(({ changes }) => changes)).toEqual([
      [expect.stringMatching(/^A \.datalad\/runinfo\/[0-9a-f]{32}$/), 'M sub'],
    ]);
  });

  test('nor by a rerun with identical results: not with --explicit, and not where the content was elsewhere', () => {
    const dataset = copyOf(world, template, 'recorded');
    world.reprise(dataset, ['run', '--sidecar', 'yes', '-o', 'out', 'printf new >out']);
    const recorded = headOf(dataset);
    world.git(world.dir, 'clone', '-q', dataset, world.path('clone'));
    for (const [where, options] of [
      [dataset, []],
      [dataset, ['--explicit']],
      [world.path('clone'), []],
    ] as const) {
      expect(verdictsOf(world.reprise(where, ['-f', 'json', 'rerun', ...options]))).toEqual(['out identical']);
      expect([headOf(where), world.git(where, 'status', '--porcelain')]).toEqual([recorded, '']);
    }
    expect(leftovers(world, dataset)).toEqual(['refs/reprise/attestations']);
  });
});

for (const which of ['datalad', 'datalad-latest'] as const) {
  describeWith(['git-annex', which], `a commit of ${which} that holds nothing but a sidecar`, () => {
    const made = (name: string, ...args: string[]) => {
      const dataset = copyOf(world, template, `${which}-${name}`);
      const line = ['run', '--sidecar', 'yes', ...args];
      expect(world.exec(dataladArgv(which, line), { cwd: dataset, env: { VALUE: 'same' } })).toMatchObject({
        code: 0,
      });
      expect(commitsOf(world, dataset).at(-1)?.changes).toEqual([expect.stringContaining('A .datalad/runinfo/')]);
      return dataset;
    };
    const verdicts = (dataset: string, ...options: string[]) =>
      verdictsOf(world.reprise(dataset, ['-f', 'json', 'rerun', ...options], { env: { VALUE: 'same' } }));

    test('is judged by its declared outputs', () => {
      const dataset = made(
        'declared',
        '-i',
        'in',
        '-o',
        'out',
        '-o',
        'd',
        '-o',
        'sub/*',
        'printf "$VALUE" >out; printf "$VALUE" >sub/out; printf same >d/a; $THEN',
      );
      const head = headOf(dataset);
      for (const options of [[], ['--workspace'], ['--explicit']])
        expect([options, verdicts(dataset, ...options)]).toEqual([
          options,
          ['d/a identical', 'out identical', 'sub/out identical'],
        ]);
      expect([headOf(dataset), world.git(dataset, 'status', '--porcelain')]).toEqual([head, '']);
      expect(attestationsIn(world, dataset)).toMatchObject(
        [1, 2, 3].map(() => ({ verdict: 'identical', outputs: [{}, { path: 'out' }, {}] })),
      );
      const other = world.reprise(dataset, ['-f', 'json', 'rerun', '--verify'], { env: { VALUE: 'other' } });
      expect([other.code, verdictsOf(other)]).toEqual([1, ['d/a identical', 'out different', 'sub/out different']]);
      const gone = world.reprise(copyOf(world, dataset, `${which}-gone`), ['-f', 'json', 'rerun', '--verify', head], {
        env: { VALUE: 'same', THEN: 'rm out' },
      });
      expect([gone.code, verdictsOf(gone)]).toEqual([1, ['d/a identical', 'out missing', 'sub/out identical']]);
    });

    test('is identical, without outputs, where nothing is declared; what it writes now is unexpected', () => {
      const dataset = made('nothing', 'if [ "$VALUE" = other ]; then echo 1 >new; fi');
      expect(verdicts(dataset)).toEqual([]);
      const wrote = world.reprise(dataset, ['-f', 'json', 'rerun'], { env: { VALUE: 'other' } });
      expect(verdictsOf(wrote)).toEqual(['new unexpected']);
    });
  });
}
