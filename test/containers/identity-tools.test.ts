/** Real images: what Docker, Podman, Skopeo, Apptainer, DataLad and git-annex make of the same one. */
import { copyFileSync, openSync, readFileSync, writeSync, closeSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { identifyImage } from '../../src/containers/identity.ts';
import { matchIdentity } from '../../src/containers/identity-match.ts';
import { engineEnv, engineSocket, loadTestImage, testImage, testSif } from '../support/engines.ts';
import { describeWith, latestTree } from '../support/oracles.ts';
import { pythonOfDatalad } from '../support/python-oracle.ts';
import { createWorld, projectRoot, type World } from '../support/world.ts';
import { modernArchive, sha256, store } from './identity-images.ts';

let world: World;

beforeAll(() => {
  world = createWorld();
});
afterAll(() => world.remove());

/** The unpacked archive of the busybox image, as something to change. */
const copyOfArchive = (name: string) => {
  world.ok(['cp', '-r', testImage('busybox').archive, world.path(name)]);
  return world.path(name);
};

describeWith(['docker'], 'an image of Docker', () => {
  const save = (tag: string) => {
    const tar = world.path('saved.tar');
    const url = `http://localhost/v1.40/images/${tag}/get`;
    world.ok(['curl', '-fsS', '--unix-socket', engineSocket('docker'), '-o', tar, url]);
    world.ok(['mkdir', '-p', world.path('saved')]);
    world.ok(['tar', '-xf', tar, '-C', world.path('saved')]);
    return { tar, folder: world.path('saved') };
  };

  test('has the configuration digest and layers that the engine says, packed and unpacked', async () => {
    const tag = loadTestImage('docker', 'busybox');
    const url = `http://localhost/v1.40/images/${tag}/json`;
    const inspected = JSON.parse(world.ok(['curl', '-fsS', '--unix-socket', engineSocket('docker'), url]));
    const { tar, folder } = save(tag);
    for (const path of [tar, folder]) {
      const identity = await identifyImage(path);
      expect(identity).toMatchObject({ format: 'docker-archive', config: inspected.Id, tags: [tag] });
      expect(identity.layers?.map((layer) => layer.diffId)).toEqual(inspected.RootFS.Layers);
      expect(identity).toMatchObject({ architecture: inspected.Architecture, os: inspected.Os });
      expect(identity.defaults).toMatchObject({ cmd: inspected.Config.Cmd, env: inspected.Config.Env });
    }
  });

  test('is, in the layout since Docker 25, loaded by this engine as the image that we identified', async () => {
    const identity = await identifyImage(testImage('busybox').archive);
    const names = JSON.parse(readFileSync(join(testImage('busybox').archive, 'manifest.json'), 'utf8'))[0];
    const read = (name: string) => readFileSync(join(testImage('busybox').archive, name));
    const folder = store(
      world.path('modern'),
      modernArchive({ config: read(names.Config), layers: names.Layers.map(read) }, ['reprise-test/identity:modern']),
    );
    expect(await identifyImage(folder)).toMatchObject({ config: identity.config, format: 'docker-archive' });
    world.sh(folder, 'tar -cf ../modern.tar *');
    const socket = engineSocket('docker');
    const api = (...args: string[]) => world.ok(['curl', '-fsS', '--unix-socket', socket, ...args]);
    api(
      '-X',
      'POST',
      '-H',
      'Content-Type: application/x-tar',
      '-T',
      world.path('modern.tar'),
      'http://localhost/v1.40/images/load',
    );
    const image = 'http://localhost/v1.40/images/reprise-test/identity:modern';
    expect(JSON.parse(api(`${image}/json`)).Id).toBe(identity.config);
    api('-X', 'DELETE', image);
  });
});

describeWith(['podman'], 'an image of Podman', () => {
  test.each(['docker-archive', 'oci-archive'])('saved as %s is the same image', async (format) => {
    const tag = loadTestImage('podman', 'busybox');
    const tar = world.path(`${format}.tar`);
    const url = `http://localhost/v1.40/libpod/images/${tag}/get?format=${format}`;
    world.ok(['curl', '-fsS', '--unix-socket', engineSocket('podman'), '-o', tar, url]);
    const known = await identifyImage(testImage('busybox').oci);
    const identity = await identifyImage(tar);
    expect(identity.format).toBe(format === 'oci-archive' ? 'oci' : 'docker-archive');
    expect(identity.layers?.map((layer) => layer.diffId)).toEqual(known.layers?.map((layer) => layer.diffId));
    expect(identity.defaults).toEqual(known.defaults);
    if (format === 'docker-archive') expect(matchIdentity(known, identity)).toBe('same');
  });
});

const GET_IMAGE = 'import sys; from datalad_container.adapters.docker import get_image; print(get_image(sys.argv[1]))';

async function expectAnswerOf(argv: readonly string[], name: string): Promise<void> {
  const { archive, configDigest } = testImage('busybox');
  expect((await identifyImage(archive)).config).toBe(configDigest);
  expect(`sha256:${world.ok([...argv, '-c', GET_IMAGE, copyOfArchive(name)]).trim()}`).toBe(configDigest);
}

describeWith(['docker', 'datalad'], 'the docker adapter of datalad-container as installed', () => {
  test('answers the digest that we do', () => expectAnswerOf([pythonOfDatalad()], 'for-installed'));
});

describeWith(['docker', 'datalad-latest'], 'the docker adapter of the newest datalad-container', () => {
  const argv = ['bash', `${projectRoot}/tools/engines/datalad-latest.sh`, 'exec', latestTree, '--', 'python3'];
  test('answers the digest that we do', () => expectAnswerOf(argv, 'for-newest'));
});

describeWith(['apptainer'], 'a SIF', () => {
  const apptainer = (...args: string[]) => {
    const env = engineEnv('apptainer');
    const done = world.exec(['apptainer', ...args], { env: { ...env } });
    if (done.code !== 0) throw new Error(done.stderr);
    return done.bytes;
  };

  test('is known by the bytes of its file system', async () => {
    const sif = testSif('busybox');
    const id = /^(\d+)\s.*FS \(Squashfs\/\*System\/amd64\)/m.exec(apptainer('sif', 'list', sif).toString())?.[1];
    const dumped = apptainer('sif', 'dump', String(id), sif);
    const [archive, identity] = await Promise.all([identifyImage(testImage('busybox').archive), identifyImage(sif)]);
    expect(identity).toEqual({
      format: 'sif',
      storage: 'file',
      digest: `sha256:${world.ok(['sha256sum', sif]).split(' ')[0]}`,
      partitions: [{ kind: 'primary', digest: `sha256:${sha256(dumped)}`, size: dumped.length }],
      architecture: archive.architecture,
      os: 'linux',
      defaults: archive.defaults,
      size: readFileSync(sif).length,
      files: [sif],
    });
    expect(await identifyImage(sif, { verify: false })).not.toHaveProperty('partitions');
  });

  test('stays the same image when something is added to the file, or its name and times change', async () => {
    const original = await identifyImage(testSif('busybox'));
    const grown = world.path('grown.sif');
    copyFileSync(testSif('busybox'), grown);
    world.write(world.path('note.txt'), 'a note');
    apptainer('sif', 'add', '--datatype', '7', grown, world.path('note.txt'));
    const stamped = world.path('stamped.sif');
    copyFileSync(testSif('busybox'), stamped);
    const fd = openSync(stamped, 'r+');
    writeSync(fd, Buffer.alloc(32, 7), 0, 32, 48);
    closeSync(fd);
    for (const path of [grown, stamped]) {
      const identity = await identifyImage(path);
      expect(identity.digest).not.toBe(original.digest);
      expect(identity.partitions).toEqual(original.partitions);
      expect(matchIdentity(original, identity)).toBe('same');
    }
    apptainer('sif', 'del', '4', grown);
    await expect(identifyImage(grown)).rejects.toMatchObject({ code: 'image-invalid' });
  });

  test('that is changed in one byte of its file system is another image', async () => {
    const original = await identifyImage(testSif('busybox'));
    const changed = world.path('changed.sif');
    const bytes = readFileSync(testSif('busybox'));
    bytes[bytes.length - 5000] = (bytes[bytes.length - 5000] as number) ^ 1;
    writeFileSync(changed, bytes);
    expect(matchIdentity(original, await identifyImage(changed))).toBe('different');
    writeFileSync(changed, bytes.subarray(0, -1000));
    await expect(identifyImage(changed)).rejects.toMatchObject({ code: 'image-invalid' });
  });
});

describeWith(['git-annex', 'docker'], 'an image in an annex', () => {
  const dataset = (name: string) => {
    const root = world.path(name);
    world.sh(world.dir, `git init -q ${name} && git -C ${name} annex init -q here`);
    copyOfArchive(`${name}/image`);
    copyFileSync(testImage('busybox').tar, join(root, 'image.tar'));
    world.sh(root, 'git annex add -q . && git commit -q -m images');
    return root;
  };

  test('is identified through the links, and not at all without content', async () => {
    const root = dataset('locked');
    const plain = await identifyImage(testImage('busybox').archive);
    const { files, places, ...linked } = await identifyImage(join(root, 'image'));
    expect({ ...linked, files: [], places: [] }).toEqual({ ...plain, files: [], places: [] });
    expect(places?.layers.every(({ path }) => files.includes(path))).toBe(true);
    expect(files.every((file) => file.startsWith(`${root}/.git/annex/objects/`))).toBe(true);
    const layer = join(
      'image',
      readdirSync(join(root, 'image')).find((name) => !name.includes('.')) as string,
      'layer.tar',
    );
    world.sh(root, `git annex drop -q --force ${layer} image.tar`);
    await expect(identifyImage(join(root, 'image'), { verify: false })).rejects.toMatchObject({
      code: 'content-unavailable',
      message: expect.stringContaining('layer.tar'),
    });
    await expect(identifyImage(join(root, 'image.tar'))).rejects.toMatchObject({ code: 'content-unavailable' });
    world.sh(root, 'git annex drop -q --force image');
    await expect(identifyImage(join(root, 'image'))).rejects.toMatchObject({ code: 'content-unavailable' });
  });

  test('is the same unlocked; stand-ins are not taken for content', async () => {
    const root = dataset('unlocked');
    world.sh(root, 'git annex unlock -q . && git commit -q -m unlocked');
    expect(matchIdentity(await identifyImage(join(root, 'image')), await identifyImage(join(root, 'image.tar')))).toBe(
      'same',
    );
    world.sh(root, 'git annex drop -q --force image/manifest.json image.tar');
    for (const name of ['image', 'image.tar'])
      await expect(identifyImage(join(root, name))).rejects.toMatchObject({ code: 'content-unavailable' });
  });
});
