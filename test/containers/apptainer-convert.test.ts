/** SIF files from the forms in which Docker's images are stored. */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type LayeredImage, sifOf, type StoredBlob } from '../../src/containers/apptainer/convert.ts';
import { type Apptainer, findApptainer } from '../../src/containers/apptainer/presence.ts';
import { RepriseError } from '../../src/core/errors.ts';
import { partName } from '../../src/sys/files.ts';
import { engineEnv, testImage } from '../support/engines.ts';
import { describeWith } from '../support/oracles.ts';
import { createWorld, type World } from '../support/world.ts';

function blob(path: string): StoredBlob {
  const digest = createHash('sha256').update(readFileSync(path)).digest('hex');
  return { path, digest: `sha256:${digest}`, size: statSync(path).size };
}

/** An unpacked `docker save`. */
function ofArchive(folder: string): LayeredImage {
  const [entry] = JSON.parse(readFileSync(join(folder, 'manifest.json'), 'utf8')) as [
    { Config: string; Layers: string[] },
  ];
  return { config: blob(join(folder, entry.Config)), layers: entry.Layers.map((name) => blob(join(folder, name))) };
}

function ofLayout(folder: string): LayeredImage {
  type Descriptor = { readonly digest: string };
  const stored = ({ digest }: Descriptor) => join(folder, 'blobs', digest.replace(':', '/'));
  const read = (path: string) => JSON.parse(readFileSync(path, 'utf8')) as Record<string, unknown>;
  const [manifest] = read(join(folder, 'index.json'))['manifests'] as [Descriptor];
  const { config, layers } = read(stored(manifest)) as { config: Descriptor; layers: Descriptor[] };
  return { config: blob(stored(config)), layers: layers.map((layer) => blob(stored(layer))) };
}

describeWith(['apptainer'], 'A SIF file', () => {
  let world: World;
  let host: Apptainer;
  let env: NodeJS.ProcessEnv;

  beforeAll(async () => {
    world = createWorld();
    env = { ...world.env, ...engineEnv('apptainer') };
    const { found, reason } = await findApptainer(['apptainer'], env);
    if (!found) throw new Error(reason);
    host = found;
  });
  afterAll(() => world.remove());

  const files = (sif: string) =>
    world.ok(['apptainer', '-s', 'exec', '-C', sif, 'sh', '-c', 'ls -lR /bin /etc | md5sum; echo $PATH'], {
      env: env as Record<string, string>,
    });

  test('is made of a docker-archive folder and of an OCI layout alike', async () => {
    const { archive, oci, configDigest } = testImage('busybox');
    const { file: fromArchive } = await sifOf(ofArchive(archive), host, world.path('a', 'cache'), env);
    const { file: fromLayout } = await sifOf(ofLayout(oci), host, world.path('b', 'cache'), env);
    expect(fromArchive).toBe(world.path('a', 'cache', `${configDigest.slice('sha256:'.length)}.sif`));
    expect(files(fromArchive)).toBe(files(fromLayout));
    expect(files(fromArchive)).toContain('/bin');
  });

  test('is made once, however many ask at the same time, and then found', async () => {
    const cache = world.path('many', 'cache');
    const image = ofArchive(testImage('busybox').archive);
    const asked = await Promise.all([1, 2, 3].map(() => sifOf(image, host, cache, env)));
    expect(asked.filter(({ made }) => made)).toHaveLength(1);
    expect(new Set(asked.map(({ file }) => file)).size).toBe(1);
    const [{ file } = { file: '' }] = asked;
    expect(readdirSync(cache)).toEqual([file.slice(cache.length + 1)]);
    expect(statSync(cache).mode & 0o777).toBe(0o700);
    const { mtimeMs, ino } = statSync(file);
    expect(await sifOf(image, host, cache, { PATH: '/nonexistent' })).toEqual({ file, made: false });
    expect(statSync(file)).toMatchObject({ mtimeMs, ino });
  });

  test('is not made of a damaged image, which leaves nothing behind', async () => {
    const cache = world.path('damaged', 'cache');
    const layer = world.path('damaged', 'layer.tar');
    writeFileSync(layer, 'no tar at all');
    const image = { ...ofArchive(testImage('busybox').archive), layers: [blob(layer)] };
    const error = await sifOf(image, host, cache, env).catch((cause: unknown) => cause);
    expect(error).toBeInstanceOf(RepriseError);
    expect(error).toMatchObject({ code: 'image-unusable' });
    expect((error as RepriseError).message).toMatch(
      /^apptainer could not make a SIF file of the image sha256:\w+: (?!FATAL)\S/,
    );
    expect(readdirSync(cache)).toEqual([]);
  });

  test('in the making by a process that was killed is cleared away', async () => {
    const cache = world.path('killed', 'cache');
    const gone = world.ok(['/bin/sh', '-c', 'echo $$']);
    const left = partName(join(cache, 'x.sif')).replace(`.${process.pid}.`, `.${gone}.`);
    mkdirSync(join(left, 'tmp'), { recursive: true });
    await sifOf(ofArchive(testImage('busybox').archive), host, cache, env);
    expect(existsSync(left)).toBe(false);
  });
});
