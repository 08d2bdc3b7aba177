/** Stopped reruns in datasets with more than one branch of files: subdatasets, adjusted branches, unlocked files, merges of several. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { crashModule, readSteps } from '../support/crash-points.ts';
import { expectSentence } from '../support/crash-unchanged.ts';
import { journalsIn, recordOf, repriseBeside, runBeside } from '../support/crash-world.ts';
import { describeWith } from '../support/oracles.ts';
import { copyOf, hintsOf, isPending, keptRefs, placeOf, tracesIn, untouchedCopyOf } from '../support/replays.ts';
import { cliPath, createWorld, type Outcome, type World } from '../support/world.ts';

let world: World;
let made = 0;
/** Fails while the file that it names is there. */
let gate: Record<string, string>;
const FAILS = 'test ! -e "$GATE" || exit 7';

beforeAll(() => {
  world = createWorld();
  gate = { GATE: world.path('gate') };
  world.write(gate['GATE'] as string, '');
});
afterAll(() => world.remove());

const fresh = (template: string) => copyOf(world, template, `copy-${(made += 1)}`);
const untouchedCopy = (of: string) => untouchedCopyOf(world, of, `copy-${(made += 1)}`);
const rerun = (dataset: string, args: readonly string[], env: Record<string, string> = {}): Outcome =>
  world.reprise(dataset, ['rerun', ...args], { env });
const ok = (dataset: string, ...args: string[]) => {
  const ended = world.reprise(dataset, args);
  expect(ended.code, ended.stderr).toBe(0);
};
const content = (dataset: string, name: string) => readFileSync(join(dataset, name), 'utf8');

/** Starts something, and kills it with all that it has started as soon as the file that MARK names is there. */
async function killedOnceThere(dataset: string, args: readonly string[]): Promise<void> {
  const mark = world.path(`mark-${(made += 1)}`);
  let pid = 0;
  const going = repriseBeside(world, args, {
    cwd: dataset,
    detached: true,
    env: { MARK: mark },
    started: (own) => void (pid = own),
  });
  while (!existsSync(mark)) await sleep(10);
  process.kill(-pid, 'SIGKILL');
  await going;
}
const MARKS = 'if [ -n "$MARK" ]; then echo >"$MARK"; sleep 9; fi';

describe('subdatasets', () => {
  let template: string;
  beforeAll(() => {
    template = world.path('super');
    ok(world.dir, 'create', '--no-annex', template);
    ok(template, 'create', '--no-annex', '-d', '.', 'sub');
    ok(template, 'create', '--no-annex', '-d', '.', 'sub/inner');
    ok(template, 'run', '-m', 'one', 'echo 1 >>sub/one; echo 1 >>sub/inner/one');
    ok(template, 'run', '-m', 'two', `echo half >>sub/inner/two; ${MARKS}; ${FAILS}; echo 2 >>sub/two; echo 2 >>two`);
  });
  const placesOf = (dataset: string) => ['', 'sub', 'sub/inner'].map((sub) => placeOf(world, join(dataset, sub)));

  test('undone after a failure, each is where it was; what was made and left is kept in each', () => {
    const dataset = fresh(template);
    const before = placesOf(dataset);
    expect(rerun(dataset, ['--since='], gate).code).toBe(7);
    const heads = ['sub', 'sub/inner'].map((sub) => world.git(join(dataset, sub), 'rev-parse', 'HEAD'));
    const ended = rerun(dataset, ['--abort']);
    expect(ended.code, ended.stderr).toBe(0);
    expect(placesOf(dataset)).toStrictEqual(before);
    const kept = ['sub', 'sub/inner'].map((sub) => keptRefs(world, join(dataset, sub)));
    expect(
      kept.map(([ref = ''], at) => world.git(join(dataset, ['sub', 'sub/inner'][at] as string), 'rev-parse', ref)),
    ).toStrictEqual(heads);
    expect(world.git(`${dataset}/sub/inner`, 'cat-file', 'blob', `${kept[1]?.[1]}:two`)).toBe('half\nhalf');
    for (const ref of kept.flat()) expect(ended.stderr).toContain(ref);
    expect(tracesIn(world, dataset)).toStrictEqual([]);
  });

  test('killed while a command writes there: what it left is set aside there, and it goes on or is undone', async () => {
    const undisturbed = fresh(template);
    expect(rerun(undisturbed, ['--since=']).code).toBe(0);
    const killed = fresh(template);
    const before = placesOf(killed);
    await killedOnceThere(killed, ['rerun', '--since=']);
    for (const end of ['--continue', '--abort']) {
      const dataset = untouchedCopy(killed);
      const ended = rerun(dataset, [end]);
      expect(`${ended.code} ${ended.stderr}`).toMatch(/^0 /);
      const inner = join(dataset, 'sub/inner');
      expect(
        keptRefs(world, inner).map((ref) => world.exec(['git', 'cat-file', '-e', `${ref}:two`], { cwd: inner }).code),
      ).toContain(0);
      if (end === '--abort') expect(placesOf(dataset)).toStrictEqual(before);
      else
        for (const path of ['sub/inner/two', 'sub/two', 'two', 'sub/one'])
          expect(content(dataset, path)).toBe(content(undisturbed, path));
      expect(world.git(dataset, 'status', '--porcelain')).toBe('');
      expect(tracesIn(world, dataset)).toStrictEqual([]);
    }
  });

  test('a run that is cut off there is recovered there', async () => {
    const dataset = fresh(template);
    await killedOnceThere(dataset, ['run', `echo x >>sub/inner/one; echo y >sub/new; ${MARKS}`]);
    expect(world.git(dataset, 'status', '--porcelain')).not.toBe('');
    ok(dataset, 'recover');
    expect(world.git(dataset, 'status', '--porcelain')).toBe('');
    const [ref = ''] = keptRefs(world, `${dataset}/sub`);
    expect(world.git(`${dataset}/sub`, 'cat-file', 'blob', `${ref}:new`)).toBe('y');
    expect(world.git(`${dataset}/sub/inner`, 'cat-file', 'blob', `${ref}:one`)).toContain('x');
  });
});

