/** A stored image in an engine: recognised by content, loaded when it is not there, refused when it is not what it says. */
import { spawnSync } from 'node:child_process';
import { readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { dockerArchive, type EngineImage, engineTag } from '../../src/containers/engine/archive.ts';
import { connect } from '../../src/containers/engine/connect.ts';
import { ensureImage, findImage } from '../../src/containers/engine/image.ts';
import { engineImage } from '../../src/containers/engine/parts.ts';
import { identifyImage } from '../../src/containers/identity.ts';
import { testImage } from '../support/engines.ts';
import { describeWith } from '../support/oracles.ts';
import { ownImage } from '../support/own-image.ts';
import { createWorld, type World } from '../support/world.ts';
import { envOf, type Way } from './engine-world.ts';

let world: World;

beforeAll(() => {
  world = createWorld();
});
afterAll(() => world.remove());

/** What is stored at a path, taken apart without looking into its layers. */
async function stored(path: string): Promise<EngineImage> {
  return engineImage(path, await identifyImage(path, { verify: false }));
}

test('a script is no image that an engine loads', async () => {
  const path = world.path('image.sif');
  writeFileSync(path, '#!/bin/sh\n');
  await expect(stored(path)).rejects.toMatchObject({ code: 'image-unusable' });
});

test('what an engine is sent is a tar file that tar reads, with the layers in it', async () => {
  const image = await stored(testImage('busybox').oci);
  const pieces: Buffer[] = [];
  for await (const piece of dockerArchive(image)) pieces.push(piece);
  const listed = spawnSync('tar', ['-tf', '-'], { input: Buffer.concat(pieces), encoding: 'utf8' });
  expect(listed.stderr).toBe('');
  const hex = image.configDigest.slice(7);
  expect(listed.stdout.trim().split('\n')).toEqual([
    'manifest.json',
    `${hex}.json`,
    ...image.layers.map(({ diffId }) => `${diffId.slice(7)}.tar`),
  ]);
  const config = spawnSync('tar', ['-xOf', '-', `${hex}.json`], { input: Buffer.concat(pieces) });
  expect(config.stdout.equals(readFileSync(image.config.path))).toBe(true);
});

for (const way of ['docker', 'podman', 'podman-command'] as const satisfies readonly Way[]) {
  describeWith([way === 'docker' ? 'docker' : 'podman'], `a stored image, by ${way}`, () => {
    const env = () => envOf(way);
    const engine = () => connect(way === 'docker' ? 'docker' : 'podman', env());
    const cli = (...args: string[]) => {
      const socketless = { ...(env() as Record<string, string>) };
      delete socketless['CONTAINER_HOST'];
      const done = spawnSync(way === 'docker' ? 'docker' : 'podman', args, { env: socketless, encoding: 'utf8' });
      return { code: done.status, out: done.stdout.trim(), err: done.stderr };
    };
    const own = new Set<string>();
    const made = (mark: string) => {
      const image = ownImage(world.path(`own-${way}-${mark}`), `${way}-${mark}`);
      own.add(image.configDigest);
      return image;
    };
    afterAll(() => {
      for (const digest of own) cli('rmi', '--force', digest);
    });

    test('is loaded once, keeps no tag of its maker, and is then recognised without any tag', async () => {
      const { archive, configDigest } = made('load');
      const image = await stored(archive);
      const at = await engine();
      expect(await findImage(at, image, env())).toBe(null);
      const progress: number[] = [];
      const first = await ensureImage(at, image, {
        env: env(),
        progress: (sent, total) => progress.push(sent / total),
      });
      expect(first).toEqual({ id: configDigest, loaded: true });
      expect(progress.at(-1)).toBe(1);
      expect(cli('image', 'inspect', 'somebody/else:1').code).not.toBe(0);
      cli('tag', configDigest, 'reprise-test/kept:1');
      expect(cli('rmi', engineTag(configDigest)).code).toBe(0);
      expect(await ensureImage(at, image, { env: env() })).toEqual({ id: configDigest, loaded: false });
      cli('rmi', 'reprise-test/kept:1');
    });

    test('is the same image whether its layers are compressed, annexed, or as they are', async () => {
      const busybox = testImage('busybox');
      expect((await ensureImage(await engine(), await stored(busybox.oci), { env: env() })).id).toBe(
        busybox.configDigest,
      );
      const { archive, configDigest } = made('compressed');
      const plain = await stored(archive);
      const objects = world.path(`objects-${way}`, 'x').slice(0, -'/x'.length);
      const layers = plain.layers.map(({ diffId, part }, at) => {
        world.sh(objects, `gzip -c '${part.path}' >${at}.gz`);
        rmSync(part.path);
        symlinkSync(join(objects, `${at}.gz`), part.path);
        return { diffId, part: { ...part, size: statSync(part.path).size } };
      });
      const image = { ...plain, layers };
      expect(await ensureImage(await engine(), image, { env: env() })).toEqual({ id: configDigest, loaded: true });
      const read = cli('run', '--rm', '--network=none', configDigest, 'cat', '/mark', '/etc/layer');
      expect(read.out).toBe(`${way}-compressed\nof the second layer`);
    });

    test('is not confused with another image under its tag', async () => {
      const [ours, other] = [made('ours'), made('other')];
      const at = await engine();
      await ensureImage(at, await stored(other.archive), { env: env() });
      cli('tag', other.configDigest, engineTag(ours.configDigest));
      const found = await ensureImage(at, await stored(ours.archive), { env: env() });
      expect(found).toEqual({ id: ours.configDigest, loaded: true });
    });

    test('whose layer has been changed is refused by the engine', async () => {
      const { archive } = made('changed');
      const image = await stored(archive);
      const path = image.layers.at(-1)?.part.path as string;
      const bytes = readFileSync(path);
      bytes.write('CHANGED', bytes.indexOf(`${way}-changed`));
      writeFileSync(path, bytes);
      await expect(ensureImage(await engine(), image, { env: env() })).rejects.toMatchObject({ code: 'image-invalid' });
      expect(await findImage(await engine(), image, env())).toBe(null);
    });

    test('whose configuration was changed since it was identified is a mismatch that names both digests', async () => {
      const { archive, configDigest } = made('config');
      const image = await stored(archive);
      writeFileSync(image.config.path, readFileSync(image.config.path, 'utf8').replace('/bin/sh', '/bin/cp'));
      const actual = world.ok(['sha256sum', image.config.path]).slice(0, 64);
      const attempt = ensureImage(await engine(), image, { env: env() });
      await expect(attempt).rejects.toMatchObject({
        code: 'image-mismatch',
        data: { expected: configDigest, actual: `sha256:${actual}` },
      });
    });
  });
}
