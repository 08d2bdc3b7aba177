/** `rerun --continue` after the user has done something: what he committed stays, and the step counts as done only where that holds its result. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { repriseBeside } from '../support/crash-world.ts';
import { expectSentence } from '../support/crash-unchanged.ts';
import { describeWith } from '../support/oracles.ts';
import {
  assertSame,
  attestationsIn,
  copiesOfStopped,
  copyOf,
  hintsOf,
  isPending,
  keptRefs,
  placeOf,
  printed,
  tracesIn,
} from '../support/replays.ts';
import { cliPath, createWorld, type Outcome, type World } from '../support/world.ts';

let world: World;
let made = 0;
/** While it is there, the second run of `history` fails, unless a file `mended` was committed. */
let gate: Record<string, string>;
let template: string;

beforeAll(() => {
  world = createWorld();
  gate = { GATE: world.path('gate') };
  world.write(gate['GATE'] as string, '');
  template = history();
});
afterAll(() => world.remove());

const rerun = (dataset: string, args: readonly string[], env: Record<string, string> = gate): Outcome =>
  world.reprise(dataset, ['-f', 'json', 'rerun', ...args], { env });
const fresh = (template: string) => copyOf(world, template, `copy-${(made += 1)}`);
const subjects = (dataset: string, range: string) => world.git(dataset, 'log', '--format=%s', range).split('\n');
const branchOf = (dataset: string) => world.exec(['git', 'symbolic-ref', '-q', 'HEAD'], { cwd: dataset }).stdout;
const content = (dataset: string, name: string) => readFileSync(join(dataset, name), 'utf8');
const verdicts = (ended: Outcome) =>
  printed(ended)
    .filter(({ action }) => action === 'compare')
    .map(
      ({ verdict, outputs }) => `${String(verdict)}: ${(outputs as { path: string }[]).map(({ path }) => path).join()}`,
    );

/** Types what a hint says. */
const paste = (dataset: string, hint: string | undefined): Outcome =>
  world.exec(['/bin/sh', '-c', `reprise() { '${process.execPath}' '${cliPath}' "$@"; }; ${hint}`], { cwd: dataset });

/** A plain Git repository with three runs, of which the second one may fail. */
function history(): string {
  const dataset = world.path('history');
  world.git(world.dir, 'init', '-q', dataset);
  world.write(`${dataset}/log`, 'start\n');
  world.git(dataset, 'add', '-A');
  world.git(dataset, 'commit', '-qm', 'start');
  const run = (...args: string[]) => {
    const ended = world.reprise(dataset, ['run', ...args]);
    expect(ended.code, ended.stderr).toBe(0);
  };
  run('-m', 'one', '-o', 'one', 'echo 1 >>one');
  run('-m', 'two', '-o', 'two', 'echo half >two; test ! -e "$GATE" -o -e mended || exit 7; cat one >>two');
  run('-m', 'three', '-o', 'three', 'cat one two >three');
  return dataset;
}

/** A copy of it in which the second run has failed in a rerun. */
const stop = copiesOfStopped((args) => {
  const dataset = fresh(template);
  const ended = rerun(dataset, args);
  expect(ended.code, ended.stderr).toBe(7);
  return { dataset, ended };
}, fresh);
const stopped = (args: readonly string[]) => stop(args).dataset;

const WAYS = [
  ['on the branch', ['--since=']],
  ['on a new branch', ['--since=', '-b', 'again']],
  ['on a new branch from the start', ['--since=', '--onto=', '-b', 'again']],
  ['detached, from the start', ['--since=', '--onto=']],
] as const;

/** Puts away what the failed command has left, and commits what mends it. */
function mend(dataset: string): void {
  world.git(dataset, 'stash', '-q', '-u');
  world.write(`${dataset}/mended`, '');
  world.git(dataset, 'add', '-A');
  world.git(dataset, 'commit', '-qm', 'mend it');
}

