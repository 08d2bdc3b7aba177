/** Runs while somebody else works in the same dataset: with Git, with git-annex, with DataLad. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { describeWith } from '../support/oracles.ts';
import { commitsOf, failuresOf, leftovers, start, startReprise } from '../support/runs.ts';
import { cliPath, createWorld, type World } from '../support/world.ts';

// Dozens of processes at once take their time on a machine that is busy with other tests.
vi.setConfig({ testTimeout: 300_000 });

let world: World;
let base: string;
beforeAll(() => {
  world = createWorld();
  base = world.path('base');
  world.reprise(world.dir, ['create', 'base']);
});
afterAll(() => world.remove());

const numbers = (count: number) => Array.from({ length: count }, (_, index) => index + 1);

function fresh(name: string): string {
  world.ok(['cp', '-aT', base, world.path(name)]);
  return world.path(name);
}

/** Repeats a shell line until told to end; its failures are its own affair, its successes are counted. */
function repeat(cwd: string, line: string) {
  const stop = join(world.dir, `stop-${Math.random()}`);
  const loop = `n=0; good=0; while [ ! -e "${stop}" ]; do n=$((n+1)); if ( ${line} ) >/dev/null 2>&1; then good=$((good+1)); fi; done; echo $good`;
  const going = start(world, ['/bin/sh', '-c', loop], { cwd });
  return async () => {
    writeFileSync(stop, '');
    return Number((await going.done).stdout.trim());
  };
}

/** Runs `count` runs in waves, so that they spread over the work of the others. */
async function runThrough(dataset: string, count: number) {
  const going = [];
  for (const n of numbers(count)) {
    going.push(
      startReprise(world, dataset, ['run', '--explicit', '-o', `out/${n}`, `mkdir -p out && echo ${n} > out/${n}`])
        .done,
    );
    await sleep(100);
  }
  return Promise.all(going);
}

/** Every run's commit is its output and nothing else, in one line of history, and nobody took back what another had committed. */
function expectUndisturbed(dataset: string, since: string, count: number): void {
  const commits = commitsOf(world, dataset, `${since}..HEAD`);
  expect(commits.filter(({ parents }) => parents.length !== 1).map(({ subject }) => subject)).toEqual([]);
  const runs = commits.filter(({ record }) => record !== null);
  expect(runs.map(({ changes }) => changes)).toEqual(runs.map(({ record }) => [`A ${record?.outputs[0]}`]));
  expect(runs.map(({ record }) => `${record?.outputs[0]}`).sort()).toEqual(
    numbers(count)
      .map((n) => `out/${n}`)
      .sort(),
  );
  const others = commits.filter(({ record }) => record === null);
  expect(others.flatMap(({ changes }) => changes).filter((change) => !change.startsWith('A other-'))).toEqual([]);
  for (const n of numbers(count)) expect(readFileSync(join(dataset, `out/${n}`), 'utf8')).toBe(`${n}\n`);
  expect(leftovers(world, dataset)).toEqual([]);
  world.git(dataset, 'fsck', '--no-dangling');
}

