/** The lock file: one holder at a time, whatever happens to the holders. */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { buildSync } from 'esbuild';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { partName } from '../../src/sys/files.ts';
import { readOwner, takeLock } from '../../src/sys/lock.ts';
import { isGone, ownerOf, thisOwner } from '../../src/sys/owner.ts';
import { type Going, start } from '../support/runs.ts';
import { createWorld, projectRoot, type World } from '../support/world.ts';

/**
 * Takes the lock again and again, and writes in one shared log what it does (short appends are atomic).
 * argv: lock, log, name, rounds. Now and then a holder dies on purpose, with the lock in its hands.
 */
const CHILD = `
import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';
import { takeLock } from '${projectRoot}/src/sys/lock.ts';
const [lock, log, name, rounds, deadly] = process.argv.slice(2);
const say = (what) => appendFileSync(log, what + ' ' + name + '\\n');
for (let round = 0; round < Number(rounds); round += 1) {
  const held = await takeLock(lock, 120000);
  say('enter');
  // Not atomic on purpose: two at once would lose a count.
  const count = Number(readFileSync(log + '.count', 'utf8'));
  for (let step = 0; step < 3; step += 1) { say('hold'); await new Promise((done) => setTimeout(done, Math.random() * 2)); }
  if (Math.random() < Number(deadly)) { process.kill(process.pid, 'SIGKILL'); await new Promise(() => {}); }
  writeFileSync(log + '.count', String(count + 1));
  say('leave');
  held.release();
}
say('done');
`;

// Dozens of processes at once take their time on a machine that is busy with other tests.
vi.setConfig({ testTimeout: 300_000 });

let world: World;
let child: string;
/** No process has this number. */
const GONE = { ...thisOwner(), pid: 999_999_999, start: 1 };
beforeAll(() => {
  world = createWorld();
  const source = world.path('child.ts');
  writeFileSync(source, CHILD);
  child = world.path('child.mjs');
  buildSync({ entryPoints: [source], outfile: child, bundle: true, platform: 'node', format: 'esm', target: 'node20' });
});
afterAll(() => world.remove());

function startChild(folder: string, name: string, rounds: number, deadly: number): Going {
  return start(world, [
    process.execPath,
    child,
    join(folder, 'lock'),
    join(folder, 'log'),
    name,
    String(rounds),
    String(deadly),
  ]);
}

/** Reads the log: whoever enters stays alone until it leaves or is never heard of again. Returns rounds completed. */
function expectExclusive(log: string): number {
  const lines = readFileSync(log, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => line.split(' ') as [string, string]);
  const last = new Map(lines.map(([, name], index) => [name, index]));
  const violations: string[] = [];
  let holder: string | null = null;
  let rounds = 0;
  for (const [index, [what, name]] of lines.entries()) {
    if (what === 'done') continue;
    if (holder !== null && holder !== name && (last.get(holder) as number) > index)
      violations.push(`line ${index}: ${what} by ${name} while ${holder} is inside`);
    holder = what === 'leave' ? null : name;
    if (what === 'leave') rounds += 1;
  }
  expect(violations).toEqual([]);
  return rounds;
}

