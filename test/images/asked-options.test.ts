/** What a user asks of a container is what it gets and what is recorded; what cannot be given is refused. */
import { chmodSync, existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { RecordedContainer } from '../../src/record/run-record.gen.ts';
import { engineEnv, testImage } from '../support/engines.ts';
import { describeWith } from '../support/oracles.ts';
import { commitsOf } from '../support/runs.ts';
import { cliPath, createWorld, type World } from '../support/world.ts';
import { imageWith } from './support.ts';

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

  test.each([['--network'], ['--env', 'HOME'], ['--mount', '/usr'], ['--gpus', 'all'], ['--writable-root']])(
    'is not given %s, and says so before it starts',
    (...option) => {
      for (const name of ['script', 'format']) {
        const done = world.reprise(root, ['containers-run', '-n', name, ...option, 'x']);
        expect(done, name).toMatchObject(refusal(2, `${option[0]} has no effect`));
        expect(existsSync(join(root, 'ran'))).toBe(false);
      }
    },
  );

  test.each(['/', '/dataset', '/dataset/', '/x/../dataset'])(
    'keeps its dataset: nothing takes its place at %s',
    (at) => {
      const done = world.reprise(root, ['containers-run', '-n', 'script', '--mount', `..:${at}`, 'x']);
      expect(done).toMatchObject(refusal(2, '--mount cannot take the place of /dataset'));
      expect(existsSync(join(root, 'ran'))).toBe(false);
    },
  );

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

describe.each(['docker', 'podman', 'apptainer'] as const)('under %s', (runner) => {
  describeWith([runner, 'git-annex', 'python3'], 'a container', () => {
    let root: string;
    let env: Record<string, string>;
    const look = (args: readonly string[], command: string, cwd = root) =>
      world.reprise(cwd, ['containers-run', '-n', 'c', '--runner', runner, ...args, `sh -c '${command}'`], { env });
    const containerOf = () => {
      const extension = commitsOf(world, root, 'HEAD~1..HEAD')[0]?.record?.reprise;
      return { ...(extension?.['container'] as RecordedContainer), environment: extension?.['environment'] };
    };

    beforeAll(() => {
      env = { ...engineEnv(runner), GIVEN: 'given', KEPT: 'kept' };
      root = world.path(runner, 'ds');
      made(world.reprise(world.dir, ['create', root]));
      made(world.reprise(root, ['containers-add', 'c', '-u', testImage('busybox').oci]));
      world.write(world.path(runner, 'data', 'file'), 'outside\n');
    });

    test.each(['/tmp', '/home/reprise', '/somewhere/else'])('finds a mount at %s', (target) => {
      const done = look(
        ['--mount', `../data:${target}`, '-o', 'out'],
        `cat ${target}/file /proc/sys/kernel/random/uuid >out`,
      );
      expect(done, done.stderr).toMatchObject({ code: 0 });
      expect(readFileSync(join(root, 'out'), 'utf8')).toMatch(/^outside\n/);
      expect(containerOf()).toMatchObject({ mounts: [{ source: '../data', target }] });
    });

    test('finds it again in a rerun, wherever that is started', () => {
      const before = world.git(root, 'rev-parse', 'HEAD');
      made(world.reprise('/', ['rerun', '-d', root, before], { env }));
      expect(readFileSync(join(root, 'out'), 'utf8')).toMatch(/^outside\n/);
      expect(world.git(root, 'rev-parse', 'HEAD~1')).toBe(before);
    });

    test('gets the variables that are named, and its own ones are as they must be', () => {
      const names = ['GIVEN', 'UNSET', 'HOME', 'DATALAD_CONTAINER_NAME'].flatMap((name) => ['--env', name]);
      const command = "sh -c 'echo $GIVEN,$KEPT,$UNSET,$LANG,$HOME,$DATALAD_CONTAINER_NAME >env'";
      const done = world.reprise(
        root,
        ['containers-run', '-n', 'c', '--runner', runner, '-o', 'env', ...names, command],
        {
          env: { ...env, DATALAD_CONTAINER_NAME: 'other', LANG: 'C.UTF-8' },
        },
      );
      expect(done, done.stderr).toMatchObject({ code: 0 });
      expect(readFileSync(join(root, 'env'), 'utf8')).toMatch(/^given,,,(C)?,\/home\/reprise,c\n$/);
      expect(containerOf()).toMatchObject({
        env: ['GIVEN', 'UNSET', 'HOME', 'DATALAD_CONTAINER_NAME'],
        environment: undefined,
      });
    });

    test('starts what the image says, or the command itself', () => {
      const image = imageWith(world, testImage('busybox').archive, `entry-${runner}`, {
        Entrypoint: ['/bin/echo', 'entry'],
        Cmd: null,
      });
      const add = (name: string, format: readonly string[]) =>
        made(world.reprise(root, ['containers-add', name, '-u', image, ...format]));
      add('adapter', []);
      add('run', ['--call-fmt', 'singularity run {img} {cmd}']);
      add('exec', ['--call-fmt', 'singularity exec {img} {cmd}']);
      const said = ['adapter', 'run', 'exec'].map((name) => {
        const done = world.reprise(root, ['containers-run', '-n', name, '--runner', runner, 'echo x >said'], { env });
        expect(done, done.stderr).toMatchObject({ code: 0 });
        return readFileSync(join(root, 'said'), 'utf8');
      });
      expect(said).toEqual(['entry echo x\n', 'entry echo x\n', 'x\n']);
    });

    test('never gets the terminal, but what is typed there', () => {
      const inTerminal = 'import pty, sys, os; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))';
      const look =
        'cat >typed; for n in 0 1 2; do test -t $n && echo is one; done; timeout 5 cat </dev/tty && echo has one; exit 7';
      const line = ['containers-run', '-n', 'c', '--runner', runner, '--on-cmd-failure', 'all', `sh -c '${look}'`];
      const argv = ['python3', '-c', inTerminal, process.execPath, cliPath, ...line];
      const done = world.exec(argv, { cwd: root, env, input: 'words\n\u0004' });
      expect(done.stdout).not.toMatch(/(is|has) one/);
      expect(done.stdout).toMatch(/can't open \/dev\/tty/);
      expect([done.code, readFileSync(join(root, 'typed'), 'utf8')]).toEqual([7, 'words\n']);
    });

    test('reaches the network when it is told to, and may write everywhere', () => {
      const command = 'wc -l </proc/net/dev >net; echo x >/anywhere && cat /anywhere >>net';
      const closed = look(['-o', 'net', '--on-cmd-failure', 'save'], command);
      expect([closed.code, readFileSync(join(root, 'net'), 'utf8')]).toEqual([0, '3\n']);
      expect(containerOf()).toMatchObject({ network: false });
      made(look(['-o', 'net', '--network', '--writable-root'], command));
      expect(Number(readFileSync(join(root, 'net'), 'utf8').split('\n')[0])).toBeGreaterThan(3);
      expect(readFileSync(join(root, 'net'), 'utf8')).toMatch(/\nx\n$/);
      expect(containerOf()).toMatchObject({ network: true, writable_root: true });
    });
  });
});
