/** A rerun that stops half-way: it says so, and can be continued or undone, whatever stopped it. */
import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { expectSentence } from '../support/crash-unchanged.ts';
import {
  attestationsIn,
  copiesOfStopped,
  copyOf,
  hintsOf,
  isPending,
  keptRefs,
  type Place,
  placeOf,
  printed,
  tracesIn,
  untouchedCopyOf,
} from '../support/replays.ts';
import { repriseBeside } from '../support/crash-world.ts';
import { startReprise } from '../support/runs.ts';
import { cliPath, createWorld, type Outcome, type World } from '../support/world.ts';

let world: World;
let made = 0;
/** Three recorded commands, of which the second fails while the file that GATE names is there, and waits where BEGUN names one. */
let template: string;

beforeAll(() => {
  world = createWorld();
  template = world.path('history');
  world.git(world.dir, 'init', '-q', template);
  world.write(`${template}/log`, 'start\n');
  world.git(template, 'add', '-A');
  world.git(template, 'commit', '-qm', 'start');
  const run = (...args: string[]) => {
    const ended = world.reprise(template, ['run', ...args]);
    expect(ended.code, ended.stderr).toBe(0);
  };
  run('-m', 'one', '-o', 'one', 'echo 1 >>one');
  const waits = 'if [ -n "$BEGUN" ]; then echo >"$BEGUN"; sleep 20; fi';
  run('-m', 'two', '-o', 'two', `echo half >two; ${waits}; test ! -e "$GATE" || exit 7; cat one >>two`);
  run('-m', 'three', '-o', 'three', 'cat one two >three');
});
afterAll(() => world.remove());

const copies = (of: string) => copyOf(world, of, `copy-${(made += 1)}`);
const untouchedCopy = (of: string) => untouchedCopyOf(world, of, `copy-${(made += 1)}`);
const rerun = (dataset: string, args: readonly string[], env: Record<string, string> = {}): Outcome =>
  world.reprise(dataset, ['rerun', ...args], { env });
const treeAt = (dataset: string, commit = 'HEAD') => world.git(dataset, 'rev-parse', `${commit}^{tree}`);
const countOf = (dataset: string, range = 'HEAD') => Number(world.git(dataset, 'rev-list', '--count', range));
const branchOf = (dataset: string) => world.exec(['git', 'symbolic-ref', '-q', 'HEAD'], { cwd: dataset }).stdout.trim();

const gate = () => {
  const path = world.path('gate');
  world.write(path, '');
  return { GATE: path };
};

/** A copy of the history in which a rerun was stopped by the command that fails. */
const stop = copiesOfStopped((args) => {
  const dataset = copies(template);
  const ended = rerun(dataset, args, gate());
  expect(ended.code, ended.stderr).toBe(7);
  return { dataset, ended };
}, copies);

const undisturbed = new Map<string, string>();

/** A copy of the history in which nothing stopped a rerun; to be looked at only. */
function done(args: readonly string[]): string {
  const known = undisturbed.get(args.join(' '));
  if (known !== undefined) return known;
  const dataset = copies(template);
  expect(rerun(dataset, args).code).toBe(0);
  undisturbed.set(args.join(' '), dataset);
  return dataset;
}

/** Starts a rerun, and kills it with all that it has started as soon as the file that MARK names is there. */
async function killedOnceThere(dataset: string, args: readonly string[]): Promise<void> {
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
}

/** Everything is as it was, and what was made meanwhile is not lost. */
function expectUndone(dataset: string, before: Place): void {
  expect(placeOf(world, dataset)).toStrictEqual(before);
  expect(tracesIn(world, dataset)).toStrictEqual([]);
  expect(keptRefs(world, dataset).some((ref) => ref.startsWith('refs/reprise/aborted/'))).toBe(true);
}

