/** What runs a container: what is asked for, what ran it before, or the first that is here and can run such an image. */
import { chmodSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ImageFormat } from '../../src/containers/formats/image.ts';
import type { RunnerName } from '../../src/containers/plan.ts';
import { chooseRunner, runnersFor } from '../../src/images/choose-runner.ts';
import { engineEnv } from '../support/engines.ts';
import { describeWith } from '../support/oracles.ts';
import { createWorld, type World } from '../support/world.ts';

let world: World;
beforeAll(() => {
  world = createWorld();
});
afterAll(() => world.remove());

test.each<[ImageFormat, readonly RunnerName[]]>([
  ['sif', ['apptainer', 'singularity']],
  ['simg', ['apptainer', 'singularity']],
  ['docker-archive', ['docker', 'podman', 'apptainer', 'singularity']],
  ['oci', ['docker', 'podman', 'apptainer', 'singularity']],
  ['other', []],
])('an image stored as %s can be run by %j', (format, runners) => {
  expect(runnersFor(format)).toEqual(runners);
});

describeWith(['docker', 'podman', 'apptainer'], 'of what is here', () => {
  const nowhere = { DOCKER_HOST: 'unix:///nowhere/docker.sock', CONTAINER_HOST: 'unix:///nowhere/podman.sock' };
  const here = () => ({ ...world.env, ...engineEnv('docker'), ...engineEnv('podman'), ...engineEnv('apptainer') });
  const chosen = async (
    format: ImageFormat,
    env: NodeJS.ProcessEnv,
    wish: { readonly asked?: RunnerName; readonly preferred?: RunnerName } = {},
  ) => (await chooseRunner('image', format, { asked: wish.asked, preferred: wish.preferred }, env)).name;

  test('the first is taken', async () => {
    expect(await chosen('oci', here())).toBe('docker');
    expect(await chosen('oci', { ...here(), DOCKER_HOST: nowhere.DOCKER_HOST })).toBe('podman');
    expect(await chosen('oci', { ...here(), ...nowhere })).toBe('apptainer');
    expect(await chosen('sif', here())).toBe('apptainer');
  });

  test('Singularity is taken where there is no Apptainer of that name', async () => {
    const bin = world.path('bin', 'x').slice(0, -'/x'.length);
    mkdirSync(bin, { recursive: true });
    for (const name of readdirSync('/usr/bin'))
      if (name !== 'apptainer') symlinkSync(join('/usr/bin', name), join(bin, name));
    expect(await chosen('sif', { ...here(), PATH: bin })).toBe('singularity');
  });

  test('what ran it before is taken if it can be, and is no condition', async () => {
    expect(await chosen('oci', here(), { preferred: 'podman' })).toBe('podman');
    expect(await chosen('oci', { ...here(), CONTAINER_HOST: nowhere.CONTAINER_HOST }, { preferred: 'podman' })).toBe(
      'docker',
    );
    expect(await chosen('sif', here(), { preferred: 'docker' })).toBe('apptainer');
  });

  test('what is asked for is taken, or the reason is given', async () => {
    expect(await chosen('oci', here(), { asked: 'apptainer', preferred: 'docker' })).toBe('apptainer');
    await expect(chosen('oci', { ...here(), ...nowhere }, { asked: 'docker' })).rejects.toMatchObject({
      code: 'runner-unreachable',
    });
    await expect(chosen('sif', here(), { asked: 'docker' })).rejects.toMatchObject({
      code: 'runner-missing',
      message: 'docker cannot run image, which is stored as sif',
      hints: ['reprise containers-run --runner apptainer ...'],
    });
  });
});

describe('where nothing is here', () => {
  test('every reason is given', async () => {
    const bin = world.path('empty', 'x').slice(0, -'/x'.length);
    mkdirSync(bin, { recursive: true });
    writeFileSync(join(bin, 'apptainer'), '#!/bin/sh\necho nothing\n');
    chmodSync(join(bin, 'apptainer'), 0o755);
    const env = { PATH: bin, HOME: world.dir, DOCKER_HOST: 'unix:///nowhere/docker.sock', XDG_RUNTIME_DIR: world.dir };
    const choice = chooseRunner('image', 'oci', { asked: undefined, preferred: undefined }, env);
    await expect(choice).rejects.toMatchObject({ code: 'runner-missing' });
    await expect(choice).rejects.toThrow(/docker: .*no such socket.*podman: .*apptainer: .*version.*singularity: /);
  });
});
