/** Images out of real engines and registries. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { copyFileSync, cpSync, existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { identifyImage } from '../../src/containers/identity.ts';
import type { Event } from '../../src/core/result.ts';
import { readConfig } from '../../src/dataset/read-config.ts';
import { containersAdd } from '../../src/images/add.ts';
import { readContainers } from '../../src/images/config.ts';
import { containersList } from '../../src/images/list.ts';
import { engineEnv, loadTestImage, testImage, testSif } from '../support/engines.ts';
import { describeWith } from '../support/oracles.ts';
import { forget, makeTinyImage, type RegistryServer, startRegistry } from '../support/registry-server.ts';
import { createWorld, type World } from '../support/world.ts';
import { contextIn, newDataset, repoIn, stateOf } from './support.ts';

let world: World;
let root: string;
let events: Event[];
beforeAll(async () => {
  world = createWorld();
  root = await newDataset(world, 'ds');
});
afterAll(() => world.remove());

type Options = Omit<Parameters<typeof containersAdd>[0], 'name'>;
async function add(
  name: string,
  url: string,
  env: Readonly<Record<string, string>> = {},
  options: Options = {},
): Promise<string> {
  events = [];
  const context = contextIn(world, root, events);
  const { results } = await containersAdd({ name, url, ...options }, { ...context, env: { ...context.env, ...env } });
  expect(world.git(root, 'status', '--porcelain')).toBe('');
  return results.at(-1)?.path as string;
}
const cmdexecOf = async (name: string) =>
  readContainers(root, await readConfig(repoIn(world, root))).find((each) => each.name === name)?.cmdexec;

const ADAPTER = '{python} -m datalad_container.adapters.docker run {img} {cmd}';

describeWith(['docker'], 'images in Docker', () => {
  let docker: Readonly<Record<string, string>>;
  beforeAll(() => {
    docker = engineEnv('docker');
    loadTestImage('docker', 'busybox');
  });

  test('an image that is there is saved', async () => {
    const { tag, configDigest } = testImage('busybox');
    const image = await add('daemon', `docker-daemon:${tag}`, docker);
    expect(await identifyImage(image)).toMatchObject({ format: 'docker-archive', config: configDigest });
    expect(await cmdexecOf('daemon')).toBe(ADAPTER);
    expect(events.some((event) => event.kind === 'progress' && event.done > 0)).toBe(true);
  });

  test('an image that is not there', async () => {
    const before = stateOf(world, root);
    await expect(add('ghost', 'docker-daemon:reprise-test/ghost', docker)).rejects.toThrow(
      expect.objectContaining({
        code: 'image-unavailable',
        message: expect.stringContaining('reprise-test/ghost:latest'),
      }),
    );
    expect(stateOf(world, root)).toEqual(before);
  });

  test('an engine that is not there', async () => {
    const before = stateOf(world, root);
    const gone = { DOCKER_HOST: 'unix:///nowhere/docker.sock' };
    await expect(add('ghost', 'docker-daemon:x', gone)).rejects.toThrow(
      expect.objectContaining({ code: 'runner-unreachable' }),
    );
    expect(stateOf(world, root)).toEqual(before);
  });

  describe('and in a registry', () => {
    let registry: RegistryServer;
    let digest: string;
    beforeAll(async () => {
      registry = await startRegistry(world);
      const local = `${registry.host}/tiny:1`;
      makeTinyImage(world, local, `${registry.host} ${Date.now()}`);
      digest = registry.push(local, 'tiny', '1');
      registry.push(testImage('busybox').tag, 'busybox', 'latest');
    });
    afterAll(() => {
      for (const name of ['busybox:latest', 'tiny:1']) forget(`${registry.host}/${name}`);
      registry.stop();
    });

    const pulled = (name: string) => ({ kind: 'progress', label: `pull ${registry.host}/${name}` });

    test('pulled by tag and by digest', async () => {
      const name = `${registry.host}/tiny`;
      forget(`${name}:1`);
      const byTag = await add('by-tag', `dhub://${name}:1`, docker);
      expect(readFileSync(join(byTag, 'manifest.json'), 'utf8')).toContain(`${name}:1`);
      expect(events).toContainEqual(expect.objectContaining(pulled('tiny:1')));
      const config = (await identifyImage(byTag)).config;
      expect(config).toBeDefined();
      forget(`${name}:1`);
      const byDigest = await add('by-digest', `dhub://${name}@${digest}`, docker);
      expect((await identifyImage(byDigest)).config).toBe(config);
      forget(`${name}@${digest}`);
    });

    test('without a tag it is the latest', async () => {
      const image = await add('latest', `dhub://${registry.host}/busybox`, docker);
      expect((await identifyImage(image)).config).toBe(testImage('busybox').configDigest);
    });

    test('an image that the registry does not have', async () => {
      const before = stateOf(world, root);
      await expect(add('ghost', `dhub://${registry.host}/ghost:9`, docker)).rejects.toThrow(
        expect.objectContaining({ code: 'image-unavailable' }),
      );
      expect(stateOf(world, root)).toEqual(before);
    });

    test('docker:// is pulled where there is no Apptainer', async () => {
      const bin = join(world.dir, 'bin');
      mkdirSync(bin);
      for (const folder of ['/usr/local/bin', '/usr/bin']) {
        for (const name of readdirSync(folder)) {
          const target = join(bin, name);
          if (!/^(apptainer|singularity)/.test(name) && !existsSync(target)) symlinkSync(join(folder, name), target);
        }
      }
      const image = await add('pulled', `docker://${registry.host}/busybox`, { ...docker, PATH: bin });
      expect(await identifyImage(image)).toMatchObject({ format: 'docker-archive' });
      expect(await cmdexecOf('pulled')).toBe(ADAPTER);
      await expect(add('ghost', 'library://a/b', { PATH: bin })).rejects.toThrow(
        expect.objectContaining({ code: 'runner-missing' }),
      );
    });

    describeWith(['podman'], 'with Podman', () => {
      let service: ChildProcess;
      let ways: Readonly<Record<'socket' | 'command', Record<string, string>>>;
      beforeAll(async () => {
        const config = world.path('podman', 'registries.conf');
        world.write(config, `[[registry]]\nlocation = "${registry.host}"\ninsecure = true\n`);
        const { CONTAINER_HOST: _, ...storage } = engineEnv('podman');
        const env = { ...storage, CONTAINERS_REGISTRIES_CONF: config };
        const socket = world.path('podman', 'podman.sock');
        service = spawn('podman', ['system', 'service', '-t', '0', `unix://${socket}`], {
          env: { ...process.env, ...env },
          stdio: 'ignore',
        });
        while (!existsSync(socket)) await sleep(20);
        // A Docker that does not answer must not keep Podman from being asked.
        const noDocker = { DOCKER_HOST: 'unix:///nowhere/docker.sock' };
        ways = {
          socket: { ...env, ...noDocker, CONTAINER_HOST: `unix://${socket}` },
          command: { ...env, ...noDocker, XDG_RUNTIME_DIR: world.path('none', 'x') },
        };
      });
      afterAll(() => {
        spawnSync('podman', ['rmi', '--force', `${registry.host}/tiny:1`], {
          env: { ...process.env, ...ways.command },
        });
        service.kill();
      });

      test.each(['socket', 'command'] as const)('through its %s', async (way) => {
        const image = await add(`podman-${way}`, `dhub://${registry.host}/tiny:1`, ways[way]);
        expect(await identifyImage(image)).toMatchObject({ format: 'docker-archive' });
        expect(events).toContainEqual(expect.objectContaining(pulled('tiny:1')));
        const before = stateOf(world, root);
        await expect(add('ghost', `dhub://${registry.host}/ghost:9`, ways[way])).rejects.toThrow(
          expect.objectContaining({ code: 'image-unavailable', message: expect.stringContaining('Podman') }),
        );
        expect(stateOf(world, root)).toEqual(before);
        // What Docker does not have, Podman may.
        const held = await add(`held-${way}`, `docker-daemon:${registry.host}/tiny:1`, ways[way]);
        expect((await identifyImage(held)).config).toBe((await identifyImage(image)).config);
      });
    });

    describeWith(['apptainer'], 'with Apptainer', () => {
      test('docker:// becomes a SIF file; with its format the call format changes, too', async () => {
        const url = `oci://${registry.host}/busybox`;
        const image = await add('sif', url, engineEnv('apptainer'));
        const stages = events.flatMap((event) => (event.kind === 'info' ? [event.text] : []));
        expect(stages).toContain(`Creating SIF file of docker://${registry.host}/busybox`);
        expect(await identifyImage(image)).toMatchObject({ format: 'sif' });
        expect(await cmdexecOf('sif')).toBe('singularity exec {img} {cmd}');
        const said = world.ok(['singularity', 'exec', image, 'echo', 'hi'], { env: engineEnv('apptainer') });
        expect(said).toBe('hi');

        await add('sif', `dhub://${registry.host}/busybox`, docker, { update: true });
        expect(await cmdexecOf('sif')).toBe(ADAPTER);
        expect(world.git(root, 'log', '-1', '--format=%s')).toBe("[DATALAD] Update containerized environment 'sif'");

        await add('sif', testSif('busybox'), {}, { update: true });
        expect(await cmdexecOf('sif')).toBe('singularity exec {img} {cmd}');
        expect(world.git(root, 'ls-files', '.datalad/environments/sif')).toBe('.datalad/environments/sif/image');
      });
    });
  });
});

describeWith(['podman'], 'images in Podman', () => {
  test('are saved through its socket', async () => {
    const name = loadTestImage('podman', 'busybox');
    const image = await add('podman', `podman:${name}`, engineEnv('podman'));
    expect(await identifyImage(image)).toMatchObject({
      format: 'docker-archive',
      config: testImage('busybox').configDigest,
    });
    await expect(add('ghost', 'podman:localhost/ghost', engineEnv('podman'))).rejects.toThrow(
      expect.objectContaining({ code: 'image-unavailable' }),
    );
  });
});

describeWith(['docker'], 'images on this machine', () => {
  const { archive, tar, oci, configDigest } = testImage('busybox');
  const same = { config: configDigest };

  test('an archive of docker save becomes the folder that it holds, compressed or not', async () => {
    expect(await identifyImage(await add('tar', tar))).toMatchObject({ ...same, storage: 'folder' });
    world.sh(world.dir, `gzip -1 < ${tar} > image.tar.gz`);
    expect(await identifyImage(await add('gz', world.path('image.tar.gz')))).toMatchObject({
      ...same,
      storage: 'folder',
    });
  });

  test('a folder is copied, without the dataset around it', async () => {
    const other = await newDataset(world, 'other');
    cpSync(archive, join(other, 'image'), { recursive: true });
    world.ok(['git', 'annex', 'add', '-q', '.'], { cwd: other });
    world.write(join(other, 'image/.gitattributes'), '');
    const image = await add('folder', join(other, 'image'));
    expect(await identifyImage(image)).toMatchObject(same);
    expect(readdirSync(image)).not.toContain('.gitattributes');
    expect(await cmdexecOf('folder')).toBe(ADAPTER);
  });

  test('an OCI layout can be loaded by DataLad’s adapter', async () => {
    const image = await add('oci', `oci:${oci}`);
    const manifest = JSON.parse(readFileSync(join(oci, 'index.json'), 'utf8')).manifests[0].digest;
    expect(await identifyImage(image)).toMatchObject({ ...same, format: 'oci', manifest });
    expect(JSON.parse(readFileSync(join(image, 'manifest.json'), 'utf8'))).toMatchObject([
      { Config: `blobs/sha256/${configDigest.slice(7)}` },
    ]);
    expect(await cmdexecOf('oci')).toBe(ADAPTER);
  });

  test('of a layout with several images one is taken', async () => {
    const both = world.path('both');
    cpSync(oci, both, { recursive: true });
    const index = JSON.parse(readFileSync(join(both, 'index.json'), 'utf8'));
    const ghost = {
      ...index.manifests[0],
      digest: `sha256:${'0'.repeat(64)}`,
      annotations: { 'org.opencontainers.image.ref.name': 'other' },
    };
    world.write(join(both, 'index.json'), JSON.stringify({ ...index, manifests: [...index.manifests, ghost] }));
    const image = await add('chosen', `oci:${both}:latest`);
    expect(await identifyImage(image)).toMatchObject({ ...same, tags: [] });
    await expect(add('ghost', `oci:${both}:nothing`)).rejects.toThrow(
      expect.objectContaining({ code: 'image-invalid' }),
    );
  });

  test('a SIF stays a file, and details tell what it is', async () => {
    const sif = testSif('busybox');
    await add('local-sif', sif);
    expect(await cmdexecOf('local-sif')).toBe('singularity exec {img} {cmd}');
    const { results } = await containersList({ details: true }, contextIn(world, root));
    const digest = `sha256:${world.ok(['sha256sum', sif]).slice(0, 64)}`;
    expect(results.find(({ name }) => name === 'local-sif')).toMatchObject({
      image_format: 'sif',
      image_digest: digest,
      has_content: true,
    });
    expect(results.find(({ name }) => name === 'oci')).toMatchObject({
      image_digest: configDigest,
      image_architecture: expect.any(String),
    });
  });

  test('a SIF whose content is not here says so', async () => {
    world.ok(['git', 'annex', 'drop', '-q', '--force', '.datalad/environments/local-sif'], { cwd: root });
    const { results } = await containersList({ details: true }, contextIn(world, root));
    const dropped = results.find(({ name }) => name === 'local-sif');
    expect(dropped).toMatchObject({ has_content: false, bytesize: expect.any(Number) });
    expect(dropped).not.toHaveProperty('image_format');
  });
});

describeWith(['git-annex'], 'images from the web', () => {
  let server: Server;
  let url: string;
  beforeAll(async () => {
    world.write(world.path('served'), '#!/bin/sh\necho served\n');
    server = createServer((request, response) => {
      if (request.url === '/image.sh') response.end(readFileSync(world.path('served')));
      else if (request.url === '/new.sh') response.end('#!/bin/sh\necho new\n');
      else if (request.url === '/bad.sif') response.end(`${'\0'.repeat(32)}SIF_MAGIC\u000001\0`.padEnd(400, '\0'));
      else if (request.url === '/cut.sif') {
        response.writeHead(200, { 'content-length': '1000' }).write('x'.repeat(500));
        setTimeout(() => response.destroy(), 50);
      } else response.writeHead(404).end();
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/image.sh`;
  });
  afterAll(() => new Promise((resolve) => server.close(resolve)));

  test('are refused where git-annex may not go, with what would allow it', async () => {
    await expect(add('web', url)).rejects.toThrow(
      expect.objectContaining({
        code: 'image-unavailable',
        hints: ['git config annex.security.allowed-ip-addresses all'],
      }),
    );
  });

  test('are known to git-annex by their URL', async () => {
    world.git(root, 'config', 'annex.security.allowed-ip-addresses', 'all');
    const image = await add('web', url);
    expect(readFileSync(image, 'utf8')).toContain('echo served');
    expect(world.ok(['git', 'annex', 'whereis', image], { cwd: root })).toContain(`web: ${url}`);
    expect(events.filter(({ kind }) => kind === 'progress-end')).not.toEqual([]);
  });

  test('that are not there', async () => {
    const before = stateOf(world, root);
    await expect(add('gone', `${url}.not`)).rejects.toThrow(expect.objectContaining({ code: 'image-unavailable' }));
    await expect(add('web', `${url}.not`, {}, { update: true })).rejects.toThrow(
      expect.objectContaining({ code: 'image-unavailable' }),
    );
    expect(stateOf(world, root)).toEqual(before);
  });

  test('that are none, or do not arrive, leave nothing in the annex', async () => {
    const filesOf = () => world.sh(root, 'cd .git/annex && find objects tmp transfer -type f 2>/dev/null | sort; true');
    const before = filesOf();
    await expect(add('bad', url.replace('image.sh', 'bad.sif'))).rejects.toThrow(
      expect.objectContaining({ code: 'image-invalid', message: expect.stringContaining('bad.sif is not valid') }),
    );
    await expect(add('gone', url.replace('image.sh', 'gone.sif'))).rejects.toThrow();
    await expect(add('cut', url.replace('image.sh', 'cut.sif'))).rejects.toThrow();
    expect(filesOf()).toBe(before);
    // Content that was here before stays, whoever else fails to become an image with it.
    world.sh(root, 'mv .datalad/config elsewhere; ln -s ../elsewhere .datalad/config');
    const refused = expect.objectContaining({ code: 'path-outside' });
    await expect(add('other', url)).rejects.toThrow(refused);
    await expect(add('new', url.replace('image.sh', 'new.sh'))).rejects.toThrow(refused);
    world.sh(root, 'mv elsewhere .datalad/config');
    expect(filesOf()).toBe(before);
  });

  test('a local file has no URL', async () => {
    copyFileSync(world.path('served'), world.path('unserved'));
    const image = await add('local', world.path('unserved'));
    expect(
      world.ok(['git', 'annex', 'whereis', '--key', world.ok(['git', 'annex', 'lookupkey', image], { cwd: root })], {
        cwd: root,
      }),
    ).toContain('here');
  });
});
