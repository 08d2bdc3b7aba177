import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { get } from '../../src/dataset/get.ts';
import { unlock } from '../../src/dataset/unlock.ts';
import { contextIn } from '../interop/twins.ts';
import { describeWith } from '../support/oracles.ts';
import { createWorld, type World } from '../support/world.ts';

describeWith(['git-annex'], 'unlock', () => {
  let world: World;
  let place: string;
  beforeAll(async () => {
    world = createWorld();
    place = `${world.dir}/ds`;
    mkdirSync(`${world.dir}/source/sub`, { recursive: true });
    for (const folder of ['source/sub', 'source']) {
      world.sh(
        `${world.dir}/${folder}`,
        'git init -q . && git annex init -q && echo data > data && git annex add -q data && git commit -qm data',
      );
    }
    world.sh(`${world.dir}/source`, 'git submodule --quiet add ./sub sub && git commit -qm sub');
    world.sh(world.dir, 'git clone -q source ds && git -C ds annex init -q');
    await get({ paths: ['.'], recursive: true }, contextIn(world, place));
  });
  afterAll(() => world.remove());

  test('goes into subdatasets only when asked, and what it unlocks can be written', async () => {
    const flat = await unlock({ paths: ['.'] }, contextIn(world, place));
    expect(flat.results.map((result) => result.path)).toEqual([`${place}/data`]);
    writeFileSync(`${place}/data`, 'changed\n');
    const deep = await unlock({ recursive: true }, contextIn(world, place));
    expect(deep.results.map((result) => result.path)).toEqual([`${place}/sub/data`]);
    expect(readFileSync(`${place}/sub/data`, 'utf8')).toBe('data\n');
    expect(world.git(`${world.dir}/source`, 'annex', 'fsck', '-q')).toBe('');
  });

  test('a file of a subdataset is unlocked there; a vanished one is reported', async () => {
    world.git(`${place}/sub`, 'annex', 'lock', '-q', 'data');
    const { exitCode, results } = await unlock({ paths: ['sub/data', 'gone'] }, contextIn(world, place));
    expect(exitCode).toBe(1);
    expect(results.map((result) => `${result.path.slice(place.length + 1)} ${result.status}`)).toEqual([
      'gone impossible',
      'sub/data ok',
    ]);
  });

  test('an unlocked file that was deleted is neither unlocked nor an error', async () => {
    rmSync(`${place}/data`);
    expect((await unlock({ paths: ['.'] }, contextIn(world, place))).exitCode).toBe(0);
  });
});
