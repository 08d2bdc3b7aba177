/** Images that are damaged, incomplete, or made to mislead. */
import { createHash } from 'node:crypto';
import { closeSync, ftruncateSync, openSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fc } from '../support/random.ts';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { RepriseError } from '../../src/core/errors.ts';
import { identifyImage } from '../../src/containers/identity.ts';
import { createWorld, type World } from '../support/world.ts';
import {
  blob,
  classicArchive,
  edit,
  type Files,
  modernArchive,
  ociLayout,
  parts,
  sha256,
  store,
} from './identity-images.ts';

let world: World;
let folders = 0;
const put = (files: Files) => store(world.path(`image-${(folders += 1)}`), files);
const failure = (path: string, options = {}): Promise<RepriseError> =>
  identifyImage(path, options).then(
    () => {
      throw new Error('was accepted');
    },
    (thrown: RepriseError) => thrown,
  );

beforeAll(() => {
  world = createWorld();
});
afterAll(() => world.remove());

const image = parts();
const [bottom] = image.layers as [Buffer];
const manifestOf = (files: Files) =>
  JSON.parse((files['index.json'] as Buffer).toString()).manifests[0].digest as string;

describe('content that is not what it is named', () => {
  const changed = Buffer.from(bottom);
  changed[5] = 0;

  test('a changed layer is found, and both digests are named', async () => {
    const files = classicArchive(image);
    const name = JSON.parse((files['manifest.json'] as Buffer).toString())[0].Layers[0] as string;
    const error = await failure(put({ ...files, [name]: changed }));
    expect(error.code).toBe('image-invalid');
    expect(error.data).toMatchObject({ expected: `sha256:${sha256(bottom)}`, actual: `sha256:${sha256(changed)}` });
    expect(error.message).toContain(sha256(bottom));
    expect(error.message).toContain(sha256(changed));
  });

  test('a changed configuration is found without verifying layers', async () => {
    const other = parts({ author: 'somebody else' });
    for (const files of [classicArchive(image), modernArchive(image), ociLayout([image])]) {
      const name = Object.keys(files).find((key) => files[key] === image.config) as string;
      const error = await failure(put({ ...files, [name]: other.config }), { verify: false });
      expect(error).toMatchObject({ code: 'image-invalid', data: { actual: `sha256:${sha256(other.config)}` } });
    }
  });

  test('a changed manifest, a changed compressed layer and a cut layer of an OCI layout are found', async () => {
    const files = ociLayout([image]);
    const manifest = blob(manifestOf(files));
    const layer = blob(JSON.parse((files[manifest] as Buffer).toString()).layers[0].digest);
    const flip = (bytes: Buffer) => Buffer.from(bytes.map((byte, at) => (at === bytes.length - 5 ? byte ^ 1 : byte)));
    expect(
      (await failure(put({ ...files, [manifest]: flip(files[manifest] as Buffer) }), { verify: false })).code,
    ).toBe('image-invalid');
    expect((await failure(put({ ...files, [layer]: flip(files[layer] as Buffer) }))).code).toBe('image-invalid');
    const cut = (files[layer] as Buffer).subarray(0, -1);
    expect((await failure(put({ ...files, [layer]: cut }), { verify: false })).message).toMatch(
      /bytes, but should have/,
    );
  });

  test('a layer that unpacks to something else than the configuration says is found', async () => {
    const swapped = { config: image.config, layers: image.layers.toReversed() };
    expect(await failure(put(ociLayout([swapped])))).toMatchObject({ code: 'image-invalid' });
  });

  test('a missing part and a cut tar file are named', async () => {
    const files = classicArchive(image);
    for (const name of Object.keys(files).filter((key) => key !== 'manifest.json')) {
      const { [name]: _, ...rest } = files;
      expect(await failure(put(rest))).toMatchObject({ code: 'image-invalid', message: expect.stringContaining(name) });
    }
    const folder = put(files);
    world.sh(folder, 'tar -cf ../cut.tar *; truncate -s 20000 ../cut.tar');
    expect((await failure(world.path('cut.tar'), { verify: false })).message).toMatch(/ends before byte/);
  });

  test('more layers than any engine takes are refused before they are looked at', async () => {
    const many = parts({ rootfs: { diff_ids: Array.from({ length: 1001 }, () => `sha256:${sha256(bottom)}`) } });
    expect((await failure(put(classicArchive(many)))).message).toMatch(/1001 layers/);
  });

  test('manifest.json and index.json that mean different images are refused', async () => {
    const other = modernArchive(parts({ author: 'somebody else' }));
    const files = { ...other, ...modernArchive(image), 'index.json': other['index.json'] as Buffer };
    expect((await failure(put(files))).message).toMatch(/which index.json does not/);
  });

  test('a tar file with two members of one name is refused', async () => {
    const folder = put(classicArchive(image));
    world.sh(folder, 'tar -cf ../twice.tar *; tar -rf ../twice.tar manifest.json');
    expect((await failure(world.path('twice.tar'))).message).toMatch(/manifest\.json twice/);
  });
});