describeWith(['git-annex'], 'runs while others commit', () => {
  const writers = [
    ['empty commits of a user', 'git commit -q --allow-empty -m "mine $n" && sleep 0.05'],
    ['commits of other files by a user', 'echo $n > other-$n && git add other-$n && git commit -qm "mine $n"'],
    [
      'commits of other files by name',
      'echo $n > other-$n && git add -N other-$n && git commit -qm "mine $n" other-$n',
    ],
    ['git annex add', 'echo $n > other-$n && git annex add -q other-$n && git commit -qm "mine $n"'],
  ] as const;

  test.each(writers)('%s do not disturb them, and they disturb none of those', async (title, line) => {
    const dataset = fresh(`with ${title}`);
    const since = world.git(dataset, 'rev-parse', 'HEAD');
    const stop = repeat(dataset, line);
    await sleep(200);
    const outcomes = await runThrough(dataset, 6);
    const good = await stop();
    expect(failuresOf(outcomes)).toEqual([]);
    expect(good).toBeGreaterThan(0);
    expectUndisturbed(dataset, since, 6);
    const mine = world.git(dataset, 'log', '--format=%s', `${since}..HEAD`).split('\n');
    expect(mine.filter((subject) => subject.startsWith('mine ')).length).toBeGreaterThanOrEqual(good);
    // Our commits left none of their own files behind as changed.
    const status = world.git(dataset, 'status', '--porcelain').split('\n');
    expect(status.filter((entry) => entry.includes('out/'))).toEqual([]);
  });

  test('a user who sweeps up everything, outputs of runs included, takes away no record', async () => {
    const dataset = fresh('swept');
    const since = world.git(dataset, 'rev-parse', 'HEAD');
    const stop = repeat(dataset, 'sleep 0.05; git add -A && git commit -qm "sweep $n"');
    const swept = 'until git log --format=%s | grep -q "^sweep"; do sleep 0.05; done';
    const going = numbers(6).map((n) =>
      // Some wait until the user has found an output.
      startReprise(world, dataset, [
        'run',
        '--explicit',
        '-o',
        `out/${n}`,
        `mkdir -p out && echo ${n} > out/${n} && ${n % 3 === 2 ? swept : `sleep ${n % 3}`}`,
      ]),
    );
    const outcomes = await Promise.all(going.map(({ done }) => done));
    expect(await stop()).toBeGreaterThan(0);
    expect(failuresOf(outcomes)).toEqual([]);
    const runs = commitsOf(world, dataset, `${since}..HEAD`).filter(({ record }) => record !== null);
    expect(runs.map(({ record }) => `${record?.outputs.join()}`).sort()).toEqual(numbers(6).map((n) => `out/${n}`));
    expect(
      runs.filter(({ changes, record }) => changes.some((change) => !change.endsWith(` ${record?.outputs[0]}`))),
    ).toEqual([]);
    expect(world.git(dataset, 'ls-tree', '--name-only', 'HEAD', 'out/').split('\n')).toHaveLength(6);
    expect(leftovers(world, dataset)).toEqual([]);
  });

  test('runs inside runs are told from what a user commits meanwhile', async () => {
    const dataset = fresh('families');
    const since = world.git(dataset, 'rev-parse', 'HEAD');
    const stop = repeat(dataset, 'echo $n > other-$n && git add other-$n && git commit -qm "mine $n" && sleep 0.05');
    const inner = (name: string) =>
      `"${process.execPath}" "${cliPath}" run --explicit -o ${name}/in "echo 1 > ${name}/in"`;
    const going = ['a', 'b', 'c'].map((name) =>
      startReprise(world, dataset, [
        'run',
        '--explicit',
        '-m',
        name,
        '-o',
        `${name}/out`,
        `mkdir ${name}; sleep 0.5; ${inner(name)} && sleep 0.5 && echo 2 > ${name}/out`,
      ]),
    );
    const outcomes = await Promise.all(going.map(({ done }) => done));
    expect(await stop()).toBeGreaterThan(0);
    expect(failuresOf(outcomes)).toEqual([]);
    const commits = commitsOf(world, dataset, `${since}..HEAD`);
    const runs = commits.filter(({ record }) => record !== null);
    expect(runs).toHaveLength(6);
    for (const name of ['a', 'b', 'c']) {
      const outer = runs.find(({ subject }) => subject === `[DATALAD RUNCMD] ${name}`);
      const child = runs.find(({ record }) => record?.outputs[0] === `${name}/in`);
      expect(child?.changes).toEqual([`A ${name}/in`]);
      expect(child?.record?.reprise?.parent).toBe(outer?.record?.reprise?.run);
      expect(outer?.record?.reprise?.children).toEqual([child?.record?.reprise?.run]);
      expect(outer?.changes.filter((change) => !change.startsWith(`A ${name}/`))).toEqual([]);
      expect(outer?.changes).toContain(`A ${name}/out`);
    }
    const mine = commits.filter(({ subject }) => subject.startsWith('mine '));
    expect(mine.flatMap(({ changes }) => changes).filter((change) => !change.startsWith('A other-'))).toEqual([]);
    expect(leftovers(world, dataset)).toEqual([]);
  });

  test('what a user has staged meanwhile stays staged and gets into none of the commits', async () => {
    const dataset = fresh('staged');
    const since = world.git(dataset, 'rev-parse', 'HEAD');
    writeFileSync(join(dataset, 'mine'), 'staged\n');
    world.git(dataset, 'add', 'mine');
    expect(failuresOf(await runThrough(dataset, 3))).toEqual([]);
    expectUndisturbed(dataset, since, 3);
    expect(world.git(dataset, 'status', '--porcelain')).toBe('A  mine');
  });

  test('the index lock of another process is waited for', async () => {
    const dataset = fresh('index-lock');
    const since = world.git(dataset, 'rev-parse', 'HEAD');
    const lock = join(dataset, '.git/index.lock');
    writeFileSync(lock, '');
    const { child, done } = startReprise(world, dataset, [
      'run',
      '--explicit',
      '-o',
      'out',
      'echo 1 > out; touch ../ran',
    ]);
    for (let waited = 0; !existsSync(world.path('ran')) && waited < 20_000; waited += 50) await sleep(50);
    await sleep(700);
    expect(child.exitCode).toBeNull();
    expect(world.git(dataset, 'rev-parse', 'HEAD')).toBe(since);
    world.ok(['rm', lock]);
    expect(await done).toMatchObject({ code: 0 });
    expect(commitsOf(world, dataset, `${since}..HEAD`)).toMatchObject([{ changes: ['A out'] }]);
  });
});

