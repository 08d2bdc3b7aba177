/** Layouts of images as the tools write them, made from parts. */
import zlib from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { detectFormat } from '../../src/containers/formats/detect.ts';
import { identifyImage } from '../../src/containers/identity.ts';
import { matchIdentity, requireSameImage } from '../../src/containers/identity-match.ts';
import { createWorld, type World } from '../support/world.ts';
import {
  classicArchive,
  edit,
  type Files,
  modernArchive,
  nestIndex,
  ociLayout,
  parts,
  sha256,
  store,
  zstdFrame,
} from './identity-images.ts';

let world: World;
let folders = 0;
const put = (files: Files) => store(world.path(`image-${(folders += 1)}`), files);
const error = async (files: Files, options = {}) => {
  const failure: unknown = await identifyImage(put(files), options).catch((thrown: unknown) => thrown);
  return failure as { readonly code: string; readonly message: string };
};

beforeAll(() => {
  world = createWorld();
});
afterAll(() => world.remove());

const image = parts();
const configDigest = `sha256:${sha256(image.config)}`;
const diffIds = image.layers.map((layer) => `sha256:${sha256(layer)}`);

describe('one image in several layouts', () => {
  test.each<[string, Files, string]>([
    ['docker save before Docker 25', classicArchive(image), 'docker-archive'],
    ['docker save since Docker 25', modernArchive(image), 'docker-archive'],
    ['OCI layout', ociLayout([image]), 'oci'],
    ['OCI layout with an index in its index', nestIndex(ociLayout([image])), 'oci'],
  ])('%s has the same configuration and the same layers', async (_, files, format) => {
    const folder = put(files);
    for (const verify of [true, false]) {
      const identity = await identifyImage(folder, { verify });
      expect(identity).toMatchObject({
        format,
        storage: 'folder',
        config: configDigest,
        architecture: 'amd64',
        os: 'linux',
        defaults: { entrypoint: ['/bin/tool'], cmd: ['--help'], env: ['PATH=/bin'], workdir: '/data', user: '7' },
      });
      expect(identity.layers?.map((layer) => layer.diffId)).toEqual(diffIds);
    }
  });

  test.each<[string, Files]>([
    ['docker-archive', classicArchive(image)],
    ['docker-archive', modernArchive(image)],
    ['oci', ociLayout([image])],
  ])('%s as a tar file is the same as unpacked', async (format, files) => {
    const folder = put(files);
    world.sh(folder, 'tar -cf ../image.tar ./*');
    const tar = await identifyImage(world.path('image.tar'));
    const unpacked = await identifyImage(folder);
    expect(tar).toEqual({
      ...unpacked,
      storage: 'file',
      size: expect.any(Number),
      places: expect.any(Object),
      files: [world.path('image.tar')],
      digest: `sha256:${world.ok(['sha256sum', 'image.tar']).split(' ')[0]}`,
    });
    expect(tar.format).toBe(format);
  });

  test('a compressed layer has a digest as stored and one of its tar', async () => {
    const files = ociLayout([image]);
    const { layers, manifest } = await identifyImage(put(files));
    for (const layer of layers ?? []) {
      expect(layer.digest).not.toBe(layer.diffId);
      expect(files[`blobs/sha256/${layer.digest.slice(7)}`]?.length).toBe(layer.size);
    }
    expect(manifest).toBe(JSON.parse((files['index.json'] as Buffer).toString()).manifests[0].digest);
    expect((await identifyImage(put(modernArchive(image)))).manifest).toMatch(/^sha256:/);
  });

  test('layers may be compressed with Zstandard', async () => {
    const layer = Buffer.from('a layer');
    const small = { ...parts({ rootfs: { diff_ids: [`sha256:${sha256(layer)}`] } }), layers: [layer] };
    const { layers } = await identifyImage(put(ociLayout([small], zstdFrame)));
    expect(layers).toEqual([
      { digest: `sha256:${sha256(zstdFrame(layer))}`, diffId: `sha256:${sha256(layer)}`, size: 9 + layer.length },
    ]);
    // Node 20 cannot look inside.
    const other = { ...small, layers: [Buffer.from('another')] };
    const misled = await identifyImage(put(ociLayout([other], zstdFrame))).catch((thrown: unknown) => thrown);
    if ('createZstdDecompress' in zlib) expect(misled).toMatchObject({ code: 'image-invalid' });
    else expect(misled).toMatchObject({ layers: [{ digest: `sha256:${sha256(zstdFrame(Buffer.from('another')))}` }] });
  });

  test('layers that are links to each other, as docker save makes them for equal layers, are followed', async () => {
    const twice = { ...image, layers: [image.layers[0] as Buffer, image.layers[0] as Buffer] };
    const config = Buffer.from(
      JSON.stringify({ rootfs: { diff_ids: [diffIds[0], diffIds[0]] }, architecture: 'arm64', os: 'linux' }),
    );
    const folder = put({
      'c.json': config,
      'a/layer.tar': twice.layers[0] as Buffer,
      'manifest.json': Buffer.from(JSON.stringify([{ Config: 'c.json', Layers: ['a/layer.tar', 'b/layer.tar'] }])),
    });
    world.sh(folder, 'mkdir b; ln -s ../a/layer.tar b/layer.tar; tar -cf ../links.tar *');
    for (const path of [folder, world.path('links.tar')]) {
      const { layers } = await identifyImage(path);
      expect(layers?.map((layer) => layer.digest)).toEqual([diffIds[0], diffIds[0]]);
    }
  });
});