describe('a command that fails', () => {
  test('as the only one: its exit code is passed on, and nothing waits to be continued', () => {
    const dataset = copies(template);
    const head = world.git(dataset, 'rev-parse', 'HEAD');
    const ended = rerun(dataset, ['HEAD~1'], gate());
    expect(ended.code, ended.stderr).toBe(7);
    expect(ended.stderr).not.toContain('half-way');
    expect(isPending(dataset)).toBe(false);
    expect(world.git(dataset, 'rev-parse', 'HEAD')).toBe(head);
    expect(readFileSync(join(dataset, 'two'), 'utf8')).toBe('half\n');
    expectSentence(rerun(dataset, ['--continue']), 'replay-missing', 1);
    world.git(dataset, 'checkout', '-q', '--', '.');
    expect(rerun(dataset, ['HEAD~1']).code).toBe(0);
  });

  test('in the middle: says how to go on, and other reruns are refused until then', () => {
    const { dataset, ended } = stop(['--since=']);
    expect(ended.stderr).toContain('half-way');
    expect(hintsOf(ended)).toEqual(expect.arrayContaining(['reprise rerun --continue', 'reprise rerun --abort']));
    expect(countOf(dataset)).toBe(5);
    world.git(dataset, 'checkout', '-q', '--', '.');
    for (const args of [[], ['--onto=HEAD~1', '-b', 'x', '--since=']]) {
      const refused = rerun(dataset, args);
      expectSentence(refused, 'replay-pending', 1);
      expect(hintsOf(refused)).toStrictEqual(['reprise rerun --continue', 'reprise rerun --abort']);
    }
    expect(rerun(dataset, ['--report', '--since=']).code).toBe(0);
    expect(rerun(dataset, ['--dry-run', '--since=']).code).toBe(0);
    const pasted = world.exec(
      ['/bin/sh', '-c', `reprise() { '${process.execPath}' '${cliPath}' "$@"; }; ${hintsOf(ended)[0]}`],
      {
        cwd: dataset,
      },
    );
    expect(`${pasted.code} ${pasted.stderr}`).toMatch(/^0 /);
  });

  /** With a branch's name or without, the same is made: one rerun that nothing stopped is enough for both. */
  test.each([
    ['on the branch', ['--since='], 'refs/heads/main', ['--since='], true],
    ['on a new branch', ['--since=', '-b', 'again'], 'refs/heads/again', ['--since='], false],
    [
      'on a new branch from the start',
      ['--since=', '--onto=', '-b', 'again'],
      'refs/heads/again',
      ['--since=', '--onto='],
      true,
    ],
    ['detached, from the start', ['--since=', '--onto='], '', ['--since=', '--onto='], false],
  ] as const)('%s: continued, it ends as if nothing had happened', (_, args, branch, undisturbedArgs, thorough) => {
    const { dataset } = stop(args);
    expect(isPending(dataset)).toBe(true);
    const putAway = () => world.sh(dataset, 'git checkout -q -- .; git clean -fdq');

    if (thorough) {
      // What the failed command has left stands in the way, and is the user's to decide about.
      const inTheWay = rerun(dataset, ['--continue']);
      expectSentence(inTheWay, 'dataset-dirty', 1);
      expect(inTheWay.stderr).toContain('two');
      expect(isPending(dataset)).toBe(true);
      putAway();
      // It may fail again and again.
      expect(rerun(dataset, ['--continue'], gate()).code).toBe(7);
    }
    putAway();

    const ended = rerun(dataset, ['--continue', '-d', dataset]);
    expect(ended.code, ended.stderr).toBe(0);
    const other = done(undisturbedArgs);
    expect(treeAt(dataset)).toBe(treeAt(other));
    expect(countOf(dataset, '--all')).toBe(countOf(other, '--all'));
    expect(countOf(dataset)).toBe(countOf(other));
    expect(branchOf(dataset)).toBe(branch);
    if (branch !== 'refs/heads/main')
      expect(world.git(dataset, 'rev-parse', 'main')).toBe(world.git(template, 'rev-parse', 'main'));
    expect(world.git(dataset, 'status', '--porcelain')).toBe('');
    expect(tracesIn(world, dataset)).toStrictEqual([]);
    const verdicts = (one: string) =>
      attestationsIn(world, one).map(({ commit, verdict }) => `${String(commit)} ${String(verdict)}`);
    expect(verdicts(dataset).toSorted()).toStrictEqual(verdicts(other).toSorted());
  });

  test.each([
    ['on the branch', ['--since=']],
    ['on a new branch', ['--since=', '-b', 'again']],
    ['on a new branch from the start', ['--since=', '--onto=', '-b', 'again']],
    ['detached, from the start', ['--since=', '--onto=']],
  ] as const)('%s: undone, everything is as it was', (_, args) => {
    const { dataset } = stop(args);
    const head = world.git(dataset, 'rev-parse', 'HEAD');
    const ended = rerun(dataset, ['--abort']);
    expect(ended.code, ended.stderr).toBe(0);
    expectUndone(dataset, placeOf(world, template));
    const [made = '', files = ''] = keptRefs(world, dataset);
    expect(world.git(dataset, 'rev-parse', made)).toBe(head);
    expect(world.git(dataset, 'cat-file', 'blob', `${files}:two`)).toBe('half');
    for (const ref of [made, files]) expect(ended.stderr).toContain(ref);
  });

  test('undone, nothing is stopped any more: continuing and undoing say so, and the same can be asked for again', () => {
    const args = ['--since=', '--onto=', '-b', 'again'];
    const { dataset } = stop(args);
    expect(rerun(dataset, ['--abort']).code).toBe(0);
    for (const option of ['--continue', '--abort']) expectSentence(rerun(dataset, [option]), 'replay-missing', 1);
    expectUndone(dataset, placeOf(world, template));
    expect(rerun(dataset, args).code).toBe(0);
  });

  test('with --on-failure continue the others are executed all the same, and the end is a failure', () => {
    const dataset = copies(template);
    const ended = world.reprise(dataset, ['--on-failure', 'continue', '-f', 'json', 'rerun', '--since='], {
      env: gate(),
    });
    expect(ended.code).not.toBe(0);
    expect(isPending(dataset)).toBe(false);
    expect(
      printed(ended)
        .filter(({ action }) => action === 'compare')
        .map(({ verdict }) => verdict),
    ).toStrictEqual(['different', 'failed', 'different']);
  });

  test('a line that was only half written when everything ended does not confuse what comes after it', () => {
    const { dataset } = stop(['--since=']);
    world.git(dataset, 'checkout', '-q', '--', '.');
    for (const name of ['progress.jsonl', 'judgements.jsonl']) {
      const path = join(dataset, '.git/reprise/rerun', name);
      expect(existsSync(path)).toBe(true);
      appendFileSync(path, '{"begin":1,"he');
    }
    expect(rerun(dataset, ['--continue'], gate()).code).toBe(7);
    world.git(dataset, 'checkout', '-q', '--', '.');
    const ended = rerun(dataset, ['--continue']);
    expect(`${ended.code} ${ended.stderr}`).toMatch(/^0 /);
    expect(tracesIn(world, dataset)).toStrictEqual([]);
  });
});

