/** Runs over a hierarchy of datasets: commits bottom-up, one record, siblings left alone. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { describeWith } from '../support/oracles.ts';
import { commitsOf, leftovers } from '../support/runs.ts';
import { createWorld, type World } from '../support/world.ts';

let world: World;
const DATASETS = ['.', 'a', 'a/b', 'a/b/c', 'z', 'a/y'] as const;

/** top > a > b > c, with siblings z (of a) and y (of b); each holds `data`. */
beforeAll(() => {
  world = createWorld();
  world.reprise(world.dir, ['create', 'base']);
  const base = world.path('base');
  for (const sub of ['a', 'a/b', 'a/b/c', 'z', 'a/y'])
    expect(world.reprise(base, ['create', '-d', sub.includes('/') ? join(sub, '..') : '.', sub])).toMatchObject({
      code: 0,
    });
  for (const sub of DATASETS) world.write(join(base, sub, 'data'), `data of ${sub}\n`);
  expect(world.reprise(base, ['save', '-r', '-m', 'data'])).toMatchObject({ code: 0 });
  expect(world.git(base, 'status', '--porcelain')).toBe('');
});
afterAll(() => world.remove());

function fresh(name: string): string {
  world.ok(['cp', '-aT', world.path('base'), world.path(name)]);
  return world.path(name);
}

/** A clone in which no subdataset is installed. */
function bare(name: string): string {
  world.git(world.dir, 'clone', '-q', 'base', name);
  return world.path(name);
}

function heads(dataset: string): Record<string, string> {
  return Object.fromEntries(
    DATASETS.filter((sub) => existsSync(join(dataset, sub, '.git'))).map((sub) => [
      sub,
      world.git(join(dataset, sub), 'rev-parse', 'HEAD'),
    ]),
  );
}

/** What each dataset has gained since, as `subject: changes`, with the records. */
function gained(dataset: string, since: Record<string, string>) {
  return Object.fromEntries(
    Object.entries(since)
      .map(([sub, head]) => [sub, commitsOf(world, join(dataset, sub), `${head}..HEAD`)] as const)
      .filter(([, commits]) => commits.length > 0),
  );
}

function changesOf(commits: ReturnType<typeof gained>) {
  return Object.fromEntries(Object.entries(commits).map(([sub, all]) => [sub, all.map(({ changes }) => changes)]));
}

function expectConsistent(dataset: string): void {
  expect(world.git(dataset, 'status', '--porcelain', '--ignore-submodules=none')).toBe('');
  for (const sub of DATASETS.filter((one) => existsSync(join(dataset, one, '.git'))))
    expect(leftovers(world, join(dataset, sub))).toEqual([]);
}

