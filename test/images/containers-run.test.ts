/** `containers-run` where the engine cannot be used: looked for early, missed only when it is needed. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { engineEnv, testImage } from '../support/engines.ts';
import { describeWith } from '../support/oracles.ts';
import { createWorld, type Outcome, type World } from '../support/world.ts';

describeWith(['docker'], 'containers-run', () => {
  let world: World;
  let root: string;
  const run = (env: Readonly<Record<string, string>>, ...options: string[]): Outcome =>
    world.reprise(root, [...options, 'containers-run', '-n', 'bb', '--runner', 'docker', 'sh -c "echo x >>out"'], {
      env: { ...env },
    });
  const dead = { DOCKER_HOST: 'unix:///nowhere/docker.sock' };

  beforeAll(() => {
    world = createWorld();
    root = world.path('dataset');
    expect(world.reprise(world.dir, ['create', root]).code).toBe(0);
    expect(world.reprise(root, ['containers-add', 'bb', '-u', testImage('busybox').oci]).code).toBe(0);
    // What is in the image is known from now on.
    const first = run(engineEnv('docker'));
    expect(first.code, first.stderr).toBe(0);
  });
  afterAll(() => world.remove());

  test('without the engine, nothing is executed and nothing changed', () => {
    const before = world.git(root, 'rev-parse', 'HEAD');
    const outcome = run(dead);
    expect(outcome.stderr).toContain('runner-unreachable');
    expect(outcome.code).not.toBe(0);
    expect([world.git(root, 'rev-parse', 'HEAD'), world.git(root, 'status', '--porcelain')]).toEqual([before, '']);
    expect(readFileSync(join(root, 'out'), 'utf8')).toBe('x\n');
  });

  test('what is wrong with the dataset is said first', () => {
    world.write(join(root, 'unsaved'), 'unsaved');
    expect(run(dead).stderr).toContain('dataset-dirty');
    world.sh(root, 'rm unsaved');
  });

  test('a dry run asks for no engine', () => {
    const outcome = world.reprise(root, ['containers-run', '--dry-run=basic', '-n', 'bb', 'true'], { env: dead });
    expect(outcome.code, outcome.stderr).toBe(0);
  });
});