describe('Ctrl-C while a command runs', () => {
  const interrupted = async (args: readonly string[], pending: boolean) => {
    const dataset = copies(template);
    const begun = world.path(`begun-${(made += 1)}`);
    const going = startReprise(world, dataset, ['rerun', ...args], { env: { BEGUN: begun } });
    while (!existsSync(begun)) await sleep(10);
    going.child.kill('SIGINT');
    const ended = await going.done;
    expect(ended.code, ended.stderr).toBe(130);
    expect(isPending(dataset)).toBe(pending);
    return { dataset, ended };
  };

  test('the only one: ends with 130, and nothing waits to be continued', async () => {
    const { dataset } = await interrupted(['HEAD~1'], false);
    world.git(dataset, 'checkout', '-q', '--', '.');
    expect(placeOf(world, dataset)).toStrictEqual(placeOf(world, template));
  });

  test.each([
    ['the second', ['--since='], ['--since=']],
    ['the second, on a new branch', ['--since=', '--onto=', '-b', 'again'], ['--since=', '--onto=']],
  ] as const)('%s: ends with 130, and can be continued or undone', async (_, args, undisturbedArgs) => {
    const { dataset, ended } = await interrupted(args, true);
    expect(hintsOf(ended)).toEqual(expect.arrayContaining(['reprise rerun --continue', 'reprise rerun --abort']));
    const undone = untouchedCopy(dataset);
    expect(rerun(undone, ['--abort']).code).toBe(0);
    expectUndone(undone, placeOf(world, template));

    world.git(dataset, 'stash', '-q', '-u');
    const continued = rerun(dataset, ['--continue']);
    expect(continued.code, continued.stderr).toBe(0);
    expect(treeAt(dataset)).toBe(treeAt(done(undisturbedArgs)));
    expect(countOf(dataset)).toBe(countOf(done(undisturbedArgs)));
    expect(tracesIn(world, dataset)).toStrictEqual([]);
  });
});

