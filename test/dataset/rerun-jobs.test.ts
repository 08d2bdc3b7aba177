/** `rerun --jobs N`: what does not depend on each other is executed at once, and the history is the same for any N. */
import { cpSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createClaims, footprintOf } from '../../src/rerun/independence.ts';
import type { PlanStep } from '../../src/rerun/replay-plan.gen.ts';
import { describeWith } from '../support/oracles.ts';
import { createWorld, type World } from '../support/world.ts';

describeWith(['git-annex'], 'rerun --jobs', () => {
  let world: World;
  let template: string;

  /**
   * Commands log when they begin and end, so that tests see what was going on at once. Where the first one is to go on beside another, it
   * waits for that to begin, half a minute at most.
   */
  const logged = (name: string, work: string) => {
    const beside =
      name === 'a' ? 'for i in $(seq 600); do grep -qs "begin $BESIDE" "$LOG" && break; sleep 0.05; done; ' : '';
    return `echo begin ${name} >>"$LOG"; ${beside}${work}; echo end ${name} >>"$LOG"`;
  };
  const record = (name: string, inputs: readonly string[], work: string) => {
    const args = ['run', '-m', name, ...inputs.flatMap((path) => ['-i', path]), '-o', name, logged(name, work)];
    expect(world.reprise(template, args, { env: { LOG: world.path('recorded.log'), BESIDE: 'a' } }).code).toBe(0);
  };

  beforeAll(() => {
    world = createWorld();
    template = world.path('template');
    world.reprise(world.dir, ['create', template]);
    world.write(`${template}/in`, 'in\n');
    world.reprise(template, ['save', '-m', 'in']);
    // Each execution appends to what it finds, so that results differ, and the order shows.
    for (const name of ['a', 'b', 'c'])
      record(name, ['in'], `cat in >>${name}; date +%s.%N >stamp-${name}; rm stamp-${name}`);
    record('sum', ['a', 'b'], 'cat a b >sum');
    record('d', ['in'], 'cat in >>d');
  });
  afterAll(() => world.remove());

  const rerun = (jobs: number) => {
    const dataset = world.path(`jobs-${jobs}`);
    cpSync(template, dataset, { recursive: true, verbatimSymlinks: true, preserveTimestamps: true });
    const log = world.path(`jobs-${jobs}.log`);
    const outcome = world.reprise(dataset, ['rerun', '--since=', `--jobs=${jobs}`], {
      env: { LOG: log, BESIDE: jobs === 1 ? 'a' : 'b' },
    });
    expect(outcome.stderr).toContain('5 runs replayed');
    expect(outcome.code).toBe(0);
    return { dataset, events: readFileSync(log, 'utf8').trim().split('\n') };
  };

  test('gives the same history, runs independent commands at once, and waits where one needs another', {}, () => {
    const [one, three] = [rerun(1), rerun(3)];
    const subjects = (dataset: string) => world.git(dataset, 'log', '--format=%s %(trailers)').split('\n');
    expect(subjects(three.dataset)).toEqual(subjects(one.dataset));
    const files = (dataset: string) => world.git(dataset, 'ls-tree', '-r', 'HEAD');
    expect(files(three.dataset)).toBe(files(one.dataset));
    expect(world.git(three.dataset, 'status', '--porcelain')).toBe('');
    expect(world.git(three.dataset, 'rev-list', '--merges', 'HEAD')).toBe('');
    world.git(three.dataset, 'annex', 'fsck', '--quiet');
    const at = (event: string) => three.events.indexOf(event);
    expect(at('begin b')).toBeLessThan(at('end a'));
    expect(at('begin sum')).toBeGreaterThan(Math.max(at('end a'), at('end b')));
    expect(one.events).toEqual(['a', 'b', 'c', 'sum', 'd'].flatMap((name) => [`begin ${name}`, `end ${name}`]));
  });

  test('a command that takes long keeps none waiting that does not need it', () => {
    const dataset = world.path('uneven');
    const marks = world.path('marks');
    world.reprise(world.dir, ['create', dataset]);
    world.write(`${marks}/third`, '');
    const outputs = ['first', 'second', 'third'];
    const run = (name: string, command: string) =>
      expect(world.reprise(dataset, ['run', '-m', name, '-o', name, command], { env: { MARKS: marks } }).code).toBe(0);
    // The first one gives up after half a minute.
    run(
      'first',
      'for i in $(seq 600); do test -e "$MARKS/third" && break; sleep 0.05; done; test -e "$MARKS/third" && date +%N >first',
    );
    for (const name of outputs.slice(1)) run(name, `touch "$MARKS/${name}"; date +%N >${name}`);
    rmSync(`${marks}/third`);
    const before = world.git(dataset, 'rev-parse', 'HEAD');
    const outcome = world.reprise(dataset, ['rerun', '--since=', '--jobs=2'], { env: { MARKS: marks } });
    expect(outcome.code, outcome.stderr).toBe(0);
    expect(world.git(dataset, 'log', '--reverse', '--format=%s', `${before}..HEAD`).split('\n')).toEqual(
      outputs.map((name) => `[DATALAD RUNCMD] ${name}`),
    );
    expect(readdirSync(join(dataset, '.git/reprise/workspaces'))).toEqual([]);
  });

  test('executes one by one what wrote the same file without saying so', () => {
    const dataset = world.path('undeclared');
    world.reprise(world.dir, ['create', dataset]);
    for (const name of ['x', 'y'])
      world.reprise(dataset, [
        'run',
        '-m',
        name,
        '-o',
        name,
        `echo ${name} >${name}; (cat common 2>/dev/null; echo ${name}) >new; mv -f new common`,
      ]);
    // What the first one writes beside its output was recorded, so the second one is known to write there, too.
    const outcome = world.reprise(dataset, ['rerun', '--since=', '--jobs=2']);
    expect(outcome.code, outcome.stderr).toBe(0);
    expect(world.sh(dataset, 'cat common')).toBe('x\ny\nx\ny');
  });

  test('waits for what is picked or read in between, and keeps records in sidecars where they were', {}, () => {
    const dataset = world.path('between');
    world.reprise(world.dir, ['create', dataset]);
    world.write(`${dataset}/in`, 'one\n');
    world.write(`${dataset}/code`, 'old\n');
    world.reprise(dataset, ['save', '-m', 'start']);
    const run = (name: string, ...args: string[]) =>
      expect(world.reprise(dataset, ['run', '-m', name, ...args]).code).toBe(0);
    run('first', '-o', 'first', 'echo 1 >first');
    run('writes code', '-o', 'code', 'echo new >code');
    world.sh(dataset, 'rm in; echo two >in');
    world.reprise(dataset, ['save', '-m', 'another in']);
    run('reads in', '-i', 'in', '-o', 'second', 'cat in >second');
    run('in a sidecar', '--sidecar', 'yes', '-i', 'in', '-o', 'third', 'cat in >third');
    run('first again', '-i', 'in', '-o', 'fourth', 'cat in >fourth');
    run('names code', '-o', 'fifth', 'cat code >fifth');
    const argv = ['rerun', '--verify', '--since=', '--onto=', '--branch=again', '--jobs=4'];
    const outcome = world.reprise(dataset, argv);
    expect(outcome.code, outcome.stdout).toBe(0);
    expect(world.git(dataset, 'log', '--format=%s')).toBe(world.git(dataset, 'log', '--format=%s', 'main'));
    // A sidecar of DataLad's would be in the annex: one of ours is in Git.
    const sidecars = world.git(dataset, 'ls-files', '--stage', '.datalad/runinfo').split('\n');
    expect(sidecars.map((line) => line.slice(0, 6))).toEqual(['100644']);
    world.git(dataset, 'annex', 'fsck', '--quiet');
  });

  test('a failing command stops the rerun in its turn, with all before it committed', () => {
    const dataset = world.path('failing');
    world.reprise(world.dir, ['create', dataset]);
    for (const name of ['p', 'q', 'r'])
      world.reprise(dataset, ['run', '-m', name, '-o', name, `test ! -e "$STOP/${name}" && date +%N >${name}`]);
    world.write(`${world.dir}/stop/q`, '');
    const before = world.git(dataset, 'rev-parse', 'HEAD');
    const outcome = world.reprise(dataset, ['rerun', '--since=', '--jobs=3'], { env: { STOP: `${world.dir}/stop` } });
    expect(outcome.code).toBe(1);
    expect(world.git(dataset, 'log', '--format=%s', `${before}..HEAD`)).toBe('[DATALAD RUNCMD] p');
    const goOn = world.reprise(dataset, ['rerun', '--continue'], { env: { STOP: '/nowhere' } });
    expect(goOn.code, goOn.stderr).toBe(0);
    expect(world.git(dataset, 'log', '--reverse', '--format=%s', `${before}..HEAD`).split('\n')).toEqual(
      ['p', 'q', 'r'].map((name) => `[DATALAD RUNCMD] ${name}`),
    );
    expect(world.git(dataset, 'status', '--porcelain')).toBe('');
    expect(statSync(join(dataset, '.git/reprise/workspaces'), { throwIfNoEntry: false })?.size ?? 0).toBeLessThan(5000);
  });
});

