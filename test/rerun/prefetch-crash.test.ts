/** `kill -9` while a prefetch goes on: no subdataset is there by half, and the next prefetch completes what is missing. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { crashModule, readSteps } from '../support/crash-points.ts';
import { eachBeside, runBeside } from '../support/crash-world.ts';
import { describeWith } from '../support/oracles.ts';
import { cliPath, createWorld, type World } from '../support/world.ts';

describeWith(['git-annex'], 'a prefetch that is killed', () => {
  let world: World;
  beforeAll(() => {
    world = createWorld();
    const source = world.path('source');
    const ok = (cwd: string, ...args: string[]) => expect(world.reprise(cwd, args).code, args.join(' ')).toBe(0);
    ok(world.dir, 'create', source);
    ok(source, 'create', '-d', '.', 'sub');
    world.write(join(source, 'sub/a.dat'), 'one\n');
    ok(source, 'save', '-r', '-m', 'data');
    ok(source, 'run', '-i', 'sub/a.dat', '-o', 'out', 'cat sub/a.dat > out');
    // The branch that is cloned is ahead of the commit that is recorded.
    world.sh(source, 'cd sub; rm a.dat; echo two > a.dat');
    ok(join(source, 'sub'), 'save', '-m', 'ahead');
    world.git(world.dir, 'clone', '-q', source, 'clone');
  });
  afterAll(() => world.remove());

  test('leaves each subdataset absent or as it is recorded', async () => {
    const crash = crashModule(world.path('crash.mjs'));
    const copy = (name: string): string => {
      world.sh(world.dir, `cp -a clone '${name}'`);
      return world.path(name);
    };
    const prefetch = (cwd: string, env: Record<string, string>) =>
      runBeside(world, [process.execPath, '--import', crash, cliPath, 'prefetch'], { cwd, env });
    const list = world.path('steps');
    expect(await prefetch(copy('whole'), { CRASH_LIST: list })).toMatchObject({ code: 0 });
    const named = readSteps(list).map((step, at) => [step, at + 1] as const);
    // One for each state that can be left: what is between those that are next to each other differs in nothing.
    const changes = named.filter(([step]) =>
      /^after git(-annex| clone| checkout| config --local)|^(?:rename|chmod)Sync |^rmSync .*install\.lock$/.test(step),
    );
    // From the first step of the installation to the last that changes anything.
    const first = changes.findIndex(([step]) => step.includes('/clones'));
    expect(first).toBeGreaterThanOrEqual(0);
    expect(changes.some(([step]) => step.startsWith('renameSync') && step.endsWith('/sub'))).toBe(true);
    const recorded = world.git(world.path('clone'), 'rev-parse', ':sub');
    await eachBeside(changes.slice(first), 2, async ([step, at]) => {
      const clone = copy(`killed-${at}`);
      expect((await prefetch(clone, { CRASH_AT: String(at) })).signal, step).toBe('SIGKILL');
      expect(`${step}: ${world.git(clone, 'status', '--porcelain')}`).toBe(`${step}: `);
      if (existsSync(join(clone, 'sub/.git')))
        expect(world.git(join(clone, 'sub'), 'rev-parse', 'HEAD'), step).toBe(recorded);
      const again = await prefetch(clone, {});
      expect(again, step).toMatchObject({ code: 0 });
      expect(readFileSync(join(clone, 'sub/a.dat'), 'utf8'), step).toBe('one\n');
      expect(world.git(clone, 'status', '--porcelain'), step).toBe('');
    });
  });
});