describe('a commit that cannot be picked without a conflict', () => {
  let before: Place;
  let conflicting: string;
  beforeAll(() => {
    conflicting = copies(template);
    world.write(`${conflicting}/log`, 'start\nof this branch\n');
    world.git(conflicting, 'commit', '-qam', 'a note');
    expect(world.reprise(conflicting, ['run', '-m', 'four', '-o', 'four', 'cat log >four']).code).toBe(0);
    world.git(conflicting, 'checkout', '-q', '-b', 'elsewhere', 'HEAD~5');
    world.write(`${conflicting}/log`, 'start\nof another branch\n');
    world.git(conflicting, 'commit', '-qam', 'another note');
    world.git(conflicting, 'checkout', '-q', 'main');
    before = placeOf(world, conflicting);
    const ended = rerun(conflicting, ['--since=', '--onto', 'elsewhere', '-b', 'again']);
    expectSentence(ended, 'replay-conflict', 1);
    expect(ended.stderr).toContain(world.git(conflicting, 'rev-parse', 'main~1'));
    expect(hintsOf(ended).join('\n')).toMatch(/reprise rerun --continue[^]*reprise rerun --abort/);
    expect(world.git(conflicting, 'status', '--porcelain')).toBe('UU log');
  });

  test('says how to go on, and goes on once it is resolved', () => {
    const dataset = copies(conflicting);
    const unresolved = rerun(dataset, ['--continue']);
    expectSentence(unresolved, 'replay-conflict', 1);
    world.write(`${dataset}/log`, 'start\nof both\n');
    world.git(dataset, 'add', 'log');
    const ended = rerun(dataset, ['--continue']);
    expect(ended.code, ended.stderr).toBe(0);
    expect(world.git(dataset, 'log', '--format=%s', 'elsewhere..').split('\n')).toStrictEqual([
      '[DATALAD RUNCMD] four',
      'a note',
      '[DATALAD RUNCMD] three',
      '[DATALAD RUNCMD] two',
      '[DATALAD RUNCMD] one',
    ]);
    expect(readFileSync(join(dataset, 'four'), 'utf8')).toBe('start\nof both\n');
    expect(world.git(dataset, 'symbolic-ref', '--short', 'HEAD')).toBe('again');
    expect(tracesIn(world, dataset)).toStrictEqual([]);
  });

  test('goes on where the user has committed the resolution, or has decided to leave the commit out', () => {
    const committed = copies(conflicting);
    world.write(`${committed}/log`, 'start\nof both\n');
    world.git(committed, 'add', 'log');
    world.git(committed, '-c', 'core.editor=true', 'cherry-pick', '--continue');
    expect(rerun(committed, ['--continue']).code).toBe(0);
    expect(world.git(committed, 'rev-list', '--count', 'elsewhere..')).toBe('5');
    expect(readFileSync(join(committed, 'four'), 'utf8')).toBe('start\nof both\n');

    const emptied = copies(conflicting);
    world.git(emptied, 'checkout', '-q', '--ours', 'log');
    world.git(emptied, 'add', 'log');
    const ended = rerun(emptied, ['--continue']);
    expect(ended.code, ended.stderr).toBe(0);
    expect(readFileSync(join(emptied, 'four'), 'utf8')).toBe('start\nof another branch\n');
    expect(tracesIn(world, emptied)).toStrictEqual([]);
  });

  test('undone, everything is as it was', () => {
    const dataset = copies(conflicting);
    expect(rerun(dataset, ['--abort']).code).toBe(0);
    expectUndone(dataset, before);
  });

  test('undone after the user has ended the pick himself', () => {
    const dataset = copies(conflicting);
    world.git(dataset, 'cherry-pick', '--abort');
    expect(rerun(dataset, ['--abort']).code).toBe(0);
    expectUndone(dataset, before);
  });
});