describe('a lock file', () => {
  test('is held by one of 16 processes at a time, 30 rounds each', async () => {
    const folder = world.path('calm');
    mkdirSync(folder);
    writeFileSync(join(folder, 'log.count'), '0');
    const going = Array.from({ length: 16 }, (_, index) => startChild(folder, `p${index}`, 30, 0));
    const outcomes = await Promise.all(going.map(({ done }) => done));
    expect(outcomes.map(({ code, stderr }) => [code, stderr])).toEqual(outcomes.map(() => [0, '']));
    expect(expectExclusive(join(folder, 'log'))).toBe(480);
    expect(readFileSync(join(folder, 'log.count'), 'utf8')).toBe('480');
    expect(readdirSync(folder).sort()).toEqual(['log', 'log.count']);
  });

  test('passes on when holders and waiters are killed, and is never held twice', async () => {
    const folder = world.path('deadly');
    mkdirSync(folder);
    writeFileSync(join(folder, 'log.count'), '0');
    const deaths: string[] = [];
    const living = new Set<Going>();
    const over = new AbortController();
    const log = () => (existsSync(join(folder, 'log')) ? readFileSync(join(folder, 'log'), 'utf8') : '').split('\n');
    const worker = async (index: number) => {
      // Whoever dies is followed by another, until the 30 rounds of this place are through.
      for (let life = 0; ; life += 1) {
        const done = log().filter((line) => line.startsWith(`leave p${index}.`)).length;
        const going = startChild(folder, `p${index}.${life}`, 30 - done, 0.03);
        living.add(going);
        const outcome = await going.done;
        living.delete(going);
        if (outcome.code === 0) return;
        expect([outcome.code, outcome.stderr]).toEqual([137, '']);
        deaths.push(`p${index}.${life}`);
      }
    };
    const shooter = async () => {
      while (!over.signal.aborted && deaths.length < 20) {
        await sleep(20 + Math.random() * 80);
        // Half of them hold the lock; the others wait for it, or are about to take over that of a dead one.
        const holder = readOwner(join(folder, 'lock'))?.pid;
        const all = [...living];
        const target = all.find(({ child }) => child.pid === holder && Math.random() < 0.5);
        (target ?? all[Math.floor(Math.random() * all.length)])?.child.kill('SIGKILL');
      }
    };
    const shooting = shooter();
    await Promise.all(Array.from({ length: 16 }, (_, index) => worker(index)));
    over.abort();
    await shooting;
    expect(deaths.length).toBeGreaterThan(5);
    expect(expectExclusive(join(folder, 'log'))).toBeGreaterThanOrEqual(480);
    const lock = await takeLock(join(folder, 'lock'), 10_000);
    lock.release();
    expect(existsSync(join(folder, 'lock'))).toBe(false);
  });

  test('of a process that is gone is taken over by one of those who wait', async () => {
    for (let round = 0; round < 25; round += 1) {
      const path = world.path('stale', `lock-${round}`);
      writeFileSync(path, JSON.stringify(GONE));
      let inside = 0;
      let most = 0;
      await Promise.all(
        Array.from({ length: 8 }, async () => {
          const lock = await takeLock(path, 10_000);
          inside += 1;
          most = Math.max(most, inside);
          await sleep(1);
          inside -= 1;
          lock.release();
        }),
      );
      expect(most).toBe(1);
      expect(readdirSync(world.path('stale'))).toEqual([]);
    }
  });

  test('of a living process is waited for, and then named', async () => {
    const path = world.path('held');
    const lock = await takeLock(path, 1000);
    await expect(takeLock(path, 200)).rejects.toMatchObject({
      code: 'lock-timeout',
      message: expect.stringContaining(`process ${process.pid} on ${hostname()}`) as string,
      hints: [expect.stringContaining(`rm ${path}`) as string],
    });
    setTimeout(() => lock.release(), 100);
    const next = await takeLock(path, 5000);
    next.release();
  });

  test('is waited for with a ticket; those of processes that are gone are cleared away', async () => {
    const folder = world.path('queue');
    mkdirSync(folder);
    const path = join(folder, 'lock');
    const ticketOf = (pid: number) => partName(join(folder, 'lock.wait-0-0')).replace(`.${process.pid}.`, `.${pid}.`);
    writeFileSync(ticketOf(999_999_999), '');
    writeFileSync(ticketOf(1), '');
    const lock = await takeLock(path, 1000);
    const waiting = takeLock(path, 60_000);
    const tickets = () => readdirSync(folder).filter((name) => name.startsWith('lock.wait-'));
    await vi.waitFor(() => expect(tickets().filter((name) => name.endsWith(`.${process.pid}.part`))).toHaveLength(1));
    await vi.waitFor(() => expect(tickets()).toHaveLength(2));
    lock.release();
    (await waiting).release();
    expect(readdirSync(folder).map((name) => join(folder, name))).toEqual([ticketOf(1)]);
  });

  test('of another host is never taken away', async () => {
    const path = world.path('elsewhere');
    writeFileSync(path, JSON.stringify({ ...thisOwner(), host: 'elsewhere.example.org', pid: 999_999_999 }));
    await expect(takeLock(path, 200)).rejects.toMatchObject({ code: 'lock-timeout' });
    expect(existsSync(path)).toBe(true);
  });

  test.each([
    ['is empty', ''],
    ['is not ours', 'locked by hand\n'],
    ['is JSON of another kind', '[1]'],
  ])('that %s is not taken away either', async (_, content) => {
    const path = world.path('foreign');
    writeFileSync(path, content);
    await expect(takeLock(path, 100)).rejects.toMatchObject({ code: 'lock-timeout' });
    expect(readFileSync(path, 'utf8')).toBe(content);
  });
});

