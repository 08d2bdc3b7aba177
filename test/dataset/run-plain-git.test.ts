/** Datasets without an annex: the same verbs, and nothing of git-annex is started. */
import { chmodSync, existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { commitsOf, leftovers } from '../support/runs.ts';
import { createWorld, type World } from '../support/world.ts';

let world: World;
/** A PATH on which git-annex is a trap that leaves a note. */
let path: string;

beforeAll(() => {
  world = createWorld();
  const bin = world.path('bin');
  mkdirSync(bin, { recursive: true });
  for (const tool of ['git', 'sh', 'cat', 'echo', 'mkdir', 'rm', 'seq', 'touch', 'mv', 'ln', 'chmod']) {
    const real = world.ok(['/bin/sh', '-c', `command -v ${tool} || true`]);
    if (real.startsWith('/')) symlinkSync(real, join(bin, tool));
  }
  world.write(
    join(bin, 'git-annex'),
    `#!/bin/sh\nprintf '%s\\n' "$*" >> "${world.path('annex-was-started')}"\nexit 1\n`,
  );
  chmodSync(join(bin, 'git-annex'), 0o755);
  path = bin;
  world.sh(world.dir, 'git init -q base && cd base && echo 1 > a && git add a && git commit -qm start');
});
afterAll(() => world.remove());

const started = () =>
  existsSync(world.path('annex-was-started')) ? readFileSync(world.path('annex-was-started'), 'utf8') : '';

function fresh(name: string): string {
  world.ok(['cp', '-aT', world.path('base'), world.path(name)]);
  return world.path(name);
}

function reprise(cwd: string, args: readonly string[]) {
  const out = world.reprise(cwd, args, { env: { PATH: path } });
  expect(started()).toBe('');
  return out;
}

describe('a plain Git repository', () => {
  test('records a run; files go into Git', () => {
    const dataset = fresh('run');
    expect(reprise(dataset, ['run', '-i', 'a', '-o', 'b', 'cat a > b; mkdir d; echo 1 > "d/two words"'])).toMatchObject(
      { code: 0 },
    );
    const commit = commitsOf(world, dataset).at(-1);
    expect(commit?.changes).toEqual(['A b', 'A d/two words']);
    expect(commit?.record).toMatchObject({
      cmd: 'cat a > b; mkdir d; echo 1 > "d/two words"',
      inputs: ['a'],
      outputs: ['b'],
      exit: 0,
    });
    expect(Object.keys(commit?.record ?? {})).not.toContain('dsid');
    expect(world.git(dataset, 'ls-tree', '-r', '--format=%(objectmode) %(path)', 'HEAD').split('\n')).toEqual([
      '100644 a',
      '100644 b',
      '100644 d/two words',
    ]);
    expect(lstatSync(join(dataset, 'b')).isFile()).toBe(true);
    expect(existsSync(join(dataset, '.git/annex'))).toBe(false);
    expect(world.git(dataset, 'status', '--porcelain')).toBe('');
    expect(leftovers(world, dataset)).toEqual([]);
    expect(world.git(dataset, 'for-each-ref', '--format=%(refname)')).toBe('refs/heads/main');
  });

  test('keeps executable bits, symbolic links and deletions', () => {
    const dataset = fresh('modes');
    expect(reprise(dataset, ['run', 'echo x > tool; chmod +x tool; ln -s tool link; rm a'])).toMatchObject({ code: 0 });
    expect(commitsOf(world, dataset).at(-1)?.changes).toEqual(['D a', 'A link', 'A tool']);
    expect(world.git(dataset, 'ls-tree', '--format=%(objectmode) %(path)', 'HEAD').split('\n')).toEqual([
      '120000 link',
      '100755 tool',
    ]);
  });

  test('takes a sidecar record', () => {
    const dataset = fresh('sidecar');
    expect(reprise(dataset, ['run', '--sidecar', 'yes', '-o', 'b', 'echo 2 > b'])).toMatchObject({ code: 0 });
    const [file = ''] = readdirSync(join(dataset, '.datalad/runinfo'));
    expect(file).toMatch(/^[0-9a-f]{32}$/);
    const commit = commitsOf(world, dataset).at(-1);
    expect(commit?.changes).toEqual([`A .datalad/runinfo/${file}`, 'A b']);
    expect(commit?.record).toBe(file);
    expect(
      JSON.parse(
        world.ok(['xz', '-dc', '--format=xz'], { input: readFileSync(join(dataset, '.datalad/runinfo', file)) }),
      ),
    ).toMatchObject({ cmd: 'echo 2 > b' });
  });

  test('saves, and shows its state', () => {
    const dataset = fresh('save');
    world.sh(dataset, 'echo 2 > b; echo changed > a; mkdir d; echo 3 > d/c');
    expect(reprise(dataset, ['status'])).toMatchObject({ code: 0 });
    expect(reprise(dataset, ['save', '-m', 'kept', 'b', 'd'])).toMatchObject({ code: 0 });
    expect(commitsOf(world, dataset).at(-1)).toMatchObject({ subject: 'kept', changes: ['A b', 'A d/c'] });
    expect(world.git(dataset, 'status', '--porcelain')).toBe(' M a');
    expect(reprise(dataset, ['save'])).toMatchObject({ code: 0 });
    expect(world.git(dataset, 'status', '--porcelain')).toBe('');
    expect(reprise(dataset, ['save'])).toMatchObject({ code: 0 });
  });

  test('with plain Git submodules: recorded in each, bottom-up', () => {
    const dataset = fresh('modules');
    for (const [above, sub] of [
      ['.', 'sub'],
      ['sub', 'deep'],
    ] as const) {
      world.git(join(dataset, above), 'submodule', '--quiet', 'add', world.path('base'), sub);
      world.git(join(dataset, above), 'commit', '-qm', `add ${sub}`);
    }
    world.git(dataset, 'commit', '-qam', 'newer sub');
    expect(reprise(dataset, ['run', '-o', 'sub/deep/out', 'echo 1 > sub/deep/out; echo 2 > out'])).toMatchObject({
      code: 0,
    });
    expect(commitsOf(world, dataset).at(-1)?.changes).toEqual(['A out', 'M sub']);
    expect(commitsOf(world, join(dataset, 'sub')).at(-1)?.changes).toEqual(['M deep']);
    expect(commitsOf(world, join(dataset, 'sub/deep')).at(-1)?.changes).toEqual(['A out']);
    expect(world.git(dataset, 'status', '--porcelain')).toBe('');
  });

  test('without any commit: the run makes the first one', () => {
    world.sh(world.dir, 'git init -q unborn');
    const dataset = world.path('unborn');
    expect(reprise(dataset, ['run', 'echo 1 > first'])).toMatchObject({ code: 0 });
    expect(commitsOf(world, dataset)).toMatchObject([
      { parents: [], changes: ['A first'], record: { reprise: { base: null } } },
    ]);
    expect(world.git(dataset, 'status', '--porcelain')).toBe('');
  });

  test('with a detached HEAD: the commit is made on it, and no branch moves', () => {
    const dataset = fresh('detached');
    world.git(dataset, 'checkout', '-q', '--detach');
    const main = world.git(dataset, 'rev-parse', 'main');
    expect(reprise(dataset, ['run', 'echo 1 > b'])).toMatchObject({ code: 0 });
    expect(commitsOf(world, dataset, 'main..HEAD')).toMatchObject([{ changes: ['A b'], parents: [main] }]);
    expect(world.git(dataset, 'rev-parse', 'main')).toBe(main);
    expect(world.git(dataset, 'status', '--porcelain')).toBe('');
  });

  test('whose objects are named by SHA-256', () => {
    world.sh(
      world.dir,
      'git init -q --object-format=sha256 sha256 && cd sha256 && echo 1 > a && git add a && git commit -qm start',
    );
    const dataset = world.path('sha256');
    expect(reprise(dataset, ['run', '-i', 'a', '-o', 'b', 'cat a > b'])).toMatchObject({ code: 0 });
    const commit = commitsOf(world, dataset).at(-1);
    expect(commit?.changes).toEqual(['A b']);
    expect(commit?.record?.reprise?.base).toMatch(/^[0-9a-f]{64}$/);
    expect(world.git(dataset, 'status', '--porcelain')).toBe('');
  });
});

describe('hooks and settings of a user', () => {
  test('cannot damage a record, and a failing hook cannot lose one', () => {
    const dataset = fresh('hooks');
    for (const hook of ['pre-commit', 'commit-msg', 'prepare-commit-msg']) {
      world.write(join(dataset, '.git/hooks', hook), '#!/bin/sh\n[ -n "$1" ] && echo broken > "$1"\nexit 1\n');
      chmodSync(join(dataset, '.git/hooks', hook), 0o755);
    }
    world.sh(
      dataset,
      'git config commit.cleanup strip; git config core.commentChar =; git config commit.template /nonexistent',
    );
    const line = 'echo 1 > b\n\n\n# = a comment   \n';
    expect(reprise(dataset, ['run', '-m', '= first   \n\n\n# second', line])).toMatchObject({ code: 0 });
    const raw = world.exec(['git', 'cat-file', 'commit', 'HEAD'], { cwd: dataset }).stdout;
    expect(raw.slice(raw.indexOf('\n\n') + 2)).toMatch(
      /^\[DATALAD RUNCMD\] = first\n\n# second\n\n=== Do not change lines below ===\n\{\n/,
    );
    expect(commitsOf(world, dataset).at(-1)?.record?.cmd).toBe(line);
  });
});