describeWith(['git-annex'], 'an adjusted branch', () => {
  let template: string;
  /** A copy in which a rerun was stopped by the second of its three runs. */
  let stopped: string;
  const refs = (dataset: string) =>
    world
      .git(dataset, 'for-each-ref', '--format=%(refname) %(objectname)', 'refs/heads', 'refs/basis')
      .replace(/^.*\/git-annex .*\n?/m, '');
  beforeAll(() => {
    template = world.path('adjusted');
    ok(world.dir, 'create', template);
    ok(template, 'run', '-o', 'a', 'echo more >>a');
    ok(template, 'run', '-i', 'a', '-o', 'b', `${FAILS}; cat a >>b`);
    ok(template, 'run', '-i', 'b', '-o', 'c', 'cat b >>c');
    world.sh(template, 'git annex adjust --unlock -q');
    stopped = fresh(template);
    expect(rerun(stopped, ['--since='], gate).code).toBe(7);
  });

  test('undone, all that git-annex has moved is where it was, and stays there when it syncs', () => {
    const dataset = fresh(stopped);
    const before = refs(template);
    const [, main = ''] = /^refs\/heads\/main (.*)$/m.exec(refs(dataset)) ?? [];
    expect(before).not.toContain(main);
    const ended = rerun(dataset, ['--abort']);
    expect(ended.code, ended.stderr).toBe(0);
    expect(refs(dataset)).toBe(before);
    expect(world.git(dataset, 'status', '--porcelain')).toBe('');
    const [kept = ''] = keptRefs(world, dataset);
    world.git(dataset, 'merge-base', '--is-ancestor', main, kept);
    expect(tracesIn(world, dataset)).toStrictEqual([]);
    world.sh(dataset, 'git annex sync -q --no-pull --no-push --no-content');
    expect(world.git(dataset, 'rev-parse', 'main')).toBe(/^refs\/heads\/main (.*)$/m.exec(before)?.[1]);
  });

  test('continued, it ends as an undisturbed one does', () => {
    const dataset = fresh(stopped);
    const ended = rerun(dataset, ['--continue']);
    expect(ended.code, ended.stderr).toBe(0);
    expect(world.git(dataset, 'log', '--format=%s', '-3', 'main').split('\n')[0]).toContain('cat b >>c');
    expect(world.git(dataset, 'rev-list', '--count', 'main')).toBe('7');
    expect(content(dataset, 'c')).toBe('more\nmore\nmore\nmore\n');
  });

  test('a run that is killed once git-annex has carried its commit over is recovered', async () => {
    const module = crashModule(world.path('crash.mjs'));
    const list = world.path('steps');
    const run = (dataset: string, env: Record<string, string>) =>
      runBeside(world, [process.execPath, '--import', module, cliPath, 'run', '-o', 'd', 'echo >>d'], {
        cwd: dataset,
        env,
      });
    expect((await run(fresh(template), { CRASH_LIST: list })).code).toBe(0);
    const synced = readSteps(list).findIndex((step) => step.startsWith('after git-annex sync'));
    expect(synced).toBeGreaterThan(0);
    // Before git-annex is started, and some steps after it has ended.
    for (const at of [synced, synced + 2]) {
      const dataset = fresh(template);
      expect((await run(dataset, { CRASH_AT: String(at) })).signal).toBe('SIGKILL');
      expect(journalsIn(dataset)).not.toStrictEqual([]);
      const recovered = world.reprise(dataset, ['recover']);
      expect(`${recovered.code} ${recovered.stdout}`).toMatch(/^0 /);
      expect(
        world
          .git(dataset, 'log', '--format=%s', 'main')
          .split('\n')
          .filter((subject) => subject.includes('>>d')),
      ).toHaveLength(1);
      expect(world.git(dataset, 'status', '--porcelain')).toBe('');
    }
  });
});

