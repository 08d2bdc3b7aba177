/** Random histories, rerun one command after the other and several at once: the same commits, to the last bit. */
import { fc } from '../support/random.ts';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { describeWith } from '../support/oracles.ts';
import { commitVerbatim, copyOf } from '../support/replays.ts';
import { createWorld, type World } from '../support/world.ts';

const FILES = ['f0', 'f1', 'd/f2', 'd/f3', 'd/e/f4'] as const;
const file = fc.constantFrom(...FILES);
const pattern = fc.constantFrom(...FILES, 'f*', 'd', 'd/*', '**/f4');

/** A command reads all that it declares, and appends what it makes of it to each of its outputs. */
const run = fc.record({
  inputs: fc.uniqueArray(pattern, { maxLength: 2 }),
  outputs: fc.uniqueArray(file, { minLength: 1, maxLength: 2 }),
  /** Something that it writes beside them, or removes. */
  beside: fc.option(fc.tuple(file, fc.boolean()), { nil: undefined, freq: 4 }),
  declares: fc.boolean(),
  /** A file of code that nobody declares. */
  code: fc.option(file, { nil: undefined, freq: 4 }),
  sidecar: fc.integer({ min: 0, max: 4 }).map((number) => number === 0),
});
type Run = typeof run extends fc.Arbitrary<infer T> ? T : never;
const plain = fc.record({
  edits: file,
  with: fc.string({ minLength: 1, maxLength: 3, unit: fc.constantFrom('x', 'y') }),
});
const history = fc.array(fc.oneof({ weight: 4, arbitrary: run }, { weight: 1, arbitrary: plain }), {
  minLength: 3,
  maxLength: 7,
});
const asked = fc.constantFrom(
  ['--since='],
  ['--since=start', '--onto=start', '-b', 'new'],
  ['--since=start', '--onto=elsewhere', '-b', 'new'],
);

function lineOf({ inputs, outputs, beside, declares, code }: Run, number: number): string {
  const found = `find ${[...inputs, code ?? ''].join(' ')} -type f -o -type l | sort | xargs cat`;
  const make = inputs.length === 0 && code === undefined ? 'true' : found;
  const grow = (path: string) =>
    declares
      ? `(${make} | cksum; echo ${number}) >> ${path}`
      : // Root would write through the link of an annexed file.
        `(cat ${path}; ${make} | cksum; echo ${number}) > new; mv -f new ${path}`;
  const extra =
    beside === undefined ? [] : [`rm -f ${beside[0]}`, ...(beside[1] ? [] : [`echo ${number} > ${beside[0]}`])];
  return ['mkdir -p d/e', ...outputs.map(grow), ...extra].join('; ');
}

describeWith(['git-annex'], 'random histories rerun side by side', () => {
  let world: World;
  const grounds = { annex: '', git: '' };
  const env = { GIT_AUTHOR_DATE: '2026-02-03T04:05:06Z', GIT_COMMITTER_DATE: '2026-02-03T04:05:06Z' };
  beforeAll(() => {
    world = createWorld();
    for (const kind of ['annex', 'git'] as const) {
      grounds[kind] = world.path(kind);
      world.reprise(world.dir, ['create', ...(kind === 'git' ? ['--no-annex'] : []), grounds[kind]]);
      for (const path of FILES) world.write(`${grounds[kind]}/${path}`, `${path}\n`);
      world.reprise(grounds[kind], ['save', '-m', 'start']);
      world.git(grounds[kind], 'tag', 'start');
      world.sh(grounds[kind], 'rm f0; echo else > f0');
      world.reprise(grounds[kind], ['save', '-m', 'elsewhere']);
      world.sh(grounds[kind], 'git tag elsewhere; git reset -q --hard start');
    }
  }, 60_000);
  afterAll(() => world.remove());

  test('have the same history whatever --jobs is', { timeout: 240_000 }, () => {
    let number = 0;
    let complete = 0;
    const replay = (made: string, words: readonly string[], jobs: number) => {
      const copy = copyOf(world, made, `case-${number}-${jobs}`);
      const argv = ['-c', 'reprise.record.extension=none', 'rerun', ...words, `--jobs=${jobs}`];
      const { code, stderr } = world.reprise(copy, argv, { env });
      if (code === 0) complete += 1;
      const commits = world.git(copy, 'log', '--format=%H %s', '--raw', '--no-abbrev', 'start..');
      return { stderr, ended: { code, commits, status: world.git(copy, 'status', '--porcelain') } };
    };
    fc.assert(
      fc.property(fc.constantFrom('annex', 'git'), history, asked, (kind, commits, words) => {
        const made = copyOf(world, grounds[kind], `case-${(number += 1)}`);
        record(made, commits);
        const [one, three] = [replay(made, words, 1), replay(made, words, 3)];
        expect(three.ended, `${words.join(' ')}\n${three.stderr}`).toEqual(one.ended);
      }),
      { numRuns: 4, interruptAfterTimeLimit: 30_000 },
    );
    expect(complete).toBeGreaterThan(0);
  });

  /** Commits what commands make, and what nobody has recorded. */
  function record(
    dataset: string,
    commits: readonly (Run | { readonly edits: string; readonly with: string })[],
  ): void {
    for (const [at, one] of commits.entries()) {
      if ('edits' in one) {
        const edit = `mkdir -p "$(dirname ${one.edits})"; rm -f ${one.edits}; echo ${one.with} > ${one.edits}`;
        commitVerbatim(world, dataset, `plain ${at}\n`, edit);
        continue;
      }
      const declared = [...one.inputs.flatMap((path) => ['-i', path]), ...one.outputs.flatMap((path) => ['-o', path])];
      const options = [...(one.declares ? declared : []), ...(one.sidecar ? ['--sidecar', 'yes'] : [])];
      const argv = ['-c', 'reprise.record.extension=none', 'run', ...options, '-m', `run ${at}`, lineOf(one, at)];
      // An input that is missing makes no run.
      world.reprise(dataset, argv);
      if (world.git(dataset, 'status', '--porcelain') !== '') throw new Error(`not saved: ${argv.join(' ')}`);
    }
  }
});
