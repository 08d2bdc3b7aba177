/** Which runners work here, which do not, and why: with real engines, and with what real users run into. */
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Result } from '../../src/core/result.ts';
import { chooseRunner } from '../../src/images/choose-runner.ts';
import { engineEnv, engineSocket } from '../support/engines.ts';
import { describeWith } from '../support/oracles.ts';
import { withoutUserNamespaces } from '../support/user-namespaces.ts';
import { cliPath, createWorld, ORDINARY_UID, type World } from '../support/world.ts';
import { answer, ask, askProgram, type Env, pathWith, writeProgram } from './support.ts';

let world: World;
beforeAll(() => {
  world = createWorld();
});
afterAll(() => world.remove());

const ENGINE_FORMATS = ['docker-archive', 'oci'];
const ALL_FORMATS = ['sif', 'simg', 'docker-archive', 'oci'];

describeWith(['docker', 'podman', 'apptainer'], 'runners that are here', () => {
  test('are told with version, place, rights and the formats that they run', async () => {
    const env = { ...engineEnv('docker'), ...engineEnv('podman'), ...engineEnv('apptainer') };
    const { code, of } = await ask(world, world.dir, env);
    expect(code).toBe(0);
    const socket = engineSocket('docker');
    expect(of('docker')).toMatchObject({
      status: 'ok',
      version: world.ok(['docker', 'version', '--format={{.Server.Version}}'], { env: engineEnv('docker') }),
      endpoint: `unix://${socket}`,
      path: socket,
      rootless: false,
      formats: ENGINE_FORMATS,
      message: expect.stringMatching(/^Docker \S+ at unix:\S+ \(from DOCKER_HOST\)$/),
    });
    const podman = world.ok(['podman', '--version']).split(' ')[2];
    expect(of('podman')).toMatchObject({ status: 'ok', version: podman, formats: ENGINE_FORMATS, engine: 'podman' });
    const apptainer = world.ok(['apptainer', '--version']).split(' ')[2];
    expect(of('apptainer')).toMatchObject({
      status: 'ok',
      version: apptainer,
      path: world.ok(['sh', '-c', 'command -v apptainer']),
      formats: ALL_FORMATS,
      mounts_sif: expect.any(Boolean),
    });
    expect(of('singularity').message).toMatch(/^Apptainer \S+ under the name of singularity, which (mounts|unpacks) /);
  });

  test('Podman without a socket, and Podman where Docker is expected', async () => {
    const { CONTAINER_HOST: host = '', ...storage } = engineEnv('podman');
    const { of } = await ask(world, world.dir, { ...storage, DOCKER_HOST: host, XDG_RUNTIME_DIR: world.dir });
    expect(of('docker')).toMatchObject({ status: 'ok', engine: 'podman', message: expect.stringMatching(/^Podman /) });
    expect(of('podman')).toMatchObject({
      status: 'ok',
      endpoint: null,
      version: expect.stringMatching(/^\d+\.\d+/),
      message: expect.stringMatching(/^Podman \S+ through its command line$/),
    });
  });

  test('one that is asked for is looked at alone, and has to work', async () => {
    const { code, all, of } = await ask(world, world.dir, engineEnv('docker'), { runner: 'docker' });
    expect([code, all.filter(({ kind }) => kind === 'runner')]).toEqual([0, [of('docker')]]);
    const gone = { DOCKER_HOST: 'unix:///nowhere/docker.sock' };
    expect((await ask(world, world.dir, gone)).code).toBe(0);
    const missed = await ask(world, world.dir, gone, { runner: 'docker' });
    expect(missed.code).toBe(1);
    expect(missed.of('docker').status).toBe('error');
  });
});

describe('an engine that cannot be used', () => {
  const docker = (env: Env) => ask(world, world.dir, env, { runner: 'docker' }).then(({ of }) => of('docker'));

  test('a variable that leads nowhere', async () => {
    const absent = await docker({ DOCKER_HOST: `unix://${world.dir}/absent.sock` });
    expect(absent).toMatchObject({
      error_code: 'runner-unreachable',
      hints: ['unset DOCKER_HOST', expect.any(String)],
    });
    expect(absent.message).toMatch(/\(from DOCKER_HOST\) cannot be reached: there is no such socket$/);
    const refused = await docker({ DOCKER_HOST: 'tcp://127.0.0.1:1' });
    expect(refused.message).toMatch(/cannot be reached: nothing listens there$/);
    expect(await docker({ DOCKER_HOST: 'ssh://ada@example.org' })).toMatchObject({ error_code: 'runner-unreachable' });
    expect(await docker({ DOCKER_HOST: 'unix:nonsense' })).toMatchObject({ error_code: 'config-invalid' });
    const { of } = await ask(world, world.dir, { CONTAINER_HOST: 'unix:nonsense' }, { runner: 'podman' });
    expect(of('podman')).toMatchObject({ error_code: 'config-invalid', hints: ['unset CONTAINER_HOST'] });
  });

  test('a socket that was left behind', async () => {
    const dead = world.path('dead.sock');
    const code = `require('node:net').createServer().listen(${JSON.stringify(dead)}, () => process.kill(process.pid, 'SIGKILL'));`;
    world.exec([process.execPath, '-e', code]);
    const result = await docker({ DOCKER_HOST: `unix://${dead}` });
    expect(result).toMatchObject({ error_code: 'runner-unreachable' });
    expect(result.message).toMatch(/nothing listens there$/);
  });

  test('a context that is broken: not configured, leading nowhere, not JSON', async () => {
    const config = (name: string, content: string) => {
      const folder = world.path(name, 'x', '..');
      world.write(join(folder, 'config.json'), content);
      return { DOCKER_CONFIG: folder };
    };
    const gone = await docker(config('gone', '{"currentContext": "lab"}'));
    expect(gone).toMatchObject({
      error_code: 'config-invalid',
      hints: ['docker context ls', 'docker context use default'],
    });
    const broken = await docker(config('broken', '{'));
    expect(broken).toMatchObject({
      error_code: 'config-invalid',
      message: expect.stringMatching(/config\.json is not JSON$/),
    });
    const stale = config('stale', '{"currentContext": "lab"}');
    const id = world.ok(['sh', '-c', 'printf lab | sha256sum']).slice(0, 64);
    world.write(
      join(stale.DOCKER_CONFIG, 'contexts/meta', id, 'meta.json'),
      JSON.stringify({ Name: 'lab', Endpoints: { docker: { Host: `unix://${world.dir}/lab.sock` } } }),
    );
    const result = await docker(stale);
    expect(result).toMatchObject({ error_code: 'runner-unreachable' });
    expect(result['hints']).toContain('docker context use default');
    expect(result.message).toMatch(/\(from the Docker context "lab"\)/);
  });

  test('one that never answers is not waited for, and neither is a program', async () => {
    // Connections are accepted by the kernel, and nobody reads them.
    const server = createServer(() => {});
    const socket = world.path('mute.sock');
    await new Promise<void>((done) => server.listen(socket, done));
    const folder = pathWith(world, 'git', 'sh', 'sleep');
    // What the shell has started outlives it by some seconds, and holds its streams.
    for (const name of ['podman', 'apptainer', 'git-annex']) writeProgram(folder, name, 'sleep 8; exit 1');
    const { code, of } = askProgram(world, world.dir, { PATH: folder, DOCKER_HOST: `unix://${socket}` });
    server.close();
    expect(code).toBe(0);
    for (const name of ['docker', 'podman', 'apptainer', 'git-annex'])
      expect(of(name).message).toMatch(/it does not answer$/);
    expect(of('singularity').error_code).toBe('runner-missing');
  });
});