describeWith(['git-annex'], 'a run whose outputs lie in subdatasets', () => {
  test.each([
    ['as a whole', []],
    ['with --explicit', ['--explicit']],
  ])('%s: commits bottom-up, the same record in each, siblings untouched', (title, options) => {
    const dataset = fresh(`deep ${title}`);
    const since = heads(dataset);
    const line = 'echo new > a/b/c/out && echo new > a/b/out';
    expect(
      world.reprise(dataset, ['run', ...options, '-m', 'deep', '-o', 'a/b/c/out', '-o', 'a/b/out', line]),
    ).toMatchObject({ code: 0 });
    const commits = gained(dataset, since);
    expect(changesOf(commits)).toEqual({
      '.': [['M a']],
      a: [['M b']],
      'a/b': [['M c', 'A out']],
      'a/b/c': [['A out']],
    });
    const records = Object.values(commits).map(([commit]) => commit?.message);
    expect(new Set(records).size).toBe(1);
    expect(commits['.']?.[0]?.record).toMatchObject({
      dsid: world.git(dataset, 'config', '-f', '.datalad/config', 'datalad.dataset.id'),
      outputs: ['a/b/c/out', 'a/b/out'],
    });
    for (const [above, sub] of [
      ['.', 'a'],
      ['a', 'b'],
      ['a/b', 'c'],
    ] as const)
      expect(world.git(join(dataset, above), 'rev-parse', `HEAD:${sub}`)).toBe(
        world.git(join(dataset, above, sub), 'rev-parse', 'HEAD'),
      );
    expectConsistent(dataset);
  });

  test('and in the dataset itself, with undeclared ones in a sibling', () => {
    const dataset = fresh('mixed');
    const since = heads(dataset);
    expect(
      world.reprise(dataset, ['run', '-o', 'a/b/c/data', 'echo changed > a/b/c/data; echo 1 > z/new; rm data']),
    ).toMatchObject({ code: 0 });
    const commits = gained(dataset, since);
    expect(changesOf(commits)).toEqual({
      '.': [['M a', 'D data', 'M z']],
      a: [['M b']],
      'a/b': [['M c']],
      'a/b/c': [['M data']],
      z: [['A new']],
    });
    expect(commits['.']?.[0]?.record?.reprise?.['undeclared']).toEqual(['data', 'z/new']);
    expect(readFileSync(join(dataset, 'a/b/c/data'), 'utf8')).toBe('changed\n');
    expectConsistent(dataset);
  });

  test('with --explicit, changes elsewhere in the same subdatasets stay as they are', () => {
    const dataset = fresh('dirty');
    const since = heads(dataset);
    for (const sub of DATASETS) world.write(join(dataset, sub, 'mine'), 'not part of it\n');
    expect(world.reprise(dataset, ['run', '--explicit', '-o', 'a/b/o*', 'echo 1 > a/b/out'])).toMatchObject({
      code: 0,
    });
    expect(changesOf(gained(dataset, since))).toEqual({ '.': [['M a']], a: [['M b']], 'a/b': [['A out']] });
    for (const sub of ['a/b', 'a/b/c', 'a/y', 'z'])
      expect(world.git(join(dataset, sub), 'status', '--porcelain', '--ignore-submodules=dirty')).toBe('?? mine');
  });

  test('nothing changed in a subdataset: nothing is committed there', () => {
    const dataset = fresh('unchanged');
    const since = heads(dataset);
    expect(world.reprise(dataset, ['run', '-o', 'a/b/c/data', '-o', 'out', 'echo 1 > out'])).toMatchObject({ code: 0 });
    expect(Object.keys(gained(dataset, since))).toEqual(['.']);
    expectConsistent(dataset);
  });
});

describeWith(['git-annex'], 'what is unsaved in subdatasets', () => {
  test.each([
    ['in a file', 'echo changed > z/new'],
    ['in an unlocked file', 'git -C z annex unlock -q data && echo changed > z/data'],
  ])('%s: is told, with a line that saves it', (title, change) => {
    const dataset = fresh(`unsaved ${title}`);
    world.sh(dataset, change);
    const refused = world.reprise(dataset, ['run', 'touch ran']);
    expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining('unsaved changes (z)') });
    const [, hint = ''] = /^hint: (reprise .*)$/m.exec(refused.stderr) ?? [];
    expect(world.reprise(dataset, hint.split(' ').slice(1))).toMatchObject({ code: 0 });
    expect(world.reprise(dataset, ['run', 'touch ran'])).toMatchObject({ code: 0 });
    expectConsistent(dataset);
  });

  test('is nothing where an unlocked file was only touched, or copied with the whole hierarchy', () => {
    const unlocked = fresh('unlocked');
    world.sh(join(unlocked, 'a/b'), 'git annex unlock -q data && git commit -qm unlocked');
    expect(world.reprise(unlocked, ['save', '-r', '-m', 'unlocked'])).toMatchObject({ code: 0 });
    const dataset = world.path('unlocked copy');
    world.ok(['cp', '-aT', unlocked, dataset]);
    expect(world.reprise(dataset, ['run', 'touch once'])).toMatchObject({ code: 0 });
    world.sh(dataset, 'touch -d 2001-02-03 a/b/data');
    expect(world.reprise(dataset, ['run', 'touch again'])).toMatchObject({ code: 0 });
    expect(world.reprise(dataset, ['rerun'])).toMatchObject({ code: 0 });
    world.sh(dataset, 'echo other >> a/b/data');
    expect(world.reprise(dataset, ['run', 'touch not'])).toMatchObject({ code: 1 });
    expect(existsSync(join(dataset, 'not'))).toBe(false);
  });
});

