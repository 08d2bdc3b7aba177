/** The index: a change within the second in which it was written, and a Git process that outlives the Reprise that started it. */
import { cpSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { crashModule, readSteps } from '../support/crash-points.ts';
import {
  eachBeside,
  expectSound,
  leftovers,
  recordOf,
  recoverAll,
  runBeside,
  timesExecuted,
} from '../support/crash-world.ts';
import { describeWith } from '../support/oracles.ts';
import { cliPath, createWorld, type World } from '../support/world.ts';

describeWith([], 'the index of a run', () => {
  let world: World;
  let template: string;

  beforeAll(() => {
    world = createWorld();
    template = world.path('template');
    world.reprise(world.dir, ['create', '--no-annex', template]);
    world.write(`${template}/file`, '000\n');
    world.reprise(template, ['save', '-m', 'data']);
  });
  afterAll(() => world.remove());

  const copy = (name: string) => {
    const dataset = world.path(name);
    cpSync(template, dataset, { recursive: true, preserveTimestamps: true });
    world.git(dataset, 'status');
    return dataset;
  };

  // Git compares whole seconds on many systems and relies on the time of the index itself to know what it cannot tell by times.
  test('a file rewritten with the same size in the second of the last commit is committed', async () => {
    const dataset = copy('same-second');
    for (const round of ['1', '2']) {
      await sleep(1010 - (Date.now() % 1000));
      world.write(`${dataset}/file`, `${round}00\n`);
      world.git(dataset, 'commit', '-qam', 'just before');
      const ended = world.reprise(dataset, ['run', '-o', 'file', `echo ${round}01 >file; sleep 1.2`]);
      expect(ended.code, ended.stderr).toBe(0);
      expect(world.git(dataset, 'show', 'HEAD:file')).toBe(`${round}01`);
      expect(recordOf(world, dataset)).toMatchObject({ outputs: ['file'] });
    }
  });

  test('a Git process that goes on after Reprise was killed neither doubles nor undoes anything', async () => {
    const crash = crashModule(world.path('crash.mjs'));
    const real = world.sh(world.dir, 'command -v git');
    world.write(
      world.path('slow', 'git'),
      `#!/bin/sh\ncase " $* " in *" update-ref "*) sleep "$SLOW";; esac\nexec ${real} "$@"\n`,
    );
    world.sh(world.dir, 'chmod +x slow/git');
    const path = `${world.path('slow')}:${world.env['PATH']}`;
    const run = (dataset: string, env: Record<string, string>) =>
      runBeside(
        world,
        [process.execPath, '--import', crash, cliPath, 'run', '-o', 'file', 'echo run >>"$COUNTER"; echo new >file'],
        { cwd: dataset, env: { PATH: path, COUNTER: `${dataset}.counter`, ...env } },
      );
    const list = world.path('steps');
    expect((await run(copy('whole'), { SLOW: '0', CRASH_LIST: list })).code).toBe(0);
    const at = readSteps(list).findIndex((step) => step.startsWith('after git update-ref')) + 1;
    expect(at).toBeGreaterThan(0);
    await eachBeside([0.05, 0.15, 0.3, 0.9], 2, async (slow) => {
      const dataset = copy(`slow-${slow}`);
      const head = world.git(dataset, 'rev-parse', 'HEAD');
      const killed = await run(dataset, { SLOW: String(slow), CRASH_AT: String(at) });
      expect(killed.signal).toBe('SIGKILL');
      expect((await recoverAll(world, dataset)).code).toBe(0);
      await sleep(slow * 1000 + 500);
      const told = `Git goes on ${slow} s later: `;
      expect(told + world.git(dataset, 'rev-list', '--count', `${head}..HEAD`)).toBe(`${told}1`);
      expect(told + world.git(dataset, 'status', '--porcelain')).toBe(told);
      expect(readFileSync(join(dataset, 'file'), 'utf8')).toBe('new\n');
      expect(recordOf(world, dataset)).toMatchObject({ exit: 0, outputs: ['file'] });
      expect(timesExecuted(`${dataset}.counter`)).toBe(1);
      expect((await recoverAll(world, dataset)).stderr).toContain('nothing to recover');
      expect(told + leftovers(world, dataset).join(' ')).toBe(told);
      await expectSound(world, dataset, false);
    });
  });
});
