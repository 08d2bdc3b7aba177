import { mkdirSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { humanSize } from '../../src/dataset/annex-facts.ts';
import { status } from '../../src/dataset/status-verb.ts';
import { contextIn } from '../interop/twins.ts';
import { describeWith } from '../support/oracles.ts';
import { createWorld, type World } from '../support/world.ts';

describeWith(['git-annex'], 'status', () => {
  let world: World;
  let place: string;
  beforeAll(() => {
    world = createWorld();
    place = `${world.dir}/ds`;
    mkdirSync(place);
    world.sh(
      place,
      'git init -q . && git annex init -q && printf 12345 > here && printf 123 > gone && git annex add -q . && git commit -qm data',
    );
    world.sh(place, 'git annex drop -q --force gone && echo new > new');
  });
  afterAll(() => world.remove());

  test('the summary counts states, and annexed bytes that are here', async () => {
    const { summary } = await status({ annex: 'all' }, contextIn(world, place));
    expect(summary).toEqual({
      states: { clean: 2, untracked: 1 },
      annex: { files: 2, bytes: 8, presentFiles: 1, presentBytes: 5 },
    });
    expect((await status({ annex: 'basic' }, contextIn(world, place))).summary.annex).toEqual({
      files: 2,
      bytes: 8,
      presentFiles: null,
      presentBytes: null,
    });
  });

  test('of an annexed file that a plain one has replaced, the annex still tells what it was', async () => {
    const copy = world.path('replaced');
    world.sh(world.dir, `cp -a '${place}' replaced && cd replaced && rm here && echo plain > here`);
    const { results } = await status({ annex: 'basic', clean: false, paths: ['here'] }, contextIn(world, copy));
    expect(results).toMatchObject([{ state: 'modified', bytesize: 5, key: expect.stringContaining('-s5--') }]);
  });

  test('without clean content only changes are reported', async () => {
    const { results } = await status({ clean: false }, contextIn(world, place));
    expect(results.map((result) => result.path)).toEqual([`${place}/new`]);
    expect((await status({ clean: false, paths: ['here'] }, contextIn(world, place))).results).toEqual([]);
  });

  test('sizes are written as git-annex writes them', () => {
    const sizes = [
      0, 1, 9, 999, 1000, 1004, 1005, 1999, 9994, 9995, 9999, 12_345, 99_499, 99_999, 123_456, 999_499, 999_500,
      999_999, 1_000_000, 1_234_567, 98_765_432, 987_654_321_012, 5e15,
    ];
    const links = sizes.map((size) => `SHA256-s${size}--${'a'.repeat(64)}`);
    for (const [index, key] of links.entries())
      world.sh(place, `ln -s .git/annex/objects/xx/yy/${key}/${key} k${index}`);
    world.git(place, 'add', '.');
    const out = world.ok(['git-annex', 'find', '--anything', '--include=k*', '--format=${file}=${humansize}\\n'], {
      cwd: place,
    });
    const expected = new Map(out.split('\n').map((line) => line.split('=') as [string, string]));
    expect(sizes.map((size) => humanSize(size))).toEqual(sizes.map((_, index) => expected.get(`k${index}`)));
  });
});
