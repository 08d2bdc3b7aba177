/** `rerun --workspace`: replays in the recorded state, and nothing of the user's is touched. */
import { createHash } from 'node:crypto';
import { lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { describeWith } from '../support/oracles.ts';
import { copyOf } from '../support/replays.ts';
import { createWorld, type World } from '../support/world.ts';

/** Every file below a folder with its mode and a digest of its content; what Reprise keeps for itself is left out. */
function snapshot(root: string): Record<string, string> {
  const found: Record<string, string> = {};
  const walk = (path: string) => {
    for (const name of readdirSync(join(root, path)).sort()) {
      const one = join(path, name);
      // Attestations are new objects and a new ref; git-annex's caches of the present state are none of the user's, either.
      if (
        /\.git\/(objects|reprise|refs\/reprise|logs\/refs\/reprise|packed-refs|annex\/(transfer|reprise))\b/.test(one)
      )
        continue;
      const stats = lstatSync(join(root, one));
      const content = stats.isSymbolicLink()
        ? readlinkSync(join(root, one))
        : stats.isFile()
          ? createHash('sha256')
              .update(readFileSync(join(root, one)))
              .digest('hex')
          : '';
      // Keeping a verdict makes files and removes locks in the Git directory itself.
      const time = stats.isDirectory() && one.includes('.git') ? '' : stats.mtimeMs;
      found[one] = `${stats.mode.toString(8)} ${time} ${content}`;
      if (stats.isDirectory()) walk(one);
    }
  };
  walk('');
  return found;
}

describeWith(['git-annex'], 'rerun --workspace', () => {
  let world: World;
  let dataset: string;
  beforeAll(() => {
    world = createWorld();
    dataset = world.path('top');
    world.reprise(world.dir, ['create', dataset]);
    world.reprise(dataset, ['create', '-d', '.', 'code']);
    world.write(`${dataset}/code/version`, 'one\n');
    world.write(`${dataset}/data.txt`, 'data\n');
    world.reprise(dataset, ['save', '-r', '-m', 'first']);
    const run = ['run', '-i', 'data.txt', '-i', 'code/version', '-o', 'result', '-m', 'the run'];
    expect(world.reprise(dataset, [...run, 'cat data.txt code/version > result']).code).toBe(0);
    // What is there today is not what the run saw: another version of the code, and a result that somebody has touched.
    world.sh(`${dataset}/code`, 'rm version; echo two > version');
    world.sh(dataset, 'rm result; echo edited > result');
    world.reprise(dataset, ['save', '-r', '-m', 'later']);
    world.write(`${dataset}/untracked`, 'mine\n');
    world.sh(dataset, 'git annex unlock data.txt; echo more >> data.txt');
    world.git(dataset, 'status');
  }, 120_000);
  afterAll(() => world.remove());

  const compared = (stdout: string) =>
    stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { action: string; verdict?: string; path: string; outputs?: unknown[] })
      .filter(({ action }) => action === 'compare');

  test('replays with the recorded subdataset and inputs, in a dirty dataset, and leaves every file as it was', () => {
    const before = snapshot(dataset);
    const outcome = world.reprise(dataset, ['-f', 'json', 'rerun', '--workspace', '--verify', '--since=']);
    expect(outcome.code, outcome.stderr).toBe(0);
    expect(compared(outcome.stdout)).toMatchObject([
      { verdict: 'identical', path: dataset, outputs: [{ path: 'result' }] },
    ]);
    expect(snapshot(dataset)).toEqual(before);
    expect(readdirSync(join(world.dir, 'tmp')).filter((name) => name.startsWith('reprise-workspace'))).toEqual([]);
    const [line] = world.reprise(dataset, ['attestations']).stdout.split('\n');
    expect(line).toMatch(/ identical \(1 identical\) native /);
  });

  test('in place, subdatasets that have moved are named before anything is executed', () => {
    const copy = copyOf(world, dataset, 'in-place');
    world.sh(copy, 'git stash -q; rm -f untracked; git annex lock -q data.txt 2>/dev/null || :; git checkout -q -f .');
    const outcome = world.reprise(copy, ['rerun', 'HEAD~1']);
    expect(outcome.code, outcome.stderr).toBe(0);
    const said = outcome.stderr.split('\n');
    const [then, now] = ['HEAD~2', 'HEAD~1'].map((commit) =>
      world.git(copy, 'rev-parse', `${commit}:code`).slice(0, 7),
    );
    const run = world.git(copy, 'rev-parse', 'HEAD~2').slice(0, 7);
    const warning = said.findIndex((line) => line.includes(`code is at ${now}, but was at ${then} for ${run}`));
    expect(warning).toBeGreaterThanOrEqual(0);
    expect(said[warning + 1]).toContain('reprise rerun --workspace');
    expect(said.findIndex((line) => line.startsWith('run commit'))).toBeGreaterThan(warning);
    // The last run, and any that was recorded with the present subdatasets, is not worth a warning.
    expect(world.reprise(copy, ['rerun']).stderr).not.toContain('but was at');
  });

  test('in place, a subdataset that has moved without being saved is named, whenever its commit was recorded', () => {
    const copy = copyOf(world, dataset, 'moved-unsaved');
    world.git(copy, 'checkout', '-q', '-f', 'HEAD~1');
    world.git(copy, 'submodule', '--quiet', 'update');
    const then = world.git(`${copy}/code`, 'rev-parse', 'HEAD');
    // Neither the last commit nor the run's has changed what is recorded of the subdataset.
    expect(world.git(copy, 'diff', '--name-only', 'HEAD~1', 'HEAD')).not.toContain('code');
    world.git(`${copy}/code`, 'commit', '-q', '--allow-empty', '-m', 'not saved above');
    const now = world.git(`${copy}/code`, 'rev-parse', 'HEAD');
    const outcome = world.reprise(copy, ['rerun', '--explicit']);
    expect(outcome.code, outcome.stderr).toBe(0);
    expect(outcome.stderr).toContain(`code is at ${now.slice(0, 7)}, but was at ${then.slice(0, 7)} for `);
  });

  test('says what differs, goes on after a command that fails, and exits 1', () => {
    const other = world.path('failing');
    world.reprise(world.dir, ['create', other]);
    const env = { env: { STILL: 'yes' } };
    world.reprise(other, ['run', '-o', 'a', 'test -n "$STILL" && echo a > a'], env);
    world.reprise(other, ['run', '-o', 'b', 'date +%s.%N > b'], env);
    const outcome = world.reprise(other, ['-f', 'json', 'rerun', '--workspace', '--since=', '--jobs=2']);
    expect(outcome.code).toBe(1);
    expect(new Set(compared(outcome.stdout).map(({ verdict }) => verdict))).toEqual(new Set(['different', 'failed']));
    expect(outcome.stdout).toContain('failed with exit code 1, 1 missing: a missing');
    expect(outcome.stderr).toContain('2 runs replayed, 1 failed: 1 different, 1 missing');
    // Nothing can be saved from a folder that is gone.
    expect(outcome.stdout + outcome.stderr).not.toMatch(/reprise-workspace|reprise save/);
    expect(world.git(other, 'status', '--porcelain')).toBe('');
    expect(world.git(other, 'rev-list', '--count', 'HEAD')).toBe('3');
  });

  test('an undeclared input is missed where inputs are declared: the record does not say that it is needed', () => {
    const other = world.path('undeclared');
    world.reprise(world.dir, ['create', other]);
    world.write(`${other}/declared`, 'd\n');
    world.write(`${other}/hidden`, 'h\n');
    world.reprise(other, ['save', '-m', 'inputs']);
    world.reprise(other, ['run', '-i', 'declared', '-o', 'c', 'cat declared hidden > c']);
    const outcome = world.reprise(other, ['-f', 'json', 'rerun', '--workspace']);
    expect(compared(outcome.stdout)).toMatchObject([{ verdict: 'failed' }]);
  });
});
