/** `doctor --probe`: a container is really run, and nothing of it stays, also when it is interrupted or killed. */
import { chmodSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { identifyImage } from '../../src/containers/identity.ts';
import { removeAbandoned } from '../../src/containers/engine/remove.ts';
import { probeProgram, writeProbeImage } from '../../src/doctor/probe-image.ts';
import { newDataset } from '../images/support.ts';
import { engineEnv, engineSocket } from '../support/engines.ts';
import { describeWith } from '../support/oracles.ts';
import { startReprise } from '../support/runs.ts';
import { createWorld, type Outcome, type World } from '../support/world.ts';
import { ask, type Env } from './support.ts';

let world: World;
beforeAll(() => {
  world = createWorld();
});
afterAll(() => world.remove());

describe('the program in the image', () => {
  test('tells whether a file is there', () => {
    const program = world.path('probe');
    writeFileSync(program, probeProgram() as Buffer);
    chmodSync(program, 0o755);
    const codeFor = (...args: string[]) => world.exec([program, ...args]).code;
    expect([codeFor(world.dir), codeFor(join(world.dir, 'none')), codeFor(program)]).toEqual([0, 2, 0]);
  });

  test('is there for the machines that containers run on, and for no other', () => {
    expect(probeProgram('amd64')).toHaveLength(145);
    expect(probeProgram('arm64')).toHaveLength(152);
    expect(probeProgram('s390x')).toBeNull();
  });
});

type EngineName = 'docker' | 'podman';

interface Listed {
  readonly Id: string;
  readonly ImageID?: string;
  readonly Labels?: Readonly<Record<string, string>> | null;
}

function listOf(engine: EngineName, what: 'images' | 'containers'): readonly Listed[] {
  const url = `http://localhost/v1.40/${what}/json?all=true`;
  const done = world.ok(['curl', '-sS', '--max-time', '60', '--unix-socket', engineSocket(engine), url]);
  return JSON.parse(done) as readonly Listed[];
}

/** Images and containers of probes that an engine has; there is no container without its image. */
function traces(engine: EngineName): readonly unknown[] {
  const images = listOf(engine, 'images').filter(({ Labels }) => Labels?.['reprise.probe'] !== undefined);
  if (images.length === 0) return [];
  const ids = images.map(({ Id }) => Id);
  return [...images, ...listOf(engine, 'containers').filter(({ ImageID }) => ids.includes(ImageID ?? ''))];
}

describeWith(['docker', 'podman', 'apptainer'], 'a container', () => {
  const tmp = () => readdirSync(join(world.dir, 'tmp'));

  test('is run under each runner that answers, and leaves nothing', async () => {
    const env = { ...engineEnv('docker'), ...engineEnv('podman'), ...engineEnv('apptainer') };
    const { code, of } = await ask(world, world.dir, env, { probe: true });
    expect(code).toBe(0);
    for (const name of ['docker', 'podman', 'apptainer', 'singularity']) {
      expect(of(name)).toMatchObject({
        status: 'ok',
        probed: true,
        message: expect.stringMatching(/; it has run a container$/),
      });
    }
    expect([traces('docker'), traces('podman'), tmp()]).toEqual([[], [], []]);
  });

  test('is run through Podman’s command line, too; in a dataset, on the dataset’s own file system', async () => {
    const dataset = await newDataset(world, 'data set');
    const { CONTAINER_HOST: _, ...storage } = engineEnv('podman');
    const env: Env = { ...storage, XDG_RUNTIME_DIR: world.dir };
    const { of } = await ask(world, dataset, env, { probe: true, runner: 'podman' });
    expect(of('podman')).toMatchObject({ status: 'ok', probed: true, endpoint: null });
    expect(traces('podman')).toEqual([]);
    expect(readdirSync(join(dataset, '.git/reprise/images'))).toEqual([]);
    expect(world.git(dataset, 'status', '--porcelain')).toBe('');
  });

  test('that cannot be run makes of an engine that answers one that does not work', async () => {
    const { CONTAINER_HOST: _, ...storage } = engineEnv('podman');
    const conf = world.path('containers.conf');
    writeFileSync(conf, '[engine]\nruntime = "/bin/false"\nevents_logger = "file"\ncgroup_manager = "cgroupfs"\n');
    const env: Env = { ...storage, CONTAINERS_CONF: conf, XDG_RUNTIME_DIR: world.dir };
    expect((await ask(world, world.dir, env, { runner: 'podman' })).code).toBe(0);
    const { code, of } = await ask(world, world.dir, env, { runner: 'podman', probe: true });
    expect(code).toBe(1);
    expect(of('podman')).toMatchObject({
      status: 'error',
      error_code: 'container-failed',
      version: expect.any(String),
    });
    expect(of('podman').message).toMatch(/^podman answers, but its container does not run: ./);
    expect([traces('podman'), tmp()]).toEqual([[], []]);
  });

  /** Starts a probe and sends it a signal as soon as its image is in the engine; once more if it was done before that was seen. */
  async function probeAndSend(signal: NodeJS.Signals): Promise<Outcome> {
    for (;;) {
      const words = ['doctor', '--probe', '--runner', 'docker'];
      const { child, done } = startReprise(world, world.dir, words, { env: engineEnv('docker') });
      while (child.exitCode === null && traces('docker').length === 0) await sleep(1);
      if (child.kill(signal)) return done;
    }
  }

  test('is taken away when the user interrupts', async () => {
    const done = await probeAndSend('SIGINT');
    expect(done.code).toBe(130);
    expect(done.stderr).toContain('(interrupted)');
    expect([traces('docker'), tmp()]).toEqual([[], []]);
  });

  test('is taken away although everything of ours was killed', async () => {
    await probeAndSend('SIGKILL');
    for (let left = 200; traces('docker').length > 0 && left > 0; left -= 1) await sleep(100);
    expect(traces('docker')).toEqual([]);
  });

  test.each(['docker', 'podman'] as const)('is taken away although its tag is gone: %s', async (engine) => {
    const folder = world.path(`untagged-${engine}`);
    writeProbeImage(folder, probeProgram() as Buffer);
    const { config } = await identifyImage(folder);
    const url = 'http://localhost/v1.40/images/load';
    const post = ['curl', '-sS', '--unix-socket', engineSocket(engine), '-H', 'Content-Type: application/x-tar'];
    world.ok(['tar', '-C', folder, '-cf', `${folder}.tar`, '.']);
    world.ok([...post, '--data-binary', `@${folder}.tar`, url]);
    expect(traces(engine)).toHaveLength(1);
    const endpoint = { engine, from: null, via: 'socket', path: engineSocket(engine) } as const;
    await removeAbandoned({ endpoint, what: 'image', name: String(config) }, {});
    expect(traces(engine)).toEqual([]);
  });
});