describe('several images in one place', () => {
  const arm = parts({ architecture: 'arm64' });
  const platforms = [
    { ...image, platform: { architecture: 'amd64', os: 'linux' } },
    { ...arm, platform: { architecture: 'arm64', os: 'linux' } },
  ];
  const attested = (files: Files) =>
    edit(files, 'index.json', (index: { manifests: object[] }) => ({
      ...index,
      manifests: [
        ...index.manifests,
        {
          ...index.manifests[0],
          digest: `sha256:${'0'.repeat(64)}`,
          platform: { architecture: 'unknown', os: 'unknown' },
          annotations: { 'vnd.docker.reference.type': 'attestation-manifest' },
        },
      ],
    }));

  test.each<[string, Files]>([
    ['at the top', ociLayout(platforms)],
    ['in an index of their own', nestIndex(ociLayout(platforms))],
    ['beside attestations', attested(ociLayout(platforms))],
    ['without saying their platform', ociLayout([image, arm])],
  ])('the one for the wanted architecture is meant, %s', async (_, files) => {
    const folder = put(files);
    for (const architecture of ['amd64', 'arm64'])
      expect((await identifyImage(folder, { architecture })).architecture).toBe(architecture);
    await expect(identifyImage(folder, { architecture: 's390x' })).rejects.toMatchObject({ code: 'image-invalid' });
  });

  test('of several variants, the one that asks least of the processor is meant', async () => {
    const variants = ['v8', 'v6', 'v7'].map((variant) => ({
      ...parts({ architecture: 'arm', variant }),
      platform: { architecture: 'arm', os: 'linux', variant },
    }));
    const { variant } = await identifyImage(put(ociLayout(variants)), { architecture: 'arm' });
    expect(variant).toBe('v6');
  });

  test('two images for one architecture need a tag or a configuration', async () => {
    const other = parts({ author: 'somebody else' });
    const folder = put(
      ociLayout([
        { ...image, tag: 'one' },
        { ...other, tag: 'two' },
      ]),
    );
    await expect(identifyImage(folder, { architecture: 'amd64' })).rejects.toMatchObject({ code: 'image-invalid' });
    expect((await identifyImage(folder, { select: { repoTag: 'registry/tool:two' } })).config).toBe(
      `sha256:${sha256(other.config)}`,
    );
    expect((await identifyImage(folder, { select: { config: sha256(image.config).slice(0, 12) } })).config).toBe(
      configDigest,
    );
  });

  test('a docker-archive of two images, or of none, is refused unless one is chosen', async () => {
    const other = parts({ author: 'somebody else' });
    const second = classicArchive(other, ['tool:2']);
    const entry = JSON.parse((second['manifest.json'] as Buffer).toString())[0];
    const both = edit({ ...second, ...classicArchive(image) }, 'manifest.json', (list: object[]) => [...list, entry]);
    expect(await error(both)).toMatchObject({ code: 'image-invalid', data: { tags: ['tool:1', 'tool:2'] } });
    expect((await identifyImage(put(both), { select: { repoTag: 'tool:2' } })).config).toBe(
      `sha256:${sha256(other.config)}`,
    );
    expect((await error(both, { select: { repoTag: 'tool:3' } })).code).toBe('image-invalid');
    expect((await error(edit(both, 'manifest.json', () => []))).code).toBe('image-invalid');
  });
});