describe('which runs may be executed side by side', () => {
  const step = (inputs: readonly string[], outputs: readonly string[], more: object = {}): PlanStep => ({
    commit: 'c'.repeat(40),
    parents: ['p'.repeat(40)],
    author: 'a',
    date: 'd',
    action: 'run',
    reason: null,
    run: { record: { cmd: 'x', chain: [], extra_inputs: [], inputs, outputs, pwd: 'sub', ...more }, message: 'm' },
    changes: [],
  });
  const links: Readonly<Record<string, string>> = { link: 'real', 'link/a': 'real/a', 'link/': 'real' };
  const real = (path: string) => links[path] ?? path.replace(/\/$/, '');
  const depends = (later: PlanStep, earlier: PlanStep, contained?: ReadonlySet<string>) => {
    const claims = createClaims();
    claims.add(footprintOf(earlier, real, contained));
    return claims.concern(footprintOf(later, real));
  };

  test.each([
    ['reads what was written', step(['../out/a'], ['b']), step([], ['../out/a']), true],
    ['reads the folder around it', step(['../out'], ['b']), step([], ['../out/a']), true],
    ['reads by a pattern', step(['../o*/a'], ['b']), step([], ['../other/a']), true],
    ['a pattern in another folder', step(['../in/*.dat'], ['b']), step([], ['../out/a']), false],
    ['writes the same file', step([], ['a']), step([], ['a']), true],
    ['both read the same', step(['in'], ['a']), step(['in'], ['b']), false],
    ['the same name in another folder', step(['a'], ['b']), step([], ['../a']), false],
    ['a name that begins like another', step(['ab'], ['c']), step([], ['a']), false],
    ['writes what was read before', step([], ['in']), step(['in'], ['b']), false],
    ['declares nothing', step([], []), step(['in'], ['b']), true],
    ['comes after one that declares nothing', step(['in'], ['b']), step([], []), true],
    ['reads everything', step(['..'], ['b']), step([], ['../x']), true],
    ['reads behind a link', step(['../link/a'], ['b']), step([], ['../real/a']), true],
    ['reads what a link leads to', step(['../link'], ['b']), step([], ['../real/a']), true],
    ['names what was written', step([], ['b'], { cmd: 'sh code/a.sh > b' }), step([], ['code/a.sh']), true],
    ['names the folder around all', step(['in'], ['b'], { cmd: 'find .. > b' }), step([], ['../x']), false],
  ])('%s', (_, later, earlier, expected) => {
    expect(depends(later, earlier)).toBe(expected);
  });

  test('commits that may be picked are waited for, those that the start holds are not', () => {
    const pick = { ...step([], []), action: 'skip-or-pick' } as const;
    const later = step(['in'], ['b']);
    expect(depends(later, pick)).toBe(true);
    expect(depends(later, pick, new Set([pick.commit]))).toBe(false);
    expect(depends(later, { ...pick, action: 'skip' })).toBe(false);
  });

  test('what a commit changed counts as declared, and commands that commit are never beside others', () => {
    const wrote = { ...step([], ['b']), changes: [{ path: 'sub/log', state: 'added', type: 'file' } as const] };
    expect(depends(step(['log'], ['c']), wrote)).toBe(true);
    const merge = { ...step(['in'], ['b']), parents: ['p'.repeat(40), 'q'.repeat(40)] };
    expect(depends(step(['x'], ['y']), merge)).toBe(true);
  });
});
