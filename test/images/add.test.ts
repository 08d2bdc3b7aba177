import { spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Event } from '../../src/core/result.ts';
import { create } from '../../src/dataset/create.ts';
import { readConfig } from '../../src/dataset/read-config.ts';
import { save } from '../../src/dataset/save.ts';
import { containersAdd } from '../../src/images/add.ts';
import { readContainers } from '../../src/images/config.ts';
import { containersRemove } from '../../src/images/remove.ts';
import { describeWith } from '../support/oracles.ts';
import { canMount, smallDisk } from '../support/tmpfs.ts';
import { cliPath, createWorld, type World } from '../support/world.ts';
import { contextIn, newDataset, repoIn, stateOf } from './support.ts';

let world: World;
beforeAll(() => {
  world = createWorld();
});
afterAll(() => world.remove());

const fails = (code: string) => expect.objectContaining({ code });
const script = (name: string, text: string): string => {
  const path = world.path('images', name);
  world.write(path, `#!/bin/sh\n${text}\n`);
  chmodSync(path, 0o755);
  return path;
};
const containersOf = async (root: string) => readContainers(root, await readConfig(repoIn(world, root)));

describe('adding', () => {
  let root: string;
  let events: Event[];
  const add = (name: string, options: Partial<Parameters<typeof containersAdd>[0]> = {}) => {
    events = [];
    return containersAdd({ name, ...options }, contextIn(world, root, events));
  };
  beforeAll(async () => {
    root = await newDataset(world, 'adding');
  });

  test('image and configuration are one commit, and other changes stay as they are', async () => {
    world.write(join(root, 'mine'), 'unsaved');
    const { results } = await add('first', {
      url: script('first', 'echo 1'),
      callFormat: '{img} {cmd}',
      extraInputs: ['mine'],
    });
    expect(results.map(({ action, status }) => `${action} ${status}`)).toEqual([
      'add ok',
      'add ok',
      'save ok',
      'containers_add ok',
    ]);
    expect(world.git(root, 'show', '--format=%s', '--name-only')).toBe(
      "[DATALAD] Configure containerized environment 'first'\n\n.datalad/config\n.datalad/environments/first/image",
    );
    expect(world.git(root, 'status', '--porcelain')).toBe('?? mine');
    world.ok(['rm', join(root, 'mine')]);
  });

  test('a script stays a program, and needs no call format', async () => {
    const { results } = await add('program', { url: script('program', 'echo "$@"') });
    expect(world.ok([results.at(-1)?.path as string, 'a', 'b'])).toBe('a b');
    expect((await containersOf(root)).at(-1)).not.toHaveProperty('cmdexec');
  });

  test('what is there already is used as it is, and never written over', async () => {
    world.write(join(root, 'tools/own.sh'), '#!/bin/sh\n');
    await add('own', { image: 'tools/own.sh', url: script('other', 'echo other') });
    expect(events).toContainEqual(expect.objectContaining({ kind: 'warning' }));
    expect(readFileSync(join(root, 'tools/own.sh'), 'utf8')).toBe('#!/bin/sh\n');
    expect(world.git(root, 'status', '--porcelain')).toBe('');
    expect((await containersOf(root)).at(-1)).toMatchObject({ name: 'own', image: 'tools/own.sh' });
  });

  test('an update is one commit, keeps call format and extra inputs, and the old image stays in the annex', async () => {
    const before = world.ok(['readlink', '-f', join(root, '.datalad/environments/first/image')]);
    await add('first', { update: true, url: script('first-2', 'echo 2') });
    expect(world.git(root, 'log', '-1', '--format=%s')).toBe("[DATALAD] Update containerized environment 'first'");
    expect(world.git(root, 'diff-tree', '--no-commit-id', '-r', '--name-status', 'HEAD')).toBe(
      'M\t.datalad/environments/first/image',
    );
    expect(readFileSync(before, 'utf8')).toContain('echo 1');
    expect((await containersOf(root))[0]).toMatchObject({ cmdexec: '{img} {cmd}', extraInputs: ['mine'] });
  });

  test('an update to the same image commits nothing', async () => {
    const before = stateOf(world, root);
    const { results } = await add('first', { update: true, url: script('first-2', 'echo 2') });
    expect(results.map(({ action, status }) => `${action} ${status}`)).toEqual(['save notneeded', 'containers_add ok']);
    expect(stateOf(world, root)).toEqual(before);
  });

  test('--update of extra inputs alone replaces them', async () => {
    await add('first', { update: true, extraInputs: ['{img_dirpath}/a', 'b'] });
    expect((await containersOf(root))[0]).toMatchObject({ extraInputs: ['{img_dirpath}/a', 'b'] });
  });

  test('a call format that cannot work is told, and configured all the same', async () => {
    await add('odd', { url: script('odd', 'true'), callFormat: 'x {youdontknowme}' });
    expect(events).toContainEqual(
      expect.objectContaining({ kind: 'warning', text: expect.stringContaining("placeholder: 'youdontknowme'") }),
    );
    expect((await containersOf(root)).at(-1)).toMatchObject({ cmdexec: 'x {youdontknowme}' });
  });

  describe('what cannot be done leaves everything as it was:', () => {
    const refusals: readonly (readonly [string, string, () => Partial<Parameters<typeof containersAdd>[0]>])[] = [
      ['a name that is none', 'usage', () => ({ name: 'a_b', url: 'x' })],
      ['a name that is taken', 'container-exists', () => ({ name: 'first', url: 'x' })],
      ['an update of nothing', 'usage', () => ({ name: 'first', update: true })],
      ['no image', 'image-missing', () => ({})],
      [
        'an unknown placeholder in an extra input',
        'placeholder-unknown',
        () => ({ url: script('s', ''), extraInputs: ['{x}'] }),
      ],
      ['an image outside', 'path-outside', () => ({ url: script('s', ''), image: '../x' })],
      [
        'an image in Git’s own folder',
        'path-outside',
        () => ({ url: script('s', ''), image: '.git/hooks/pre-commit' }),
      ],
      ['Singularity Hub', 'image-unavailable', () => ({ url: 'shub://a/b' })],
      ['a URL that leads nowhere', 'image-unavailable', () => ({ url: 'bogus-protocol://bogus-server' })],
      [
        'a URL on this machine, which git-annex does not allow',
        'image-unavailable',
        () => ({ url: 'http://127.0.0.1:9/x.sif' }),
      ],
      [
        'an update from a URL that leads nowhere',
        'image-unavailable',
        () => ({ name: 'first', update: true, url: 'bogus://x' }),
      ],
      ['a folder that is no image', 'image-unusable', () => ({ url: join(world.dir, 'images') })],
      [
        'a damaged SIF',
        'image-invalid',
        () => {
          const path = world.path('images/damaged.sif');
          world.write(path, `${'\0'.repeat(32)}SIF_MAGIC\u000001\0`.padEnd(400, '\0'));
          return { url: path };
        },
      ],
      [
        'an archive that is cut short',
        'image-invalid',
        () => {
          const path = world.path('images/cut.tar');
          world.sh(
            world.dir,
            `mkdir -p cut; echo '[]' > cut/manifest.json; tar -C cut -cf whole.tar manifest.json; head -c 600 whole.tar > ${path}`,
          );
          return { url: path };
        },
      ],
    ];
    test.each(refusals)('%s', async (_, code, options) => {
      const before = stateOf(world, root);
      await expect(add('new', options())).rejects.toThrow(fails(code));
      expect(stateOf(world, root)).toEqual(before);
      expect(existsSync(join(root, '.datalad/environments/new'))).toBe(false);
    });

    test('a commit that cannot be made', async () => {
      const before = stateOf(world, root);
      const image = readFileSync(join(root, '.datalad/environments/first/image'));
      const nobody = {
        ...world.env,
        HOME: world.path('nobody'),
        GIT_CONFIG_COUNT: '1',
        GIT_CONFIG_KEY_0: 'user.useConfigOnly',
        GIT_CONFIG_VALUE_0: 'true',
      };
      const context = { ...contextIn(world, root), env: nobody };
      const url = script('third', 'echo 3');
      await expect(containersAdd({ name: 'first', update: true, url }, context)).rejects.toThrow(
        fails('identity-missing'),
      );
      await expect(containersAdd({ name: 'new', url }, context)).rejects.toThrow(fails('identity-missing'));
      await expect(containersRemove({ name: 'first', removeImage: true }, context)).rejects.toThrow(
        fails('identity-missing'),
      );
      expect(stateOf(world, root)).toEqual(before);
      // Found out only when the image has been put in its place.
      world.sh(root, 'mv .datalad/config elsewhere; ln -s ../elsewhere .datalad/config');
      const linked = stateOf(world, root);
      await expect(add('first', { update: true, url })).rejects.toThrow(fails('path-outside'));
      await expect(add('new', { url })).rejects.toThrow(fails('path-outside'));
      expect(stateOf(world, root)).toEqual(linked);
      world.sh(root, 'mv elsewhere .datalad/config');
      expect(stateOf(world, root)).toEqual(before);
      expect(readFileSync(join(root, '.datalad/environments/first/image'))).toEqual(image);
    });

    test('an update of an image with unsaved changes, and its removal', async () => {
      world.ok(['git', 'annex', 'unlock', '-q', '.datalad/environments/program/image'], { cwd: root });
      writeFileSync(join(root, '.datalad/environments/program/image'), 'changed');
      await expect(add('program', { update: true, url: script('s', '') })).rejects.toThrow(fails('dataset-dirty'));
      await expect(containersRemove({ name: 'program', removeImage: true }, contextIn(world, root))).rejects.toThrow(
        fails('dataset-dirty'),
      );
      expect(readFileSync(join(root, '.datalad/environments/program/image'), 'utf8')).toBe('changed');
      world.git(root, 'checkout', '-f', 'HEAD', '--', '.datalad/environments/program/image');
    });

    test('an image behind a link that leads out', async () => {
      const outside = world.path('outside/keep');
      world.write(outside, 'theirs');
      symlinkSync(join(world.dir, 'outside'), join(root, 'way'));
      await save({ paths: ['way'] }, contextIn(world, root));
      await expect(add('new', { image: 'way/in', url: script('s', '') })).rejects.toThrow(fails('path-outside'));
      world.git(root, 'config', 'datalad.containers.trap.image', '../outside/keep');
      world.git(root, 'config', '-f', '.datalad/config', 'datalad.containers.trap.cmdexec', 'x');
      await expect(containersRemove({ name: 'trap', removeImage: true }, contextIn(world, root))).rejects.toThrow(
        fails('path-outside'),
      );
      expect(readFileSync(outside, 'utf8')).toBe('theirs');
      world.git(root, 'config', '--remove-section', 'datalad.containers.trap');
      world.git(root, 'checkout', '.datalad/config');
    });
  });

  test('an image in a subdataset is added there; here it can be configured only', async () => {
    await create({ dataset: root, words: [join(root, 'sub')] }, contextIn(world, root));
    await expect(add('deep', { image: 'sub/x.sh', url: script('s', '') })).rejects.toThrow(fails('path-outside'));
    world.write(join(root, 'sub/x.sh'), '#!/bin/sh\n');
    await save({ recursive: true }, contextIn(world, root));
    await add('deep', { image: 'sub/x.sh' });
    expect(world.git(root, 'status', '--porcelain')).toBe('');
    expect((await containersOf(root)).at(-1)).toMatchObject({ name: 'deep', image: 'sub/x.sh' });
  });

  test('several at once are all there in the end', async () => {
    const names = ['p1', 'p2', 'p3', 'p4'];
    const codes = await Promise.all(
      names.map(async (name) => (await ended(start(root, ['containers-add', name, '-u', script(name, name)]))).code),
    );
    expect(codes).toEqual([0, 0, 0, 0]);
    expect((await containersOf(root)).map(({ name }) => name)).toEqual(expect.arrayContaining(names));
    expect(world.git(root, 'status', '--porcelain')).toBe('');
  });
});

