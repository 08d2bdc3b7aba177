/** What a command left that was cut off is kept on a ref and taken out of work tree and index, even if that is cut off as well. */
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { crashModule } from '../support/crash-points.ts';
import { runBeside } from '../support/crash-world.ts';
import { killAll, leftovers, startReprise } from '../support/runs.ts';
import { cliPath, createWorld, type World } from '../support/world.ts';

let world: World;
let made = 0;
beforeAll(() => {
  world = createWorld();
});
afterAll(() => world.remove());

/** A dataset in which a command was cut off after these lines. */
async function cutOff(lines: string): Promise<string> {
  const name = `ds-${(made += 1)}`;
  world.sh(
    world.dir,
    `git init -q ${name} && cd ${name} && echo old > changed && echo old > removed && git add . && git commit -qm start`,
  );
  const dataset = world.path(name);
  const begun = world.path(`begun-${made}`);
  const going = startReprise(world, dataset, ['run', `${lines}; echo > ${begun}; sleep 60`]);
  while (!existsSync(begun)) await sleep(10);
  await killAll(going);
  return dataset;
}

const LINES =
  'echo own > own; echo new > new; echo now > changed; git rm -q removed; git add own changed; echo more > other';

function expectRestored(dataset: string): void {
  expect(world.git(dataset, 'status', '--porcelain')).toBe('');
  expect(world.git(dataset, 'ls-files').split('\n')).toEqual(['changed', 'removed']);
  expect(world.sh(dataset, 'cat changed removed')).toBe('old\nold');
}

function refsOf(dataset: string): readonly string[] {
  return leftovers(world, dataset);
}

const kept = (dataset: string, ref: string, file: string) => world.git(dataset, 'show', `${ref}:${file}`);

test('also what the command had staged', async () => {
  const dataset = await cutOff(LINES);
  const told = world.reprise(dataset, ['recover']);
  expect(told).toMatchObject({ code: 0 });
  expectRestored(dataset);
  const [ref, ...others] = refsOf(dataset);
  expect(others).toEqual([]);
  expect(told.stderr).toContain(`is kept as ${ref}`);
  for (const [file, content] of Object.entries({ own: 'own', new: 'new', changed: 'now', other: 'more' }))
    expect(kept(dataset, `${ref}`, file)).toBe(content);
  expect(world.git(dataset, 'ls-tree', '--name-only', `${ref}`).split('\n')).not.toContain('removed');
});

test.each([
  ['before anything is taken away', '^before git fast-import'],
  ['while files are taken away', '^rmSync \\S+/other$'],
  ['before the index forgets new ones', '^before git .*--force-remove'],
  ['before old ones are checked out', '^before git .*checkout'],
])('killed %s, it is done by the next one, and nothing is lost', async (_, step) => {
  const dataset = await cutOff(LINES);
  const crash = crashModule(world.path('crash.mjs'));
  const argv = [process.execPath, '--import', crash, cliPath, 'recover'];
  const killed = await runBeside(world, argv, { cwd: dataset, env: { CRASH_ON: step } });
  expect(killed.signal).toBe('SIGKILL');
  // Somebody looks, and changes a file before it is recovered.
  writeFileSync(join(dataset, 'other'), 'changed since\n');
  expect(world.reprise(dataset, ['recover'])).toMatchObject({ code: 0 });
  expectRestored(dataset);
  const refs = refsOf(dataset);
  const contents = (file: string) =>
    refs.flatMap((ref) => (world.git(dataset, 'ls-tree', ref, file) === '' ? [] : kept(dataset, ref, file)));
  expect(contents('own')).toContain('own');
  expect(contents('new')).toContain('new');
  expect(contents('changed')).toContain('now');
  expect(contents('other')).toContain('changed since');
  if (refs.length > 1) expect(contents('other')).toContain('more');
});
