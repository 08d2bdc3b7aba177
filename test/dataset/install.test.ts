import { existsSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { get } from '../../src/dataset/get.ts';
import { contextIn } from '../interop/twins.ts';
import { describeWith } from '../support/oracles.ts';
import { createWorld, type World } from '../support/world.ts';

describeWith(['git-annex'], 'installing subdatasets', () => {
  let world: World;
  let commit: string;
  beforeAll(() => {
    world = createWorld();
    mkdirSync(`${world.dir}/src/sub`, { recursive: true });
    world.sh(
      `${world.dir}/src/sub`,
      'git init -q . && git annex init -q && echo one > file && git annex add -q . && git commit -qm one',
    );
    commit = world.git(`${world.dir}/src/sub`, 'rev-parse', 'HEAD');
  });
  afterAll(() => world.remove());

  /** A dataset whose `.gitmodules` and index say what an attacker, or somebody with moved data, makes them say. */
  function superdataset(name: string, modules: string, path = 'sub', sha = commit): string {
    const place = `${world.dir}/${name}`;
    mkdirSync(place);
    writeFileSync(`${place}/.gitmodules`, modules);
    world.sh(
      place,
      `git init -q . && git add .gitmodules && git update-index --add --cacheinfo 160000,${sha},'${path}' && git commit -qm super`,
    );
    return place;
  }
  const section = (url: string, more = '') => `[submodule "sub"]\n\tpath = sub\n\turl = ${url}\n${more}`;

  test.each([
    ['a missing source', (dir: string) => section(`${dir}/nowhere`), commitless],
    ['a URL that runs a command', (dir: string) => section(`"ext::sh -c touch% ${dir}/pwned"`), commitless],
    ['a URL that is an option', (dir: string) => section(`"--upload-pack=touch ${dir}/pwned"`), commitless],
    [
      'a commit that the source does not have',
      (dir: string) => section(`${dir}/src/sub`),
      '1234567890123456789012345678901234567890',
    ],
  ] as const)('%s leaves an empty mount point as it was, and no other trace', async (title, modules, sha) => {
    const place = superdataset(title.replaceAll(' ', '-'), modules(world.dir), 'sub', sha ?? commit);
    for (const exists of [false, true]) {
      if (exists) mkdirSync(`${place}/sub`);
      const { exitCode, results } = await get({ paths: ['sub'] }, contextIn(world, place));
      expect([exitCode, results[0]?.status, results[0]?.action]).toEqual([1, 'error', 'install']);
      expect(existsSync(`${place}/sub`)).toBe(exists);
      if (exists) expect(readdirSync(`${place}/sub`)).toEqual([]);
    }
    expect(existsSync(`${world.dir}/pwned`)).toBe(false);
    expect(world.git(place, 'config', '--local', '--list')).not.toContain('submodule');
  });

  test('a mount point reached through a symbolic link, and one outside, are refused', async () => {
    const place = superdataset(
      'linked',
      `[submodule "x"]\n\tpath = deep/sub\n\turl = ${world.dir}/src/sub\n`,
      'deep/sub',
    );
    mkdirSync(`${world.dir}/elsewhere`);
    symlinkSync(`${world.dir}/elsewhere`, `${place}/deep`);
    const { exitCode, results } = await get({ paths: ['deep/sub'] }, contextIn(world, place));
    expect(exitCode).toBe(1);
    expect(results[0]?.message).toMatch(/symbolic link/);
    expect(readdirSync(`${world.dir}/elsewhere`)).toEqual([]);
    const outside = superdataset('outside', `[submodule "x"]\n\tpath = ../stolen\n\turl = ${world.dir}/src/sub\n`);
    expect((await get({ paths: ['.'], recursive: true }, contextIn(world, outside))).exitCode).toBe(0);
    expect(existsSync(`${world.dir}/stolen`)).toBe(false);
  });

  test('files in the mount point are never removed', async () => {
    const place = superdataset('occupied', section(`${world.dir}/nowhere`));
    mkdirSync(`${place}/sub`);
    writeFileSync(`${place}/sub/mine`, 'mine');
    await get({ paths: ['sub/other'] }, contextIn(world, place));
    await get({ paths: ['.'], recursive: true }, contextIn(world, place));
    expect(readdirSync(`${place}/sub`)).toEqual(['mine']);
  });

  test('several at once: one installs it, and none takes it away from the others', async () => {
    const place = superdataset('raced', section(`${world.dir}/src/sub`));
    const outcomes = await Promise.all(
      [1, 2, 3].map(() => get({ paths: ['sub/file'], noData: true }, contextIn(world, place))),
    );
    expect(outcomes.map(({ exitCode }) => exitCode)).toEqual([0, 0, 0]);
    expect(world.git(`${place}/sub`, 'rev-parse', 'HEAD')).toBe(commit);
    expect((await get({ paths: ['sub/file'] }, contextIn(world, place))).exitCode).toBe(0);
    expect(readdirSync(`${place}/.git/reprise/clones`)).toEqual([]);
  });

  test('a template of the dataset is tried first, and handed down', async () => {
    const place = superdataset('templated', section(`${world.dir}/nowhere`, '\tdatalad-id = the-id\n'));
    world.git(place, 'config', 'datalad.get.subdataset-source-candidate-100here', `${world.dir}/{id}`);
    symlinkSync(`${world.dir}/src/sub`, `${world.dir}/the-id`);
    const { results } = await get({ paths: ['sub/file'] }, contextIn(world, place));
    expect(results.map((result) => `${result.action} ${result.status}`)).toEqual(['install ok', 'get ok']);
    expect(world.git(`${place}/sub`, 'config', '--local', 'datalad.get.subdataset-source-candidate-100here')).toBe(
      `${world.dir}/{id}`,
    );
    expect(world.git(place, 'config', '--local', 'submodule.sub.url')).toBe(`${world.dir}/the-id`);
    expect(world.git(place, 'status', '--porcelain')).toBe('');
  });

  test('a RIA store, and a dataset that tells git-annex to stay away', async () => {
    const id = 'abcdef12-3456-7890-abcd-ef1234567890';
    const store = `${world.dir}/store/${id.slice(0, 3)}/${id.slice(3)}`;
    world.sh(
      world.dir,
      `cp -r src/sub plain && cd plain && git rm -q file && touch .noannex && git add .noannex && git commit -qm noannex && mkdir -p '${store}' && git clone -q --bare . '${store}'`,
    );
    const sha = world.git(store, 'rev-parse', 'HEAD');
    const place = superdataset(
      'ria',
      section('./nowhere', `\tdatalad-url = "ria+file://${world.dir}/store#${id}"\n`),
      'sub',
      sha,
    );
    const { exitCode } = await get({ paths: ['sub'], noData: true }, contextIn(world, place));
    expect(exitCode).toBe(0);
    expect(world.git(`${place}/sub`, 'rev-parse', 'HEAD')).toBe(sha);
    expect(existsSync(`${place}/sub/.git/annex`)).toBe(false);
  });
});

/** The commit that the source has. */
const commitless = null;
