/** Containers under the real Apptainer: what they see, what comes out, and what is left when something is killed. */
import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { apptainerInvocation } from '../../src/containers/apptainer/arguments.ts';
import { endOrphanedMounts } from '../../src/containers/apptainer/leftovers.ts';
import { type Apptainer, findApptainer } from '../../src/containers/apptainer/presence.ts';
import { type ContainerPlan, DATASET_PATH, HOME_PATH } from '../../src/containers/plan.ts';
import { engineEnv, testSif } from '../support/engines.ts';
import { describeWith } from '../support/oracles.ts';
import { start } from '../support/runs.ts';
import { createWorld, ORDINARY_UID, type Outcome, type RunOptions, type World } from '../support/world.ts';

describeWith(['apptainer'], 'Apptainer', () => {
  let world: World;
  let host: Apptainer;
  let hostEnv: Record<string, string>;
  let image: string;

  beforeAll(async () => {
    world = createWorld();
    const engine = engineEnv('apptainer');
    hostEnv = { ...(world.env as Record<string, string>), ...engine, HOST_ONLY: 'leaked', APPTAINERENV_LEAK: 'leaked' };
    const { found, reason } = await findApptainer(['apptainer', 'singularity'], hostEnv);
    if (!found) throw new Error(reason);
    host = found;
    image = world.path('images', 'bb.sif');
    writeFileSync(image, readFileSync(testSif('busybox')));
  });
  afterAll(() => world.remove());

  /** A dataset folder and a private folder of one user, and what to start in them. */
  function prepare(uid: number, command: readonly [string, ...string[]], changes: Partial<ContainerPlan> = {}) {
    const name = randomBytes(4).toString('hex');
    const dataset = world.path(name, 'data set');
    const scratch = world.path(name, 'scratch');
    const home = world.path(name, 'user');
    for (const folder of [dataset, scratch, join(scratch, 'home'), home]) {
      mkdirSync(folder, { recursive: true });
      chownSync(folder, uid, uid);
    }
    const plan: ContainerPlan = {
      runner: 'apptainer',
      image,
      command,
      entrypoint: 'none',
      workdir: DATASET_PATH,
      mounts: [{ source: dataset, target: DATASET_PATH, readonly: false }],
      tmpfs: [HOME_PATH, '/tmp', '/var/tmp'],
      env: { HOME: HOME_PATH },
      passEnv: [],
      network: false,
      gpus: null,
      writableRoot: false,
      user: { uid, gid: uid, groups: [] },
      stdin: true,
      ...changes,
    };
    // An ordinary user may not be allowed to use FUSE here.
    const facts = uid === 0 ? host : { ...host, mountsSif: false };
    const { argv, env } = apptainerInvocation(plan, facts, scratch, { ...hostEnv, HOME: home });
    const all = Object.entries({ ...hostEnv, HOME: home, ...env });
    const defined = Object.fromEntries(all.filter((entry): entry is [string, string] => entry[1] !== undefined));
    return { dataset, scratch, argv, env: defined };
  }

  function run(
    uid: number,
    command: readonly [string, ...string[]],
    changes: Partial<ContainerPlan> = {},
    input: RunOptions['input'] = '',
  ): Outcome & { readonly dataset: string } {
    const { argv, env, dataset } = prepare(uid, command, changes);
    return { ...world.exec(argv, { cwd: dataset, env, input, ...(uid === 0 ? {} : { uid }) }), dataset };
  }

  describe.each([
    { who: 'root', uid: 0 },
    { who: 'an ordinary user', uid: ORDINARY_UID },
  ])('for $who', ({ uid }) => {
    test('files belong to the caller, and the command works where it was told to', () => {
      const { code, stdout, stderr, dataset } = run(uid, ['sh', '-c', 'pwd; id -u; echo made > out']);
      expect([code, stdout, stderr]).toEqual([0, `${DATASET_PATH}\n${uid}\n`, '']);
      expect(readFileSync(join(dataset, 'out'), 'utf8')).toBe('made\n');
      expect(statSync(join(dataset, 'out')).uid).toBe(uid);
    });

    test('streams are separate, and byte for byte', () => {
      const bytes = randomBytes(10 * 1024 * 1024);
      const { argv, env, dataset } = prepare(uid, ['sh', '-c', 'tee err; cat err >&2; rm err']);
      const target = join(dataset, 'stderr');
      const as = uid === 0 ? {} : { uid };
      const { code, bytes: out } = world.exec(['/bin/sh', '-c', '"$@" 2>"$OUT"', 'sh', ...argv], {
        cwd: dataset,
        env: { ...env, OUT: target },
        input: bytes,
        ...as,
      });
      expect(code).toBe(0);
      expect(out.equals(bytes)).toBe(true);
      expect(readFileSync(target).equals(bytes)).toBe(true);
    });

    test('neither the environment, nor the home, nor the temporary folders of this machine are seen', () => {
      const look =
        'env; for d in "$HOME" /tmp /var/tmp; do ls -A "$d"; echo x > "$d/mine" || exit 9; done; ls -A /home';
      const { code, stdout, stderr } = run(uid, ['sh', '-c', look], { env: { HOME: HOME_PATH, A: 'b c' } });
      expect([code, stderr]).toEqual([0, '']);
      const lines = stdout.split('\n');
      expect(lines).toContain(`HOME=${HOME_PATH}`);
      expect(lines).toContain('A=b c');
      expect(stdout).not.toContain('leaked');
      expect(stdout).not.toContain('TZ=');
      expect(lines.slice(lines.findLastIndex((line) => line.includes('=')) + 1)).toEqual(['reprise', '']);
    });

    test('the network is off, unless it is asked for', async () => {
      const server = createServer((socket) => socket.end('hello\n'));
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      const { port } = server.address() as { port: number };
      const look = ['sh', '-c', `nc 127.0.0.1 ${port} </dev/null; echo $?; wc -l < /proc/net/dev`] as const;
      const closed = prepare(uid, look);
      const open = prepare(uid, look, { network: true });
      const as = uid === 0 ? [] : ['setpriv', `--reuid=${uid}`, `--regid=${uid}`, '--clear-groups'];
      const [off, on] = await Promise.all(
        [closed, open].map(({ argv, env }) => start(world, [...as, ...argv], { env }).done),
      );
      server.close();
      expect(off?.stdout).toBe('1\n3\n');
      expect(on?.stdout).toMatch(/^hello\n0\n/);
    });

    test('the image is not written to, unless that is asked for, and then to no avail', () => {
      const before = readFileSync(image);
      expect(run(uid, ['sh', '-c', 'touch /new && ls /new'], { writableRoot: true })).toMatchObject({
        code: 0,
        stdout: '/new\n',
      });
      expect(run(uid, ['sh', '-c', 'ls /new || touch /new || echo neither'])).toMatchObject({
        code: 0,
        stdout: 'neither\n',
      });
      expect(readFileSync(image).equals(before)).toBe(true);
    });
  });

  test.each([
    ['exit 3', 3],
    ['kill -TERM $$', 143],
    ['kill -9 $$', 137],
  ])('%s gives %i', (line, code) => {
    expect(run(0, ['sh', '-c', line]).code).toBe(code);
  });

  test('no shell looks at the command or at the environment', () => {
    const words = ['a b', '$HOME', '`id`', "it's", '"q"', '', '$(id)', '\\n', '-x', '{y}'];
    const value = 'a, b=c; $(id) `id` "$HOME" \\n it\'s\nnext';
    const changes = { env: { HOME: HOME_PATH, A: value, EMPTY: '' }, passEnv: ['HOST_ONLY'] };
    const { stdout } = run(
      0,
      ['sh', '-c', 'printf "%s|" "$@" "$A" "${EMPTY-unset}" "$HOST_ONLY"', 'sh', ...words],
      changes,
    );
    expect(stdout).toBe([...words, value, '', 'leaked', ''].join('|'));
  });

  test('folders with odd names are mounted, also for reading only', () => {
    const odd = world.path('odd', 'a "b", c: d\\e', 'file');
    world.write(odd, 'content\n');
    const mounts = [{ source: join(odd, '..'), target: '/in put', readonly: true }];
    const { stdout, code } = run(0, ['sh', '-c', 'cat "/in put/file"; touch "/in put/new"'], { mounts, workdir: '/' });
    expect(stdout).toBe('content\n');
    expect(code).not.toBe(0);
  });

  test('graphics cards may be asked for where there are none', () => {
    expect(run(0, ['echo', 'ok'], { gpus: 'all' })).toMatchObject({ code: 0, stdout: 'ok\n', stderr: '' });
  });

  test('an image that has to be unpacked lies in the private folder, and only while it is needed', () => {
    const { argv, env, scratch } = prepare(ORDINARY_UID, ['sh', '-c', 'echo "$APPTAINER_CONTAINER"']);
    expect(world.exec(argv, { env, uid: ORDINARY_UID }).stdout.startsWith(`${scratch}/`)).toBe(true);
    expect(readdirSync(scratch).sort()).toEqual(['home', 'tmp', 'var_tmp']);
  });

  test('what is wrong with an image is said', () => {
    writeFileSync(world.path('images', 'broken.sif'), 'not an image');
    const { code, stderr } = run(0, ['true'], { image: world.path('images', 'broken.sif') });
    expect(code).toBe(255);
    expect(stderr).toMatch(/^FATAL: /);
  });

  describe('when it is ended', () => {
    const MARK = '98761';
    const marked = () => world.exec(['pgrep', '-f', `sleep ${MARK}`]).stdout.trim();
    const begin = async (line: string) => {
      const { argv, env, dataset } = prepare(0, ['sh', '-c', `echo begun > begun; ${line}`]);
      const going = start(world, argv, { env });
      for (let waited = 0; !existsSync(join(dataset, 'begun')) && waited < 200; waited += 1) await sleep(50);
      return { ...going, dataset };
    };

    test.each(['SIGTERM', 'SIGINT'] as const)('%s reaches the command, which may tidy up', async (signal) => {
      const name = signal.slice(3);
      const { child, done, dataset } = await begin(`trap "echo tidied > tidied; exit 7" ${name}; sleep ${MARK} & wait`);
      await sleep(200);
      child.kill(signal);
      expect((await done).code).toBe(7);
      expect(readFileSync(join(dataset, 'tidied'), 'utf8')).toBe('tidied\n');
      expect(marked()).toBe('');
    });

    test('SIGKILL leaves no process of the container, and the mount that it leaves is found and ended', async () => {
      const { child, done } = await begin(`sleep ${MARK} & sleep ${MARK}`);
      expect(marked()).not.toBe('');
      const other = await begin(`sleep ${MARK}5 & wait`);
      const mounts = world.exec(['pgrep', '-P', String(child.pid), 'squashfuse']).stdout.trim();
      child.kill('SIGKILL');
      expect((await done).code).toBe(137);
      await sleep(300);
      expect(world.exec(['pgrep', '-fx', `(/bin/)?sleep ${MARK}`]).stdout).toBe('');
      expect(endOrphanedMounts(realpathSync(image))).toBe(mounts === '' ? 0 : 1);
      await sleep(200);
      expect(endOrphanedMounts(realpathSync(image))).toBe(0);
      // The other container still has its image.
      expect(marked()).not.toBe('');
      other.child.kill('SIGTERM');
      await other.done;
      expect(marked()).toBe('');
    });
  });

  describe('is looked for', () => {
    test('on the PATH, by preference', async () => {
      const { found } = await findApptainer(['singularity', 'apptainer'], hostEnv);
      expect(found).toMatchObject({ flavour: 'apptainer', version: host.version });
      expect(found?.program).toMatch(/\/singularity$/);
      expect(await findApptainer(['apptainer'], { PATH: '/nonexistent' })).toMatchObject({
        found: null,
        reason: 'there is no apptainer on the PATH',
      });
    });

    test.each([
      ['echo hello', /does not say its version/],
      ['echo 2.6.1-dist', /is of version 2\.6\.1, which cannot read SIF files/],
      ['echo 3.8.7', /does not say its version/],
      ['echo singularity version 2.6.1', /is of version 2\.6\.1, which cannot read SIF files/],
      ['exit 1', /does not say its version$/],
      ["printf '\\033[31mFATAL:  \\033[0mno such user\\n' >&2; exit 255", /does not say its version: no such user$/],
    ])('and refused with a reason: %s', async (line, reason) => {
      const program = world.path('fake', 'singularity');
      writeFileSync(program, `#!/bin/sh\n${line}\n`);
      chmodSync(program, 0o755);
      const presence = await findApptainer(['singularity'], { PATH: `${join(program, '..')}:/bin` });
      expect(presence.reason).toMatch(reason);
    });

    test.each([
      ['singularity-ce version 3.11.4-jammy', 'singularity', [3, 11, 4]],
      ['singularity version 3.8.7', 'singularity', [3, 8, 7]],
      ['apptainer version 1.3.0-rc.1', 'apptainer', [1, 3, 0]],
    ])('%s is %s %j', async (says, flavour, version) => {
      const program = world.path('fake', 'singularity');
      writeFileSync(program, `#!/bin/sh\necho '${says}'\n`);
      chmodSync(program, 0o755);
      const { found } = await findApptainer(['singularity'], { PATH: `${join(program, '..')}:/bin` });
      expect(found).toMatchObject({ flavour, version });
    });
  });
});
