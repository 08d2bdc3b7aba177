/** Jobs for the client of the container engines, run as the program runs them. */
import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { connect, type EngineFacts } from '../../src/containers/engine/connect.ts';
import { engineJob } from '../../src/containers/engine/job.ts';
import { type ContainerPlan, DATASET_PATH, HOME_PATH } from '../../src/containers/plan.ts';
import { ownerOf } from '../../src/sys/owner.ts';
import { engineEnv, engineSocket, loadTestImage, testImage } from '../support/engines.ts';
import { projectRoot } from '../support/world.ts';

/** The ways to a container that are tested: Docker, Podman's socket, and Podman's command line. */
export type Way = 'docker' | 'podman' | 'podman-command';

export const client = join(projectRoot, 'dist/cli/engine-client.cjs');

/** The environment in which a way is the one that is found. */
export function envOf(way: Way): NodeJS.ProcessEnv {
  const env = { ...process.env };
  for (const name of ['DOCKER_HOST', 'DOCKER_CONTEXT', 'CONTAINER_HOST', 'XDG_RUNTIME_DIR']) delete env[name];
  const added = { ...engineEnv(way === 'docker' ? 'docker' : 'podman') };
  if (way === 'podman-command') delete (added as Record<string, string>)['CONTAINER_HOST'];
  return { ...env, ...added };
}

export interface EngineWorld {
  readonly facts: EngineFacts;
  readonly env: NodeJS.ProcessEnv;
  /** A folder that is the dataset's root for its containers. */
  readonly dataset: string;
  plan(command: readonly [string, ...string[]], more?: Partial<ContainerPlan>): ContainerPlan;
  /** Writes a job; returns its file and the container's name. */
  job(plan: ContainerPlan, owner?: number): { readonly file: string; readonly name: string };
  /** Runs a command in a container to its end. */
  run(
    command: readonly [string, ...string[]],
    more?: Partial<ContainerPlan>,
    input?: Buffer | string,
  ): { readonly code: number | null; readonly stdout: Buffer; readonly stderr: string };
  /** Starts the client in a process group of its own. */
  start(file: string): ReturnType<typeof spawn>;
  /** Names of the containers of these jobs that there are. */
  containers(): readonly string[];
}

/** @param root folder for the files of the tests */
export async function engineWorld(way: Way, root: string): Promise<EngineWorld> {
  const env = envOf(way);
  loadTestImage(way === 'docker' ? 'docker' : 'podman', 'busybox');
  const { endpoint, kind, rootless } = await connect(way === 'docker' ? 'docker' : 'podman', env);
  const facts = { endpoint, kind, rootless };
  const names = new Set<string>();
  const dataset = mkdtempSync(join(root, 'data set, "1" '));
  const image = testImage('busybox').configDigest;
  const world: EngineWorld = {
    facts,
    env,
    dataset,
    plan: (command, more = {}) => ({
      runner: facts.endpoint.engine,
      image,
      command,
      entrypoint: 'none',
      workdir: DATASET_PATH,
      mounts: [{ source: dataset, target: DATASET_PATH, readonly: false }],
      tmpfs: ['/tmp', HOME_PATH],
      env: { HOME: HOME_PATH },
      passEnv: [],
      network: false,
      gpus: null,
      writableRoot: false,
      user: { uid: 0, gid: 0, groups: [] },
      stdin: true,
      ...more,
    }),
    job(plan, owner = process.pid) {
      const job = engineJob(facts, plan, ownerOf(owner));
      mkdirSync(join(root, 'jobs'), { recursive: true });
      names.add(job.name);
      const file = join(root, 'jobs', `${job.name}.json`);
      writeFileSync(file, JSON.stringify(job));
      return { file, name: job.name };
    },
    run(command, more, input = '') {
      const { file } = world.job(world.plan(command, more));
      const done = spawnSync(process.execPath, [client, 'run', file], { env, input, maxBuffer: 1 << 28 });
      return { code: done.status, stdout: done.stdout, stderr: done.stderr.toString('utf8') };
    },
    start: (file) => spawn(process.execPath, [client, 'run', file], { env, detached: true }),
    containers() {
      // Asked on the socket, which is quicker than the command; Podman's socket knows the containers of its command line as well.
      const url = `http://localhost/v1.40/containers/json?all=true&filters=${encodeURIComponent('{"label":["reprise.owner"]}')}`;
      const argv = [
        '-sS',
        '--max-time',
        '30',
        '--unix-socket',
        engineSocket(way === 'docker' ? 'docker' : 'podman'),
        url,
      ];
      const done = spawnSync('curl', argv, { encoding: 'utf8' });
      if (done.status !== 0) throw new Error(done.stderr);
      const listed = JSON.parse(done.stdout) as readonly { readonly Names: readonly string[] }[];
      return listed
        .flatMap(({ Names }) => Names.map((name) => name.replace(/^\//, '')))
        .filter((name) => names.has(name));
    },
  };
  return world;
}
