/** Declared against actual: what a run said it would write, and what it wrote. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { commitsOf, leftovers } from '../support/runs.ts';
import { cliPath, createWorld, type World } from '../support/world.ts';

let world: World;
beforeAll(() => {
  world = createWorld();
  world.sh(
    world.dir,
    'git init -q base && cd base && echo "*.tmp" > .gitignore && mkdir res && for n in 1 2; do echo $n > res/$n; done && git add . && git commit -qm start',
  );
});
afterAll(() => world.remove());

function fresh(name: string): string {
  world.ok(['cp', '-aT', world.path('base'), world.path(name)]);
  return world.path(name);
}

const LINE = 'echo new > res/1; echo extra > extra; mkdir d; echo 1 > d/one; echo t > x.tmp';
const OUTPUTS = ['-o', 'res/1', '-o', 'res/2', '-o', 'never/*', '-o', 'd', '-o', 'x.tmp'];

describe('what was declared against what was written', () => {
  test('is three lists, on the terminal and in the record', () => {
    const dataset = fresh('lists');
    const out = world.reprise(dataset, ['run', ...OUTPUTS, LINE]);
    expect(out.code).toBe(0);
    expect(out.stderr).toContain('declared as output but not written: res/2, never/*\n');
    expect(out.stderr).toContain('written but not declared as output: extra\n');
    expect(out.stderr).toContain('output is ignored by Git, so it is not saved: x.tmp\n');
    const last = commitsOf(world, dataset).at(-1);
    expect(last?.changes).toEqual(['A d/one', 'A extra', 'M res/1']);
    expect(last?.record?.reprise).toMatchObject({
      untouched: ['res/2', 'never/*'],
      undeclared: ['extra'],
      ignored: ['x.tmp'],
    });
    expect(existsSync(join(dataset, 'x.tmp'))).toBe(true);
  });

  test('tells a pattern that is declared twice once', () => {
    const dataset = fresh('twice');
    const out = world.reprise(dataset, ['run', '-o', 'none', '-o', 'none', 'true']);
    expect(out.stderr).toContain('declared as output but not written: none\n');
  });

  test('says nothing where both agree', () => {
    const dataset = fresh('agreed');
    const out = world.reprise(dataset, [
      'run',
      '-o',
      'res/*',
      '-o',
      'd',
      'for n in 1 2; do echo new > res/$n; done; mkdir d; echo 1 > d/1',
    ]);
    expect(out.code).toBe(0);
    expect(out.stderr).not.toMatch(/declared|ignored/);
    const block = commitsOf(world, dataset).at(-1)?.record?.reprise ?? {};
    expect(Object.keys(block).filter((key) => ['untouched', 'undeclared', 'ignored'].includes(key))).toEqual([]);
  });

  test('counts a file written again with the same bytes as written', () => {
    const dataset = fresh('same');
    const out = world.reprise(dataset, [
      'run',
      '-o',
      'res/1',
      '-o',
      'res/2',
      'rm res/1; echo 1 > res/1; echo new > res/2',
    ]);
    expect(out.stderr).not.toMatch(/not written/);
    expect(commitsOf(world, dataset).at(-1)?.changes).toEqual(['M res/2']);
  });

  test('counts a deleted output as written, and an undeclared deletion as undeclared', () => {
    const dataset = fresh('deleted');
    const out = world.reprise(dataset, ['run', '-o', 'res/1', 'rm res/1 res/2']);
    expect(out.stderr).toContain('written but not declared as output: res/2\n');
    expect(out.stderr).not.toMatch(/not written/);
    expect(commitsOf(world, dataset).at(-1)?.changes).toEqual(['D res/1', 'D res/2']);
  });

  test('is relative to the dataset for files, and as declared for patterns, in a subfolder too', () => {
    const dataset = fresh('subfolder');
    const out = world.reprise(join(dataset, 'res'), ['run', '-o', '1', '-o', 'gone', 'echo new > 1; echo extra > 3']);
    expect(out.code).toBe(0);
    expect(commitsOf(world, dataset).at(-1)?.record?.reprise).toMatchObject({
      untouched: ['gone'],
      undeclared: ['res/3'],
    });
  });

  test('with `-o .` everything is declared', () => {
    const dataset = fresh('dot');
    const out = world.reprise(dataset, ['run', '-o', '.', 'echo extra > extra']);
    expect(out.stderr).not.toMatch(/not declared/);
  });

  test('knows with --explicit what was declared; what else is dirty is not the command’s', () => {
    const dataset = fresh('explicit');
    world.sh(dataset, 'echo mine > mine');
    const out = world.reprise(dataset, [
      'run',
      '--explicit',
      '-o',
      'res/1',
      '-o',
      'x.tmp',
      'echo new > res/1; echo t > x.tmp',
    ]);
    expect(out.code).toBe(0);
    expect(out.stderr).toContain('output is ignored by Git, so it is not saved: x.tmp\n');
    expect(commitsOf(world, dataset).at(-1)?.record?.reprise).toMatchObject({ ignored: ['x.tmp'] });
    expect(commitsOf(world, dataset).at(-1)?.record?.reprise?.['undeclared']).toBeUndefined();
  });
});

/** Does what the hint says, as a user would: pastes it into a shell. The datasets' names have spaces. */
function follow(dataset: string, stderr: string): void {
  const hint = /^hint: (reprise save .* -F .*)$/m.exec(stderr)?.[1] as string;
  world.ok(['/bin/sh', '-c', hint.replace(/^reprise/, '"$NODE" "$CLI"')], {
    cwd: dataset,
    env: { NODE: process.execPath, CLI: cliPath },
  });
}