const strace = existsSync('/usr/bin/strace');
if (!strace && process.env['REPRISE_REQUIRE_ALL']) throw new Error('strace is required here (apt-get install strace)');

describe.skipIf(!strace)('who is killed while taking over a lock [needs strace]', () => {
  test('leaves it to the next ones, at whichever step', async () => {
    const folder = world.path('cut');
    mkdirSync(folder);
    writeFileSync(join(folder, 'log.count'), '0');
    const calls = 'link,linkat,unlink,unlinkat,rename,renameat,renameat2';
    let killed = 0;
    for (let call = 1; call <= 20; call += 1) {
      writeFileSync(join(folder, 'lock'), JSON.stringify(GONE));
      const inject = ['-e', `trace=${calls}`, '-e', `inject=${calls}:signal=SIGKILL:when=${call}`];
      const argv = [process.execPath, child, join(folder, 'lock'), join(folder, 'log'), 'cut', '1', '0'];
      const outcome = world.exec(['strace', '-qq', '-o', '/dev/null', ...inject, ...argv]);
      if (outcome.code === 0) break;
      killed += 1;
      const next = Array.from({ length: 6 }, (_, index) => startChild(folder, `p${call}-${index}`, 2, 0));
      const outcomes = await Promise.all(next.map(({ done }) => done));
      expect(outcomes.map(({ code, stderr }) => [call, code, stderr])).toEqual(outcomes.map(() => [call, 0, '']));
    }
    expect(killed).toBeGreaterThan(3);
    expect(killed).toBeLessThan(20);
    expectExclusive(join(folder, 'log'));
  });
});

describe('an owner', () => {
  test('is gone once its process has ended, even before its parent has noticed, and not before', async () => {
    const sleeper = start(world, ['sleep', '60']);
    const pid = sleeper.child.pid as number;
    const owner = ownerOf(pid);
    expect(isGone(owner)).toBe(false);
    expect(isGone(thisOwner())).toBe(false);
    sleeper.child.kill('SIGKILL');
    await sleeper.done;
    expect(isGone(owner)).toBe(true);

    // A zombie: its parent never asks for its exit status.
    const note = world.path('zombie');
    const parent = start(world, [
      'python3',
      '-c',
      `import os,time,sys\npid=os.fork()\nif pid==0: os._exit(0)\nopen(${JSON.stringify(note)},'w').write(str(pid))\ntime.sleep(60)`,
    ]);
    while (!existsSync(note) || readFileSync(note, 'utf8') === '') await sleep(10);
    await sleep(50);
    expect(isGone({ ...thisOwner(), pid: Number(readFileSync(note, 'utf8')), start: 5 })).toBe(true);
    parent.child.kill('SIGKILL');
    await parent.done;
  });

  test('with the number of a later process is gone, and so is one of an earlier boot', () => {
    expect(isGone({ ...thisOwner(), start: 1 })).toBe(true);
    expect(isGone({ ...thisOwner(), boot: 'another boot' })).toBe(true);
    expect(isGone({ ...thisOwner(), boot: 'another boot', host: 'elsewhere.example.org' })).toBe(false);
  });
});
