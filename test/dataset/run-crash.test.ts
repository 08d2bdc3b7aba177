/** `kill -9` at every step of a run: whatever was finished can be recorded afterwards, and nothing is executed twice. */
import { cpSync, existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { crashModule, readSteps, stepsToKillAt } from '../support/crash-points.ts';
import {
  eachBeside,
  type Ended,
  expectSound,
  leftovers,
  recordOf,
  recoverAll,
  runBeside,
  timesExecuted,
} from '../support/crash-world.ts';
import { describeWith } from '../support/oracles.ts';
import { linesOfTree } from '../support/work-tree.ts';
import { cliPath, createWorld, type World } from '../support/world.ts';

interface Scenario {
  readonly name: string;
  readonly annexed?: boolean;
  /** Makes the dataset in an empty folder. */
  readonly prepare: (world: World, dataset: string) => void;
  readonly options: readonly string[];
  readonly command: string;
  /** Paths that the run's commit changes, in the order of `git diff --name-only`. */
  readonly changed: readonly string[];
  /** Content of files afterwards. */
  readonly content: Readonly<Record<string, string>>;
}

const SAVED_DATA = (world: World, dataset: string) => {
  world.reprise(world.dir, ['create', dataset]);
  world.write(`${dataset}/data/a.dat`, 'old a');
  world.write(`${dataset}/data/b.dat`, 'old b');
  world.write(`${dataset}/data/c.dat`, 'old c');
  world.reprise(dataset, ['save', '-m', 'data']);
};

const SCENARIOS: readonly Scenario[] = [
  {
    name: 'new annexed outputs',
    prepare: (world, dataset) => void world.reprise(world.dir, ['create', dataset]),
    options: ['-o', 'out', '-m', 'new outputs'],
    command: 'mkdir -p out; echo 1 >out/one; echo 2 >out/two',
    changed: ['out/one', 'out/two'],
    content: { 'out/one': '1\n', 'out/two': '2\n' },
  },
  {
    name: 'outputs that existed: one rewritten, one left alone, one deleted',
    prepare: SAVED_DATA,
    options: ['-o', 'data/*.dat'],
    command: 'echo new >data/a.dat; rm data/c.dat',
    changed: ['data/a.dat', 'data/c.dat'],
    content: { 'data/a.dat': 'new\n', 'data/b.dat': 'old b' },
  },
  {
    name: 'an output whose content was dropped',
    prepare: (world, dataset) => {
      SAVED_DATA(world, dataset);
      // The content stays in another repository, so that git-annex finds nothing wrong.
      const elsewhere = `${dataset}-elsewhere`;
      world.sh(
        world.dir,
        `git clone -q '${dataset}' '${elsewhere}'; cd '${elsewhere}'; git annex init -q elsewhere; git annex get -q .
         cd '${dataset}'; git remote add elsewhere '${elsewhere}'; git fetch -q elsewhere
         git annex drop -q data/a.dat data/b.dat; git annex merge -q`,
      );
    },
    options: ['-o', 'data/a.dat', '-o', 'data/b.dat'],
    command: 'echo new >data/a.dat',
    changed: ['data/a.dat'],
    content: { 'data/a.dat': 'new\n' },
  },
  {
    name: '--explicit beside unsaved changes',
    prepare: (world, dataset) => {
      SAVED_DATA(world, dataset);
      world.write(`${dataset}/notes.txt`, 'mine\n');
      world.write(`${dataset}/staged.txt`, 'mine too\n');
      world.git(dataset, 'add', 'staged.txt');
      world.sh(dataset, 'rm data/c.dat');
    },
    options: ['--explicit', '-o', 'data/a.dat', '-o', 'new.dat'],
    command: 'echo new >data/a.dat; echo 1 >new.dat',
    changed: ['data/a.dat', 'new.dat'],
    content: { 'data/a.dat': 'new\n', 'new.dat': '1\n', 'notes.txt': 'mine\n', 'staged.txt': 'mine too\n' },
  },
  {
    name: 'a record in a sidecar, streams in a log',
    annexed: false,
    prepare: (world, dataset) => {
      world.ok([process.execPath, cliPath, 'create', '--no-annex', dataset]);
      world.write(`${dataset}/out`, 'old\n');
      world.reprise(dataset, ['save', '-m', 'data']);
    },
    options: ['--sidecar', 'yes', '--log', 'out', '-o', 'out'],
    command: 'echo new >out; echo hello',
    changed: ['.datalad/runinfo/ID', '.reprise/log/RUN.out', 'out'],
    content: { out: 'new\n' },
  },
  {
    name: 'outputs in a subdataset',
    prepare: (world, dataset) => {
      SAVED_DATA(world, dataset);
      world.reprise(dataset, ['create', '-d', '.', 'sub']);
      world.write(`${dataset}/sub/a.dat`, 'old');
      world.reprise(dataset, ['save', '-r', '-m', 'sub']);
    },
    options: ['-o', 'sub/a.dat', '-o', 'top.dat'],
    command: 'echo new >sub/a.dat; echo 1 >top.dat',
    changed: ['sub', 'top.dat'],
    content: { 'sub/a.dat': 'new\n', 'top.dat': '1\n' },
  },
];

describeWith(['git-annex'], 'a run that is killed at any step', () => {
  let world: World;
  let crash: string;
  const templates = new Map<string, string>();
  const met = new Set<string>();

  beforeAll(() => {
    world = createWorld();
    crash = crashModule(world.path('crash.mjs'));
    for (const [index, scenario] of SCENARIOS.entries()) {
      const template = world.path(`template-${index}`);
      scenario.prepare(world, template);
      templates.set(scenario.name, template);
    }
  });
  afterAll(() => world.remove());

  const copyOf = (scenario: Scenario, name: string) => {
    const dataset = world.path(name);
    cpSync(templates.get(scenario.name) as string, dataset, {
      recursive: true,
      verbatimSymlinks: true,
      preserveTimestamps: true,
    });
    world.git(dataset, 'status', '--porcelain');
    return dataset;
  };
  const crashed = (dataset: string, scenario: Scenario, env: Record<string, string>): Promise<Ended> =>
    runBeside(
      world,
      [
        process.execPath,
        '--import',
        crash,
        cliPath,
        'run',
        ...scenario.options,
        `echo run >>"$COUNTER"; ${scenario.command}`,
      ],
      { cwd: dataset, env: { COUNTER: `${dataset}.counter`, ...env } },
    );
  const stateOf = (dataset: string) => {
    const [heading = '', ...status] = world.git(dataset, 'status', '--porcelain=v2', '--branch', '-uall').split('\n');
    return { head: heading.replace('# branch.oid ', ''), status, tree: linesOfTree(dataset, { modes: false }) };
  };

  /** Either nothing was executed and nothing is different, or it was, once, and there is one commit of exactly what it did. */
  const expectAllOrNothing = (dataset: string, scenario: Scenario, before: ReturnType<typeof stateOf>) => {
    const executed = timesExecuted(`${dataset}.counter`);
    const after = stateOf(dataset);
    expect(after.status).toStrictEqual(before.status);
    if (executed === 0) {
      expect(after).toStrictEqual(before);
      return;
    }
    expect(executed).toBe(1);
    const commits = world.git(dataset, 'rev-list', '--parents', `${before.head}..HEAD`).split('\n');
    expect(commits).toHaveLength(1);
    expect(commits[0]).toMatch(new RegExp(` ${before.head}$`));
    const names = world.git(dataset, 'diff', '--name-only', before.head, 'HEAD').split('\n');
    expect(
      names.map((name) => name.replace(/runinfo\/.*/, 'runinfo/ID').replace(/log\/[0-9a-f]+/, 'log/RUN')),
    ).toStrictEqual(scenario.changed);
    for (const [path, text] of Object.entries(scenario.content))
      expect(readFileSync(join(dataset, path), 'utf8')).toBe(text);
    if (scenario.changed[0] === '.datalad/runinfo/ID') {
      expect(world.git(dataset, 'log', '-1', '--format=%B')).toContain(`"${names[0]?.split('/').at(-1)}"`);
    } else {
      expect(recordOf(world, dataset)).toMatchObject({
        cmd: expect.stringContaining(scenario.command),
        exit: 0,
        chain: [],
        pwd: '.',
        reprise: { base: before.head },
      });
    }
    if (existsSync(join(dataset, 'sub/.git'))) {
      expect(world.git(dataset, 'rev-parse', 'HEAD:sub')).toBe(world.git(join(dataset, 'sub'), 'rev-parse', 'HEAD'));
      expect(recordOf(world, join(dataset, 'sub'))).toMatchObject({ exit: 0 });
    }
  };

  test.for(SCENARIOS)('$name', { timeout: 900_000 }, async (scenario) => {
    const whole = copyOf(scenario, `whole-${SCENARIOS.indexOf(scenario)}`);
    const before = stateOf(whole);
    const list = `${whole}.steps`;
    const undisturbed = await crashed(whole, scenario, { CRASH_LIST: list });
    expect(undisturbed.stderr + undisturbed.code).toMatch(/0$/);
    expectAllOrNothing(whole, scenario, before);
    expect(timesExecuted(`${whole}.counter`)).toBe(1);
    const steps = readSteps(list);
    expect(steps.length).toBeGreaterThan(30);
    const chosen = stepsToKillAt(steps, whole, met, 9);
    // git-annex looks at every third, and dice say at which: it takes as long as all else.
    const first = Math.floor(Math.random() * 3);
    await eachBeside([...chosen.entries()], 3, async ([at, step]) => {
      const thorough = at % 3 === first;
      const dataset = copyOf(scenario, `case-${SCENARIOS.indexOf(scenario)}-${step}`);
      const told: string[] = [];
      try {
        const killed = await crashed(dataset, scenario, { CRASH_AT: String(step) });
        // The number of steps is not always the same: in the end it may have been finished.
        expect([killed.signal, killed.code]).toStrictEqual(killed.code === 0 ? [null, 0] : ['SIGKILL', null]);
        const recovered = await recoverAll(world, dataset);
        told.push(recovered.stdout + recovered.stderr);
        expect(recovered.code).toBe(0);
        expectAllOrNothing(dataset, scenario, before);
        if (thorough) expect((await recoverAll(world, dataset)).stderr).toContain('nothing to recover');
        await expectSound(world, dataset, thorough && (scenario.annexed ?? true));
        if (existsSync(join(dataset, 'sub/.git'))) {
          await expectSound(world, join(dataset, 'sub'), thorough);
          expect(leftoversOrNone(join(dataset, 'sub'))).toStrictEqual([]);
        }
        expect(leftovers(world, dataset)).toStrictEqual([]);
      } catch (error) {
        throw new Error(
          `killed at step ${step}, ${steps[step - 1]}, in ${dataset}: ${String(error)}\n${told.join('')}`,
        );
      }
    });
  });

  const leftoversOrNone = (dataset: string) =>
    existsSync(join(dataset, '.git/reprise')) ? leftovers(world, dataset) : [];
});