describe('--strict-io', () => {
  const cases: readonly (readonly [string, readonly string[], string, string])[] = [
    ['a file that was not declared', ['-o', 'res/1'], 'echo new > res/1; echo x > extra', 'extra'],
    ['an output that was not written', ['-o', 'res/1', '-o', 'res/2'], 'echo new > res/1', 'res/2'],
    ['an output that Git ignores', ['-o', 'res/1', '-o', 'x.tmp'], 'echo new > res/1; echo t > x.tmp', 'x.tmp'],
  ];

  test.each(cases)('commits nothing for %s, and says how to keep the changes', (title, outputs, line, named) => {
    const dataset = fresh(`strict ${title}`);
    const since = world.git(dataset, 'rev-parse', 'HEAD');
    const out = world.reprise(dataset, ['run', '-m', 'kept', '--strict-io', ...outputs, line]);
    expect(out.code).toBe(1);
    expect(out.stderr).toContain('strict-io');
    expect(out.stderr).toContain(named);
    expect(world.git(dataset, 'rev-parse', 'HEAD')).toBe(since);
    expect(readFileSync(join(dataset, 'res/1'), 'utf8')).toBe('new\n');
    expect(leftovers(world, dataset)).toEqual([]);

    follow(dataset, out.stderr);
    const [commit] = commitsOf(world, dataset, `${since}..HEAD`);
    expect(commit?.subject).toBe('[DATALAD RUNCMD] kept');
    expect(commit?.record).toMatchObject({ cmd: line, exit: 0 });
    expect(world.git(dataset, 'status', '--porcelain')).toBe('');
  });

  test('is content when both agree', () => {
    const dataset = fresh('content');
    const out = world.reprise(dataset, [
      'run',
      '--strict-io',
      '-o',
      'res/*',
      'for n in 1 2; do echo new > res/$n; done',
    ]);
    expect(out.code).toBe(0);
    expect(commitsOf(world, dataset).at(-1)?.changes).toEqual(['M res/1', 'M res/2']);
  });

  test('a command that fails is told as such, by its own exit code', () => {
    const dataset = fresh('failing');
    const out = world.reprise(dataset, ['run', '--strict-io', '-o', 'res/1', 'echo new > res/1; exit 9']);
    expect(out.code).toBe(9);
  });
});
