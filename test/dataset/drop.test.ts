import { existsSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type { Event } from '../../src/core/result.ts';
import { drop } from '../../src/dataset/drop.ts';
import { get } from '../../src/dataset/get.ts';
import { contextIn } from '../interop/twins.ts';
import { describeWith } from '../support/oracles.ts';
import { createWorld, type World } from '../support/world.ts';

describeWith(['git-annex'], 'drop', () => {
  let world: World;
  let place: string;
  let count = 0;
  beforeAll(() => {
    world = createWorld();
    mkdirSync(`${world.dir}/source/sub`, { recursive: true });
    for (const folder of ['source/sub', 'source']) {
      world.sh(
        `${world.dir}/${folder}`,
        `git init -q . && git annex init -q && echo ${folder} > data && git annex add -q data && git commit -qm data`,
      );
    }
    world.sh(`${world.dir}/source`, 'git submodule --quiet add ./sub sub && git commit -qm sub');
  });
  afterAll(() => world.remove());
  beforeEach(async () => {
    count += 1;
    place = `${world.dir}/ds${count}`;
    world.sh(world.dir, `git clone -q source ds${count} && git -C ds${count} annex init -q`);
    await get({ paths: ['.'], recursive: true }, contextIn(world, place));
  });

  test('a whole dataset goes only with its subdatasets, and deepest first', async () => {
    const above = contextIn(world, world.dir);
    expect((await drop({ dataset: place, what: 'all' }, above)).exitCode).toBe(1);
    expect(existsSync(`${place}/sub/data`)).toBe(true);
    const { exitCode, results } = await drop({ dataset: place, what: 'all', recursive: true }, above);
    expect(exitCode).toBe(0);
    expect(results.filter((result) => result.action === 'uninstall').map((result) => result.path)).toEqual([
      `${place}/sub`,
      place,
    ]);
    expect(existsSync(place)).toBe(false);
  });

  test.each([
    ['a commit nobody else has', 'git commit -q --allow-empty -m mine'],
    [
      'a branch nobody else has',
      'git branch -q mine && git checkout -q mine && git commit -q --allow-empty -m mine && git checkout -q -',
    ],
    ['a stash', 'echo x > note && git add note && git stash -q'],
    ['an untracked file', 'echo x > note'],
    ['a changed file', 'git annex unlock -q data && echo changed > data'],
    [
      'content nobody else has',
      'echo unique > unique && git annex add -q unique && git commit -qm unique && git push -q origin HEAD:refs/heads/pushed && git fetch -q',
    ],
  ])('%s keeps a subdataset from being dropped', async (_, line) => {
    world.sh(`${place}/sub`, line);
    const { exitCode } = await drop({ paths: ['sub'], what: 'all' }, contextIn(world, place));
    expect(exitCode).toBe(1);
    expect(existsSync(`${place}/sub/.git`)).toBe(true);
  });

  test('an annex that a sibling counts on is not removed, unless it is declared dead', async () => {
    world.sh(`${place}/sub`, 'git annex sync -q --no-content origin >/dev/null 2>&1; git fetch -q');
    const refused = await drop({ paths: ['sub'], what: 'datasets' }, contextIn(world, place));
    expect(refused.results[0]?.message).toMatch(/not declared 'dead' at the following siblings.*\['origin'\]$/);
    world.sh(
      `${place}/sub`,
      'git annex dead -q here && git annex sync -q --no-content origin >/dev/null 2>&1; git fetch -q',
    );
    expect((await drop({ paths: ['sub'], what: 'datasets' }, contextIn(world, place))).exitCode).toBe(0);
    expect(world.git(place, 'status', '--porcelain')).toBe('');
  });

  test('the options that --reckless replaced: one is another name, the other does nothing', async () => {
    world.sh(place, 'echo unique > unique && git annex add -q unique && git commit -qm unique');
    const warnings: string[] = [];
    const emit = (event: Event) => void (event.kind === 'warning' && warnings.push(event.text));
    const context = contextIn(world, place, { emit });
    expect((await drop({ paths: ['unique'], ifDirty: 'ignore' }, context)).exitCode).toBe(1);
    await expect(drop({ paths: ['unique'], nocheck: true, reckless: 'kill' }, context)).rejects.toMatchObject({
      code: 'usage',
    });
    expect((await drop({ paths: ['unique'], nocheck: true }, context)).exitCode).toBe(0);
    expect(existsSync(`${place}/unique`)).toBe(false);
    expect(warnings).toEqual([
      '--if-dirty is deprecated and has no effect: see --reckless',
      '--nocheck is deprecated: use --reckless availability',
    ]);
  });

  test('kill asks nothing, but has to be meant', async () => {
    writeFileSync(`${place}/sub/note`, 'x');
    const options = { paths: ['sub'], what: 'all', reckless: 'kill' } as const;
    await expect(drop(options, contextIn(world, place))).rejects.toMatchObject({ code: 'usage' });
    expect((await drop({ ...options, recursive: true }, contextIn(world, place))).exitCode).toBe(0);
    expect(existsSync(`${place}/sub/.git`)).toBe(false);
  });

  test('neither the folder one stands in nor a shared annex is emptied', async () => {
    await expect(drop({ what: 'all' }, contextIn(world, place))).rejects.toMatchObject({ code: 'drop-refused' });
    world.sh(place, 'chmod -R u+w .git/annex && rm -rf .git/annex');
    symlinkSync(`${world.dir}/source/.git/annex`, `${place}/.git/annex`);
    await expect(drop({ reckless: 'availability' }, contextIn(world, place))).rejects.toMatchObject({
      code: 'drop-refused',
    });
    expect(world.git(`${world.dir}/source`, 'annex', 'find')).toBe('data');
  });

  test('a process that is refused one file still drops the others', async () => {
    world.sh(place, 'echo unique > unique && git annex add -q unique && git commit -qm unique');
    const { exitCode, results } = await drop({ paths: ['unique', 'data'] }, contextIn(world, place));
    expect([
      exitCode,
      results.map((result) => `${result.path.slice(place.length + 1)} ${result.status}`).sort(),
    ]).toEqual([1, ['data ok', 'unique error']]);
    const stopped = await drop({ paths: ['unique', 'data'], onFailure: 'ignore' }, contextIn(world, place));
    expect(stopped.exitCode).toBe(0);
  });
});