describe('a Singularity that is too old', () => {
  test('is refused, with what takes its place', async () => {
    const folder = pathWith(world, 'git');
    writeProgram(folder, 'singularity', 'echo 2.6.1-dist');
    const { of } = await ask(world, world.dir, { PATH: folder });
    expect(of('singularity').message).toMatch(/is of version 2\.6\.1, which cannot read SIF files$/);
    expect(of('singularity')['hints']).toEqual(['conda install --channel conda-forge apptainer']);
  });
});

describeWith(['docker', 'podman', 'apptainer'], 'an ordinary user', () => {
  /** A home folder of their own. */
  function home(name: string): Record<string, string> {
    const folder = world.path(name, 'x', '..');
    mkdirSync(folder, { recursive: true });
    chmodSync(folder, 0o777);
    return { HOME: folder, GIT_CONFIG_GLOBAL: join(world.dir, 'home/.gitconfig'), XDG_RUNTIME_DIR: '' };
  }

  // Podman's own process for a user's containers would stay when the test is over.
  const withoutPodman = () => ({ PATH: pathWith(world, 'git', 'docker', 'apptainer') });

  test('who may not use the socket of Docker', () => {
    const env = { ...home('user'), ...engineEnv('docker'), ...withoutPodman() };
    const { code, of } = askProgram(world, world.dir, env, ORDINARY_UID);
    expect(code).toBe(0);
    expect(of('docker')).toMatchObject({ status: 'impossible', error_code: 'runner-permission' });
    expect(of('docker').message).toMatch(/^This user may not use the Docker engine at unix:/);
    expect(of('apptainer')).toMatchObject({ status: 'ok', rootless: true });
  });

  test('who is unknown to the machine', () => {
    const { of } = askProgram(world, world.dir, { ...home('unknown'), ...withoutPodman() }, 54_321);
    expect(of('apptainer').message).toMatch(/does not say its version: .*unknown userid 54321$/);
  });

  test('who may make no user namespaces', () => {
    const argv = [process.execPath, cliPath, '-f', 'json', 'doctor'];
    const done = withoutUserNamespaces(world, argv, home('confined'));
    const lines = done.stdout.trim().split('\n');
    const { of } = answer(
      done.code,
      lines.map((line) => JSON.parse(line) as Result),
    );
    const reasons = {
      podman: 'Podman cannot be used: this machine allows no user namespaces',
      apptainer: 'apptainer cannot be used: this machine allows no user namespaces',
    };
    for (const [name, message] of Object.entries(reasons))
      expect(of(name)).toMatchObject({ message, hints: ['sudo sysctl user.max_user_namespaces=15000'] });
  });
});

describeWith(['podman', 'apptainer'], 'Podman that is misconfigured', () => {
  let env: Record<string, string>;
  beforeAll(() => {
    const storage = world.path('storage.conf');
    writeFileSync(storage, 'nonsense');
    env = { CONTAINERS_STORAGE_CONF: storage, XDG_RUNTIME_DIR: world.dir };
  });

  test('is not chosen while something else works', async () => {
    const surroundings = { ...world.env, ...env, PATH: pathWith(world, 'podman', 'apptainer') };
    const wish = { asked: undefined, preferred: undefined };
    expect((await chooseRunner('image', 'docker-archive', wish, surroundings)).name).toBe('apptainer');
  });

  test('says why through its command line', async () => {
    const { of } = await ask(world, world.dir, env, { runner: 'podman' });
    expect(of('podman')).toMatchObject({ status: 'error', error_code: 'runner-unreachable', hints: ['podman info'] });
    expect(of('podman').message).toMatch(/^Podman cannot be used: toml: .*key separator/);
  });
});
