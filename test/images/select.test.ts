import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { create } from '../../src/dataset/create.ts';
import { repoAt, type Repo } from '../../src/dataset/repo.ts';
import { save } from '../../src/dataset/save.ts';
import { selectContainer } from '../../src/images/select.ts';
import { createWorld, type World } from '../support/world.ts';
import { contextIn, newDataset, repoIn } from './support.ts';

let world: World;
beforeAll(() => {
  world = createWorld();
});
afterAll(() => world.remove());

const unknown = (message: RegExp) =>
  expect.objectContaining({ code: 'container-unknown', message: expect.stringMatching(message) });

function configure(root: string, name: string, image = `.datalad/environments/${name}/image`): void {
  world.git(root, 'config', '-f', '.datalad/config', `datalad.containers.${name}.image`, image);
}

/** A clone in which no subdataset is installed. */
function clone(root: string, name: string): Repo {
  const path = world.path('clones', name);
  world.ok(['git', 'clone', '-q', root, path]);
  return repoIn(world, path);
}

describe('in one dataset', () => {
  let root: string;
  beforeAll(async () => {
    root = await newDataset(world, 'one');
  });
  const select = async (wanted?: string) => (await selectContainer(repoIn(world, root), wanted)).container;

  test('none', async () => {
    await expect(select()).rejects.toThrow(unknown(/^No known containers\. Use containers-add$/));
    await expect(select('x')).rejects.toThrow(unknown(/^No known containers\. Use containers-add$/));
  });

  test('the only one needs no name', async () => {
    configure(root, 'a', 'imgs/a.sif');
    expect(await select()).toMatchObject({
      name: 'a',
      image: 'imgs/a.sif',
      imagePath: join(root, 'imgs/a.sif'),
      extraInputs: [],
    });
  });

  test('of several one has to be named', async () => {
    configure(root, 'b', 'imgs/b.sif');
    await expect(select()).rejects.toThrow(
      unknown(/^Must explicitly specify container \(known containers are: a, b\)$/),
    );
    expect(await select('b')).toMatchObject({ name: 'b' });
    await expect(select('ghost')).rejects.toThrow(
      unknown(/^Container selection impossible: not specified, ambiguous or unknown \(known containers are: a, b\)$/),
    );
  });

  test('or its image, relative to the root or absolute', async () => {
    expect(await select('imgs/b.sif')).toMatchObject({ name: 'b' });
    expect(await select(join(root, 'imgs/b.sif'))).toMatchObject({ name: 'b' });
    configure(root, 'c', 'imgs/b.sif');
    await expect(select('imgs/b.sif')).rejects.toThrow(unknown(/^Container selection impossible/));
  });

  test('an image outside the dataset is no image of it', async () => {
    configure(root, 'trap', '../../etc/passwd');
    await expect(select('trap')).rejects.toThrow(expect.objectContaining({ code: 'path-outside' }));
    world.git(root, 'config', '-f', '.datalad/config', '--remove-section', 'datalad.containers.trap');
  });

  test('what this clone configures counts, and wins', async () => {
    world.git(root, 'config', 'datalad.containers.a.cmdexec', 'mine {img} {cmd}');
    world.git(root, 'config', 'datalad.containers.local.image', 'l.sif');
    expect(await select('a')).toMatchObject({ cmdexec: 'mine {img} {cmd}' });
    expect(await select('local')).toMatchObject({ image: 'l.sif' });
  });
});