describe('a command that failed', () => {
  test.each(WAYS)('%s: what mends it is committed, and it is executed again on top of that', (_, args) => {
    const dataset = stopped(args);
    const branch = branchOf(dataset);
    mend(dataset);
    const ended = rerun(dataset, ['--continue']);
    expect(ended.code, ended.stderr).toBe(0);
    expect(subjects(dataset, '-4')).toStrictEqual([
      '[DATALAD RUNCMD] three',
      '[DATALAD RUNCMD] two',
      'mend it',
      '[DATALAD RUNCMD] one',
    ]);
    expect(content(dataset, 'two')).toBe(`half\n${content(dataset, 'one')}`);
    // What the user has committed is no output of the run.
    expect(verdicts(ended).map((verdict) => verdict.replace(/^\w+/, ''))).toStrictEqual([': two', ': three']);
    expect(branchOf(dataset)).toBe(branch);
    expect(world.git(dataset, 'status', '--porcelain')).toBe('');
    expect(tracesIn(world, dataset)).toStrictEqual([]);
  });

  test('what is committed need not help: it fails once more, and waits again', () => {
    const dataset = stopped(['--since=']);
    world.git(dataset, 'stash', '-q', '-u');
    world.git(dataset, 'commit', '-q', '--allow-empty', '-m', 'does not help');
    expect(rerun(dataset, ['--continue']).code).toBe(7);
    expect(isPending(dataset)).toBe(true);
    mend(dataset);
    expect(rerun(dataset, ['--continue']).code).toBe(0);
    expect(subjects(dataset, '-5')).toStrictEqual([
      '[DATALAD RUNCMD] three',
      '[DATALAD RUNCMD] two',
      'mend it',
      'does not help',
      '[DATALAD RUNCMD] one',
    ]);
  });

  test('what it left is committed with a message of one’s own: that is no result of it, and it is executed again', () => {
    const dataset = stopped(['--since=']);
    world.write(`${dataset}/two`, 'by hand\n');
    expect(world.reprise(dataset, ['save', '-m', 'two by hand']).code).toBe(0);
    const ended = rerun(dataset, ['--continue'], {});
    expect(ended.code, ended.stderr).toBe(0);
    expect(subjects(dataset, '-3')).toStrictEqual(['[DATALAD RUNCMD] three', '[DATALAD RUNCMD] two', 'two by hand']);
    expect(content(dataset, 'two')).toMatch(/^half\n1\n/);
  });

  const COMMIT = 'git add -A; git commit -q -F .git/COMMIT_EDITMSG';
  test.each([
    ['as the hint says, on the branch', ['--since='], null],
    ['as the hint says, on a new branch from the start', ['--since=', '--onto=', '-b', 'again'], null],
    ['by git commit, detached', ['--since=', '--onto='], COMMIT],
  ] as const)('what it left is saved with its record, %s: that is the result of the run', (_, args, line) => {
    const { dataset, ended: failed } = stop(args);
    const hint = hintsOf(failed).find((one) => one.startsWith('reprise save'));
    expect(paste(dataset, line ?? hint).code).toBe(0);
    const ended = rerun(dataset, ['--continue']);
    expect(ended.code, ended.stderr).toBe(0);
    expect(subjects(dataset, '-3')).toStrictEqual([
      '[DATALAD RUNCMD] three',
      '[DATALAD RUNCMD] two',
      '[DATALAD RUNCMD] one',
    ]);
    expect(content(dataset, 'two')).toBe('half\n');
    expect(verdicts(ended)).toStrictEqual(['different: two', 'different: three']);
    expect(attestationsIn(world, dataset).filter(({ exit }) => exit === 7)).toMatchObject([
      { commit: world.git(template, 'rev-parse', 'HEAD~1'), replayed: world.git(dataset, 'rev-parse', 'HEAD~1') },
    ]);
    expect(tracesIn(world, dataset)).toStrictEqual([]);
  });

  test('what it left is saved with its record, and something else is committed after that', () => {
    const { dataset, ended: failed } = stop(['--since=', '--onto=', '-b', 'again']);
    expect(paste(dataset, hintsOf(failed)[0]).code).toBe(0);
    world.git(dataset, 'commit', '-q', '--allow-empty', '-m', 'a thought');
    const ended = rerun(dataset, ['--continue']);
    expect(ended.code, ended.stderr).toBe(0);
    expect(subjects(dataset, '-3')).toStrictEqual(['[DATALAD RUNCMD] three', 'a thought', '[DATALAD RUNCMD] two']);
    expect(verdicts(ended)).toStrictEqual(['different: two', 'different: three']);
  });

  test('it had committed something itself: that is kept aside, and it is executed again from where it began', () => {
    const source = world.path('commits');
    world.git(world.dir, 'init', '-q', source);
    world.git(source, 'commit', '-q', '--allow-empty', '-m', 'start');
    const line =
      'echo >>own; git add own; git commit -qm inner; test ! -e "$GATE" -o -e mended || exit 7; wc -l <own >>rest';
    for (const cmd of ['echo >>first', line]) expect(world.reprise(source, ['run', cmd]).code).toBe(0);
    for (const args of [['--since=', '--onto=', '-b', 'again'], ['--since=']]) {
      const dataset = fresh(source);
      expect(rerun(dataset, args).code).toBe(7);
      expect(subjects(dataset, '-1')).toStrictEqual(['inner']);
      const again = rerun(dataset, ['--continue']);
      expect(again.code, again.stderr).toBe(7);
      const [kept = ''] = keptRefs(world, dataset);
      expect(again.stderr).toContain(kept);
      expect(subjects(dataset, kept)[0]).toBe('inner');
      world.git(dataset, 'reset', '-q', '--hard', 'HEAD~1');
      mend(dataset);
      const ended = rerun(dataset, ['--continue']);
      expect(ended.code, ended.stderr).toBe(0);
      expect(subjects(dataset, 'HEAD').filter((subject) => subject === 'inner')).toHaveLength(
        args.length === 1 ? 2 : 1,
      );
      expect(world.git(dataset, 'log', '--first-parent', '-2', '--format=%s').split('\n')[1]).toBe('mend it');
      expect(tracesIn(world, dataset)).toStrictEqual([]);
    }
  });
});

