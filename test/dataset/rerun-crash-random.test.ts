/** `kill -9` at random moments of a long rerun, of Reprise alone or of everything that it has started; then `--continue`, or `--abort`. */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { eachBeside, type Ended, expectSound, repriseBeside } from '../support/crash-world.ts';
import { describeWith } from '../support/oracles.ts';
import { assertSame, copyOf, isPending, keptRefs, type Place, placeOf, tracesIn } from '../support/replays.ts';
import { createWorld, type World } from '../support/world.ts';

/** Each way is continued twice and undone once. */
const CASES = 12;

/** Ways to rerun the whole history, and the same in a history with a side branch. */
const WAYS = [
  { history: 'line', args: ['--since='] },
  { history: 'line', args: ['--since=', '--onto=', '-b', 'again'] },
  { history: 'fork', args: ['--since=', '--onto=', '-b', 'again'] },
  { history: 'fork', args: ['--since='] },
] as const;

interface Undisturbed {
  readonly tree: string;
  readonly commits: number;
  readonly branch: string;
  readonly ms: number;
}

describeWith(['git-annex'], 'a rerun that is killed at a random moment', () => {
  let world: World;
  const templates = { line: '', fork: '' };
  const places = new Map<string, Place>();
  const expected = new Map<string, Undisturbed>();

  const run = (dataset: string, ...args: string[]) => {
    const ended = world.reprise(dataset, ['run', ...args]);
    expect(ended.code, ended.stderr).toBe(0);
  };
  const stateOf = (dataset: string): Omit<Undisturbed, 'ms'> => ({
    tree: world.git(dataset, 'rev-parse', 'HEAD^{tree}'),
    commits: Number(world.git(dataset, 'rev-list', '--count', 'HEAD')),
    branch: world.git(dataset, 'symbolic-ref', 'HEAD'),
  });

  beforeAll(() => {
    world = createWorld();
    const line = world.path('line');
    world.reprise(world.dir, ['create', line]);
    for (const name of ['a', 'b', 'c']) world.write(`${line}/data/${name}`, `old ${name}\n`);
    world.reprise(line, ['save', '-m', 'data']);
    // Each gives something new whenever it is executed, and something else if it were executed twice or not at all.
    run(line, '-o', 'data/a', 'echo more >>data/a');
    run(line, '-i', 'data/a', '-o', 'sum', 'cat data/a >>sum; sleep 0.1; cat data/b >>sum');
    world.write(`${line}/note`, 'a note\n');
    world.reprise(line, ['save', '-m', 'a note']);
    run(line, '-m', 'undeclared', 'wc -l <sum >>lines');
    const fork = copyOf(world, line, 'fork');

    run(line, '-m', 'commits itself', 'wc -l <lines >>own; git add own; git commit -qm inner; wc -l <own >>rest');
    run(line, '-o', 'data/*', 'for f in data/*; do echo all >>$f; done');
    run(line, '-o', 'x', 'head -c 300000 /dev/zero >x; wc -l <sum >>x');
    run(line, '-o', 'sum', 'sleep 0.1; wc -l <sum >sum.new; cat sum.new >>sum; rm sum.new');
    run(line, '-o', 'last', 'cat sum lines own >>last');

    world.git(fork, 'checkout', '-q', '-b', 'side');
    run(fork, '-o', 'side', 'wc -l <sum >>side');
    run(fork, '-o', 'side', 'sleep 0.1; wc -l <side >>side');
    world.git(fork, 'checkout', '-q', 'main');
    run(fork, '-o', 'main', 'wc -l <lines >>main');
    world.git(fork, 'merge', '-q', '--no-edit', 'side');
    run(fork, '-o', 'last', 'cat sum side main >>last');
    world.git(fork, 'branch', '-q', '-D', 'side');

    Object.assign(templates, { line, fork });
    for (const [name, template] of Object.entries(templates)) places.set(name, placeOf(world, template));
    for (const [index, { history, args }] of WAYS.entries()) {
      const dataset = copyOf(world, templates[history], `undisturbed-${index}`);
      const began = Date.now();
      const ended = world.reprise(dataset, ['rerun', ...args]);
      expect(ended.code, ended.stderr).toBe(0);
      expected.set(`${history} ${args.join(' ')}`, { ...stateOf(dataset), ms: Date.now() - began });
    }
  });
  afterAll(() => world.remove());

  /** Starts a rerun (or what continues or undoes one), kills it after a time, and waits for its end. */
  const killed = async (
    dataset: string,
    args: readonly string[],
    delay: number,
    everything: boolean,
  ): Promise<void> => {
    let pid = 0;
    const going = repriseBeside(world, ['rerun', ...args], {
      cwd: dataset,
      detached: true,
      started: (own) => void (pid = own),
    });
    await sleep(delay);
    try {
      process.kill(everything ? -pid : pid, 'SIGKILL');
    } catch {
      // It was faster.
    }
    await going;
  };

  /** Continues, or undoes, until there is nothing that still goes on. */
  const settled = async (dataset: string, option: string): Promise<Ended> => {
    for (let attempt = 0; ; attempt += 1) {
      const ended = await repriseBeside(world, ['rerun', option], { cwd: dataset });
      if (!ended.stderr.includes('(replay-pending)') || attempt > 100) return ended;
      await sleep(50);
    }
  };

  test('continued, ends where an undisturbed one does; undone, leaves everything as it was', {
    timeout: 900_000,
  }, async () => {
    const cases = Array.from({ length: CASES }, (_, index) => {
      const way = WAYS[index % WAYS.length] as (typeof WAYS)[number];
      const known = expected.get(`${way.history} ${way.args.join(' ')}`) as Undisturbed;
      // Three at once on two processors take longer than one alone.
      return {
        way,
        known,
        delay: Math.round(60 + Math.random() * known.ms * 1.5),
        again: Math.random() < 0.5 ? Math.round(60 + Math.random() * known.ms) : 0,
        everything: Math.random() < 0.5,
        option: index % 3 === 2 ? '--abort' : '--continue',
      };
    });
    await eachBeside([...cases.entries()], 3, async ([index, one]) => {
      const { way, known, delay, again, everything, option } = one;
      const dataset = copyOf(world, templates[way.history], `case-${index}`);
      const said: string[] = [];
      try {
        await killed(dataset, way.args, delay, everything);
        if (again > 0) await killed(dataset, [option], again, !everything);
        const wasPending = isPending(dataset);
        const ended = await settled(dataset, option);
        said.push(ended.stdout + ended.stderr);
        if (wasPending) expect(ended.code).toBe(0);
        else expect(ended.stderr).toContain('(replay-missing)');
        expect(isPending(dataset)).toBe(false);
        expect(world.git(dataset, 'status', '--porcelain', '-uall')).toBe('');
        const { ms: _, ...complete } = known;
        const place = placeOf(world, dataset);
        const before = places.get(way.history) as Place;
        // Killed before it has written down what it was asked for, or after it was done.
        const nothing = place.commit === before.commit;
        if (wasPending && option === '--abort') assertSame(place, before);
        else if (wasPending || !nothing) assertSame(stateOf(dataset), complete);
        else assertSame(place, before);
        if (nothing && option === '--continue') {
          const repeated = await repriseBeside(world, ['rerun', ...way.args], { cwd: dataset });
          said.push(repeated.stderr);
          expect(repeated.code).toBe(0);
          assertSame(stateOf(dataset), complete);
        }
        for (const ref of keptRefs(world, dataset)) world.git(dataset, 'cat-file', '-e', `${ref}^{tree}`);
        expect(tracesIn(world, dataset)).toStrictEqual([]);
        await expectSound(world, dataset);
        world.sh(world.dir, `chmod -R u+w '${dataset}' && rm -rf '${dataset}'`);
      } catch (error) {
        const what = `${everything ? 'everything' : 'Reprise alone'} killed after ${delay} ms`;
        const then = again > 0 ? `, ${option} killed after ${again} ms` : '';
        throw new Error(
          `${way.history} ${way.args.join(' ')}: ${what}${then}, ${option}, in ${dataset}: ${String(error)}\n${said.join('\n')}`,
        );
      }
    });
  });
});
