/** Container runs that one tool has recorded, rerun by the other: DataLad's by us under each runner and without Python, ours by DataLad. */
import { chmodSync, copyFileSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { pathWithout, runnersEnv, TEST_RUNNERS } from '../support/container-runs.ts';
import { recordOf } from '../support/crash-world.ts';
import { engineEnv, loadTestImage, testImage, testSif } from '../support/engines.ts';
import { dataladArgv, describeWith } from '../support/oracles.ts';
import { forget, type RegistryServer, startRegistry } from '../support/registry-server.ts';
import { createWorld, type Outcome, type World } from '../support/world.ts';

type Which = 'datalad' | 'datalad-latest';

const IMAGE = '.datalad/environments/bb/image';

let world: World;
/** Where DataLad finds a client of Docker, and the Python that has its adapter. */
let theirPath: string;
/** Where there is no Python at all. */
let ourPath: string;

beforeAll(() => {
  world = createWorld();
  // The newer DataLad sees /tmp only.
  const client = world.path('docker/docker');
  copyFileSync(world.sh(world.dir, 'readlink -f "$(command -v docker)"'), client);
  chmodSync(client, 0o755);
  theirPath = `${join(world.dir, 'docker')}:/usr/bin:/bin:/usr/sbin`;
  ourPath = pathWithout(world.path('without-python'), /^(python|pypy|datalad)/);
});
afterAll(() => world.remove());

const ok = (done: Outcome): Outcome => {
  expect(done, done.stdout + done.stderr).toMatchObject({ code: 0 });
  return done;
};
const theirs = (which: Which, cwd: string, args: readonly string[], env: Record<string, string>): Outcome =>
  ok(world.exec(dataladArgv(which, args), { cwd, env: { ...env, PATH: theirPath } }));
const ours = (cwd: string, args: readonly string[]): Outcome =>
  ok(world.reprise(cwd, args, { env: { ...runnersEnv(), PATH: ourPath } }));

/** Our rerun of the last commit, under each of the runners: it is executed, and nothing differs. */
function rerunIdentically(root: string, runners: readonly string[], outputs: number): void {
  const head = world.git(root, 'rev-parse', 'HEAD');
  for (const runner of runners) {
    const done = ours(root, ['rerun', '--runner', runner, '--verify']);
    expect(done.stderr, runner).toMatch(new RegExp(`^1 run replayed: ${outputs} identical$`, 'm'));
    expect(world.git(root, 'rev-parse', 'HEAD')).toBe(head);
  }
}

/** DataLad's rerun of the last commit: the stamp shows that it was executed, and all else is as it was. */
function rerunByDatalad(which: Which, root: string, env: Record<string, string>): void {
  const [stamp, out] = [readFileSync(join(root, 'stamp'), 'utf8'), readFileSync(join(root, 'out'), 'utf8')];
  const record = recordOf(world, root);
  theirs(which, root, ['rerun'], env);
  expect(readFileSync(join(root, 'stamp'), 'utf8')).not.toBe(stamp);
  expect(readFileSync(join(root, 'out'), 'utf8')).toBe(out);
  expect(world.git(root, 'diff', '--name-only', 'HEAD~1', 'HEAD')).toBe('stamp');
  expect(recordOf(world, root)).toMatchObject({
    cmd: record?.['cmd'],
    extra_inputs: record?.['extra_inputs'],
    exit: 0,
  });
}

const STAMPED = 'cat /proc/sys/kernel/random/uuid >stamp; cat in >out; cat /etc/layer >>out';

describe.each<Which>(['datalad', 'datalad-latest'])('%s', (which) => {
  describeWith(
    [which === 'datalad' ? 'datalad-container' : which, 'docker', 'podman', 'apptainer'],
    'and images of Docker',
    () => {
      let registry: RegistryServer;
      let root: string;
      const docker = () => ({ ...engineEnv('docker') });

      beforeAll(async () => {
        loadTestImage('docker', 'busybox');
        registry = await startRegistry(world);
        registry.push(testImage('busybox').tag, 'busybox', 'latest');
        root = world.path(`dhub-${which}`);
        ours(world.dir, ['create', root]);
        theirs(which, root, ['containers-add', 'bb', '-u', `dhub://${registry.host}/busybox:latest`], docker());
        world.write(join(root, 'in'), 'input\n');
        world.write(join(root, 'sub/in'), 'below\n');
        ours(root, ['save', '-m', 'inputs']);
      });
      afterAll(() => {
        forget(`${registry.host}/busybox:latest`);
        registry.stop();
      });

      test('what DataLad has added and recorded, we rerun with each runner', () => {
        const line = "sh -c 'cat in >out; cat /etc/layer >>out; id -u >>out'";
        theirs(which, root, ['containers-run', '-n', 'bb', '-i', 'in', '-o', 'out', line], docker());
        expect(readFileSync(join(root, 'out'), 'utf8')).toBe('input\nof the second layer\n0\n');
        expect(recordOf(world, root)).not.toHaveProperty('reprise');
        rerunIdentically(root, TEST_RUNNERS, 1);
      });

      test('also from a folder of the dataset, with redirections by the shell around it', () => {
        const sub = join(root, 'sub');
        // Content of the annex is not seen in its container there, but by the shell.
        theirs(which, sub, ['containers-run', '-n', 'bb', '-o', 'out', 'cat <in >out'], docker());
        expect(readFileSync(join(sub, 'out'), 'utf8')).toBe('below\n');
        expect(recordOf(world, root)).toMatchObject({ pwd: 'sub', extra_inputs: [`../${IMAGE}`] });
        rerunIdentically(root, TEST_RUNNERS, 1);
      });

      test('what we have recorded with its image, it reruns', () => {
        ours(root, [
          'containers-run',
          '--runner',
          'podman',
          '-i',
          'in',
          '-o',
          'out',
          '-o',
          'stamp',
          '--',
          'sh',
          '-c',
          STAMPED,
        ]);
        expect(recordOf(world, root)).toMatchObject({ reprise: { container: { runner: 'podman' } } });
        // 0.18 keeps what it finds in its records: the interpreter is named as on any machine.
        expect(recordOf(world, root)?.['cmd']).toMatch(/^python3 -m datalad_container\.adapters\.docker run /);
        rerunByDatalad(which, root, docker());
        // And what it has recorded of ours, we rerun again.
        expect(recordOf(world, root)?.['chain']).toHaveLength(1);
        const done = world.reprise(root, ['rerun', '--runner', 'apptainer'], {
          env: { ...runnersEnv(), PATH: ourPath },
        });
        expect(ok(done).stderr).toMatch(/^1 run replayed: 1 different$/m);
      });
    },
  );
});

describeWith(['datalad-container', 'apptainer', 'docker'], 'datalad and images of Apptainer', () => {
  let root: string;
  const apptainer = () => ({ ...engineEnv('apptainer') });

  beforeAll(() => {
    root = world.path('sif');
    ours(world.dir, ['create', root]);
    copyFileSync(testSif('busybox'), world.path('bb.sif'));
    const format = ['--call-fmt', 'singularity exec {img} {cmd}'];
    theirs('datalad', root, ['containers-add', 'bb', '-u', world.path('bb.sif'), ...format], apptainer());
    world.write(join(root, 'in'), 'input\n');
    ours(root, ['save', '-m', 'input']);
  });

  test('what DataLad has recorded, we rerun, and say of Docker that it cannot', () => {
    const line = "sh -c 'cat in /etc/layer >out'";
    theirs('datalad', root, ['containers-run', '-n', 'bb', '-i', 'in', '-o', 'out', line], apptainer());
    expect(readFileSync(join(root, 'out'), 'utf8')).toBe('input\nof the second layer\n');
    rerunIdentically(root, ['apptainer', 'singularity'], 1);
    const refused = world.reprise(root, ['rerun', '--runner', 'docker'], { env: runnersEnv() });
    expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining('(runner-missing)') });
  });

  test('what we have recorded, it reruns', () => {
    ours(root, ['containers-run', '-i', 'in', '-o', 'out', '-o', 'stamp', '--', 'sh', '-c', STAMPED]);
    expect(recordOf(world, root)?.['cmd']).toBe(`singularity exec ${IMAGE} sh -c '${STAMPED}'`);
    rerunByDatalad('datalad', root, apptainer());
  });
});
