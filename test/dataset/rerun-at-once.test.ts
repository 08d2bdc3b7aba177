/** Reruns beside other reruns, runs and commits in one dataset: one works at a time, and nobody records what is another's. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { expectSentence } from '../support/crash-unchanged.ts';
import {
  attestationsIn,
  copiesOfStopped,
  copyOf,
  isPending,
  type Place,
  placeOf,
  printed,
  tracesIn,
  verdictsOf,
} from '../support/replays.ts';
import { commitsOf, type Going, startReprise } from '../support/runs.ts';
import { createWorld, type Outcome, projectRoot, type World } from '../support/world.ts';

let world: World;
let template: string;
let made = 0;

beforeAll(() => {
  world = createWorld();
  template = world.path('template');
  world.git(world.dir, 'init', '-q', template);
  world.git(template, 'commit', '-q', '--allow-empty', '-m', 'start');
  const run = (...args: string[]) => {
    const ended = world.reprise(template, ['run', ...args]);
    expect(ended.code, ended.stderr).toBe(0);
  };
  run('-m', 'first', '-o', 'first', 'echo >>first');
  // Says that it is there, and waits until it may go on; fails while the file that GATE names is there.
  run(
    '-m',
    'waits',
    '-o',
    'out',
    'test -z "$GATE" -o ! -e "$GATE" || exit 7; if [ -n "$GO" ]; then echo >>"$GO.begun"; while [ ! -e "$GO" ]; do sleep 0.02; done; fi; echo >>out',
  );
  run('-m', 'last', '-o', 'last', 'echo >>last');
});
afterAll(() => world.remove());

const fresh = () => copyOf(world, template, `copy-${(made += 1)}`);
const waiting = () => ({ GO: world.path(`go-${(made += 1)}`) });
const begun = async ({ GO }: { readonly GO: string }): Promise<void> => {
  while (!existsSync(`${GO}.begun`)) await sleep(10);
};
const subjects = (dataset: string) => world.git(dataset, 'log', '--format=%s').split('\n');
const ORIGINAL = ['[DATALAD RUNCMD] last', '[DATALAD RUNCMD] waits', '[DATALAD RUNCMD] first', 'start'];

/** Starts all, lets them go on once all but one have ended, and returns their outcomes: the one that worked comes last. */
async function oneOf(going: readonly Going[], env: { readonly GO: string }): Promise<readonly Outcome[]> {
  const ended: Outcome[] = [];
  for (const one of going) void one.done.then((outcome) => ended.push(outcome));
  while (ended.length < going.length - 1) await sleep(10);
  await begun(env);
  expect(ended).toHaveLength(going.length - 1);
  world.write(env.GO, '');
  await Promise.all(going.map((one) => one.done));
  return ended;
}

describe('at the same instant', () => {
  test('several reruns begin: one does it, the others are refused', async () => {
    const dataset = fresh();
    const env = waiting();
    const going = Array.from({ length: 4 }, () => startReprise(world, dataset, ['rerun', '--since='], { env }));
    const ended = await oneOf(going, env);
    for (const refused of ended.slice(0, -1)) expectSentence(refused, 'replay-pending', 1);
    expect(ended.at(-1)?.code, ended.at(-1)?.stderr).toBe(0);
    expect(subjects(dataset)).toStrictEqual([...ORIGINAL.slice(0, 3), ...ORIGINAL]);
    expect(readFileSync(`${env.GO}.begun`, 'utf8')).toBe('\n');
    expect(attestationsIn(world, dataset)).toHaveLength(3);
    expect(tracesIn(world, dataset)).toStrictEqual([]);
  });

  /** A rerun that has stopped after its first step. */
  const stop = copiesOfStopped(
    (args) => {
      const dataset = fresh();
      const GATE = world.path('gate');
      world.write(GATE, '');
      const ended = world.reprise(dataset, ['rerun', ...args], { env: { GATE } });
      expect(ended.code).toBe(7);
      return { dataset, ended };
    },
    (dataset) => copyOf(world, dataset, `copy-${(made += 1)}`),
  );
  const stopped = () => stop(['--since=']).dataset;

  test('several continue: one does it, the others are refused', async () => {
    const dataset = stopped();
    const env = waiting();
    const going = Array.from({ length: 3 }, () => startReprise(world, dataset, ['rerun', '--continue'], { env }));
    const ended = await oneOf(going, env);
    for (const refused of ended.slice(0, -1)) expectSentence(refused, 'replay-pending', 1);
    expect(ended.at(-1)?.code, ended.at(-1)?.stderr).toBe(0);
    expect(subjects(dataset)).toStrictEqual([...ORIGINAL.slice(0, 3), ...ORIGINAL]);
    expect(readFileSync(`${env.GO}.begun`, 'utf8')).toBe('\n');
    expect(tracesIn(world, dataset)).toStrictEqual([]);
  });

  test('one continues and another undoes it: it is either complete or undone', async () => {
    for (let round = 0; round < 2; round += 1) {
      const dataset = stopped();
      const options = ['--continue', '--abort', '--continue', '--abort'];
      const going = options.map((option) => startReprise(world, dataset, ['rerun', option]));
      const ended = await Promise.all(going.map(({ done }) => done));
      expect(ended.map(({ code }) => code).filter((code) => code === 0)).toHaveLength(1);
      for (const { code, stderr } of ended) if (code !== 0) expect(stderr).toMatch(/\(replay-(pending|missing)\)/);
      const isContinued = ended.some(({ code }, at) => code === 0 && options[at] === '--continue');
      expect(subjects(dataset)).toStrictEqual(isContinued ? [...ORIGINAL.slice(0, 3), ...ORIGINAL] : ORIGINAL);
      expect(isPending(dataset)).toBe(false);
      expect(tracesIn(world, dataset)).toStrictEqual([]);
    }
  });
});

