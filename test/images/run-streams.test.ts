/** What passes through a container run under each runner: bytes, exit codes, and whose the files are; for root and for an ordinary user. */
import { randomBytes } from 'node:crypto';
import { chmodSync, chownSync, lstatSync, mkdirSync, readFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { runnersEnv, TEST_RUNNERS, type TestRunner } from '../support/container-runs.ts';
import { recordOf } from '../support/crash-world.ts';
import { engineSocket, testImage, testSif } from '../support/engines.ts';
import { describeWith } from '../support/oracles.ts';
import { start } from '../support/runs.ts';
import { cliPath, createWorld, ORDINARY_UID, type Outcome, type World } from '../support/world.ts';

const SIZE = 10 << 20;

/** A door to an engine's socket for a user who is not root, as membership in a group would be. */
async function openDoor(engine: 'docker' | 'podman', path: string): Promise<() => void> {
  const server = createServer({ allowHalfOpen: true }, (near) => {
    const far = connect({ path: engineSocket(engine), allowHalfOpen: true });
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      from.on('error', () => to.destroy());
      from.pipe(to);
    }
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  chmodSync(path, 0o666);
  return () => server.close();
}

const USERS = { root: 0, 'an ordinary user': ORDINARY_UID } as const;
/** Podman's containers of root are started as Docker's are. */
const CASES = TEST_RUNNERS.flatMap((runner) =>
  Object.entries(USERS).flatMap(([who, uid]) => (runner === 'podman' && uid === 0 ? [] : [{ runner, who, uid }])),
);
const BYTES = { 'out.bin': randomBytes(SIZE), 'err.bin': randomBytes(SIZE) };

/** A dataset that an ordinary user has made, with an image in the form that the runner takes as it is. */
const templates = new Map<string, string>();
function template(world: World, runner: TestRunner): string {
  const url = runner === 'apptainer' ? testSif('busybox') : testImage('busybox').archive;
  const known = templates.get(url);
  if (known !== undefined) return known;
  const root = world.path(`template-${templates.size}`);
  mkdirSync(root);
  chownSync(root, ORDINARY_UID, ORDINARY_UID);
  const as = { uid: ORDINARY_UID, env: { XDG_CACHE_HOME: world.path('user/cache') } };
  for (const args of [
    ['create', '.'],
    ['containers-add', 'bb', '--url', url],
  ])
    expect(world.reprise(root, args, as)).toMatchObject({ code: 0 });
  for (const [name, content] of Object.entries(BYTES)) {
    world.write(join(root, name), content);
    chownSync(join(root, name), ORDINARY_UID, ORDINARY_UID);
  }
  expect(world.reprise(root, ['save', '-m', 'bytes'], as)).toMatchObject({ code: 0 });
  templates.set(url, root);
  return root;
}

let world: World;
beforeAll(() => {
  world = createWorld();
  for (const name of ['home', 'cache']) mkdirSync(world.path('user', name), { recursive: true });
  chownSync(world.path('user/cache'), ORDINARY_UID, ORDINARY_UID);
});
afterAll(() => world.remove());

for (const { runner, who, uid } of CASES) {
  describeWith([runner, 'git-annex'], `a container run under ${runner} of ${who}`, () => {
    let root: string;
    let env: Record<string, string>;
    let close = () => {};

    const run = (args: readonly string[], input?: Buffer): Promise<Outcome & { readonly errBytes: Buffer }> => {
      const as = uid === 0 ? [] : ['setpriv', `--reuid=${uid}`, `--regid=${uid}`, '--clear-groups'];
      return start(world, [...as, process.execPath, cliPath, ...args], {
        cwd: root,
        env,
        ...(input ? { input } : {}),
      }).done;
    };
    const containersRun = (...args: readonly string[]) => run(['containers-run', '--runner', runner, ...args]);

    beforeAll(async () => {
      root = world.path(`${runner}-${uid}`);
      world.ok(['cp', '-a', template(world, runner), root]);
      if (uid === 0) world.ok(['chown', '-R', '0:0', root]);
      env = { ...runnersEnv(runner) };
      if (uid === 0) return;
      Object.assign(env, { XDG_CACHE_HOME: world.path('user/cache') });
      if (runner !== 'apptainer') {
        const door = world.path(`${runner}.sock`);
        close = await openDoor(runner, door);
        Object.assign(env, { [runner === 'docker' ? 'DOCKER_HOST' : 'CONTAINER_HOST']: `unix://${door}` });
      }
    });
    afterAll(() => close());

    test('hands both streams on, separate and byte for byte, and logs them as they were', async () => {
      const line = 'cat err.bin >&2 & cat out.bin; wait';
      const done = await containersRun('--log', 'both', '-i', '*.bin', 'sh', '-c', line);
      expect(done.code, done.stderr.slice(-2000)).toBe(0);
      // What we say of the results comes after it.
      expect(done.bytes.subarray(0, SIZE).equals(BYTES['out.bin'])).toBe(true);
      expect(done.bytes.length - SIZE).toBeLessThan(1000);
      const at = done.errBytes.indexOf(BYTES['err.bin'].subarray(0, 64));
      expect(done.errBytes.subarray(at, at + SIZE).equals(BYTES['err.bin'])).toBe(true);
      expect(done.errBytes.length - SIZE).toBeLessThan(1000);
      const { log } = (recordOf(world, root) as { readonly reprise: { readonly log: Record<'out' | 'err', string> } })
        .reprise;
      expect(readFileSync(join(root, log.out)).equals(BYTES['out.bin'])).toBe(true);
      expect(readFileSync(join(root, log.err)).equals(BYTES['err.bin'])).toBe(true);
    });

    test('reads our standard input to its end, and makes files and folders that belong to the caller', async () => {
      const line = 'umask 022; mkdir -p made/deep; id -u >made/id; cat >made/deep/in';
      const args = ['containers-run', '--runner', runner, '-o', 'made', 'sh', '-c', line];
      const done = await run(args, BYTES['out.bin']);
      expect(done.code, done.stderr).toBe(0);
      expect(readFileSync(join(root, 'made/deep/in')).equals(BYTES['out.bin'])).toBe(true);
      expect(readFileSync(join(root, 'made/id'), 'utf8')).toBe(`${uid}\n`);
      for (const path of ['made', 'made/id', 'made/deep', 'made/deep/in']) {
        const { uid: owner, gid } = lstatSync(join(root, path));
        expect([owner, gid], path).toEqual([uid, uid]);
      }
    });

    if (uid !== 0) return;
    test('passes the exit code on, and saves nothing of a command that failed', async () => {
      const head = world.git(root, 'rev-parse', 'HEAD');
      expect((await containersRun('sh', '-c', 'kill -9 $$')).code).toBe(137);
      expect((await containersRun('no-such-program')).code).not.toBe(0);
      expect(world.git(root, 'rev-parse', 'HEAD')).toBe(head);
      const saved = await containersRun('--on-cmd-failure', 'save', 'sh', '-c', 'echo x >failed; exit 7');
      expect(saved.code).toBe(0);
      expect(recordOf(world, root)).toMatchObject({ exit: 7 });
      expect((await containersRun('sh', '-c', 'exit 7')).code).toBe(7);
    });
  });
}