describeWith(['git-annex'], 'subdatasets that are not installed', () => {
  test('are installed for an input, which is fetched, and no other is', () => {
    const dataset = bare('input');
    const out = world.reprise(dataset, ['run', '-i', 'a/b/c/data', '-o', 'out', 'cat {inputs} > out']);
    expect(out).toMatchObject({ code: 0 });
    expect(readFileSync(join(dataset, 'out'), 'utf8')).toBe('data of a/b/c\n');
    expect(Object.keys(heads(dataset))).toEqual(['.', 'a', 'a/b', 'a/b/c']);
    expect(commitsOf(world, dataset).at(-1)?.changes).toEqual(['A out']);
  });

  test('are installed for an output, and saved', () => {
    const dataset = bare('output');
    const out = world.reprise(dataset, ['run', '-o', 'a/b/new', 'echo 1 > a/b/new']);
    expect(out).toMatchObject({ code: 0 });
    expect(Object.keys(heads(dataset))).toEqual(['.', 'a', 'a/b']);
    expect(commitsOf(world, join(dataset, 'a/b')).at(-1)?.changes).toEqual(['A new']);
    expect(commitsOf(world, dataset).at(-1)?.changes).toEqual(['M a']);
    expect(world.git(dataset, 'status', '--porcelain')).toBe('');
  });

  test('are installed wherever a pattern reaches', () => {
    const dataset = bare('glob');
    const out = world.reprise(dataset, ['run', '-i', '*/data', '-i', 'a/*/data', '-o', 'out', 'cat {inputs} > out']);
    expect(out).toMatchObject({ code: 0 });
    expect(Object.keys(heads(dataset)).sort()).toEqual(['.', 'a', 'a/b', 'a/y', 'z']);
    const lines = readFileSync(join(dataset, 'out'), 'utf8').trimEnd().split('\n');
    expect(lines.sort()).toEqual(['data of a', 'data of a/b', 'data of a/y', 'data of z']);
  });

  test('are not installed for a run that is refused: an input that nowhere can be is told first', () => {
    const dataset = bare('refused');
    for (const words of [
      ['-i', '*/data', '-i', 'nope'],
      ['-i', 'nope', '-o', 'a/**'],
      ['-i', 'a/data', '-i', 'nope/**'],
    ]) {
      const out = world.reprise(dataset, ['run', ...words, 'touch ran']);
      expect(out).toMatchObject({ code: 1 });
      expect(out.stderr).toContain('(input-missing)');
      expect(Object.keys(heads(dataset))).toEqual(['.']);
    }
    // Whether it is in a subdataset, only the subdataset can tell.
    const out = world.reprise(dataset, ['run', '-i', 'a/nope', 'touch ran']);
    expect(out.stderr).toContain('Input did not match existing file: a/nope (input-missing)');
    expect(Object.keys(heads(dataset)).sort()).toEqual(['.', 'a']);
    expect(world.git(dataset, 'status', '--porcelain')).toBe('');
  });

  test('are installed the same with some of them there already', () => {
    const dataset = bare('partly');
    expect(world.reprise(dataset, ['get', '-n', 'z'])).toMatchObject({ code: 0 });
    expect(world.reprise(dataset, ['run', '-i', '*/data', '-o', 'out', 'cat {inputs} > out'])).toMatchObject({
      code: 0,
    });
    expect(readFileSync(join(dataset, 'out'), 'utf8')).toBe('data of a\ndata of z\n');
  });

  test('may not be written into: what lies there would belong to nobody', () => {
    const dataset = bare('written');
    const since = world.git(dataset, 'rev-parse', 'HEAD');
    const out = world.reprise(dataset, ['run', 'mkdir -p z && echo 1 > z/lost']);
    expect(out.code).toBe(1);
    expect(out.stderr).toContain('uninstalled-subdataset-written');
    expect(world.git(dataset, 'rev-parse', 'HEAD')).toBe(since);
    expect(readFileSync(join(dataset, 'z/lost'), 'utf8')).toBe('1\n');
  });
});

