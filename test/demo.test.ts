/** `npm run demo` works from nothing but Node and Git, and leaves nothing behind. */
import { readdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { describeWith } from './support/oracles.ts';
import { createWorld, type Outcome, projectRoot, type World } from './support/world.ts';

let world: World;
beforeAll(() => {
  world = createWorld();
});
afterAll(() => world.remove());

/** Runs the demo as somebody without any configuration. */
function demo(env: Record<string, string> = {}): Outcome {
  const home = world.path('nobody', 'x').replace(/\/x$/, '');
  const outcome = world.exec([process.execPath, join(projectRoot, 'tools/demo.mjs')], { env: { HOME: home, ...env } });
  expect(readdirSync(home)).toEqual([]);
  expect(readdirSync(world.env['TMPDIR'] as string)).toEqual([]);
  return outcome;
}

/** A folder with links to the given programs: a PATH on which nothing else is. */
function pathWith(...programs: readonly string[]): string {
  const folder = world.path('few', 'x').replace(/\/x$/, '');
  for (const program of programs) {
    symlinkSync(world.ok(['/bin/sh', '-c', `command -v ${program}`]), join(folder, program));
  }
  return folder;
}

describe('the demo', () => {
  test('runs with Node, Git and the basic programs of any Unix, and shows each command, the record and the replay', () => {
    const basics = ['node', 'git', 'sh', 'head', 'tail', 'cat', 'chmod'];
    const { code, stdout, stderr } = demo({ PATH: pathWith(...basics) });
    expect(stderr).toBe('');
    expect(code).toBe(0);
    const marks = [
      '$ reprise create --no-annex mauna-loa',
      '$ reprise run -m ',
      '741 months read, 60 complete years written',
      '2019,411.50,2.91',
      '[DATALAD RUNCMD] Annual means of CO2',
      '"cmd": "node code/annual.mjs co2-concentration.csv annual.csv co2.svg"',
      '$ reprise rerun --verify',
      '741 months read, 60 complete years written',
      '2 identical',
      'nothing to save, working tree clean',
      'is as it should be',
    ];
    let from = 0;
    for (const mark of marks) {
      const at = stdout.indexOf(mark, from);
      expect(at, `${mark} in\n${stdout}`).toBeGreaterThan(-1);
      from = at + mark.length;
    }
    expect(stdout).not.toContain('$ datalad rerun');
  });

  test('fails, and says what is wrong, if a program does not do what it should', () => {
    const folder = world.path('broken', 'tail');
    world.write(folder, '#!/bin/sh\nexit 3\n');
    world.ok(['chmod', '+x', folder]);
    const { code, stderr } = demo({ PATH: `${folder.replace(/\/tail$/, '')}:${process.env['PATH']}` });
    expect(code).toBe(1);
    expect(stderr).toContain('The demo failed: exit status of: tail -n 3 annual.csv');
  });
});

describeWith(['git-annex', 'datalad'], 'the demo with git-annex and DataLad', () => {
  test('uses an annex, and has DataLad rerun the record', () => {
    const { code, stdout, stderr } = demo();
    expect(stderr).toBe('');
    expect(code).toBe(0);
    expect(stdout).toContain('$ reprise create mauna-loa');
    expect(stdout).toMatch(/\$ datalad rerun\n[^$]*run\(ok\)/);
    expect(stdout).toContain('is as it should be');
  });
});