describe('in subdatasets', () => {
  let top: string;
  beforeAll(async () => {
    top = await newDataset(world, 'top');
    const context = contextIn(world, top);
    for (const path of ['tools', 'tools/deep', 'other', 'x/b', 'x']) {
      if (path === 'x') continue;
      const parent = path === 'tools/deep' ? join(top, 'tools') : top;
      await create({ dataset: parent, words: [join(top, path)] }, context);
      configure(join(top, path), 'c', 'img/c.sif');
    }
    configure(top, 'own', 'tools/img/shared.sif');
    await save({ recursive: true }, context);
  });
  const isInstalled = (repo: Repo, path: string): boolean => existsSync(join(repo.root, path, '.git'));

  test('only the ones on the way are installed, and once', async () => {
    const repo = clone(top, 'by-name');
    const { container, installs } = await selectContainer(repo, 'tools/deep/c');
    expect(container).toMatchObject({ name: 'tools/deep/c', imagePath: join(repo.root, 'tools/deep/img/c.sif') });
    expect(container.owner.root).toBe(join(repo.root, 'tools/deep'));
    expect(installs.map(({ action, status, path }) => [action, status, path])).toEqual([
      ['install', 'ok', join(repo.root, 'tools')],
      ['install', 'ok', join(repo.root, 'tools/deep')],
    ]);
    expect(isInstalled(repo, 'other')).toBe(false);
    expect((await selectContainer(repo, 'tools/deep/c')).installs).toEqual([]);
  });

  test('by the path of the image', async () => {
    const repo = clone(top, 'by-path');
    const { container, installs } = await selectContainer(repo, 'tools/deep/img/c.sif');
    expect(container.name).toBe('tools/deep/c');
    expect(installs).toHaveLength(2);
    expect(isInstalled(repo, 'other')).toBe(false);
  });

  test('a subdataset whose name has a slash', async () => {
    const repo = clone(top, 'slash');
    const { container, installs } = await selectContainer(repo, 'x/b/c');
    expect(container).toMatchObject({ name: 'x/b/c', imagePath: join(repo.root, 'x/b/img/c.sif') });
    expect(installs).toHaveLength(1);
  });

  test('a name that differs from the path', async () => {
    const repo = clone(top, 'renamed');
    world.git(repo.root, 'config', '-f', '.gitmodules', '--rename-section', 'submodule.other', 'submodule.called');
    expect((await selectContainer(repo, 'called/c')).container.imagePath).toBe(join(repo.root, 'other/img/c.sif'));
  });

  test('an image in a subdataset that is configured here', async () => {
    const repo = clone(top, 'own');
    expect((await selectContainer(repo, 'own')).container.image).toBe('tools/img/shared.sif');
    expect((await selectContainer(repo, 'tools/img/shared.sif')).container.name).toBe('own');
    expect(isInstalled(repo, 'tools')).toBe(false);
  });

  test('a subdataset that cannot be had is an error that names it', async () => {
    const repo = clone(top, 'gone');
    world.git(repo.root, 'config', '-f', '.gitmodules', 'submodule.other.url', '/nowhere');
    world.git(repo.root, 'remote', 'remove', 'origin');
    await expect(selectContainer(repo, 'other/c')).rejects.toThrow(
      expect.objectContaining({ code: 'subdataset-install-failed', message: expect.stringContaining('other') }),
    );
  });

  test('unknown names', async () => {
    const repo = clone(top, 'unknown');
    await expect(selectContainer(repo, 'nothing/c')).rejects.toThrow(unknown(/known containers are: own/));
    await expect(selectContainer(repo, 'tools/nothing')).rejects.toThrow(unknown(/known containers are: own/));
  });

  test('how many siblings there are makes no difference', async () => {
    const trace = world.path('trace');
    const cost = async (siblings: number): Promise<number> => {
      const root = await newDataset(world, `many-${siblings}`);
      const context = contextIn(world, root);
      await create({ dataset: root, words: [join(root, 'tools')] }, context);
      configure(join(root, 'tools'), 'c');
      await save({ recursive: true }, context);
      const sha = world.git(root, 'rev-parse', 'HEAD:tools');
      const entries = Array.from({ length: siblings }, (_, at) => `160000 ${sha}\tsubs/s${at}`).join('\n');
      world.ok(['git', 'update-index', '--add', '--index-info'], { cwd: root, input: `${entries}\n` });
      const modules = Array.from(
        { length: siblings },
        (_, at) => `[submodule "s${at}"]\n\tpath = subs/s${at}\n\turl = ./x\n`,
      );
      world.write(join(root, '.gitmodules'), readFileSync(join(root, '.gitmodules'), 'utf8') + modules.join(''));
      world.write(trace, '');
      const repo = repoAt(root, { ...context, env: { ...world.env, GIT_TRACE2_EVENT: trace } }) as Repo;
      expect((await selectContainer(repo, 'tools/c')).container.name).toBe('tools/c');
      return readFileSync(trace, 'utf8').split('"event":"start"').length - 1;
    };
    const few = await cost(1);
    expect(few).toBeGreaterThan(2);
    expect(await cost(400)).toBe(few);
  });
});