describe('a merge that cannot be made again without a conflict', () => {
  let before: Place;
  let conflicting: string;
  beforeAll(() => {
    conflicting = world.path('merging');
    world.git(world.dir, 'init', '-q', conflicting);
    world.write(`${conflicting}/text`, 'a\n');
    world.git(conflicting, 'add', '-A');
    world.git(conflicting, 'commit', '-qm', 'start');
    world.git(conflicting, 'branch', 'elsewhere');
    world.git(conflicting, 'checkout', '-q', '-b', 'side');
    expect(world.reprise(conflicting, ['run', '-m', 'side', 'wc -l <text >>side; echo side >>text']).code).toBe(0);
    world.git(conflicting, 'checkout', '-q', 'main');
    expect(world.reprise(conflicting, ['run', '-m', 'main', 'wc -l <text >main; echo main >>text']).code).toBe(0);
    world.exec(['git', 'merge', '-q', 'side'], { cwd: conflicting });
    world.write(`${conflicting}/text`, 'a\nmain\nside\n');
    world.git(conflicting, 'commit', '-qam', 'both');
    expect(world.reprise(conflicting, ['run', '-m', 'last', 'cat text >last']).code).toBe(0);
    world.git(conflicting, 'checkout', '-q', 'elsewhere');
    world.write(`${conflicting}/text`, 'b\n');
    world.git(conflicting, 'commit', '-qam', 'changed');
    world.git(conflicting, 'checkout', '-q', 'main');
    before = placeOf(world, conflicting);
    const ended = rerun(conflicting, ['--since=', '--onto', 'elsewhere']);
    expectSentence(ended, 'replay-conflict', 1);
    expect(ended.stderr).toContain(world.git(conflicting, 'rev-parse', 'main~1'));
    expect(world.git(conflicting, 'status', '--porcelain')).toContain('UU text');
  });

  test('goes on once it is resolved', () => {
    const dataset = copies(conflicting);
    expectSentence(rerun(dataset, ['--continue']), 'replay-conflict', 1);
    world.write(`${dataset}/text`, 'b\nmain\nside\n');
    world.git(dataset, 'add', 'text');
    const ended = rerun(dataset, ['--continue']);
    expect(ended.code, ended.stderr).toBe(0);
    expect(readFileSync(join(dataset, 'last'), 'utf8')).toBe('b\nmain\nside\n');
    expect(world.git(dataset, 'log', '--first-parent', '--format=%s', '-2').split('\n')).toStrictEqual([
      '[DATALAD RUNCMD] last',
      'both',
    ]);
    expect(world.git(dataset, 'rev-list', '--parents', '-1', 'HEAD~1').split(' ')).toHaveLength(3);
    expect(world.exec(['git', 'symbolic-ref', '-q', 'HEAD'], { cwd: dataset }).code).not.toBe(0);
    expect(tracesIn(world, dataset)).toStrictEqual([]);
  });

  test('undone, everything is as it was', () => {
    const dataset = copies(conflicting);
    expect(rerun(dataset, ['--abort']).code).toBe(0);
    expectUndone(dataset, before);
  });
});

/** Continues a stopped rerun where it is, and undoes it in a copy, which is returned. */
function endedBothWays(dataset: string): string {
  const undone = untouchedCopy(dataset);
  for (const [end, where] of [
    ['--continue', dataset],
    ['--abort', undone],
  ] as const) {
    const ended = rerun(where, [end]);
    expect(`${ended.code} ${ended.stderr}`).toMatch(/^0 /);
    expect(tracesIn(world, where)).toStrictEqual([]);
  }
  return undone;
}

