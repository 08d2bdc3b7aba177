/** Looking at history costs a fixed number of processes, however long it is. */
import { readFileSync, rmSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { printed, recordedBy } from '../support/replays.ts';
import { createWorld, type World } from '../support/world.ts';

let world: World;
beforeAll(() => {
  world = createWorld();
});
afterAll(() => world.remove());

test('one git log and one git diff-tree give the plan of any range', () => {
  const repo = world.path('repo');
  world.git(world.dir, 'init', '-q', repo);
  world.git(repo, 'commit', '-q', '--allow-empty', '-m', 'start');
  for (let at = 0; at < 12; at += 1) {
    const record = { cmd: `echo ${at} >out${at}`, pwd: '.', inputs: [`in${at}`], outputs: [`out${at}`] };
    recordedBy(world, repo, record, `echo ${at} >out${at}`, `run ${at}`);
    world.git(repo, 'commit', '-q', '--allow-empty', '-m', `plain ${at}`);
  }
  const started = (since: string) => {
    const trace = world.path('trace');
    const ended = world.reprise(repo, ['-f', 'json', 'rerun', '--report', `--since=${since}`], {
      env: { GIT_TRACE2_EVENT: trace },
    });
    expect(ended.code, ended.stderr).toBe(0);
    const events = readFileSync(trace, 'utf8').trim().split('\n');
    rmSync(trace);
    const verbs = events
      .map((line) => JSON.parse(line) as { readonly event: string; readonly name?: string })
      .flatMap(({ event, name }) => (event === 'cmd_name' ? [String(name)] : []));
    return { verbs: verbs.toSorted(), results: printed(ended) };
  };
  const [few, many] = [started('HEAD~3'), started('HEAD~24')];
  expect(few.results).toHaveLength(3);
  expect(many.results).toHaveLength(24);
  expect(many.verbs).toEqual(few.verbs);
  expect(many.verbs.filter((verb) => verb === 'log' || verb === 'diff-tree')).toEqual(['diff-tree', 'log']);
  // Each step says what will happen, on whose record, with which inputs and outputs, and of the others why they are not executed.
  expect(many.results.slice(0, 2)).toMatchObject([
    { rerun_action: 'run', run_message: 'run 0', run_info: { inputs: ['in0'], outputs: ['out0'] } },
    { rerun_action: 'skip-or-pick', reason: 'does not have a command' },
  ]);
  const shown = world.reprise(repo, ['rerun', '--dry-run', 'HEAD~1']);
  expect(shown.stdout).toContain('run 11 (inputs: in11; outputs: out11)');
});
