/** What `save` does with the paths that it is given, and with what was staged before. */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { describeWith } from '../support/oracles.ts';
import { createWorld, type World } from '../support/world.ts';

let world: World;
beforeAll(() => {
  world = createWorld();
});
afterAll(() => world.remove());

function save(dataset: string, ...args: string[]) {
  const out = world.reprise(dataset, ['-f', 'json', 'save', ...args]);
  const results = out.stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as { action: string; status: string; path: string });
  return { ...out, told: results.map(({ action, status, path }) => `${action} ${status} ${path}`) };
}

describe('paths in subdatasets', () => {
  const DATASETS = ['.', 'sub', 'sub/inner'];
  beforeAll(() => {
    world.reprise(world.dir, ['create', '--no-annex', 'nested']);
    const top = world.path('nested');
    for (const [above, sub] of [
      ['.', 'sub'],
      ['sub', 'sub/inner'],
    ] as const)
      world.reprise(top, ['create', '--no-annex', '-d', above, sub]);
    world.reprise(top, ['save', '-r', '-m', 'all']);
    for (const dataset of DATASETS) world.write(`${top}/${dataset}/new`, 'new');
  });

  /** Commits that a save makes in the top dataset, in `sub`, and in `sub/inner`. */
  function commitsBy(...args: string[]): readonly number[] {
    const copy = world.path('copy');
    world.sh(world.dir, 'rm -rf copy && cp -a nested copy');
    const heads = () =>
      DATASETS.map((dataset) => Number(world.git(`${copy}/${dataset}`, 'rev-list', '--count', 'HEAD')));
    const before = heads();
    expect(save(copy, ...args)).toMatchObject({ code: 0 });
    return heads().map((count, at) => count - (before[at] ?? 0));
  }

  test('are saved in the dataset that holds them, and no further', () => {
    expect(commitsBy('sub/inner/new')).toEqual([0, 0, 1]);
    expect(commitsBy('sub/inner')).toEqual([0, 0, 1]);
    expect(commitsBy('sub')).toEqual([0, 1, 0]);
    expect(commitsBy('sub', 'sub/inner/new')).toEqual([0, 1, 1]);
    expect(commitsBy('.', 'sub/inner/')).toEqual([1, 1, 1]);
    expect(commitsBy('-r', 'sub')).toEqual([0, 1, 1]);
  });

  test('are saved up to a dataset that is named', () => {
    expect(commitsBy('-d', '.', 'sub/inner/new')).toEqual([1, 1, 1]);
    expect(commitsBy('-d', '^', '-r', 'sub')).toEqual([1, 1, 1]);
    // Without a final slash it is what the dataset above records of it, and that has not changed.
    expect(commitsBy('-d', '.', 'sub')).toEqual([0, 0, 0]);
    expect(commitsBy('-d', '.', 'sub/')).toEqual([1, 1, 0]);
  });

  test('with -r, every dataset is told of', () => {
    const copy = world.path('told');
    world.sh(world.dir, 'cp -a nested told && rm told/sub/new told/sub/inner/new');
    expect(save(copy, '-r').told).toEqual([
      `add ok ${copy}/new`,
      `save ok ${copy}`,
      `save notneeded ${copy}/sub/inner`,
      `save notneeded ${copy}/sub`,
    ]);
  });

  test('in several datasets are saved in all, or in none that is in the middle of a merge', () => {
    const copy = world.path('merging');
    world.sh(
      world.dir,
      'cp -a nested merging && cd merging && git reset -q --hard && rm -rf sub/inner/new && cp -a sub/inner zoo',
    );
    const heads = () => ['.', 'sub', 'zoo'].map((dataset) => world.git(`${copy}/${dataset}`, 'rev-parse', 'HEAD'));
    world.write(`${copy}/zoo/new`, 'new');
    world.sh(`${copy}/zoo`, 'git rev-parse HEAD > "$(git rev-parse --git-dir)/MERGE_HEAD"');
    const before = heads();
    expect(save(copy, 'sub/new', 'zoo/new')).toMatchObject({ code: 1 });
    expect(heads()).toEqual(before);
    world.sh(`${copy}/zoo`, 'rm "$(git rev-parse --git-dir)/MERGE_HEAD"');
    expect(save(copy, 'sub/new', 'zoo/new')).toMatchObject({ code: 0 });
    expect(heads().map((head, at) => head === before[at])).toEqual([true, false, false]);
  });

  test('that were removed with Git are known, and those that never were are not', () => {
    const copy = world.path('removed');
    world.sh(world.dir, 'cp -a nested removed && cd removed/sub && git add new && git commit -qm new && git rm -q new');
    expect(save(copy, 'sub/new').told).toEqual([`delete ok ${copy}/sub/new`, `save ok ${copy}/sub`]);
    expect(save(copy, 'sub/new')).toMatchObject({ code: 1 });
  });
});

