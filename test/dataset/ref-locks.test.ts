/** A lock on a ref: of a Git at work it is waited for, of one that is gone it is named, and cleared where a run is recovered. */
import { existsSync, readFileSync, rmSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { crashModule, readSteps } from '../support/crash-points.ts';
import { journalsIn, repriseBeside, runBeside } from '../support/crash-world.ts';
import { cliPath, createWorld, type World } from '../support/world.ts';

let world: World;
beforeAll(() => {
  world = createWorld();
});
afterAll(() => world.remove());

const RUN = ['run', '-o', 'out', 'echo 1 >out'];

function dataset(name: string): { readonly root: string; readonly lock: string } {
  const root = world.path(name);
  world.ok([process.execPath, cliPath, 'create', '--no-annex', root]);
  return { root, lock: join(root, '.git', `${world.git(root, 'symbolic-ref', 'HEAD')}.lock`) };
}

/** Leaves locks as a Git does that was killed some time ago. */
function leave(...locks: readonly string[]): void {
  for (const lock of locks) {
    world.write(lock, '');
    utimesSync(lock, 1_000_000_000, 1_000_000_000);
  }
}

test.concurrent('that a killed Git has left does not keep a run from being recovered', async () => {
  const { root, lock } = dataset('killed');
  const module = crashModule(world.path('crash.mjs'));
  const argv = [process.execPath, '--import', module, cliPath, ...RUN];
  const list = world.path('steps');
  const listed = dataset('listed').root;
  expect(await runBeside(world, argv, { cwd: listed, env: { CRASH_LIST: list } })).toMatchObject({ code: 0 });
  const at = readSteps(list).findIndex((step) => /^before git .*update-ref/.test(step)) + 1;
  expect(at).toBeGreaterThan(0);
  const killed = await runBeside(world, argv, { cwd: root, env: { CRASH_AT: String(at) } });
  expect(killed.signal).toBe('SIGKILL');
  const locks = [lock, join(root, '.git/packed-refs.lock'), join(root, '.git/HEAD.lock')];
  leave(...locks);

  expect(await repriseBeside(world, ['recover'], { cwd: root })).toMatchObject({ code: 0 });
  expect(locks.filter((path) => existsSync(path))).toEqual([]);
  expect(world.git(root, 'show', 'HEAD:out')).toBe('1');
  expect(journalsIn(root)).toEqual([]);
});

test.concurrent('that is held for a moment is waited for', async () => {
  const { root, lock } = dataset('held');
  leave(lock);
  const run = repriseBeside(world, RUN, { cwd: root });
  // Its marker says so when a run is about to move its branch.
  const index = join(root, '.git/index.lock');
  while (!existsSync(index) || !readFileSync(index, 'utf8').includes('"change"')) await sleep(10);
  rmSync(lock);
  expect(await run).toMatchObject({ code: 0 });
  expect(world.git(root, 'show', 'HEAD:out')).toBe('1');
});

test.concurrent('that is never let go is named, and the run can be recovered', async () => {
  const { root, lock } = dataset('stuck');
  leave(lock);
  const ended = await repriseBeside(world, RUN, { cwd: root });
  expect(ended.code).toBe(1);
  expect(ended.stderr).toContain(`has been holding ${lock} for too long`);
  expect(ended.stderr).toContain('reprise recover');
  expect(existsSync(lock)).toBe(true);
  expect(await repriseBeside(world, ['recover'], { cwd: root })).toMatchObject({ code: 0 });
  expect(world.git(root, 'show', 'HEAD:out')).toBe('1');
});
