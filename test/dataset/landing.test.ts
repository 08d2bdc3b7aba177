/** Landings that are cut off: whoever comes next completes or undoes them, and a foreign index lock is waited for. */
import { chmodSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { beginLanding, settle } from '../../src/dataset/landing.ts';
import { type Repo, requireRepo } from '../../src/dataset/repo.ts';
import { defaultContext } from '../../src/sys/context.ts';
import { thisOwner } from '../../src/sys/owner.ts';
import { commitsOf, leftovers } from '../support/runs.ts';
import { cliPath, createWorld, type World } from '../support/world.ts';

// Dozens of processes at once take their time on a machine that is busy with other tests.
vi.setConfig({ testTimeout: 300_000 });

let world: World;
beforeAll(() => {
  world = createWorld();
  world.sh(world.dir, 'git init -q base && cd base && echo 1 > a && git add a && git commit -qm start');
});
afterAll(() => world.remove());

function fresh(name: string): string {
  world.ok(['cp', '-aT', world.path('base'), world.path(name)]);
  return world.path(name);
}

function repoOf(dataset: string): Repo {
  return requireRepo(dataset, defaultContext({ cwd: dataset, env: { ...world.env, PWD: dataset } }), true);
}

const indexes = (dataset: string) => readdirSync(join(dataset, '.git')).filter((name) => name.startsWith('index'));
const GONE = { ...thisOwner(), pid: 999_999_999, start: 1 };

describe('a landing', () => {
  test('holds the index lock of Git, and gives it back', async () => {
    const dataset = fresh('holding');
    const landing = await beginLanding(repoOf(dataset));
    const add = world.exec(['git', 'add', 'a'], { cwd: dataset });
    expect(add.code).toBe(128);
    expect(add.stderr).toContain('index.lock');
    landing.release();
    expect(indexes(dataset)).toEqual(['index']);
    world.git(dataset, 'add', 'a');
  });

  test('waits for the index lock of somebody else', async () => {
    const dataset = fresh('waiting');
    writeFileSync(join(dataset, '.git/index.lock'), 'DIRC');
    let begun = false;
    const waiting = beginLanding(repoOf(dataset)).then((landing) => {
      begun = true;
      return landing;
    });
    await sleep(300);
    expect(begun).toBe(false);
    expect(readFileSync(join(dataset, '.git/index.lock'), 'utf8')).toBe('DIRC');
    rmSync(join(dataset, '.git/index.lock'));
    (await waiting).release();
    expect(indexes(dataset)).toEqual(['index']);
  });

  test('says no when the branch is not where it was, and then nothing has changed', async () => {
    const dataset = fresh('moved');
    const old = world.git(dataset, 'rev-parse', 'HEAD');
    const other = world.git(dataset, 'commit-tree', '-p', old, '-m', 'other', `${old}^{tree}`);
    const index = readFileSync(join(dataset, '.git/index'));
    const landing = await beginLanding(repoOf(dataset));
    world.git(dataset, 'update-ref', 'refs/heads/main', other);
    expect(await landing.commit([{ ref: 'refs/heads/main', from: old, to: old }], 'late')).toBe(false);
    landing.release();
    expect(world.git(dataset, 'rev-parse', 'main')).toBe(other);
    expect(readFileSync(join(dataset, '.git/index')).equals(index)).toBe(true);
    expect(indexes(dataset)).toEqual(['index']);
  });
});

describe('the landing of a process that is gone', () => {
  test('before any ref moved is undone', async () => {
    const dataset = fresh('undone');
    const next = join(dataset, '.git/index.reprise-0123456789abcdef');
    const old = readFileSync(join(dataset, '.git/index'));
    writeFileSync(next, 'half an index');
    writeFileSync(join(dataset, '.git/index.lock'), JSON.stringify({ reprise: 'landing', owner: GONE, next }));
    expect(await settle(repoOf(dataset))).toBe(true);
    expect(readFileSync(join(dataset, '.git/index')).equals(old)).toBe(true);
    expect(indexes(dataset)).toEqual(['index']);
  });

  test.each([
    ['had not moved the branch yet is undone', false],
    ['had moved the branch is completed', true],
  ])('that %s', async (_, moved) => {
    const dataset = fresh(`moved ${moved}`);
    const next = join(dataset, '.git/index.reprise-0123456789abcdef');
    const from = world.git(dataset, 'rev-parse', 'HEAD');
    writeFileSync(join(dataset, 'b'), 'new\n');
    world.ok(['cp', '.git/index', next], { cwd: dataset });
    const env = { GIT_INDEX_FILE: next };
    world.ok(['git', 'add', 'b'], { cwd: dataset, env });
    const tree = world.ok(['git', 'write-tree'], { cwd: dataset, env });
    const to = world.git(dataset, 'commit-tree', '-p', from, '-m', 'landed', tree);
    const change = { ref: 'refs/heads/main', from, to };
    writeFileSync(join(dataset, '.git/index.lock'), JSON.stringify({ reprise: 'landing', owner: GONE, next, change }));
    if (moved) world.git(dataset, 'update-ref', 'refs/heads/main', to);

    const landing = await beginLanding(repoOf(dataset));
    landing.release();
    expect(world.git(dataset, 'status', '--porcelain')).toBe(moved ? '' : '?? b');
    expect(world.git(dataset, 'rev-parse', 'HEAD')).toBe(moved ? to : from);
    expect(indexes(dataset)).toEqual(['index']);
  });

  test.each([
    ['of a process that lives', () => JSON.stringify({ reprise: 'landing', owner: thisOwner(), next: '/nonexistent' })],
    [
      'of a process on another host',
      () =>
        JSON.stringify({ reprise: 'landing', owner: { ...GONE, host: 'elsewhere.example.org' }, next: '/nonexistent' }),
    ],
    ['of Git', () => 'DIRC'],
    ['that is empty', () => ''],
    ['that only looks like one', () => '{"reprise":"landing","owner":null}'],
  ])('is not confused with the index lock %s', async (title, content) => {
    const dataset = fresh(`not ${title}`);
    const lock = join(dataset, '.git/index.lock');
    writeFileSync(lock, content());
    expect(await settle(repoOf(dataset))).toBe(false);
    expect(readFileSync(lock, 'utf8')).toBe(content());
  });
});

/** A hook that Git calls while refs move: it kills the process that asked for the move of the branch. */
function killAt(dataset: string, phase: 'prepared' | 'committed'): void {
  const hook = join(dataset, '.git/hooks/reference-transaction');
  writeFileSync(
    hook,
    `#!/bin/sh
[ "$1" = ${phase} ] || exit 0
grep -q ' refs/heads/main$' || exit 0
rm -f "$0"
touch "${dataset}/.git/killed"
while read -r key value; do [ "$key" = PPid: ] && kill -9 "$value"; done < /proc/$PPID/status
[ "$1" = committed ]
`,
  );
  chmodSync(hook, 0o755);
}

describe('a run that is killed while its commit lands', () => {
  test.each(['prepared', 'committed'] as const)(
    'when its refs are %s: the next run works, and recover completes it, once',
    (phase) => {
      const dataset = fresh(`killed ${phase}`);
      const since = world.git(dataset, 'rev-parse', 'HEAD');
      killAt(dataset, phase);
      const killed = world.reprise(dataset, ['run', '--explicit', '-o', 'b', 'echo 1 > b']);
      expect(killed.code).toBe(137);
      expect(existsSync(join(dataset, '.git/killed'))).toBe(true);
      expect(existsSync(join(dataset, '.git/index.lock'))).toBe(true);

      const next = world.reprise(dataset, ['run', '--explicit', '-o', 'c', 'echo 1 > c']);
      expect(next.code).toBe(0);
      expect(next.stderr).toContain('recover');
      expect(world.reprise(dataset, ['recover'])).toMatchObject({ code: 0 });
      const commits = commitsOf(world, dataset, `${since}..HEAD`);
      expect(commits.map(({ changes }) => changes.join()).sort()).toEqual(['A b', 'A c']);
      expect(commits.map(({ record }) => `${record?.cmd}`).sort()).toEqual(['echo 1 > b', 'echo 1 > c']);
      expect(world.git(dataset, 'status', '--porcelain')).toBe('');
      expect(leftovers(world, dataset)).toEqual([]);
    },
  );
});

const strace = existsSync('/usr/bin/strace');
if (!strace && process.env['REPRISE_REQUIRE_ALL']) throw new Error('strace is required here (apt-get install strace)');

describe.skipIf(!strace)('a run that is killed at a system call on a lock or the index [needs strace]', () => {
  test('leaves nothing that stops the next one, at whichever of them', () => {
    const dataset = fresh('system calls');
    // Every second one, of which a coin tells the first: whatever they are, it does not take many runs of this test to meet all.
    const first = Math.random() < 0.5 ? 1 : 2;
    const calls: number[] = [];
    for (let call = first; call <= 40; call += 2) {
      const argv = [
        'strace',
        '-qq',
        '-o',
        '/dev/null',
        ...['index.lock', 'index', 'reprise/save.lock'].flatMap((name) => ['-P', join(dataset, '.git', name)]),

        '-e',
        'trace=%file,write,pwrite64,ftruncate',
        '-e',
        `inject=%file,write,pwrite64,ftruncate:signal=SIGKILL:when=${call}`,
        process.execPath,
        cliPath,
        'run',
        '--explicit',
        '-o',
        `out/${call}`,
        `echo ${call} >> ../executed; mkdir -p out; echo 1 > out/${call}`,
      ];
      if (world.exec(argv, { cwd: dataset }).code === 0) break;
      calls.push(call);
      const argvNext = [
        'timeout',
        '20',
        process.execPath,
        cliPath,
        'run',
        '--explicit',
        '-o',
        `next/${call}`,
        `mkdir -p next; echo 1 > next/${call}`,
      ];
      expect([call, world.exec(argvNext, { cwd: dataset })]).toMatchObject([call, { code: 0 }]);
    }
    // Node 24 needs fewer calls.
    expect(calls.length).toBeGreaterThan(Number.parseInt(process.versions.node, 10) < 24 ? 2 : 1);
    expect(calls.length).toBeLessThan(20);
    expect(world.reprise(dataset, ['recover'])).toMatchObject({ code: 0 });
    const runs = commitsOf(world, dataset).filter(({ record }) => record !== null);
    expect(runs.map(({ changes }) => changes)).toEqual(runs.map(({ record }) => [`A ${record?.outputs[0]}`]));
    // Whatever was executed is recorded, once; a run that was killed before its command left nothing.
    const executed = readFileSync(world.path('executed'), 'utf8').trimEnd().split('\n');
    const next = calls.map((call) => `next/${call}`);
    expect(runs.map(({ record }) => `${record?.outputs[0]}`).sort()).toEqual(
      [...executed.map((call) => `out/${call}`), ...next].sort(),
    );
    expect(world.git(dataset, 'status', '--porcelain')).toBe('');
    expect(leftovers(world, dataset)).toEqual([]);
  });
});
