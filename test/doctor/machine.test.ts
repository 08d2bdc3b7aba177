/** What this machine has and lacks, as `doctor` tells it. */
import { cpSync, existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { hearsSettings, isSupportedNode } from '../../src/doctor/machine.ts';
import { describeWith } from '../support/oracles.ts';
import { createWorld, projectRoot, type World } from '../support/world.ts';
import { newDataset } from '../images/support.ts';
import { ask, askProgram, pathWith, writeProgram } from './support.ts';

let world: World;
beforeAll(() => {
  world = createWorld();
});
afterAll(() => world.remove());

describe('outside a dataset', () => {
  test('programs and runners are told, and nothing of a dataset', async () => {
    const { code, all, of } = await ask(world, world.dir);
    expect(code).toBe(0);
    const names = all.map(({ name }) => name);
    expect(names).toEqual([
      'node',
      'git',
      'identity',
      'git-annex',
      'time',
      'xz',
      'docker',
      'podman',
      'apptainer',
      'singularity',
    ]);
    expect(of('node')).toMatchObject({ status: 'ok', version: process.versions.node, path: process.execPath });
    expect(of('git')).toMatchObject({ status: 'ok', version: world.ok(['git', 'version']).split(' ')[2] });
    expect(of('identity')).toMatchObject({ status: 'ok', message: 'Ada Example <ada@example.org>' });
    expect(of('xz')).toMatchObject({ status: 'ok' });
    const hasTime = existsSync('/usr/bin/time');
    expect(of('time').status).toBe(hasTime ? 'ok' : 'impossible');
  });

  test('a dataset that was named and is not there is an error', async () => {
    await expect(ask(world, world.dir, {}, { dataset: 'none' })).rejects.toMatchObject({ code: 'no-dataset' });
  });
});

describe('where nothing is', () => {
  test('each thing says so and what would help, and only Git is indispensable', async () => {
    const { code, of, all } = await ask(world, world.dir, { PATH: world.path('nowhere') });
    expect(code).toBe(1);
    expect(of('git')).toMatchObject({ status: 'error', error_code: 'git-missing', hints: ['apt-get install git'] });
    expect(of('identity')).toMatchObject({ status: 'error', error_code: 'git-missing' });
    expect(of('git-annex')).toMatchObject({ status: 'impossible', error_code: 'annex-missing' });
    expect(of('git-annex').message).toMatch(/; datasets without an annex work all the same$/);
    const runners = all.filter(({ kind }) => kind === 'runner');
    expect(runners.map(({ status, error_code }) => `${status} ${String(error_code)}`)).toEqual(
      Array.from({ length: 4 }, () => 'impossible runner-missing'),
    );
  });

  test('the program tells it in lines, and exits 1', () => {
    const done = world.reprise(world.dir, ['doctor'], { env: { PATH: world.path('nowhere') } });
    expect(done.code).toBe(1);
    expect(done.stdout).toMatch(/^ok {4}node {8}Node \d/);
    expect(done.stdout).toContain(
      `ERROR git         Git is not installed, or is not on the PATH\n${' '.repeat(18)}hint: apt-get install git\n`,
    );
    expect(done.stdout).toContain('no    podman      Podman is not installed here\n');
    expect(done.stdout).toMatch(/\nno runner of containers works; to be mended: git, identity\n$/);
  });

  test('a Git that does not know who commits', async () => {
    const env = { GIT_CONFIG_GLOBAL: '/dev/null', GIT_CONFIG_COUNT: '1', ...setting('user.useConfigOnly', 'true') };
    const { code, of } = await ask(world, world.dir, env);
    expect(code).toBe(1);
    expect(of('git')).toMatchObject({ status: 'ok' });
    expect(of('identity')).toMatchObject({ status: 'error', error_code: 'identity-missing' });
    const author = { GIT_AUTHOR_NAME: 'A', GIT_AUTHOR_EMAIL: 'a@example.org' };
    const committer = { GIT_COMMITTER_NAME: 'C', GIT_COMMITTER_EMAIL: 'c@example.org' };
    expect((await ask(world, world.dir, { ...env, ...author })).of('identity').status).toBe('error');
    expect((await ask(world, world.dir, { ...env, ...author, ...committer })).of('identity')).toMatchObject({
      status: 'ok',
      message: 'A <a@example.org>, committed by C <c@example.org>',
    });
  });
});

function setting(key: string, value: string): Record<string, string> {
  return { GIT_CONFIG_KEY_0: key, GIT_CONFIG_VALUE_0: value };
}

describe('versions', () => {
  test('of Node are those of the package', () => {
    const { engines } = JSON.parse(readFileSync(join(projectRoot, 'package.json'), 'utf8')) as {
      readonly engines: { readonly node: string };
    };
    expect(engines.node).toBe('^20.19.0 || >=22.12.0');
    expect(['20.19.0', '20.20.2', '22.12.0', '23.0.0', '24.1.0'].map(isSupportedNode)).not.toContain(false);
    expect(['18.20.0', '20.18.9', '21.7.0', '22.11.0'].map(isSupportedNode)).not.toContain(true);
  });

  test('of Git from 2.31 on take settings from the environment', async () => {
    expect(['2.31.0', '2.39.5', '3.0'].map(hearsSettings)).not.toContain(false);
    expect(['1.8.3.1', '2.30.2'].map(hearsSettings)).not.toContain(true);
    const folder = pathWith(world, 'sh');
    const git = world.ok(['sh', '-c', 'command -v git']);
    writeProgram(folder, 'git', `if [ "$1" = version ]; then echo git version 2.30.2; else exec ${git} "$@"; fi`);
    const { code, of } = await ask(world, world.dir, { PATH: folder });
    expect(code).toBe(0);
    expect(of('git')).toMatchObject({ status: 'ok', version: '2.30.2', message: expect.stringContaining('-c') });
  });
});

describeWith(['git-annex'], 'git-annex', () => {
  test('is needed where a dataset uses it, and only there', async () => {
    const PATH = pathWith(world, 'git');
    const annexed = await newDataset(world, 'annexed');
    expect((await ask(world, annexed)).of('git-annex')).toMatchObject({
      status: 'ok',
      version: world.ok(['git-annex', 'version', '--raw']),
    });
    const without = await ask(world, annexed, { PATH });
    expect(without.code).toBe(1);
    expect(without.of('git-annex')).toMatchObject({ status: 'error', error_code: 'annex-missing' });
    const plain = world.path('plain');
    world.git(world.dir, 'init', '-q', plain);
    const { code, of } = await ask(world, plain, { PATH });
    expect(code).toBe(0);
    expect(of('git-annex').status).toBe('impossible');
  });
});

describe('an installation without the library for sidecars', () => {
  test('says so', () => {
    const copy = world.path('installed', 'reprise');
    for (const part of ['bin', 'dist/cli', 'package.json'])
      cpSync(join(projectRoot, part), join(copy, part), { recursive: true });
    const done = world.exec([process.execPath, join(copy, 'bin/reprise.js'), 'doctor']);
    expect(done.code, done.stderr).toBe(0);
    expect(done.stdout).toMatch(
      /\nno {4}xz {10}Sidecar files of records can be neither written nor read: .*lzma-native/,
    );
    expect(done.stdout).toContain('hint: npm rebuild --global lzma-native');
    expect(askProgram(world, world.dir, {}).of('xz').status).toBe('ok');
  });
});
