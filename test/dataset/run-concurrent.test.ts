/** Many runs at once in one dataset: each keeps its own commit and its own record, and nobody disturbs anybody. */
import { existsSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { describeWith } from '../support/oracles.ts';
import { commitsOf, failuresOf, type FoundCommit, leftovers, startReprise } from '../support/runs.ts';
import { cliPath, createWorld, type World } from '../support/world.ts';

// Dozens of processes at once take their time on a machine that is busy with other tests.
vi.setConfig({ testTimeout: 300_000 });

let world: World;
beforeAll(() => {
  world = createWorld();
});
afterAll(() => world.remove());

const numbers = (count: number) => Array.from({ length: count }, (_, index) => index + 1);

/** Starts `run --explicit -o out/N` for every number at once and waits for all. */
async function runAll(cwd: string, count: number, content: (n: number) => string = (n) => `result ${n}`) {
  const going = numbers(count).map((n) =>
    startReprise(world, cwd, [
      'run',
      '--explicit',
      '-o',
      `out/${n}`,
      `mkdir -p out && echo '${content(n)}' > out/${n}`,
    ]),
  );
  return Promise.all(going.map(({ done }) => done));
}

/** Every output has one commit that holds it and nothing else, with the record of the run that made it. */
function expectOneCommitEach(commits: readonly FoundCommit[], outputs: readonly string[]): void {
  const runs = commits.filter((commit) => commit.record !== null);
  expect(runs.map((commit) => commit.changes)).toEqual(runs.map((commit) => [`A ${commit.record?.outputs[0]}`]));
  expect(runs.map((commit) => `${commit.record?.outputs.join()}`).sort()).toEqual([...outputs].sort());
  for (const { record, parents } of runs) {
    expect(parents).toHaveLength(1);
    expect(record).toMatchObject({ exit: 0, inputs: [], pwd: '.' });
    expect(record?.cmd).toMatch(new RegExp(`> ${record?.outputs[0]}$`));
    expect(record?.reprise?.children).toBeUndefined();
  }
  expect(new Set(runs.map((commit) => commit.record?.reprise?.run)).size).toBe(outputs.length);
}

function expectSound(dataset: string): void {
  expect(world.git(dataset, 'status', '--porcelain')).toBe('');
  expect(leftovers(world, dataset)).toEqual([]);
  world.git(dataset, 'fsck', '--no-dangling');
}

/** git-annex has every file of the last commit, here, intact, and its branch says so. */
function expectAnnexKnows(dataset: string, files: readonly string[]): void {
  const lines = world
    .ok(['git-annex', 'whereis', '--json', 'out'], { cwd: dataset })
    .split('\n')
    .map((line) => JSON.parse(line) as { file: string; whereis: { here: boolean }[] });
  expect(lines.map((line) => line.file).sort()).toEqual([...files].sort());
  expect(lines.filter((line) => !line.whereis.some((place) => place.here))).toEqual([]);
  world.ok(['git-annex', 'fsck', '--quiet'], { cwd: dataset });
}

describeWith(['git-annex'], 'runs at once in an annexed dataset', () => {
  let base: string;
  beforeAll(() => {
    base = world.path('base');
    expect(world.reprise(world.dir, ['create', 'base']).code).toBe(0);
  });

  const fresh = (name: string) => {
    world.ok(['cp', '-aT', base, world.path(name)]);
    return world.path(name);
  };

  test.each([2, 64])('%i runs give as many commits, each of exactly its output', async (count) => {
    const dataset = fresh(`n${count}`);
    const before = world.git(dataset, 'rev-parse', 'HEAD');
    const outcomes = await runAll(dataset, count);

    expect(failuresOf(outcomes)).toEqual([]);
    expect(outcomes.filter(({ stderr }) => stderr.includes('index.lock'))).toEqual([]);
    const commits = commitsOf(world, dataset, `${before}..HEAD`);
    expect(commits).toHaveLength(count);
    expectOneCommitEach(
      commits,
      numbers(count).map((n) => `out/${n}`),
    );
    expect(commits.every(({ record }) => record?.reprise?.base !== null)).toBe(true);
    for (const n of numbers(count)) expect(readFileSync(join(dataset, `out/${n}`), 'utf8')).toBe(`result ${n}\n`);
    expectSound(dataset);
    expectAnnexKnows(
      dataset,
      numbers(count).map((n) => `out/${n}`),
    );
  });

  test('a run beside which others were recorded asks Git for nothing more, and reads none of their records', () => {
    const dataset = fresh('beside');
    const asked = (other: string) => {
      const trace = world.path(`trace-${other}`);
      const line = `env -u GIT_REFLOG_ACTION -u REPRISE_RUN -u GIT_TRACE ${process.execPath} ${cliPath} run --explicit -o ${other} "echo ${other} > ${other}"`;
      const command = `${other === '' ? '' : `${line} && `}echo ${other} > mine${other}`;
      const outcome = world.reprise(dataset, ['run', '--explicit', '-o', `mine${other}`, command], {
        env: { GIT_TRACE: trace },
      });
      expect(outcome).toMatchObject({ code: 0 });
      return [...readFileSync(trace, 'utf8').matchAll(/built-in: git ([a-z-]+)/g)]
        .map(([, verb]) => `${verb}`)
        .toSorted();
    };
    const alone = asked('');
    expect(alone).toContain('update-ref');
    expect(asked('one').filter((verb) => verb !== 'cat-file')).toEqual(alone.filter((verb) => verb !== 'cat-file'));
    const runs = commitsOf(world, dataset, 'HEAD~3..HEAD');
    expect(runs.map(({ changes, parents }) => [changes, parents.length])).toEqual([
      [['A mine'], 1],
      [['A one'], 1],
      [['A mineone'], 1],
    ]);
  });

  test('outputs with the same content share one key, and each has its commit', async () => {
    const dataset = fresh('same');
    const before = world.git(dataset, 'rev-parse', 'HEAD');
    expect(failuresOf(await runAll(dataset, 6, () => 'the same'))).toEqual([]);
    const files = numbers(6).map((n) => `out/${n}`);
    expectOneCommitEach(commitsOf(world, dataset, `${before}..HEAD`), files);
    expect(new Set(files.map((file) => readlinkSync(join(dataset, file)))).size).toBe(1);
    expect(statSync(join(dataset, 'out/1')).mode & 0o222).toBe(0);
    expectSound(dataset);
    expectAnnexKnows(dataset, files);
  });

  test('runs that change the same output one after the other each commit what they wrote', async () => {
    const dataset = fresh('contended');
    const before = world.git(dataset, 'rev-parse', 'HEAD');
    const going = numbers(6).map((n) =>
      startReprise(world, dataset, [
        'run',
        '--explicit',
        '-o',
        `own/${n}`,
        '-o',
        'log.txt',
        `mkdir -p own; echo ${n} > own/${n}`,
      ]),
    );
    expect(failuresOf(await Promise.all(going.map(({ done }) => done)))).toEqual([]);
    const commits = commitsOf(world, dataset, `${before}..HEAD`);
    expect(commits.map(({ changes, record }) => [changes, record?.outputs[0]])).toEqual(
      commits.map(({ record }) => [[`A ${record?.outputs[0]}`], record?.outputs[0]]),
    );
    expect(commits).toHaveLength(6);
    expectSound(dataset);
  });

  test('runs in linked work trees land on their own branches and share one annex', async () => {
    const dataset = fresh('trees');
    const before = world.git(dataset, 'rev-parse', 'HEAD');
    const trees = numbers(2).map((n) => {
      world.git(dataset, 'worktree', 'add', '-q', '-b', `branch-${n}`, `../tree-${n}`);
      return world.path(`tree-${n}`);
    });
    const going = trees.flatMap((tree, index) =>
      numbers(4).map((n) =>
        startReprise(world, tree, [
          'run',
          '--explicit',
          '-o',
          `out/${n}`,
          `mkdir -p out && echo 'tree ${index} result ${n}' > out/${n}`,
        ]),
      ),
    );
    const inMain = numbers(4).map((n) =>
      startReprise(world, dataset, [
        'run',
        '--explicit',
        '-o',
        `out/${n}`,
        `mkdir -p out && echo main ${n} > out/${n}`,
      ]),
    );
    expect(failuresOf(await Promise.all([...going, ...inMain].map(({ done }) => done)))).toEqual([]);
    const files = numbers(4).map((n) => `out/${n}`);
    for (const [index, tree] of trees.entries()) {
      const commits = commitsOf(world, tree, `${before}..branch-${index + 1}`);
      expect(commits).toHaveLength(4);
      expectOneCommitEach(commits, files);
      for (const n of numbers(4))
        expect(readFileSync(join(tree, `out/${n}`), 'utf8')).toBe(`tree ${index} result ${n}\n`);
      expectSound(tree);
      expectAnnexKnows(tree, files);
    }
    expectOneCommitEach(commitsOf(world, dataset, `${before}..main`), files);
    expectSound(dataset);
    expectAnnexKnows(dataset, files);
  });

  test('runs in a subdataset, and runs above it with their outputs in it, never take back what others recorded', async () => {
    const top = fresh('top');
    world.ok(['cp', '-aT', base, join(top, 'sub')]);
    world.sh(top, 'git -c protocol.file.allow=always submodule add -q ./sub sub && git commit -qm "add sub"');
    const sub = join(top, 'sub');
    const before = { top: world.git(top, 'rev-parse', 'HEAD'), sub: world.git(sub, 'rev-parse', 'HEAD') };
    const inside = numbers(5).map((n) =>
      startReprise(world, sub, ['run', '--explicit', '-o', `in/${n}`, `mkdir -p in && echo in ${n} > in/${n}`]),
    );
    const above = numbers(5).map((n) =>
      startReprise(world, top, [
        'run',
        '--explicit',
        '-o',
        `sub/above/${n}`,
        `mkdir -p sub/above && echo above ${n} > sub/above/${n}`,
      ]),
    );
    expect(failuresOf(await Promise.all([...inside, ...above].map(({ done }) => done)))).toEqual([]);

    const below = commitsOf(world, sub, `${before.sub}..HEAD`);
    expect(below).toHaveLength(10);
    expect(below.map(({ changes }) => changes)).toEqual(
      below.map(({ record }) => [`A ${record?.outputs[0]?.replace(/^sub\//, '')}`]),
    );
    const superCommits = commitsOf(world, top, `${before.top}..HEAD`);
    expect(superCommits).toHaveLength(5);
    let recorded = before.sub;
    for (const { id, record, changes, parents } of superCommits) {
      expect(parents).toHaveLength(1);
      expect(changes).toEqual(['M sub']);
      const now = world.git(top, 'rev-parse', `${id}:sub`);
      world.git(sub, 'merge-base', '--is-ancestor', recorded, now);
      world.git(sub, 'cat-file', '-e', `${now}:${record?.outputs[0]?.replace(/^sub\//, '')}`);
      const copy = below.find((commit) => commit.record?.reprise?.run === record?.reprise?.run);
      expect(copy?.record).toEqual(record);
      recorded = now;
    }
    expect(leftovers(world, top)).toEqual([]);
    expectSound(sub);
  });
});

describe('runs at once in a plain Git dataset', () => {
  test('12 runs give 12 commits, and no annex', async () => {
    const dataset = world.path('plain');
    world.sh(world.dir, 'git init -q plain && cd plain && git commit -q --allow-empty -m start');
    const before = world.git(dataset, 'rev-parse', 'HEAD');
    expect(failuresOf(await runAll(dataset, 12))).toEqual([]);
    const commits = commitsOf(world, dataset, `${before}..HEAD`);
    expect(commits).toHaveLength(12);
    expectOneCommitEach(
      commits,
      numbers(12).map((n) => `out/${n}`),
    );
    expectSound(dataset);
    expect(existsSync(join(dataset, '.git/annex'))).toBe(false);
  });

  test('the very first commits of a repository may come all at once', async () => {
    const dataset = world.path('unborn');
    world.sh(world.dir, 'git init -q unborn');
    expect(failuresOf(await runAll(dataset, 5))).toEqual([]);
    const commits = commitsOf(world, dataset);
    expect(commits).toHaveLength(5);
    expect(commits.filter(({ parents }) => parents.length === 0)).toHaveLength(1);
    expect(commits.map(({ changes }) => changes)).toEqual(commits.map(({ record }) => [`A ${record?.outputs[0]}`]));
    expectSound(dataset);
  });
});