describe('another commit is checked out when it is to go on', () => {
  test.each([WAYS[0], WAYS[2]])(
    '%s: another branch is refused, with nothing changed; undone, nothing is lost',
    (_, args) => {
      const dataset = stopped(args);
      const before = placeOf(world, template);
      const head = world.git(dataset, 'rev-parse', 'HEAD');
      world.git(dataset, 'stash', '-q', '-u');
      world.git(dataset, 'checkout', '-q', '-b', 'other', world.git(template, 'rev-parse', 'main'));
      world.git(dataset, 'commit', '-q', '--allow-empty', '-m', 'elsewhere');
      const other = world.git(dataset, 'rev-parse', 'other');
      const there = placeOf(world, dataset);
      const refused = rerun(dataset, ['--continue']);
      expectSentence(refused, 'branch-switched', 1);
      expect(refused.stderr).toContain("'other'");
      assertSame(placeOf(world, dataset), there);
      expect(isPending(dataset)).toBe(true);

      const aborted = fresh(dataset);
      expect(rerun(aborted, ['--abort']).code).toBe(0);
      expect(placeOf(world, aborted)).toStrictEqual({
        ...before,
        branches: `${before.branches}\nrefs/heads/other ${other}`,
      });
      expect(keptRefs(world, aborted).map((ref) => world.git(aborted, 'rev-parse', ref))).toStrictEqual([head]);

      expect(paste(dataset, hintsOf(refused)[0]).code).toBe(0);
      const ended = rerun(dataset, ['--continue'], {});
      expect(ended.code, ended.stderr).toBe(0);
      expect(world.git(dataset, 'rev-parse', 'other')).toBe(other);
      expect(subjects(dataset, '-2')).toStrictEqual(['[DATALAD RUNCMD] three', '[DATALAD RUNCMD] two']);
      expect(tracesIn(world, dataset)).toStrictEqual([]);
    },
  );

  test.each([
    ['the last result is amended', 'git commit -q --amend -m amended'],
    ['the branch is reset', 'git reset -q --hard HEAD~1'],
    ['an older commit is checked out', 'git checkout -q HEAD~3'],
  ])('%s: refused, and the hint brings it back', (_, line) => {
    const dataset = stopped(['--since=']);
    const head = world.git(dataset, 'rev-parse', 'HEAD');
    world.git(dataset, 'stash', '-q', '-u');
    world.sh(dataset, line);
    const refused = rerun(dataset, ['--continue']);
    expectSentence(refused, 'history-rewritten', 1);
    expect(refused.stderr).toContain(head.slice(0, 8));
    expect(paste(dataset, hintsOf(refused)[0]).code).toBe(0);
    const ended = rerun(dataset, ['--continue'], {});
    expect(ended.code, ended.stderr).toBe(0);
    expect(subjects(dataset, 'main').slice(0, 3)).toStrictEqual([
      '[DATALAD RUNCMD] three',
      '[DATALAD RUNCMD] two',
      '[DATALAD RUNCMD] one',
    ]);
    expect(branchOf(dataset)).toBe('refs/heads/main\n');
  });
});

