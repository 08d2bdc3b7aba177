/** `run --explicit`: cost and effect follow what was declared, and inputs are what the record says. */
import { appendFileSync, existsSync, lstatSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { describeWith } from '../support/oracles.ts';
import { commitsOf, leftovers } from '../support/runs.ts';
import { cliPath, createWorld, type World } from '../support/world.ts';

let world: World;
afterAll(() => world.remove());

beforeAll(() => {
  world = createWorld();
  world.reprise(world.dir, ['create', 'base']);
  const base = world.path('base');
  world.sh(base, 'mkdir in res && echo a > in/a && echo b > in/b && for n in 1 2 3; do echo old $n > res/$n; done');
  world.reprise(base, ['create', '-d', '.', 'sub']);
  world.sh(base, 'echo s > sub/s');
  world.ok([process.execPath, cliPath, 'save', '-r', '-m', 'data'], { cwd: base });
  world.git(base, 'status', '--porcelain');
});

function fresh(name: string): string {
  world.ok(['cp', '-aT', world.path('base'), world.path(name)]);
  return world.path(name);
}

const head = (repo: string) => world.git(repo, 'rev-parse', 'HEAD');
const sha256 = (text: string) => `sha256:${createHash('sha256').update(text).digest('hex')}`;

/** Replaces an annexed file by a changed one, as an editor does after `unlock`. */
function change(path: string, content: string): void {
  rmSync(path, { force: true });
  writeFileSync(path, content);
}

describeWith(['git-annex'], 'a declared input that differs from the last commit', () => {
  const cases: readonly (readonly [string, string, (dataset: string) => void])[] = [
    ['is modified', 'in/a', (dataset) => change(join(dataset, 'in/a'), 'changed\n')],
    [
      'is modified and staged',
      'in/a',
      (dataset) => {
        change(join(dataset, 'in/a'), 'changed\n');
        world.git(dataset, '-c', 'annex.largefiles=nothing', 'add', 'in/a');
      },
    ],
    ['is not tracked', 'in/new', (dataset) => change(join(dataset, 'in/new'), 'changed\n')],
    [
      'is added but not committed',
      'in/new',
      (dataset) => {
        change(join(dataset, 'in/new'), 'changed\n');
        world.git(dataset, '-c', 'annex.largefiles=nothing', 'add', 'in/new');
      },
    ],
    ['is modified in a subdataset', 'sub/s', (dataset) => change(join(dataset, 'sub/s'), 'changed\n')],
    ['is not tracked in a subdataset', 'sub/new', (dataset) => change(join(dataset, 'sub/new'), 'changed\n')],
  ];

  // Every second one is found by a pattern.
  test.each(
    cases.map(
      ([title, path, dirty], at) => [title, path, at % 2 === 0 ? path : path.replace(/\/.*/, '/*'), dirty] as const,
    ),
  )('%s: it is refused, and nothing is executed', (title, path, declared, dirty) => {
    const dataset = fresh(`refused ${title}`);
    dirty(dataset);
    const before = { head: head(dataset), status: world.git(dataset, 'status', '--porcelain') };
    const refusedArgs = ['run', '--explicit', '-i', declared, '-o', 'out', 'touch ran; cat {inputs} > out'];
    const out = world.reprise(dataset, refusedArgs);
    expect(out.code).toBe(1);
    expect(out.stderr).toContain('input-dirty');
    expect(out.stderr).toContain(path);
    expect(out.stderr).toContain('reprise save');
    expect(existsSync(join(dataset, 'ran'))).toBe(false);
    expect({ head: head(dataset), status: world.git(dataset, 'status', '--porcelain') }).toEqual(before);
    expect(leftovers(world, dataset)).toEqual([]);

    const args = ['run', '--explicit', '--allow-dirty-input', '-i', path, '-o', 'out', 'cat {inputs} > out'];
    expect(world.reprise(dataset, args)).toMatchObject({ code: 0 });
    const [commit] = commitsOf(world, dataset, `${before.head}..HEAD`);
    expect(commit?.changes).toEqual(['A out']);
    expect(commit?.record?.reprise?.['dirty_inputs']).toEqual([{ path, digest: sha256('changed\n') }]);
    expect(readFileSync(join(dataset, 'out'), 'utf8')).toBe('changed\n');
    // The input itself is as dirty as before.
    expect(world.git(dataset, 'status', '--porcelain')).toBe(before.status);
  });

  test('is an annexed file that was added but not committed: its key is recorded', () => {
    const dataset = fresh('annexed dirty');
    change(join(dataset, 'in/new'), 'annexed\n');
    world.ok(['git-annex', 'add', '-q', 'in/new'], { cwd: dataset });
    const args = ['run', '--explicit', '--allow-dirty-input', '-i', 'in/new', '-o', 'out', 'cat {inputs} > out'];
    expect(world.reprise(dataset, args)).toMatchObject({ code: 0 });
    const key = world.ok(['git-annex', 'lookupkey', 'in/new'], { cwd: dataset });
    const record = commitsOf(world, dataset).at(-1)?.record;
    expect(record?.reprise?.['dirty_inputs']).toEqual([{ path: 'in/new', digest: `annex:${key}` }]);
    expect(world.git(dataset, 'status', '--porcelain')).toBe('A  in/new');
  });

  test('other changes do not matter, and stay as they are', () => {
    const dataset = fresh('undeclared');
    const since = head(dataset);
    change(join(dataset, 'in/b'), 'changed\n');
    change(join(dataset, 'untracked'), 'new\n');
    change(join(dataset, 'sub/s'), 'changed\n');
    rmSync(join(dataset, 'res/3'));
    change(join(dataset, 'staged'), 'staged\n');
    world.git(dataset, '-c', 'annex.largefiles=nothing', 'add', 'staged');
    world.git(dataset, 'rm', '-q', '--cached', 'res/2');
    const status = world.git(dataset, 'status', '--porcelain');
    const index = world.git(dataset, 'ls-files', '-s');
    const args = ['run', '--explicit', '-i', 'in/a', '-o', 'out', 'cat in/a > out'];
    expect(world.reprise(dataset, args)).toMatchObject({ code: 0 });
    expect(commitsOf(world, dataset, `${since}..HEAD`)).toMatchObject([{ changes: ['A out'] }]);
    expect(world.git(dataset, 'status', '--porcelain')).toBe(status);
    const out = world.git(dataset, 'ls-files', '-s', 'out');
    expect(
      world
        .git(dataset, 'ls-files', '-s')
        .split('\n')
        .filter((line) => line !== out)
        .join('\n'),
    ).toBe(index);
  });
});

describeWith(['git-annex'], 'inputs that change while the command runs', () => {
  test('are reported and recorded, with what they held before and after', () => {
    const dataset = fresh('changing');
    const key = world.ok(['git-annex', 'lookupkey', 'in/a'], { cwd: dataset });
    const out = world.reprise(dataset, [
      'run',
      '--explicit',
      '-i',
      'in/*',
      '-o',
      'out',
      'cat in/* > out; rm in/a; echo other > in/a',
    ]);
    expect(out.code).toBe(0);
    expect(out.stderr).toContain('inputs were changed while the command ran: in/a\n');
    const record = commitsOf(world, dataset).at(-1)?.record;
    expect(record?.reprise?.['changed_inputs']).toEqual([
      { path: 'in/a', before: `annex:${key}`, after: sha256('other\n') },
    ]);
  });

  test('and are gone afterwards, likewise', () => {
    const dataset = fresh('vanishing');
    const out = world.reprise(dataset, ['run', '--explicit', '-i', 'in/*', '-o', 'out', 'cat in/* > out; rm in/b']);
    expect(out.stderr).toContain('inputs were changed while the command ran: in/b\n');
    expect(commitsOf(world, dataset).at(-1)?.record?.reprise?.['changed_inputs']).toMatchObject([
      { path: 'in/b', after: null },
    ]);
  });

  test('but an input that is an output as well may change', () => {
    const dataset = fresh('both');
    const out = world.reprise(dataset, ['run', '-i', 'res/1', '-o', 'res/1', 'echo more >> res/1']);
    expect(out.code).toBe(0);
    expect(out.stderr).not.toContain('inputs were changed');
    expect(commitsOf(world, dataset).at(-1)).toMatchObject({ changes: ['M res/1'] });
    expect(commitsOf(world, dataset).at(-1)?.record?.reprise?.['changed_inputs']).toBeUndefined();
  });

  test('reading alone changes nothing, nor does touching, nor writing the same again', () => {
    const dataset = fresh('reading');
    const out = world.reprise(dataset, [
      'run',
      '--explicit',
      '-i',
      'in/*',
      '-o',
      'out',
      'cat in/* > out; touch -h in/a; rm in/b; echo b > in/b',
    ]);
    expect(out.code).toBe(0);
    expect(commitsOf(world, dataset).at(-1)?.record?.reprise?.['changed_inputs']).toBeUndefined();
  });
});

describeWith(['git-annex'], 'outputs of an explicit run', () => {
  test('that are gone afterwards are committed as deletions', () => {
    const dataset = fresh('deleting');
    const since = head(dataset);
    const args = ['run', '--explicit', '-o', 'res/*', 'rm res/1; rm res/2; echo new > res/4'];
    expect(world.reprise(dataset, args)).toMatchObject({ code: 0 });
    expect(commitsOf(world, dataset, `${since}..HEAD`)).toMatchObject([{ changes: ['D res/1', 'D res/2', 'A res/4'] }]);
    expect(world.git(dataset, 'status', '--porcelain')).toBe('');
    expect(lstatSync(join(dataset, 'res/3')).isSymbolicLink()).toBe(true);
  });

  test('may be folders: old, new, or replaced by a file', () => {
    const dataset = fresh('folders');
    const since = head(dataset);
    const line = 'rm res/1; echo new > res/9; mkdir -p new/deep; echo 1 > new/deep/1; echo no > elsewhere';
    const args = ['run', '--explicit', '-o', 'res', '-o', 'new', line];
    expect(world.reprise(dataset, args)).toMatchObject({ code: 0 });
    const [commit] = commitsOf(world, dataset, `${since}..HEAD`);
    expect(commit?.changes).toEqual(['A new/deep/1', 'D res/1', 'A res/9']);
    expect(world.git(dataset, 'status', '--porcelain')).toBe('?? elsewhere');

    expect(world.reprise(dataset, ['run', '--explicit', '-o', 'new', 'rm -r new; echo file > new'])).toMatchObject({
      code: 0,
    });
    expect(commitsOf(world, dataset).at(-1)?.changes.toSorted()).toEqual(['A new', 'D new/deep/1']);
    expect(world.git(dataset, 'status', '--porcelain')).toBe('?? elsewhere');
  });

  test('a folder that is gone as a whole is committed as gone', () => {
    const dataset = fresh('folder-gone');
    expect(world.reprise(dataset, ['run', '--explicit', '-o', 'res', 'rm -rf res'])).toMatchObject({ code: 0 });
    expect(commitsOf(world, dataset).at(-1)?.changes).toEqual(['D res/1', 'D res/2', 'D res/3']);
    expect(world.git(dataset, 'status', '--porcelain')).toBe('');
  });

  test('that nobody declared are not saved; there is then nothing to record', () => {
    const dataset = fresh('none');
    const since = head(dataset);
    expect(world.reprise(dataset, ['run', '--explicit', 'echo 1 > new'])).toMatchObject({ code: 0 });
    expect(head(dataset)).toBe(since);
    expect(world.git(dataset, 'status', '--porcelain')).toBe('?? new');
    expect(leftovers(world, dataset)).toEqual([]);
  });

  test('that were dirty before are committed as they are after', () => {
    const dataset = fresh('dirty-output');
    world.sh(dataset, 'echo early > out');
    expect(world.reprise(dataset, ['run', '--explicit', '-o', 'out', 'echo late >> out'])).toMatchObject({ code: 0 });
    expect(world.git(dataset, 'status', '--porcelain')).toBe('');
    expect(readFileSync(join(dataset, 'out'), 'utf8')).toBe('early\nlate\n');
  });

  test('work from a subfolder, with its paths', () => {
    const dataset = fresh('subfolder');
    mkdirSync(join(dataset, 'work'));
    const out = world.reprise(join(dataset, 'work'), [
      'run',
      '--explicit',
      '-i',
      '../in/a',
      '-o',
      '../res/1',
      '-o',
      'w',
      'cat ../in/a | tee w > ../res/1',
    ]);
    expect(out).toMatchObject({ code: 0 });
    expect(commitsOf(world, dataset).at(-1)).toMatchObject({
      changes: ['M res/1', 'A work/w'],
      record: { pwd: 'work', inputs: ['../in/a'], outputs: ['../res/1', 'w'] },
    });
  });

  test('in a subdataset are committed there and in the dataset, with one record', () => {
    const dataset = fresh('into-sub');
    const since = head(join(dataset, 'sub'));
    appendFileSync(join(dataset, 'sub/untracked'), 'stays\n');
    expect(world.reprise(dataset, ['run', '--explicit', '-o', 'sub/new', 'echo 1 > sub/new'])).toMatchObject({
      code: 0,
    });
    const below = commitsOf(world, join(dataset, 'sub'), `${since}..HEAD`);
    expect(below).toMatchObject([{ changes: ['A new'] }]);
    const above = commitsOf(world, dataset).at(-1);
    expect(above?.changes).toEqual(['M sub']);
    expect(above?.record).toEqual(below[0]?.record);
    expect(world.git(dataset, 'rev-parse', 'HEAD:sub')).toBe(head(join(dataset, 'sub')));
    expect(world.git(join(dataset, 'sub'), 'status', '--porcelain')).toBe('?? untracked');
  });
});

const strace = existsSync('/usr/bin/strace');
if (!strace && process.env['REPRISE_REQUIRE_ALL']) throw new Error('strace is required here (apt-get install strace)');

describe.skipIf(!strace)('what an explicit run looks at [needs strace]', () => {
  // The files are older than the index: Git reads again what is not, whoever writes an index.
  test('among 20,000 files: no file and no folder outside its own paths', () => {
    const dataset = world.path('large');
    world.sh(
      world.dir,
      'git init -q large && cd large && for d in $(seq 100); do mkdir -p other-$d; for f in $(seq 200); do : > other-$d/$f; done; done && mkdir in && for n in $(seq 10); do echo $n > in/$n; done && find . -name .git -prune -o -type f -exec touch -d 2020-01-01 {} + && git add . && git commit -qm files',
    );
    const trace = world.path('trace');
    const outputs = Array.from({ length: 10 }, (_, index) => `out/${index}`);
    const declared = [
      ...Array.from({ length: 10 }, (_, index) => ['-i', `in/${index + 1}`]),
      ...outputs.map((path) => ['-o', path]),
    ].flat();
    const out = world.exec(
      [
        'strace',
        '-f',
        '-qq',
        '-s',
        '300',
        '-e',
        'trace=file,getdents64,fchdir',
        '-o',
        trace,
        process.execPath,
        cliPath,
        'run',
        '--explicit',
        ...declared,
        'mkdir -p out; for n in 0 1 2 3 4 5 6 7 8 9; do cat in/* > out/$n; done',
      ],
      { cwd: dataset },
    );
    expect(out.code).toBe(0);
    expect(commitsOf(world, dataset).at(-1)?.changes).toEqual(outputs.map((path) => `A ${path}`));
    const lines = readFileSync(trace, 'latin1').split('\n');
    expect(lines.filter((line) => line.includes('"in/1"') || line.includes('/in/1"')).length).toBeGreaterThan(0);
    expect(lines.filter((line) => line.includes('other-'))).toEqual([]);
    // The cost as a whole is that of starting a few programs.
    expect(lines.length).toBeLessThan(20_000);
  });
});