describe('while a rerun goes on', () => {
  const begin = async (args: readonly string[] = []) => {
    const dataset = fresh();
    const env = waiting();
    const going = startReprise(world, dataset, ['-f', 'json', 'rerun', '--since=', ...args], { env });
    await begun(env);
    const end = async () => {
      world.write(env.GO, '');
      const ended = await going.done;
      expect(ended.code, ended.stderr).toBe(0);
      return ended;
    };
    return { dataset, end };
  };

  test('a run is refused, as their changes could not be told apart, whatever either declares', async () => {
    const { dataset, end } = await begin();
    for (const args of [['echo >>mine'], ['--explicit', '-o', 'mine', 'echo >>mine']])
      expectSentence(world.reprise(dataset, ['run', ...args]), 'dataset-busy', 1);
    world.git(dataset, 'init', '-q', 'inside');
    expectSentence(world.reprise(join(dataset, 'inside'), ['run', 'echo >>mine']), 'dataset-busy', 1);
    world.sh(dataset, 'rm -rf inside');
    expect(world.reprise(dataset, ['run', '--dry-run', 'basic', 'echo >>mine']).code).toBe(0);
    await end();
    expect(existsSync(join(dataset, 'mine'))).toBe(false);
    expect(subjects(dataset)).toStrictEqual([...ORIGINAL.slice(0, 3), ...ORIGINAL]);
    expect(world.reprise(dataset, ['run', 'echo >>mine']).code).toBe(0);
  });

  test('explicit runs may go on beside an explicit one, each with its own outputs', async () => {
    const { dataset, end } = await begin(['--explicit']);
    const runs = await Promise.all(
      [1, 2, 3].map((n) => startReprise(world, dataset, ['run', '--explicit', '-o', `f${n}`, `echo >f${n}`]).done),
    );
    expect(runs.map(({ code }) => code)).toStrictEqual([0, 0, 0]);
    expectSentence(world.reprise(dataset, ['run', 'echo >>mine']), 'dataset-busy', 1);
    const ended = await end();
    expect(verdictsOf(ended)).toStrictEqual(['first different', 'out different', 'last different']);
    const changes = commitsOf(world, dataset, 'HEAD~6..HEAD').map((commit) => commit.changes.join());
    expect(changes[0]).toBe('M first');
    expect(changes.slice(1, 4).toSorted()).toStrictEqual(['A f1', 'A f2', 'A f3']);
    expect(changes.slice(4)).toStrictEqual(['M out', 'M last']);
    expect(tracesIn(world, dataset)).toStrictEqual([]);
  });

  test('beside an explicit one, what somebody commits is on the branch, and no result of the run', async () => {
    const { dataset, end } = await begin(['--explicit']);
    world.write(`${dataset}/theirs`, 'theirs\n');
    world.sh(dataset, 'git add theirs; git commit -qm theirs');
    const theirs = world.git(dataset, 'rev-parse', 'HEAD');
    const ended = await end();
    expect(verdictsOf(ended)).toStrictEqual(['first different', 'out different', 'last different']);
    expect(subjects(dataset).slice(0, 4)).toStrictEqual([
      '[DATALAD RUNCMD] last',
      '[DATALAD RUNCMD] waits',
      'theirs',
      '[DATALAD RUNCMD] first',
    ]);
    const attested = attestationsIn(world, dataset).find(
      ({ replayed }) => replayed === world.git(dataset, 'rev-parse', 'HEAD~1'),
    );
    expect(attested).toMatchObject({ base: world.git(dataset, 'rev-parse', `${theirs}~1`) });
  });

  test('a branch that HEAD had to leave keeps what it gets meanwhile; merged, the rerun ends', () => {
    const dataset = world.path('forked');
    world.git(world.dir, 'init', '-q', dataset);
    world.git(dataset, 'commit', '-q', '--allow-empty', '-m', 'start');
    const run = (line: string) => expect(world.reprise(dataset, ['run', line]).code).toBe(0);
    run('echo >>main');
    world.git(dataset, 'checkout', '-q', '-b', 'side', 'HEAD~1');
    run('if [ -n "$THEIRS" ]; then git update-ref refs/heads/main "$THEIRS"; fi; echo >>side');
    world.git(dataset, 'checkout', '-q', 'main');
    world.git(dataset, 'merge', '-q', '--no-edit', 'side');
    const THEIRS = world.git(dataset, 'commit-tree', '-p', 'main', '-m', 'theirs', 'main^{tree}');
    const ended = world.reprise(dataset, ['rerun', '--since='], { env: { THEIRS } });
    expectSentence(ended, 'branch-moved', 1);
    expect(world.git(dataset, 'rev-parse', 'main')).toBe(THEIRS);
    world.sh(dataset, (/^hint: (git checkout .*?) +#/m.exec(ended.stderr) as RegExpExecArray)[1] as string);
    const continued = world.reprise(dataset, ['rerun', '--continue']);
    expect(continued.code, continued.stderr).toBe(0);
    expect(world.git(dataset, 'symbolic-ref', '--short', 'HEAD')).toBe('main');
    expect(subjects(dataset)).toContain('theirs');
    expect(readFileSync(join(dataset, 'main'), 'utf8') + readFileSync(join(dataset, 'side'), 'utf8')).toBe('\n\n\n\n');
    expect(tracesIn(world, dataset)).toStrictEqual([]);
  });

  test('reports, dry runs, scripts and replays in workspaces are possible', async () => {
    const { dataset, end } = await begin();
    for (const option of ['--report', '--dry-run', '--script=-', '--workspace']) {
      const ended = world.reprise(dataset, ['rerun', option, '--since=']);
      expect(ended.code, ended.stderr).toBe(0);
    }
    await end();
    // What had landed by then was replayed in a workspace, too.
    expect(attestationsIn(world, dataset)).toHaveLength(7);
  });
});

describe('while a run goes on', () => {
  test('a rerun is refused, but for one in workspaces; explicit ones may go on beside each other', async () => {
    for (const explicit of [false, true]) {
      const dataset = fresh();
      const before: Place = placeOf(world, dataset);
      const env = waiting();
      const line = 'echo >>"$GO.begun"; while [ ! -e "$GO" ]; do sleep 0.02; done; echo >mine';
      const going = startReprise(world, dataset, ['run', ...(explicit ? ['--explicit', '-o', 'mine'] : []), line], {
        env,
      });
      await begun(env);
      const refused = world.reprise(dataset, ['rerun']);
      expectSentence(refused, 'dataset-busy', 1);
      expect(placeOf(world, dataset)).toStrictEqual(before);
      expect(world.reprise(dataset, ['rerun', '--workspace']).code).toBe(0);
      const beside = world.reprise(dataset, ['rerun', '--explicit']);
      if (explicit) expect(beside.code, beside.stderr).toBe(0);
      else expectSentence(beside, 'dataset-busy', 1);
      world.write(env.GO, '');
      expect((await going.done).code).toBe(0);
      expect(commitsOf(world, dataset, 'HEAD~1..HEAD').map(({ changes }) => changes)).toStrictEqual([['A mine']]);
      expect(tracesIn(world, dataset)).toStrictEqual([]);
    }
  });
});

test('a program that uses the library goes on with a rerun that has stopped in it', () => {
  const dataset = fresh();
  const gate = world.path('gate-library');
  world.write(gate, '');
  const program = `
    import { rmSync } from 'node:fs';
    import { rerun } from '${projectRoot}/dist/index.js';
    const context = { cwd: ${JSON.stringify(dataset)}, env: process.env, emit: () => {}, overrides: [] };
    const codes = [(await rerun({ since: '' }, context)).exitCode];
    rmSync(${JSON.stringify(gate)});
    codes.push((await rerun({ continue: true }, context)).exitCode);
    console.log(JSON.stringify({ codes }));
  `;
  const ended = world.exec([process.execPath, '--input-type=module', '-e', program], {
    cwd: dataset,
    env: { GATE: gate },
  });
  expect(printed(ended), ended.stderr).toStrictEqual([{ codes: [7, 0] }]);
  expect(tracesIn(world, dataset)).toStrictEqual([]);
});
