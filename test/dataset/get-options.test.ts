import { existsSync, lstatSync, readlinkSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { get } from '../../src/dataset/get.ts';
import { contextIn } from '../interop/twins.ts';
import { describeWith } from '../support/oracles.ts';
import { createWorld, type World } from '../support/world.ts';

describeWith(['git-annex'], 'options of get', () => {
  let world: World;
  let origin: string;
  beforeAll(() => {
    world = createWorld();
    origin = world.path('origin');
    for (const args of [
      ['create', origin],
      ['create', '-d', origin, `${origin}/sub`],
    ])
      expect(world.reprise(world.dir, args).code).toBe(0);
    world.write(`${origin}/sub/data.bin`, 'data\n');
    expect(world.reprise(origin, ['save', '-r', '-m', 'data']).code).toBe(0);
  });
  afterAll(() => world.remove());

  const cloned = (name: string): string => {
    const path = world.path(name);
    world.ok(['git', 'clone', '-q', origin, path]);
    return path;
  };

  test('an installed subdataset is described and configured as asked', () => {
    const clone = cloned('described');
    const ended = world.reprise(clone, ['get', '-n', '-D', 'the copy of the test', '-c', 'text2git', 'sub']);
    expect(ended.code, ended.stderr).toBe(0);
    expect(world.ok(['git', 'annex', 'info', '--fast', 'here'], { cwd: `${clone}/sub` })).toContain(
      'the copy of the test',
    );
    expect(world.git(`${clone}/sub`, 'show', 'HEAD:.gitattributes')).toContain('mimeencoding=binary');
  });

  test('a procedure that does not exist is refused before anything is cloned', () => {
    const clone = cloned('refused');
    const ended = world.reprise(clone, ['get', '-n', '-c', 'nonsense', 'sub']);
    expect(ended.code).toBe(2);
    expect(ended.stderr).toContain('nonsense');
    expect(existsSync(`${clone}/sub/.git`)).toBe(false);
  });

  test('a reckless mode that does not exist is refused before anything is cloned', async () => {
    const clone = cloned('reckless');
    const refused = get({ paths: ['sub'], reckless: 'shared-../x' }, contextIn(world, clone));
    await expect(refused).rejects.toMatchObject({ code: 'usage', message: expect.stringContaining('shared-../x') });
    world.git(clone, 'config', 'datalad.clone.reckless', 'nonsense');
    await expect(get({ paths: ['sub'] }, contextIn(world, clone))).rejects.toMatchObject({ code: 'config-invalid' });
    expect(existsSync(`${clone}/sub/.git`)).toBe(false);
  });

  test('how the superdataset was cloned counts for its subdatasets, but not what its author committed', () => {
    const clone = cloned('inherited');
    world.ok(['git', 'config', '-f', '.datalad/config', 'datalad.clone.reckless', 'ephemeral'], { cwd: clone });
    expect(world.reprise(clone, ['get', '-n', 'sub']).code).toBe(0);
    expect(lstatSync(`${clone}/sub/.git/annex`).isDirectory()).toBe(true);
    const local = cloned('inherited-local');
    world.git(local, 'config', 'datalad.clone.reckless', 'ephemeral');
    expect(world.reprise(local, ['get', '-n', 'sub']).code).toBe(0);
    expect(readlinkSync(`${local}/sub/.git/annex`)).toBe(`${origin}/sub/.git/annex`);
  });

  test('an ephemeral clone of a place that is not local keeps its own annex, and says so', () => {
    const clone = cloned('elsewhere');
    world.git(clone, 'config', '-f', '.gitmodules', 'submodule.sub.datalad-url', 'https://data.example.org/sub');
    const rewritten = `url.${origin}/sub.insteadOf=https://data.example.org/sub`;
    const ended = world.reprise(clone, ['-c', rewritten, 'get', '-n', '--reckless', 'ephemeral', 'sub']);
    expect(ended.code, ended.stderr).toBe(0);
    expect(ended.stderr).toContain('https://data.example.org/sub is not a local repository with an annex');
    expect(lstatSync(`${clone}/sub/.git/annex`).isDirectory()).toBe(true);
    expect(world.git(`${clone}/sub`, 'config', 'annex.private')).toBe('true');
  });

  test('--data decides which content comes: none, what is wanted here, or all', () => {
    const clone = cloned('chosen');
    const file = `${clone}/sub/data.bin`;
    expect(world.reprise(clone, ['get', '--data', 'nothing', 'sub/data.bin']).code).toBe(0);
    expect(existsSync(`${clone}/sub/.git`)).toBe(true);
    expect(existsSync(file)).toBe(false);
    world.ok(['git', 'annex', 'wanted', 'here', 'exclude=*'], { cwd: `${clone}/sub` });
    world.reprise(clone, ['get', '--data', 'auto', 'sub/data.bin']);
    world.reprise(clone, ['get', 'sub/data.bin']);
    expect(existsSync(file)).toBe(false);
    expect(world.reprise(clone, ['get', '--data', 'anything', 'sub/data.bin']).code).toBe(0);
    expect(existsSync(file)).toBe(true);
  });
});