describeWith(['git-annex', 'datalad'], 'runs while DataLad saves', () => {
  test('a loop of `datalad save` neither disturbs runs nor takes anything back', async () => {
    const dataset = fresh('datalad');
    const since = world.git(dataset, 'rev-parse', 'HEAD');
    const stop = repeat(dataset, 'mkdir -p d; echo $n > other-$n && datalad save -m "mine $n" other-$n');
    await sleep(500);
    const outcomes = await runThrough(dataset, 8);
    const good = await stop();
    expect(failuresOf(outcomes)).toEqual([]);
    expect(good).toBeGreaterThan(0);
    expectUndisturbed(dataset, since, 8);
    world.ok(['git-annex', 'fsck', '--quiet'], { cwd: dataset });
  });
});

describeWith(['git-annex', 'python3'], "DataLad's lock for saving", () => {
  test('a run waits until the POSIX lock on run-save.lck is released, and then lands', async () => {
    const dataset = fresh('lock');
    const since = world.git(dataset, 'rev-parse', 'HEAD');
    const lock = join(dataset, '.git/datalad/run-save.lck');
    mkdirSync(join(dataset, '.git/datalad'), { recursive: true });
    const hold = `import fcntl,sys,os,time
f=open(${JSON.stringify(lock)},'w')
fcntl.lockf(f,fcntl.LOCK_EX)
open('../held','w').close()
while not os.path.exists('../let-go'): time.sleep(0.02)
`;
    const holder = start(world, ['python3', '-c', hold], { cwd: dataset });
    for (let waited = 0; !existsSync(world.path('held')) && waited < 20_000; waited += 20) await sleep(20);
    const { child, done } = startReprise(world, dataset, [
      'run',
      '--explicit',
      '-o',
      'out',
      'echo 1 > out; touch ../went',
    ]);
    for (let waited = 0; !existsSync(world.path('went')) && waited < 20_000; waited += 50) await sleep(50);
    await sleep(700);
    expect(child.exitCode).toBeNull();
    expect(world.git(dataset, 'rev-parse', 'HEAD')).toBe(since);

    writeFileSync(world.path('let-go'), '');
    expect(await holder.done).toMatchObject({ code: 0 });
    expect(await done).toMatchObject({ code: 0 });
    expect(commitsOf(world, dataset, `${since}..HEAD`)).toMatchObject([{ changes: ['A out'] }]);
    // A file that nobody has locked is no obstacle.
    expect(world.reprise(dataset, ['run', '--explicit', '-o', 'out2', 'echo 2 > out2']).code).toBe(0);
  });
});