describe('a run whose command commits itself, replayed beside the branch', () => {
  let beside: string;
  let failed: string;
  beforeAll(() => {
    beside = world.path('beside');
    world.git(world.dir, 'init', '-q', beside);
    world.git(beside, 'commit', '-q', '--allow-empty', '-m', 'start');
    const line =
      'echo "$WORD" >own; git add own; git commit -qm inner; echo half >rest; test ! -e "$GATE" -o -e mended || exit 7; echo >>rest';
    expect(world.reprise(beside, ['run', '-m', 'commits itself', line]).code).toBe(0);
    world.write(`${beside}/later`, 'later\n');
    world.git(beside, 'add', '-A');
    world.git(beside, 'commit', '-qm', 'later');
    failed = fresh(beside);
    const ended = rerun(failed, ['HEAD~1'], { ...gate, WORD: 'x' });
    expect(ended.code, ended.stderr).toBe(7);
  });

  test('what mends it is committed there: it is executed on top of that, and both are joined to the branch', () => {
    const dataset = fresh(failed);
    world.git(dataset, 'reset', '-q', '--hard', 'HEAD~1');
    mend(dataset);
    const ended = rerun(dataset, ['--continue'], { ...gate, WORD: 'x' });
    expect(ended.code, ended.stderr).toBe(0);
    expect(branchOf(dataset)).toBe('refs/heads/main\n');
    expect(world.git(dataset, 'log', '--first-parent', '--format=%s').split('\n')).toStrictEqual([
      expect.stringMatching(/^Join the replay of/) as string,
      'later',
      '[DATALAD RUNCMD] commits itself',
      'start',
    ]);
    expect(content(dataset, 'own')).toBe('x\n');
    expect(existsSync(join(dataset, 'mended'))).toBe(true);
    expect(existsSync(join(dataset, 'later'))).toBe(true);
    expect(world.git(dataset, 'status', '--porcelain')).toBe('');
    expect(tracesIn(world, dataset)).toStrictEqual([]);
  });

  test('what it left is saved with its record: that is joined to the branch', () => {
    const dataset = fresh(failed);
    world.sh(dataset, 'git add -A; git commit -q -F .git/COMMIT_EDITMSG');
    const ended = rerun(dataset, ['--continue'], gate);
    expect(ended.code, ended.stderr).toBe(0);
    expect(branchOf(dataset)).toBe('refs/heads/main\n');
    expect(content(dataset, 'rest')).toBe('half\n');
    expect(existsSync(join(dataset, 'later'))).toBe(true);
    expect(tracesIn(world, dataset)).toStrictEqual([]);
  });

  test('the replay conflicts with what came later: it goes on once the user has merged it', () => {
    const dataset = fresh(beside);
    world.write(`${dataset}/own`, 'edited later\n');
    world.git(dataset, 'commit', '-qam', 'edited');
    const conflict = rerun(dataset, ['HEAD~2'], { WORD: 'x' });
    expectSentence(conflict, 'replay-conflict', 1);
    expectSentence(rerun(dataset, ['--continue'], { WORD: 'x' }), 'replay-conflict', 1);
    paste(
      dataset,
      hintsOf(conflict)
        .find((hint) => hint.startsWith('git merge'))
        ?.replace(/#.*/, ''),
    );
    world.write(`${dataset}/own`, 'of both\n');
    world.git(dataset, 'add', '-A');
    world.git(dataset, 'commit', '-q', '--no-edit');
    const ended = rerun(dataset, ['--continue'], { WORD: 'x' });
    expect(ended.code, ended.stderr).toBe(0);
    expect(content(dataset, 'own')).toBe('of both\n');
    expect(branchOf(dataset)).toBe('refs/heads/main\n');
    expect(tracesIn(world, dataset)).toStrictEqual([]);
  });
});

describe('a pick that conflicted', () => {
  test('is made again where the user gave it up and committed something else', () => {
    const dataset = fresh(template);
    world.write(`${dataset}/log`, 'start\nof this branch\n');
    world.git(dataset, 'commit', '-qam', 'a note', '--author=Somebody <s@example.org>');
    expect(world.reprise(dataset, ['run', '-m', 'four', '-o', 'four', 'cat log >four']).code).toBe(0);
    world.git(dataset, 'checkout', '-q', '-b', 'elsewhere', 'HEAD~5');
    world.write(`${dataset}/log`, 'start\nof another branch\n');
    world.git(dataset, 'commit', '-qam', 'another note');
    world.git(dataset, 'checkout', '-q', 'main');
    expectSentence(rerun(dataset, ['--since=', '--onto', 'elsewhere'], {}), 'replay-conflict', 1);
    world.git(dataset, 'cherry-pick', '--abort');
    world.write(`${dataset}/log`, 'start\n');
    world.git(dataset, 'commit', '-qam', 'makes way');
    const ended = rerun(dataset, ['--continue'], {});
    expect(ended.code, ended.stderr).toBe(0);
    expect(subjects(dataset, '-3')).toStrictEqual(['[DATALAD RUNCMD] four', 'a note', 'makes way']);
    expect(content(dataset, 'four')).toBe('start\nof this branch\n');
    expect(tracesIn(world, dataset)).toStrictEqual([]);
  });
});

describe('a rerun that was killed', () => {
  test('goes on after what the user has committed in the meantime', async () => {
    const waiting = fresh(template);
    expect(
      world.reprise(waiting, [
        'run',
        '-m',
        'waits',
        '-o',
        'four',
        'echo >>four; if [ -n "$MARK" ]; then echo >"$MARK"; sleep 9; fi; wc -l <four >>four; ls >>four',
      ]).code,
    ).toBe(0);
    for (const args of [['--since='], ['--since=', '--onto=', '-b', 'again']]) {
      const dataset = fresh(waiting);
      const mark = world.path(`mark-${(made += 1)}`);
      let pid = 0;
      const going = repriseBeside(world, ['rerun', ...args], {
        cwd: dataset,
        detached: true,
        env: { MARK: mark },
        started: (own) => void (pid = own),
      });
      while (!existsSync(mark)) await sleep(10);
      process.kill(-pid, 'SIGKILL');
      await going;
      world.git(dataset, 'stash', '-q', '-u');
      world.git(dataset, 'commit', '-q', '--allow-empty', '-m', 'meanwhile');
      const ended = rerun(dataset, ['--continue'], {});
      expect(ended.code, ended.stderr).toBe(0);
      expect(subjects(dataset, '-3')).toStrictEqual(['[DATALAD RUNCMD] waits', 'meanwhile', '[DATALAD RUNCMD] three']);
      expect(tracesIn(world, dataset)).toStrictEqual([]);
    }
  });
});

describeWith(['datalad'], 'a failed result that DataLad saves', () => {
  test('with the message that was left for that counts as the result of the run', () => {
    const dataset = world.path('with-datalad');
    expect(world.reprise(world.dir, ['create', '--no-annex', dataset]).code).toBe(0);
    for (const cmd of ['echo 1 >>one', 'echo half >two; test ! -e "$GATE" || exit 7; echo >>two', 'cat two >three'])
      expect(world.reprise(dataset, ['run', '-m', cmd.slice(0, 6), cmd]).code).toBe(0);
    expect(rerun(dataset, ['--since=']).code).toBe(7);
    world.ok(['datalad', 'save', '-d', '.', '-F', '.git/COMMIT_EDITMSG'], { cwd: dataset });
    const ended = rerun(dataset, ['--continue']);
    expect(ended.code, ended.stderr).toBe(0);
    expect(content(dataset, 'three')).toBe('half\n');
    expect(tracesIn(world, dataset)).toStrictEqual([]);
  });
});