describeWith(['git-annex'], 'unlocked files', () => {
  let annexed: string;
  beforeAll(() => {
    annexed = world.path('annexed');
    ok(world.dir, 'create', annexed);
    world.write(`${annexed}/in`, 'in\n');
    world.sh(annexed, 'git annex add -q in; git commit -qm in');
  });

  test('that Git brings along are filled in: a rerun finds its inputs, and can be continued or undone', () => {
    const template = fresh(annexed);
    ok(template, 'run', '-i', 'in', '-o', 'out', 'cat in >>out');
    world.sh(template, 'git annex unlock -q in out; git commit -qm unlocked');
    ok(template, 'run', '-i', 'in', '-i', 'out', '-o', 'sum', `${FAILS}; cat in out >>sum`);
    const stopped = fresh(template);
    const failed = rerun(stopped, ['--since=', '--onto=', '-b', 'again'], gate);
    expect(failed.code, failed.stderr).toBe(7);
    for (const end of ['--continue', '--abort']) {
      const dataset = untouchedCopy(stopped);
      expect(world.git(dataset, 'status', '--porcelain')).toBe('');
      const ended = rerun(dataset, [end]);
      expect(ended.code, ended.stderr).toBe(0);
      if (end === '--abort') expect(placeOf(world, dataset)).toStrictEqual(placeOf(world, template));
      else expect(content(dataset, 'sum')).toBe('in\nin\n');
      expect(world.git(dataset, 'status', '--porcelain')).toBe('');
      expect(keptRefs(world, dataset).filter((ref) => ref.endsWith('-files'))).toStrictEqual([]);
    }
  });

  test('that a pick has left as pointers are filled in when a run needs them', () => {
    const dataset = fresh(annexed);
    world.sh(dataset, 'git checkout -q -b other; git annex unlock -q in; git commit -qm unlocked');
    world.sh(dataset, 'git checkout -q main; git cherry-pick other >pick.log; rm pick.log');
    expect(content(dataset, 'in')).toContain('/annex/objects/');
    const ended = world.reprise(dataset, ['run', '--explicit', '-i', 'in', '-o', 'out', 'cat in >out']);
    expect(ended.code, ended.stderr).toBe(0);
    expect(ended.stderr).not.toContain('inputs were changed');
    expect(content(dataset, 'out')).toBe('in\n');
  });

  test('that a command changes although they are inputs are named with their keys', () => {
    const dataset = fresh(annexed);
    world.sh(dataset, 'git annex unlock -q in; git commit -qm unlocked');
    const ended = world.reprise(dataset, ['run', '-i', 'in', 'echo more >>in']);
    expect(ended.code, ended.stderr).toBe(0);
    const changed = (recordOf(world, dataset)?.['reprise'] as { changed_inputs: unknown } | undefined)?.changed_inputs;
    expect(changed).toMatchObject([
      { path: 'in', before: expect.stringMatching(/^annex:MD5E-s3--[0-9a-f]{32}$/) as string },
    ]);
  });
});

describe('a merge of several', () => {
  test('that conflicts says how to make it, and goes on once that is done', () => {
    const template = world.path('octopus');
    world.git(world.dir, 'init', '-q', template);
    world.git(template, 'commit', '-q', '--allow-empty', '-m', 'start');
    for (const name of ['a', 'b', 'c']) {
      world.git(template, 'checkout', '-q', '-b', name, 'main');
      ok(template, 'run', `echo >>${name}; if [ -n "$SAME" ]; then echo ${name} >same; fi`);
    }
    world.git(template, 'checkout', '-q', 'main');
    world.git(template, 'merge', '-q', '--no-edit', 'a', 'b', 'c');
    ok(template, 'run', '-m', 'last', 'cat a b c >last');
    const dataset = fresh(template);
    const stopped = rerun(dataset, ['--since=', '--onto=', '-b', 'again'], { SAME: 'yes' });
    expectSentence(stopped, 'replay-conflict', 1);
    expect(isPending(dataset)).toBe(true);
    const hint = hintsOf(stopped).find((one) => one.startsWith('git merge')) as string;
    for (const line of hint.replace(/#.*/, '').split('&&')) {
      expect(world.exec(['/bin/sh', '-c', line], { cwd: dataset }).code).toBe(1);
      world.write(`${dataset}/same`, 'all\n');
      world.sh(dataset, 'git add -A; git commit -q --no-edit');
    }
    const ended = rerun(dataset, ['--continue']);
    expect(ended.code, ended.stderr).toBe(0);
    expect(world.git(dataset, 'log', '-1', '--format=%s')).toBe('[DATALAD RUNCMD] last');
    expect(content(dataset, 'same')).toBe('all\n');
    expect(tracesIn(world, dataset)).toStrictEqual([]);
  });
});