describeWith(['git-annex'], 'what was staged before', () => {
  beforeAll(() => {
    world.reprise(world.dir, ['create', 'annexed']);
    const dataset = world.path('annexed');
    world.write(`${dataset}/data`, 'data\n');
    world.write(`${dataset}/other`, 'other\n');
    world.reprise(dataset, ['save', '-m', 'data']);
  });

  /** A copy, after some shell lines and a save. */
  function saved(name: string, lines: string, ...args: string[]) {
    const dataset = world.path(name);
    world.ok(['cp', '-aT', world.path('annexed'), dataset]);
    world.sh(dataset, `git annex init -q 2>/dev/null; ${lines}`);
    const out = save(dataset, ...args);
    expect(out).toMatchObject({ code: 0 });
    const modes = world.git(dataset, 'ls-tree', '-r', '--format=%(objectmode) %(path)', 'HEAD').split('\n');
    return {
      told: out.told.map((line) => line.replace(dataset, '')),
      modes: modes.filter((line) => !line.includes(' .')),
      status: world.git(dataset, 'status', '--porcelain'),
      read: (path: string) => readFileSync(`${dataset}/${path}`, 'utf8'),
    };
  }

  test('an unlocked file is locked again; unchanged, it is nothing to save', () => {
    const same = saved('same', 'git annex unlock -q data');
    expect(same).toMatchObject({ told: ['save notneeded '], modes: ['120000 data', '120000 other'], status: '' });
    const changed = saved('changed', 'git annex unlock -q data; echo more >> data; git add data');
    expect(changed).toMatchObject({ told: ['add ok /data', 'save ok '], modes: ['120000 data', '120000 other'] });
    expect(changed.read('data')).toBe('data\nmore\n');
  });

  test('but not with --to-git, nor where the last commit has it unlocked', () => {
    const modes = ['100644 data', '120000 other'];
    expect(saved('to-git', 'git annex unlock -q data', '--to-git')).toMatchObject({ modes, status: '' });
    expect(saved('committed', 'git annex unlock -q data; git commit -qm unlocked')).toMatchObject({
      modes,
      status: '',
    });
  });

  test('the pointer of a file whose content is not here, or a copy of one, does not become content', () => {
    const { modes, status } = saved(
      'pointer',
      'git annex unlock -q data; git annex drop -q --force data; cp data copy',
    );
    expect({ modes, status }).toEqual({ modes: ['100644 copy', '100644 data', '120000 other'], status: '' });
    const line = 'git annex unlock -q data; git show :data > copy; git annex lock -q data';
    const there = saved('filled', line);
    expect(there).toMatchObject({ modes: ['100644 copy', '120000 data', '120000 other'], status: '' });
    expect(there.read('copy')).toBe('data\n');
  });

  test('a file that is ignored from now on is taken out, and stays on the disk', () => {
    const out = saved('ignored', 'git rm -q --cached data; echo data > .gitignore');
    expect(out).toMatchObject({ modes: ['120000 other'], status: '' });
    expect(out.read('data')).toBe('data\n');
    expect(saved('updated', 'git rm -q --cached data', '-u')).toMatchObject({
      modes: ['120000 other'],
      status: '?? data',
    });
  });

  test('an annexed file that Git has moved to another depth can be read there', () => {
    const out = saved('moved', 'mkdir -p a/b; git mv data a/b/data');
    expect(out).toMatchObject({ modes: ['120000 a/b/data', '120000 other'], status: '' });
    expect(out.read('a/b/data')).toBe('data\n');
  });
});
