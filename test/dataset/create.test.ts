import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { RepriseError } from '../../src/core/errors.ts';
import { create } from '../../src/dataset/create.ts';
import { contextIn } from '../interop/twins.ts';
import { describeWith } from '../support/oracles.ts';
import { createWorld, type World } from '../support/world.ts';

/** A folder of programs without git-annex. */
function pathWithoutAnnex(world: World): string {
  const bin = `${world.dir}/bin`;
  mkdirSync(bin, { recursive: true });
  for (const program of ['git', 'sh'])
    symlinkSync(execFileSync('which', [program]).toString().trim(), `${bin}/${program}`);
  return bin;
}

function snapshot(folder: string): string {
  return execFileSync('sh', ['-c', 'find . -printf "%p %y %m\\n" | sort; find . -type f -exec md5sum {} + | sort'], {
    cwd: folder,
  }).toString();
}

describeWith(['git-annex'], 'create', () => {
  let world: World;
  beforeAll(() => {
    world = createWorld();
  });
  afterAll(() => world.remove());

  async function failure(promise: Promise<unknown>): Promise<RepriseError> {
    return promise.then(
      () => expect.unreachable('it did not fail'),
      (error: RepriseError) => error,
    );
  }

  test('without git-annex names the way on, and makes nothing', async () => {
    const context = contextIn(world, world.dir, { env: { ...world.env, PATH: pathWithoutAnnex(world) } });
    const error = await failure(create({ words: ['new/deep place'] }, context));
    expect(error.code).toBe('annex-missing');
    expect(error.hints[0]).toBe(`reprise create --no-annex '${world.dir}/new/deep place'`);
    expect(existsSync(`${world.dir}/new`)).toBe(false);
    expect((await create({ words: ['git-only'], noAnnex: true }, context)).exitCode).toBe(0);
  });

  test.each(['new', 'full'])('a failure half-way leaves nothing behind (%s folder)', async (kind) => {
    const parent = `${world.dir}/half-${kind}`;
    mkdirSync(parent);
    if (kind === 'full') {
      mkdirSync(`${parent}/place/.datalad`, { recursive: true });
      writeFileSync(`${parent}/place/data`, 'mine');
      writeFileSync(`${parent}/place/.gitattributes`, '* text');
      writeFileSync(`${parent}/place/README.md`, 'my own');
    }
    const before = snapshot(parent);
    // Git refuses to commit: the last step of the creation fails.
    const env = {
      ...world.env,
      HOME: `${world.dir}/nowhere`,
      GIT_CONFIG_GLOBAL: '/dev/null',
      GIT_AUTHOR_NAME: '',
      GIT_COMMITTER_NAME: '',
      GIT_CONFIG_COUNT: '1',
      GIT_CONFIG_KEY_0: 'user.useConfigOnly',
      GIT_CONFIG_VALUE_0: 'true',
    };
    const error = await failure(
      create(
        { words: ['place/of/mine'].map((path) => (kind === 'full' ? 'place' : path)), force: true },
        contextIn(world, parent, { env }),
      ),
    );
    expect(['identity-missing', 'git-failed', 'save-failed', 'annex-failed']).toContain(error.code);
    expect(snapshot(parent)).toBe(before);
  });

  test('yoda does not write over a file that is not saved', async () => {
    const place = `${world.dir}/yoda`;
    mkdirSync(place);
    writeFileSync(`${place}/README.md`, 'my own');
    const before = snapshot(place);
    const error = await failure(
      create({ words: ['yoda'], force: true, procedures: ['yoda'] }, contextIn(world, world.dir)),
    );
    expect(error.code).toBe('dataset-dirty');
    expect(snapshot(place)).toBe(before);
  });

  test('a superdataset is untouched when its new subdataset fails', async () => {
    await create({ words: ['super'] }, contextIn(world, world.dir));
    const place = `${world.dir}/super`;
    writeFileSync(
      `${place}/.git/hooks/reference-transaction`,
      '#!/bin/sh\n[ "$1" != prepared ] || ! grep -q refs/heads/main\n',
    );
    chmodSync(`${place}/.git/hooks/reference-transaction`, 0o755);
    const before = world.sh(place, 'git status --porcelain; git rev-parse HEAD; ls -A; cat .git/config');
    await failure(create({ words: ['sub'], dataset: '.' }, contextIn(world, place)));
    expect(world.sh(place, 'git status --porcelain; git rev-parse HEAD; ls -A; cat .git/config')).toBe(before);
  });

  test('the superdataset may be the topmost one, and its commit may have a message', async () => {
    const context = (cwd: string) => contextIn(world, `${world.dir}/${cwd}`);
    await create({ words: ['outer'] }, context('.'));
    await create({ words: ['inner'], dataset: '^' }, context('outer'));
    const { results } = await create({ words: ['leaf'], dataset: '^', message: 'Add "leaf"' }, context('outer/inner'));
    expect(results.map((result) => `${result.action} ${result.path.replace(world.dir, '')}`)).toEqual([
      'add /outer/inner/leaf',
      'add /outer/inner/.gitmodules',
      'save /outer/inner',
      'add /outer/inner',
      'add /outer/.gitmodules',
      'save /outer',
      'create /outer/inner/leaf',
    ]);
    for (const folder of ['outer', 'outer/inner']) {
      expect(world.git(`${world.dir}/${folder}`, 'log', '-1', '--format=%B')).toBe('Add "leaf"\n');
      expect(world.git(`${world.dir}/${folder}`, 'status', '--porcelain')).toBe('');
    }
  });

  test('names with spaces, tabs, quotes and braces work; a leading hyphen, which Git would pass over, is refused', async () => {
    await create({ words: ['odd'] }, contextIn(world, world.dir));
    for (const name of [`it's "q" {x}`, 'a\ttab', 'sp ace/ü']) {
      const { exitCode } = await create(
        { words: [name], dataset: '.', procedures: ['text2git'] },
        contextIn(world, `${world.dir}/odd`),
      );
      expect([name, exitCode]).toEqual([name, 0]);
    }
    expect(world.git(`${world.dir}/odd`, 'status', '--porcelain')).toBe('');
    expect(world.git(`${world.dir}/odd`, 'submodule', 'status').split('\n')).toHaveLength(3);
    const hyphen = await create({ words: ['./-n'], dataset: '.' }, contextIn(world, `${world.dir}/odd`));
    expect([hyphen.exitCode, existsSync(`${world.dir}/odd/-n`)]).toEqual([1, false]);
  });

  test('options of git init, -c settings and a description get where they belong', async () => {
    const context = contextIn(world, world.dir, {
      overrides: [
        ['datalad.repo.backend', 'SHA256E'],
        ['my.setting', 'a b'],
      ],
    });
    await create({ words: ['tuned', '--initial-branch=trunk'], description: 'copy on the "shelf"' }, context);
    const place = `${world.dir}/tuned`;
    expect(readFileSync(`${place}/.git/HEAD`, 'utf8')).toBe('ref: refs/heads/trunk\n');
    expect(readFileSync(`${place}/.gitattributes`, 'utf8')).toBe(
      '* annex.backend=SHA256E\n**/.git* annex.largefiles=nothing\n',
    );
    expect(world.git(place, 'config', '--local', 'my.setting')).toBe('a b');
    expect(world.git(place, 'cat-file', '-p', 'git-annex:uuid.log')).toContain('copy on the "shelf"');
  });

  test.each([
    [{ words: ['x', '--bare'] }, 'usage'],
    [{ words: ['x'], noAnnex: true, description: 'd' }, 'usage'],
    [{ words: ['x'], procedures: ['no-such'] }, 'usage'],
    [{ words: ['x'], dataset: 'nowhere' }, 'no-dataset'],
  ] as const)('refuses %j', async (options, code) => {
    expect((await failure(create(options, contextIn(world, world.dir)))).code).toBe(code);
    expect(readdirSync(world.dir)).not.toContain('x');
  });

  test('a file in the way, and the inside of a .git folder', async () => {
    writeFileSync(`${world.dir}/file`, 'mine');
    await create({ words: ['normal'] }, contextIn(world, world.dir));
    for (const path of ['file', 'normal/.git/inside']) {
      const { exitCode, results } = await create({ words: [path], force: true }, contextIn(world, world.dir));
      expect([path, exitCode, results[0]?.status]).toEqual([path, 1, 'error']);
    }
    expect(readFileSync(`${world.dir}/file`, 'utf8')).toBe('mine');
  });
});