describe('names and links that lead elsewhere', () => {
  test.each(['../secret', '/etc/passwd', 'a/../../secret', 'a//b', './config.json', ''])(
    '%j is refused',
    async (name) => {
      world.write(world.path('secret'), image.config);
      for (const key of ['Config', 'Layers']) {
        const files = edit(classicArchive(image), 'manifest.json', ([entry]: [object]) => [
          { ...entry, [key]: key === 'Config' ? name : [name, name] },
        ]);
        const folder = put(files);
        world.sh(folder, 'tar -cf ../names.tar *');
        for (const path of [folder, world.path('names.tar')]) {
          expect(await failure(path)).toMatchObject({
            code: 'image-invalid',
            message: expect.stringContaining('outside'),
          });
        }
      }
    },
  );

  test('a member that is a link out of the folder is refused, unless the caller allows it', async () => {
    const { 'manifest.json': manifest, ...files } = classicArchive(image);
    const outside = world.path('outside.json');
    world.write(outside, manifest as Buffer);
    const folder = put(files);
    symlinkSync(outside, join(folder, 'manifest.json'));
    expect((await failure(folder)).message).toContain('leads out of it');
    expect((await identifyImage(folder, { isAllowed: (path) => path === outside })).config).toBeDefined();
    world.sh(folder, 'tar -cf ../out.tar *');
    expect((await failure(world.path('out.tar'))).code).toBe('image-invalid');
  });

  test('a folder, a FIFO and a device in place of a file are refused', async () => {
    const files = classicArchive(image);
    const folder = put(files);
    for (const line of ['mkdir manifest.json', 'mkfifo manifest.json', 'ln -s /dev/zero manifest.json']) {
      world.sh(folder, `rm -rf manifest.json; ${line}`);
      expect((await failure(folder)).code).toBe('image-invalid');
    }
    world.sh(world.dir, 'mkfifo fifo; ln -s loop loop');
    expect((await failure(world.path('fifo'))).code).toBe('image-invalid');
    expect((await failure('/dev/zero')).code).toBe('image-invalid');
    expect((await failure(world.path('loop'))).code).toBe('content-unavailable');
    expect((await failure(world.path('nothing'))).code).toBe('image-missing');
  });
});

describe('sizes', () => {
  test('JSON beyond the limit is not read', async () => {
    const folder = put(classicArchive(image));
    const fd = openSync(join(folder, 'manifest.json'), 'w');
    ftruncateSync(fd, 2 ** 40);
    closeSync(fd);
    expect((await failure(folder)).message).toMatch(/at most 8388608 are read/);
  });

  test('deeply nested JSON, and JSON of any shape, is an invalid image', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(fc.json(), fc.constant('['.repeat(1_000_000)), fc.constant('[{"Config":'.repeat(100_000))),
        fc.constantFrom('manifest.json', 'config', 'index.json', 'oci-manifest'),
        async (text, where) => {
          const files = where === 'manifest.json' || where === 'config' ? classicArchive(image) : ociLayout([image]);
          const name =
            where === 'config'
              ? `${sha256(image.config)}.json`
              : where === 'oci-manifest'
                ? blob(manifestOf(files))
                : where;
          const path = put({ ...files, [name]: Buffer.from(text) });
          const outcome = await identifyImage(path).catch((thrown: unknown) => thrown);
          if (outcome instanceof Error) expect(outcome).toMatchObject({ code: 'image-invalid' });
          else expect(outcome).toMatchObject({ format: 'other' });
        },
      ),
      { numRuns: 60 },
    );
  });
});

describe('any damage', () => {
  test('to a tar file or SIF is either without effect on the image or an invalid image', async () => {
    const folder = put(classicArchive(image));
    world.sh(folder, 'tar -cf ../whole.tar *');
    const originals = { tar: readFileSync(world.path('whole.tar')), sif: smallSif() };
    const before = {
      tar: await identifyImage(world.path('whole.tar')),
      sif: await identifyAt(originals.sif),
    };
    expect(before.sif.partitions).toHaveLength(1);
    const damage = fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { minLength: 1, maxLength: 6 });
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom('tar' as const, 'sif' as const),
        damage,
        fc.option(fc.nat()),
        async (kind, bytes, cut) => {
          const original = originals[kind];
          const copy = Buffer.from(original);
          // Headers are where it is interesting.
          for (const [at, byte] of bytes) copy[at % (kind === 'sif' ? 128 + 2 * 585 : copy.length)] = byte;
          const outcome = await identifyAt(cut === null ? copy : copy.subarray(0, cut % copy.length)).catch(
            (thrown: unknown) => thrown,
          );
          if (outcome instanceof Error) {
            expect(outcome).toBeInstanceOf(RepriseError);
            expect(outcome).toMatchObject({ code: 'image-invalid' });
          } else {
            const { config, format } = outcome as typeof before.tar;
            if (format === 'docker-archive') expect(config).toBe(before.tar.config);
          }
        },
      ),
      { numRuns: 400 },
    );
  });
});

async function identifyAt(bytes: Buffer) {
  const path = world.path('damaged');
  writeFileSync(path, bytes);
  return identifyImage(path);
}

/** A SIF with one partition, written by the format's description rather than by our reader. */
function smallSif(): Buffer {
  const header = Buffer.alloc(128);
  header.write('#!/usr/bin/env run-singularity\n');
  header.write('SIF_MAGIC\0', 32, 'latin1');
  header.write('01\0', 42, 'latin1');
  header.write('02\0', 45, 'latin1');
  createHash('md5').update('name').digest().copy(header, 48);
  for (const [at, value] of [47, 48, 128, 585, 713 + 47 * 585, 1000].entries())
    header.writeBigInt64LE(BigInt(value), 80 + at * 8);
  const table = Buffer.alloc(48 * 585);
  table.writeInt32LE(0x4004, 0);
  table[4] = 1;
  table.writeUInt32LE(1, 5);
  table.writeBigInt64LE(BigInt(128 + table.length), 17);
  table.writeBigInt64LE(1000n, 25);
  table.writeInt32LE(1, 201);
  table.writeInt32LE(2, 205);
  table.write('02\0', 209, 'latin1');
  return Buffer.concat([header, table, Buffer.alloc(1000, 'x')]);
}
