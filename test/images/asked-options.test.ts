/** What a user asks of a container is what it gets and what is recorded; what cannot be given is refused. */
import { chmodSync, existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { containersRun, type ContainersRunOptions } from '../../src/images/containers-run.ts';
import type { RecordedContainer } from '../../src/record/run-record.gen.ts';
import { runnersEnv, TEST_RUNNERS, type TestRunner } from '../support/container-runs.ts';
import { testImage } from '../support/engines.ts';
import { describeWith } from '../support/oracles.ts';
import { commitsOf } from '../support/runs.ts';
import { cliPath, createWorld, type World } from '../support/world.ts';
import { contextIn, imageWith } from './support.ts';

let world: World;
beforeAll(() => {
  world = createWorld();
});
afterAll(() => world.remove());

const made = (outcome: { readonly code: number }) => expect(outcome).toMatchObject({ code: 0 });
const refusal = (code: number, words: string) => ({ code, stderr: expect.stringContaining(words) });

describeWith(['git-annex'], 'a container that starts itself', () => {
  let root: string;
  beforeAll(() => {
    root = world.path('own');
    made(world.reprise(world.dir, ['create', root]));
    const script = world.path('script.sh');
    world.write(script, '#!/bin/sh\ntouch ran\n');
    chmodSync(script, 0o755);
    made(world.reprise(root, ['containers-add', 'script', '-u', script]));
    made(world.reprise(root, ['containers-add', 'format', '-u', script, '--call-fmt', 'sh {img} {cmd}']));
  });

  const refused = (options: Omit<ContainersRunOptions, 'cmd'>, message: string) =>
    expect(
      containersRun({ cmd: ['x'], ...options }, contextIn(world, root)),
      JSON.stringify(options),
    ).rejects.toMatchObject({ code: 'usage', message: expect.stringContaining(message) });

  test('is not given what it would not heed, and says so before it starts', async () => {
    const asked = {
      '--network': { network: true },
      '--env': { env: ['HOME'] },
      '--mount': { mounts: ['/usr'] },
      '--gpus': { gpus: 'all' },
      '--writable-root': { writableRoot: true },
    };
    for (const [option, value] of Object.entries(asked))
      for (const containerName of ['script', 'format'])
        await refused({ containerName, ...value }, `${option} has no effect`);
    const done = world.reprise(root, ['containers-run', '-n', 'script', '--gpus', 'all', 'x']);
    expect(done).toMatchObject(refusal(2, '--gpus has no effect'));
    expect(existsSync(join(root, 'ran'))).toBe(false);
  });

  test('keeps its dataset: nothing takes its place', async () => {
    for (const at of ['/', '/dataset', '/dataset/', '/x/../dataset'])
      await refused({ containerName: 'script', mounts: [`..:${at}`] }, '--mount cannot take the place of /dataset');
    expect(existsSync(join(root, 'ran'))).toBe(false);
  });

  test('is started where nothing of that is asked', () => {
    made(world.reprise(root, ['containers-run', '-n', 'format', '-o', 'ran', 'x']));
    world.git(root, 'reset', '-q', '--hard', 'HEAD~1');
  });

  test('is not run by what cannot run it', () => {
    const done = world.reprise(root, ['containers-run', '-n', 'script', '--runner', 'apptainer', 'x']);
    expect(done).toMatchObject(refusal(1, '(runner-missing)'));
    expect(existsSync(join(root, 'ran'))).toBe(false);
  });
});

describeWith(['docker', 'podman', 'apptainer', 'git-annex', 'python3'], 'a container', () => {
  let root: string;
  const runnerEnv = (runner: TestRunner) => ({ ...runnersEnv(runner), GIVEN: 'given', KEPT: 'kept' });
  const start = (runner: TestRunner, name: string, args: readonly string[], env = {}) => {
    const done = world.reprise(root, ['containers-run', '-n', name, '--runner', runner, ...args], {
      env: { ...runnerEnv(runner), ...env },
    });
    expect(done, done.stderr).toMatchObject({ code: 0 });
  };
  const read = (name: string) => readFileSync(join(root, name), 'utf8');
  const containerOf = () => {
    const extension = commitsOf(world, root, 'HEAD~1..HEAD')[0]?.record?.reprise;
    return { ...(extension?.['container'] as RecordedContainer), environment: extension?.['environment'] };
  };
  /** Written by the command of a container that is closed, or that is opened. */
  const LOOK = 'wc -l </proc/net/dev >net; echo x >/anywhere && cat /anywhere >>net';

  beforeAll(() => {
    root = world.path('asked', 'ds');
    made(world.reprise(world.dir, ['create', root]));
    made(world.reprise(root, ['containers-add', 'c', '-u', testImage('busybox').oci]));
    const entry = imageWith(world, testImage('busybox').archive, 'entry', {
      Entrypoint: ['/bin/echo', 'entry'],
      Cmd: null,
    });
    made(world.reprise(root, ['containers-add', 'adapter', '-u', entry]));
    for (const way of ['run', 'exec']) {
      const settings = { image: '.datalad/environments/adapter/image', cmdexec: `singularity ${way} {img} {cmd}` };
      for (const [key, value] of Object.entries(settings))
        world.git(root, 'config', '-f', '.datalad/config', `datalad.containers.${way}.${key}`, value);
    }
    made(world.reprise(root, ['save', '-m', 'two ways']));
    world.write(world.path('asked', 'data', 'file'), 'outside\n');
  });

  describe.each(TEST_RUNNERS)('under %s', (runner) => {
    const targets = ['/tmp', '/home/reprise', '/somewhere/else'];

    test('finds its mounts, and gets the variables that are named; its own ones are as they must be', () => {
      const names = ['GIVEN', 'UNSET', 'HOME', 'DATALAD_CONTAINER_NAME'];
      const asked = [
        ...targets.flatMap((target) => ['--mount', `../data:${target}`]),
        ...names.flatMap((name) => ['--env', name]),
      ];
      const command = [
        `cat ${targets.map((target) => `${target}/file`).join(' ')}`,
        'echo $GIVEN,$KEPT,$UNSET,$LANG,$HOME,$DATALAD_CONTAINER_NAME',
        // Something to be saved each time.
        'cat /proc/sys/kernel/random/uuid',
      ].join('; ');
      const given = { DATALAD_CONTAINER_NAME: 'other', LANG: 'C.UTF-8' };
      start(runner, 'c', [...asked, '-o', 'out', `sh -c '(${command}) >out'`], given);
      const seen = /^outside\noutside\noutside\ngiven,,,(C)?,\/home\/reprise,c\n/;
      expect(read('out')).toMatch(seen);
      expect(containerOf()).toMatchObject({
        mounts: targets.map((target) => ({ source: '../data', target })),
        env: names,
        environment: undefined,
      });
      // Again in a rerun, wherever that is started.
      const before = world.git(root, 'rev-parse', 'HEAD');
      made(world.reprise('/', ['rerun', '-d', root, '--runner', runner, before], { env: runnerEnv(runner) }));
      expect(read('out')).toMatch(seen);
      expect(world.git(root, 'rev-parse', 'HEAD~1')).toBe(before);
    });

    test('starts what the image says, or the command itself', () => {
      // That the adapter and `run` are the same is so under every runner.
      const ways = { docker: ['adapter', 'run', 'exec'], podman: ['adapter', 'exec'], apptainer: ['run', 'exec'] };
      for (const name of ways[runner]) {
        start(runner, name, ['echo x >said']);
        expect(read('said')).toBe(name === 'exec' ? 'x\n' : 'entry echo x\n');
      }
    });

    test('that is closed has no network, writes nowhere else, and never gets the terminal, but what is typed there', () => {
      const inTerminal = 'import pty, sys, os; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))';
      const look = `cat >typed; for n in 0 1 2; do test -t $n && echo is one; done; timeout 5 cat </dev/tty && echo has one; ${LOOK}; exit 7`;
      const options = ['--runner', runner, '--on-cmd-failure', 'all', '-o', 'typed', '-o', 'net'];
      const line = ['containers-run', '-n', 'c', ...options, `sh -c '${look}'`];
      const argv = ['python3', '-c', inTerminal, process.execPath, cliPath, ...line];
      const done = world.exec(argv, { cwd: root, env: runnerEnv(runner), input: 'words\n\u0004' });
      expect(done.stdout).not.toMatch(/(is|has) one/);
      expect(done.stdout).toMatch(/can't open \/dev\/tty/);
      expect([done.code, read('typed'), read('net')]).toEqual([7, 'words\n', '3\n']);
      expect(containerOf()).toMatchObject({ network: false });
    });

    test('reaches the network when it is told to, and may write everywhere', () => {
      start(runner, 'c', ['-o', 'net', '--network', '--writable-root', `sh -c '${LOOK}'`]);
      expect(Number(read('net').split('\n')[0])).toBeGreaterThan(3);
      expect(read('net')).toMatch(/\nx\n$/);
      expect(containerOf()).toMatchObject({ network: true, writable_root: true });
    });
  });
});