describe('everything is killed while Git checks files out', () => {
  let slow: string;
  beforeAll(() => {
    slow = world.path('slow');
    world.git(world.dir, 'init', '-q', slow);
    // A filter that takes its time: the checkout is in the middle of its files.
    world.git(slow, 'config', 'filter.slow.smudge', 'if [ -n "$MARK" ]; then echo >"$MARK"; sleep 9; fi; cat');
    world.git(slow, 'config', 'filter.slow.clean', 'cat');
    world.write(`${slow}/.gitattributes`, 'm filter=slow\n');
    for (const name of ['a', 'm', 'z']) world.write(`${slow}/${name}`, `${name}\n`);
    world.git(slow, 'add', '-A');
    world.git(slow, 'commit', '-qm', 'start');
    for (const line of ['for f in a m z new; do echo 1 >>$f; done', 'wc -l <m >>z'])
      expect(world.reprise(slow, ['run', line]).code).toBe(0);
  });

  test.each([
    ['on a new branch', ['--since=', '--onto=', '-b', 'again']],
    ['detached', ['--since=', '--onto=']],
  ] as const)('%s: it can be continued or undone all the same', async (_, args) => {
    const dataset = copies(slow);
    await killedOnceThere(dataset, args);
    const undone = endedBothWays(dataset);
    for (const where of [dataset, undone]) expect(world.git(where, 'status', '--porcelain', '-uall')).toBe('');
    expect(placeOf(world, undone)).toStrictEqual(placeOf(world, slow));
    // What the same reruns make where nothing stops them.
    expect(world.sh(dataset, 'cat a m z new')).toBe('a\n1\nm\n1\nz\n1\n2\n1');
    expect(countOf(dataset)).toBe(3);
  });
});

describe('a command that is killed after it has committed something itself', () => {
  test('is executed again from where it began; undone, nothing of it is left', async () => {
    const commits = world.path('commits');
    world.git(world.dir, 'init', '-q', commits);
    world.git(commits, 'commit', '-q', '--allow-empty', '-m', 'start');
    const cmd =
      'echo >>own; git add own; git commit -qm inner; if [ -n "$MARK" ]; then echo >"$MARK"; sleep 9; fi; wc -l <own >>rest';
    for (const line of ['echo >>first', cmd]) expect(world.reprise(commits, ['run', line]).code).toBe(0);
    for (const args of [['--since='], ['--since=', '--onto=', '-b', 'again']]) {
      const other = copies(commits);
      expect(rerun(other, args).code).toBe(0);
      const dataset = copies(commits);
      await killedOnceThere(dataset, args);
      const undone = endedBothWays(dataset);
      expect(placeOf(world, undone)).toStrictEqual(placeOf(world, commits));
      expect(treeAt(dataset)).toBe(treeAt(other));
      expect(countOf(dataset)).toBe(countOf(other));
      const kept = keptRefs(world, dataset).find((ref) => ref.endsWith('-commits'));
      expect(world.git(dataset, 'log', '-1', '--format=%s', kept as string)).toBe('inner');
    }
  });
});

describe('states in which a stopped rerun is found', () => {
  test('with locks that killed Git processes have left', () => {
    for (const end of ['--continue', '--abort']) {
      const { dataset } = stop(['--since=']);
      world.git(dataset, 'checkout', '-q', '--', '.');
      for (const name of ['index', 'HEAD', 'refs/heads/main']) world.write(`${dataset}/.git/${name}.lock`, '');
      const ended = rerun(dataset, [end]);
      expect(`${ended.code} ${ended.stderr}`).toMatch(/^0 /);
      if (end === '--abort') expect(placeOf(world, dataset)).toStrictEqual(placeOf(world, template));
      else expect(countOf(dataset)).toBe(7);
      expect(tracesIn(world, dataset)).toStrictEqual([]);
    }
  });

  test('one that still goes on is neither continued nor undone, and keeps others out', async () => {
    const dataset = world.path('going');
    world.git(world.dir, 'init', '-q', dataset);
    world.git(dataset, 'commit', '-q', '--allow-empty', '-m', 'start');
    const wait = 'echo >>one; if [ -n "$BEGUN" ]; then echo >"$BEGUN"; while [ ! -e "$GO" ]; do sleep 0.05; done; fi';
    expect(world.reprise(dataset, ['run', wait]).code).toBe(0);
    const env = { BEGUN: world.path('going-begun'), GO: world.path('going-go') };
    const going = startReprise(world, dataset, ['rerun'], { env });
    while (!existsSync(env.BEGUN)) await sleep(10);
    for (const args of [['--continue'], ['--abort'], ['HEAD']]) {
      const refused = rerun(dataset, args);
      expectSentence(refused, args[0] === 'HEAD' ? 'replay-pending|dataset-dirty' : 'replay-pending', 1);
      expect(refused.stderr).toContain('going on');
    }
    world.write(env.GO, '');
    expect((await going.done).code).toBe(0);
    expect(tracesIn(world, dataset)).toStrictEqual([]);
  });
});
