/** The client of the container engines stands where the command's own process would: streams, exit codes, signals, files. */
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { chmodSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { spawn } from 'node:child_process';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { processesWith } from '../support/container-runs.ts';
import { engineSocket } from '../support/engines.ts';
import { describeWith } from '../support/oracles.ts';
import { createWorld, ORDINARY_UID, type World } from '../support/world.ts';
import { client, type EngineWorld, engineWorld, type Way } from './engine-world.ts';

let world: World;

beforeAll(() => {
  world = createWorld();
});
afterAll(() => world.remove());

function childrenOf(pid: number): readonly number[] {
  const text = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8');
  return text
    .split(' ')
    .filter((word) => word !== '')
    .map(Number);
}

/** Calls again until it answers true; false after some seconds. */
async function eventually(condition: () => boolean, seconds = 20): Promise<boolean> {
  for (let left = seconds * 10; left > 0; left -= 1) {
    if (condition()) return true;
    await setTimeout(100);
  }
  return false;
}

for (const way of ['docker', 'podman', 'podman-command'] as const satisfies readonly Way[]) {
  describeWith([way === 'docker' ? 'docker' : 'podman'], `a command in a container, by ${way}`, () => {
    let engine: EngineWorld;
    /** Names of containers whose clients were killed while they were being made: their leashes look for them for some seconds. */
    let killed: readonly string[];

    beforeAll(async () => {
      engine = await engineWorld(way, world.dir);
      killed = await Promise.all(
        [30, 80, 140, 220].map(async (pause) => {
          const { file, name } = engine.job(engine.plan(['sleep', '1000']));
          const child = engine.start(file);
          await setTimeout(pause);
          child.kill('SIGKILL');
          return name;
        }),
      );
    });
    afterAll(() => {
      expect(engine.containers()).toEqual([]);
    });

    test('has streams of its own, passes bytes on unchanged, and reads our input to its end', () => {
      const input = randomBytes(10 << 20);
      const done = engine.run(['sh', '-c', 'echo to stderr >&2; cat; echo >&2 and more'], {}, input);
      expect(done.stderr).toBe('to stderr\nand more\n');
      expect(done.code).toBe(0);
      expect(sha(done.stdout)).toBe(sha(input));
    });

    test('reads nothing where it has no input, and is waited for when it closes its output early', () => {
      const line = 'wc -c; test ! -t 0 && echo no terminal; exec >&- 2>&-; sleep 0.4; exit 5';
      const done = engine.run(['sh', '-c', line], { stdin: false }, 'unread');
      expect([done.stdout.toString(), done.code]).toEqual(['0\nno terminal\n', 5]);
    });

    test('waits for a slow reader, and loses nothing', async () => {
      const { file } = engine.job(
        engine.plan(['sh', '-c', 'dd if=/dev/zero bs=1M count=24 2>/dev/null | tr "\\0" x; printf end'], {
          stdin: false,
        }),
      );
      const child = engine.start(file);
      await setTimeout(800);
      let size = 0;
      let last = '';
      for await (const chunk of child.stdout as AsyncIterable<Buffer>) {
        size += chunk.length;
        last = chunk.subarray(-3).toString();
      }
      expect([size, last]).toEqual([(24 << 20) + 3, 'end']);
    });

    test.each([
      ['TERM', 143],
      ['KILL', 137],
    ])('that SIG%s ends exits %i', (name, code) => {
      expect(engine.run(['sh', '-c', `kill -${name} $$`]).code).toBe(code);
    });

    test('gets no arguments that the image would have', () => {
      expect(engine.run(['echo']).stdout.toString()).toBe('\n');
    });

    test('that cannot be executed fails, and says so', () => {
      const missing = engine.run(['no-such-program']);
      const notExecutable = engine.run(['/etc/passwd']);
      expect(missing.stderr).toMatch(/No such file or directory/);
      expect(notExecutable.stderr).toMatch(/Permission denied/);
      // Docker's init tells by its exit code which of them it was; Podman's exits 1.
      expect([missing.code, notExecutable.code]).toEqual(way === 'docker' ? [127, 126] : [1, 1]);
    });

    test('gets signals', async () => {
      const traps = ['INT', 'TERM', 'HUP'].map((name) => `trap 'echo got ${name}' ${name}`);
      const line = [...traps, "trap 'echo got QUIT; exit 9' QUIT", 'echo ready', 'while :; do sleep 0.1; done'];
      const { file } = engine.job(engine.plan(['sh', '-c', line.join('; ')]));
      const child = engine.start(file);
      const signals = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const;
      let text = '';
      let sent = 0;
      for await (const chunk of child.stdout as AsyncIterable<Buffer>) {
        text += chunk.toString();
        // Each once the one before has come.
        const signal = text.split('\n').length - 2 === sent ? signals[sent] : undefined;
        if (signal === undefined) continue;
        sent += 1;
        child.kill(signal);
      }
      if (child.exitCode === null) await once(child, 'exit');
      expect([text, child.exitCode]).toEqual(['ready\ngot INT\ngot TERM\ngot HUP\ngot QUIT\n', 9]);
    });

    test('makes files that belong to the caller, in the dataset only; has a clean environment, a home and a /tmp of its own, and no network', () => {
      chmodSync(engine.dataset, 0o777);
      const script =
        'echo "$PWD $HOME"; ls -A $HOME /tmp | tr "\\n" " "; echo; hostname; ls /sys/class/net; id -u; id -G; echo "[$SECRET$PASSED]"; cp /bin/busybox /tmp && /tmp/busybox echo runs; echo made >made; touch /root-file';
      process.env['SECRET'] = 'no';
      const user = { uid: ORDINARY_UID, gid: ORDINARY_UID, groups: [4242] };
      const { file } = engine.job(engine.plan(['sh', '-c', script], { passEnv: ['PASSED'], user }));
      const done = world.exec([process.execPath, client, 'run', file], {
        env: { ...(engine.env as Record<string, string>), SECRET: 'not passed', PASSED: 'passed' },
      });
      expect(done.stdout.split('\n')).toEqual([
        '/dataset /home/reprise',
        expect.stringMatching(/^\S*\/home\/reprise: *\/tmp: *$/),
        'reprise',
        'lo',
        `${ORDINARY_UID}`,
        `${ORDINARY_UID} 4242`,
        '[passed]',
        'runs',
        '',
      ]);
      expect(readFileSync(file, 'utf8')).not.toContain('"passed"');
      const { uid, gid } = statSync(join(engine.dataset, 'made'));
      expect([uid, gid]).toEqual([ORDINARY_UID, ORDINARY_UID]);
      expect(readFileSync(join(engine.dataset, 'made'), 'utf8')).toBe('made\n');
      expect(done.stderr).toMatch(/^touch: \/root-file: Read-only file system\n$/);
      expect(done.code).toBe(1);
    });

    test('may write everywhere with a writable root, and read only where a mount is read-only', () => {
      writeFileSync(join(engine.dataset, 'kept'), 'kept');
      const mounts = [{ source: engine.dataset, target: '/dataset', readonly: true }];
      const done = engine.run(['sh', '-c', 'echo x >/root-file && cat /root-file kept; rm kept'], {
        mounts,
        writableRoot: true,
      });
      expect(done.stdout.toString()).toBe('x\nkept');
      expect(done.stderr).toMatch(/Read-only file system/);
    });

    test('is told from an engine that fails, with the engine’s own reason', () => {
      const done = engine.run(['true'], {
        mounts: [{ source: '/no/such/folder', target: '/dataset', readonly: false }],
      });
      expect(done.code).toBe(125);
      expect(done.stderr).toMatch(/\/no\/such\/folder/);
    });

    test('ends when nobody reads its output any more', async () => {
      const { file } = engine.job(engine.plan(['yes'], { stdin: false }));
      const child = engine.start(file);
      await once(child.stdout as NodeJS.ReadableStream, 'data');
      child.stdout?.destroy();
      const [code] = (await once(child, 'exit')) as [number];
      expect(code).toBeGreaterThan(0);
    });

    const kills: readonly (readonly [string, (child: number) => void])[] = [
      [
        'the client with all below it',
        (child) => {
          for (const pid of [...childrenOf(child), child]) process.kill(pid, 'SIGKILL');
        },
      ],
      ['the client', (child) => process.kill(child, 'SIGKILL')],
      ['its whole group', (child) => process.kill(-child, 'SIGKILL')],
    ];
    // Who outlives the client is the same under Podman.
    test.each(way === 'docker' ? kills : kills.slice(0, 1))(
      'is gone some moments after %s was killed',
      async (_who, kill) => {
        const { file, name } = engine.job(engine.plan(['sleep', '1000']));
        const child = engine.start(file);
        expect(await eventually(() => engine.containers().includes(name))).toBe(true);
        kill(child.pid as number);
        expect(await eventually(() => !engine.containers().includes(name))).toBe(true);
      },
    );

    test('is gone some moments after the process that waits for it was killed', async () => {
      const owner = spawn('sleep', ['1000']);
      const { file, name } = engine.job(engine.plan(['sh', '-c', 'trap : TERM INT; sleep 1000']), owner.pid);
      const child = engine.start(file);
      expect(await eventually(() => engine.containers().includes(name))).toBe(true);
      owner.kill('SIGKILL');
      if (child.exitCode === null) await once(child, 'exit');
      expect(child.exitCode).toBe(137);
      expect(engine.containers()).not.toContain(name);
    });

    test.each([70, 100, 150])(
      'leaves nothing behind after a signal that came before it had started: at %i ms',
      async (ms) => {
        const { file, name } = engine.job(engine.plan(['sleep', '1000']));
        const child = engine.start(file);
        await setTimeout(ms);
        child.kill('SIGTERM');
        const [code, signal] = (await once(child, 'exit')) as [number | null, NodeJS.Signals | null];
        // Never as if the command had ended well.
        expect(signal ?? code).toBe(signal === null ? 143 : 'SIGTERM');
        expect(await eventually(() => !engine.containers().includes(name), 8)).toBe(true);
      },
    );

    // Last, because by now the time that a leash takes has passed beside the other tests.
    test('is gone also if the client was killed while the container was being made', async () => {
      const onLeash = () => killed.filter((name) => processesWith(name).length > 0);
      expect(await eventually(() => onLeash().length === 0), onLeash().join(' ')).toBe(true);
      expect(engine.containers().filter((name) => killed.includes(name))).toEqual([]);
    });
  });
}

describeWith(['docker'], 'memory', () => {
  test('a container that used more memory than it may is told of', async () => {
    const engine = await engineWorld('docker', world.dir);
    const { file, name } = engine.job(engine.plan(['sh', '-c', 'echo up; read word; tail /dev/zero']));
    const child = engine.start(file);
    let stderr = '';
    child.stderr?.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
    await once(child.stdout as NodeJS.ReadableStream, 'data');
    world.ok(['docker', 'update', '--memory=16m', '--memory-swap=16m', name], {
      env: engine.env as Record<string, string>,
    });
    child.stdin?.end('go\n');
    const [code] = (await once(child, 'exit')) as [number];
    expect(code).toBe(137);
    expect(stderr).toMatch(/used more memory than it may/);
  });
});

function sha(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}

describeWith(['podman'], 'the streams of a container, by podman', () => {
  test('are attached one after the other: a second request while the first makes the container is refused', async () => {
    const engine = await engineWorld('podman', world.dir);
    const { file } = engine.job(engine.plan(['cat']));
    const socket = world.path('slow.sock');
    const door = await slowDoor(engineSocket('podman'), socket);
    try {
      writeFileSync(file, readFileSync(file, 'utf8').replaceAll(engineSocket('podman'), socket));
      const child = engine.start(file);
      child.stdin?.end('all of it');
      let said = '';
      child.stdout?.on('data', (chunk: Buffer) => (said += chunk.toString()));
      child.stderr?.on('data', (chunk: Buffer) => (said += chunk.toString()));
      const [code] = await once(child, 'close');
      // Two at once are refused by chance only, so it is the requests that are looked at.
      expect([code, said, door.seen()]).toEqual([0, 'all of it', { attached: 2, atOnce: false }]);
    } finally {
      door.close();
    }
  });
});

/** A way to an engine that hands an attachment on only when no other one comes within some time, as if the engine were slow; two are handed on at once. */
async function slowDoor(engine: string, path: string) {
  const waiting: (() => void)[] = [];
  const seen = { attached: 0, atOnce: false };
  const server = createServer({ allowHalfOpen: true }, (near) => {
    const far = connect({ path: engine, allowHalfOpen: true });
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const)
      one.on('error', () => other.destroy());
    far.pipe(near);
    near.on('end', () => far.end());
    near.on('data', (chunk: Buffer) => {
      if (!/^POST \S+\/attach\?/.test(chunk.toString('latin1'))) {
        far.write(chunk);
        return;
      }
      seen.attached += 1;
      near.pause();
      waiting.push(() => {
        far.write(chunk);
        near.resume();
      });
      const release = () => {
        for (const handOn of waiting.splice(0)) handOn();
      };
      seen.atOnce ||= waiting.length > 1;
      if (seen.atOnce) release();
      else void setTimeout(300).then(release);
    });
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  return { seen: () => seen, close: () => server.close() };
}