describe('what an image is, is told from its content', () => {
  test.each<[string, string | Buffer, string]>([
    ['image.sif', '#!/bin/sh\nexec "$@"\n', 'other'],
    ['docker.tar', '', 'other'],
    ['sif-without-suffix', Buffer.concat([Buffer.alloc(32), Buffer.from('SIF_MAGIC\0')]), 'sif'],
    ['old.simg', Buffer.concat([Buffer.from('#!/usr/bin/env run-singularity\n'), Buffer.from('hsqs')]), 'simg'],
    ['squashfs', Buffer.from('hsqs'), 'simg'],
    ['ext3.img', ext3('#!/usr/bin/env run-singularity\n'), 'simg'],
    ['overlay.img', ext3(''), 'other'],
  ])('%s', (name, content, format) => {
    const path = world.path('by-content', name);
    world.write(path, content);
    expect(detectFormat(path)).toBe(format);
  });

  test('a folder with a root file system, and a tar file of one, are other', async () => {
    const folder = put({ 'bin/sh': Buffer.from('x'), 'manifest.json': Buffer.from('{"name": "an app"}') });
    world.sh(folder, 'tar -cf ../root.tar .');
    expect(await identifyImage(folder)).toEqual({ format: 'other', storage: 'folder', files: [] });
    expect(await identifyImage(world.path('root.tar'))).toMatchObject({ format: 'other', storage: 'file' });
  });

  test('the digest of a script is checked against its key', async () => {
    const path = world.path('script');
    world.write(path, 'echo hi\n');
    const hex = sha256(Buffer.from('echo hi\n'));
    const digest = `sha256:${hex}`;
    expect((await identifyImage(path)).digest).toBe(digest);
    expect(await identifyImage(path, { verify: false })).not.toHaveProperty('digest');
    expect((await identifyImage(path, { verify: false, key: `SHA256E-s8--${hex}.sh` })).digest).toBe(digest);
    expect((await identifyImage(path, { key: 'MD5E-s8--0123456789abcdef.sh' })).digest).toBe(digest);
    for (const key of [`SHA256E-s9--${hex}.sh`, `SHA256-s8--${'0'.repeat(64)}`])
      await expect(identifyImage(path, { key })).rejects.toMatchObject({ code: 'image-invalid' });
  });
});

describe('two identities', () => {
  test('are compared by the configuration, then the layers, then the file', async () => {
    const [classic, oci] = await Promise.all([
      identifyImage(put(classicArchive(image))),
      identifyImage(put(ociLayout([image]))),
    ]);
    expect(matchIdentity(classic, oci)).toBe('same');
    expect(matchIdentity({ layers: classic.layers ?? [] }, { layers: oci.layers ?? [] })).toBe('same');
    const other = await identifyImage(put(classicArchive(parts({ author: 'somebody else' }))));
    expect(matchIdentity(classic, other)).toBe('different');
    expect(matchIdentity(classic, { digest: `sha256:${'0'.repeat(64)}` })).toBe('unknown');
    expect(() => requireSameImage('img', classic, oci)).not.toThrow();
    expect(() => requireSameImage('img', classic, other)).toThrow(
      expect.objectContaining({
        code: 'image-mismatch',
        message: expect.stringMatching(new RegExp(`${other.config}.*${classic.config}`)),
      }),
    );
  });
});

/** The start of an ext3 file system, behind a launch line. */
function ext3(line: string): Buffer {
  const superblock = Buffer.alloc(2048);
  superblock.writeUInt16LE(0xef53, 1024 + 56);
  return Buffer.concat([Buffer.from(line), superblock]);
}