function start(cwd: string, args: readonly string[]) {
  return spawn(process.execPath, [cliPath, ...args], {
    cwd,
    env: { ...world.env, PWD: cwd },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

function ended(child: ReturnType<typeof start>): Promise<{ readonly code: number | null; readonly stderr: string }> {
  let stderr = '';
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  child.stdout.resume();
  return new Promise((resolve) => child.on('close', (code) => resolve({ code, stderr })));
}

describeWith(['git-annex'], 'an addition that is ended', () => {
  /** A docker save that takes a while to be unpacked: 300 MB of zeros, compressed to 300 kB. */
  const slowArchive = (): string => {
    const path = world.path('images/slow.tar.gz');
    if (!existsSync(path)) {
      world.sh(
        world.dir,
        `mkdir -p slow; printf '[{"Config":"c.json","Layers":["l.tar"]}]' > slow/manifest.json; truncate -s 300M slow/l.tar; tar -C slow -c manifest.json l.tar | gzip -1 > ${path}; rm slow/l.tar`,
      );
    }
    return path;
  };

  const startedUnpacking = async (root: string): Promise<void> => {
    const making = join(root, '.git/reprise/images');
    for (;;) {
      const [part] = existsSync(making) ? readdirSync(making) : [];
      if (part && existsSync(join(making, part, 'tree/.datalad/environments/slow/image/l.tar'))) return;
      await sleep(5);
    }
  };

  test('by Ctrl-C leaves nothing behind', async () => {
    const root = await newDataset(world, 'interrupted');
    const before = stateOf(world, root);
    const child = start(root, ['containers-add', 'slow', '-u', slowArchive()]);
    const end = ended(child);
    await startedUnpacking(root);
    child.kill('SIGINT');
    expect(await end).toEqual({ code: 130, stderr: expect.stringContaining('(interrupted)') });
    expect(stateOf(world, root)).toEqual(before);
  });

  test('by SIGKILL changes nothing, and the next one clears it away', async () => {
    const root = await newDataset(world, 'killed');
    const before = stateOf(world, root);
    const child = start(root, ['containers-add', 'slow', '-u', slowArchive()]);
    const end = ended(child);
    await startedUnpacking(root);
    child.kill('SIGKILL');
    await end;
    expect(stateOf(world, root)).toMatchObject({ ...before, making: [expect.any(String)] });
    await containersAdd({ name: 'quick', url: script('quick', '') }, contextIn(world, root));
    expect(stateOf(world, root)).toMatchObject({ unsaved: '', making: [] });
  });

  test.skipIf(process.getuid?.() !== 0 || !canMount(join(process.env['TMPDIR'] ?? '/tmp', 'reprise-mount-test')))(
    'by a full disk says so and leaves nothing behind',
    async () => {
      const disk = smallDisk(world.path('disk'), '8m');
      try {
        const root = join(disk.dir, 'ds');
        mkdirSync(root);
        await create({ words: [root] }, contextIn(world, world.dir));
        const before = stateOf(world, root);
        const { code, stderr } = await ended(start(root, ['containers-add', 'slow', '-u', slowArchive()]));
        expect(code).toBe(1);
        expect(stderr).toContain('(disk-full)');
        expect(stateOf(world, root)).toEqual(before);
      } finally {
        disk.unmount();
      }
    },
  );
});