describeWith(['git-annex'], 'where a run is started, and for which dataset', () => {
  test('in a folder of a subdataset, without -d: recorded there, and only there', () => {
    const dataset = fresh('inside');
    const since = heads(dataset);
    world.sh(dataset, 'mkdir a/b/work');
    expect(
      world.reprise(join(dataset, 'a/b/work'), ['run', '-i', '../data', '-o', 'out', 'cat ../data > out']),
    ).toMatchObject({ code: 0 });
    const commits = gained(dataset, since);
    expect(Object.keys(commits)).toEqual(['a/b']);
    expect(commits['a/b']).toMatchObject([
      { changes: ['A work/out'], record: { pwd: 'work', inputs: ['../data'], outputs: ['out'] } },
    ]);
    expect(world.git(dataset, 'status', '--porcelain')).toContain('a');
  });

  test.each([
    ['-d ^', ['-d', '^']],
    ['-d PATH', ['-d', '../../..']],
  ])(
    '%s from a folder of a subdataset: recorded in the topmost, with the folder it really ran in',
    (title, options) => {
      const dataset = fresh(`above ${title.replaceAll('/', '-')}`);
      const since = heads(dataset);
      world.sh(dataset, 'mkdir a/b/work');
      const args = ['run', ...options, '-i', '../data', '-o', 'out', 'cat ../data > out; echo {dspath} > where'];
      expect(world.reprise(join(dataset, 'a/b/work'), args)).toMatchObject({ code: 0 });
      const commits = gained(dataset, since);
      expect(changesOf(commits)).toEqual({ '.': [['M a']], a: [['M b']], 'a/b': [['A work/out', 'A work/where']] });
      expect(commits['.']?.[0]?.record).toMatchObject({ pwd: 'a/b/work', inputs: ['../data'], outputs: ['out'] });
      expect(commits['a/b']?.[0]?.record).toEqual(commits['.']?.[0]?.record);
      expect(readFileSync(join(dataset, 'a/b/work/where'), 'utf8')).toBe(`${dataset}\n`);
      expectConsistent(dataset);
    },
  );

  test('-d of a subdataset from above: the command runs here, and is recorded there', () => {
    const dataset = fresh('from above');
    const since = heads(dataset);
    expect(world.reprise(dataset, ['run', '-d', 'a/b', '-o', 'a/b/out', 'cat data > a/b/out'])).toMatchObject({
      code: 0,
    });
    const commits = gained(dataset, since);
    expect(Object.keys(commits)).toEqual(['a/b']);
    expect(commits['a/b']).toMatchObject([{ changes: ['A out'], record: { pwd: '../..', outputs: ['a/b/out'] } }]);
    expect(readFileSync(join(dataset, 'a/b/out'), 'utf8')).toBe('data of .\n');
  });

  test('-d of something that is no dataset, and no dataset at all', () => {
    const dataset = fresh('no dataset');
    expect(world.reprise(dataset, ['run', '-d', 'nowhere', 'touch ran']).code).toBe(2);
    world.sh(world.dir, 'mkdir -p outside');
    const out = world.reprise(world.path('outside'), ['run', 'touch ran']);
    expect(out.code).toBe(2);
    expect(out.stderr).toContain('no-dataset');
    expect(existsSync(world.path('outside/ran')) || existsSync(join(dataset, 'ran'))).toBe(false);
  });
});
