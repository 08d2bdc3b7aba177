/** Paths behind symbolic links: Git knows a file by its real path, users and records by the one they took. */
import { existsSync, lstatSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { crashModule } from '../support/crash-points.ts';
import { dataladArgv, describeWith } from '../support/oracles.ts';
import { commitsOf, leftovers } from '../support/runs.ts';
import { cliPath, createWorld, type World } from '../support/world.ts';

let world: World;
let template: string;

beforeAll(() => {
  world = createWorld();
  template = world.path('template');
  world.ok([process.execPath, cliPath, 'create', '--no-annex', template]);
  world.sh(
    template,
    'mkdir -p real/deep; echo old >real/old.txt; echo in >real/in.txt; echo deep >real/deep/d.txt; ln -s real link; ln -s link/deep chain',
  );
  world.sh(template, 'git add -A; git commit -qm data');
});
afterAll(() => world.remove());

function fresh(name: string): string {
  world.ok(['cp', '-aT', template, world.path(name)]);
  return world.path(name);
}

function run(dataset: string, ...args: string[]) {
  const out = world.reprise(dataset, ['run', ...args]);
  return { code: out.code, said: out.stderr, commit: commitsOf(world, dataset).at(-1) };
}

describe('a run whose paths lead through a link', () => {
  test('saves what was written under its real path, and records the path as given', () => {
    const dataset = fresh('plain');
    const { code, said, commit } = run(
      dataset,
      '-i',
      'link/in.txt',
      '-o',
      'link/out.txt',
      'cat link/in.txt >link/out.txt',
    );
    expect([code, said]).toEqual([0, expect.not.stringContaining('declared')]);
    expect(commit).toMatchObject({
      changes: ['A real/out.txt'],
      record: { inputs: ['link/in.txt'], outputs: ['link/out.txt'] },
    });
    expect(lstatSync(join(dataset, 'link')).isSymbolicLink()).toBe(true);
    expect(world.git(dataset, 'status', '--porcelain')).toBe('');
    expect(leftovers(world, dataset)).toEqual([]);
  });

  test('saves exactly that with --explicit: new, changed and deleted', () => {
    const dataset = fresh('explicit');
    world.write(join(dataset, 'real/mine.txt'), 'mine\n');
    const { code, commit } = run(
      dataset,
      '--explicit',
      '-o',
      'chain/new.txt',
      '-o',
      'link/old.txt',
      '-o',
      'link/in.txt',
      'echo 1 >chain/new.txt; echo 2 >link/old.txt; rm link/in.txt',
    );
    expect([code, commit?.changes]).toEqual([0, ['A real/deep/new.txt', 'D real/in.txt', 'M real/old.txt']]);
    expect(world.git(dataset, 'status', '--porcelain')).toBe('?? real/mine.txt');
  });

  test.each([['link'], ['link/'], ['link/*'], ['l*/old.txt'], ['./link/../link/old.txt']])(
    'declared as %s',
    (output) => {
      const dataset = fresh(`declared-${output.replaceAll('/', '_')}`);
      const { code, said, commit } = run(dataset, '--explicit', '-o', output, 'echo 2 >link/old.txt');
      expect([code, said, commit?.changes]).toEqual([0, expect.not.stringContaining('declared'), ['M real/old.txt']]);
    },
  );

  test('tells declared from actual', () => {
    const dataset = fresh('lists');
    world.sh(dataset, 'echo "*.log" >.gitignore; git add .gitignore; git commit -qm ignore');
    const line = 'echo 1 >link/some.txt; echo 1 >link/x.log';
    const { said, commit } = run(dataset, '-o', 'link/never.txt', '-o', 'link/x.log', line);
    expect(said).toContain('declared as output but not written: link/never.txt\n');
    expect(said).toContain('written but not declared as output: real/some.txt\n');
    expect(said).toContain('output is ignored by Git, so it is not saved: real/x.log\n');
    expect(commit?.changes).toEqual(['A real/some.txt']);
    expect(run(dataset, '--strict-io', '-o', 'link/*.txt', 'echo 3 >chain/d.txt').code).toBe(1);
  });

  test('in a folder that is a link, and in a dataset that is reached through one', () => {
    world.sh(world.dir, 'mkdir -p elsewhere; ln -s elsewhere/ds way');
    const dataset = fresh('elsewhere/ds');
    const way = world.path('way');
    expect(
      world.reprise(join(way, 'link'), ['run', '-i', 'in.txt', '-o', 'out.txt', 'cat in.txt >out.txt']),
    ).toMatchObject({ code: 0 });
    expect(commitsOf(world, dataset).at(-1)).toMatchObject({
      changes: ['A real/out.txt'],
      record: { pwd: 'link', outputs: ['out.txt'] },
    });
    const again = world.reprise(way, ['-f', 'json', 'rerun', '--verify']);
    expect(again).toMatchObject({ code: 0, stdout: expect.stringContaining('"verdict": "identical"') });
  });

  test('a dirty input behind a link is found under its real path', () => {
    const dataset = fresh('dirty');
    world.write(join(dataset, 'real/in.txt'), 'other\n');
    const options = ['--explicit', '-i', 'link/in.txt', '-o', 'out'];
    expect(run(dataset, ...options, 'cat link/in.txt >out')).toMatchObject({
      code: 1,
      said: expect.stringContaining('real/in.txt'),
    });
    const { code, commit } = run(dataset, ...options, '--allow-dirty-input', 'cat link/in.txt >out');
    expect(code).toBe(0);
    expect(commit?.record?.reprise?.['dirty_inputs']).toMatchObject([{ path: 'real/in.txt' }]);
    world.sh(dataset, 'ln -s nowhere dangling; ln -s real folder');
    const linked = run(
      dataset,
      '--explicit',
      '--allow-dirty-input',
      '-i',
      'dangling',
      '-i',
      'folder',
      '-o',
      'out2',
      'echo 1 >out2',
    );
    expect(linked.commit?.record?.reprise?.['dirty_inputs']).toMatchObject([
      { path: 'real/in.txt' },
      { path: 'dangling' },
      { path: 'folder' },
    ]);
  });

  test('the same record is rerun: in the tree, in a workspace, and side by side in the order of what they need', () => {
    const dataset = fresh('rerun');
    const start = world.git(dataset, 'rev-parse', 'HEAD');
    run(dataset, '-o', 'link/a.txt', 'sleep 0.3; date +%N >link/a.txt');
    run(dataset, '-i', 'chain/../a.txt', '-i', 'link/a.txt', '-o', 'b.txt', 'cat link/a.txt >b.txt');
    const told = world.reprise(dataset, ['-f', 'json', 'rerun', '--workspace', '--verify']);
    expect(told).toMatchObject({ code: 0, stdout: expect.stringContaining('"verdict": "identical"') });
    expect(world.reprise(dataset, ['rerun', `--since=${start}`, '--jobs', '2'])).toMatchObject({ code: 0 });
    expect(readFileSync(join(dataset, 'b.txt'))).toEqual(readFileSync(join(dataset, 'real/a.txt')));
    expect(commitsOf(world, dataset, 'HEAD~2..HEAD').map(({ changes }) => changes)).toEqual([
      ['M real/a.txt'],
      ['M b.txt'],
    ]);
  });

  test('one that was killed is recovered', () => {
    const dataset = fresh('killed');
    const crash = crashModule(world.path('crash.mjs'));
    const command = ['run', '--explicit', '-o', 'link/out.txt', 'echo 1 >link/out.txt'];
    const killed = world.exec(
      ['/bin/sh', '-c', 'exec "$@"', 'sh', process.execPath, '--import', crash, cliPath, ...command],
      {
        cwd: dataset,
        env: { CRASH_ON: 'fast-import' },
      },
    );
    expect([killed.code, existsSync(join(dataset, 'real/out.txt'))]).toEqual([137, true]);
    expect(world.reprise(dataset, ['recover'])).toMatchObject({ code: 0 });
    expect(commitsOf(world, dataset).at(-1)).toMatchObject({
      changes: ['A real/out.txt'],
      record: { outputs: ['link/out.txt'] },
    });
    expect(leftovers(world, dataset)).toEqual([]);
  });
});

describe('a link that leaves the dataset', () => {
  test('is refused on the way to what is declared, and so is one into a Git directory or in circles', () => {
    const dataset = fresh('leaving');
    world.write(world.path('outside/x'), 'not mine');
    world.sh(
      dataset,
      `ln -s '${world.path('outside')}' out; ln -s .git g; ln -s loop loop; git add -A; git commit -qm links`,
    );
    for (const path of ['out/x', 'g/x', 'loop/x', 'out/', 'out/*', 'g/*']) {
      for (const option of ['-i', '-o'])
        expect([path, run(dataset, option, path, 'touch executed')]).toMatchObject([
          path,
          { code: 1, said: expect.stringContaining('(path-outside)') },
        ]);
    }
    expect(existsSync(join(dataset, 'executed'))).toBe(false);
  });

  test('that the command makes is saved as a link; nothing behind it is touched, and the run can be recorded', () => {
    const dataset = fresh('made');
    world.write(world.path('aside/old.txt'), 'not mine\n');
    const line = `rm -r real link; ln -s '${world.path('aside')}' link; ln -s '${world.path('aside')}' real`;
    const { code, commit } = run(dataset, '-o', 'link/old.txt', '-o', '*/in.txt', line);
    expect([code, commit?.changes]).toEqual([
      0,
      ['M link', 'A real', 'D real/deep/d.txt', 'D real/in.txt', 'D real/old.txt'],
    ]);
    expect(readFileSync(world.path('aside/old.txt'), 'utf8')).toBe('not mine\n');
    expect(world.git(dataset, 'status', '--porcelain')).toBe('');
  });
});

describe('stale results', () => {
  test('follow links to what they lead to, and are stale when a link leads elsewhere', () => {
    const dataset = fresh('stale');
    const stale = () =>
      world
        .reprise(dataset, ['-f', 'json', 'stale'])
        .stdout.split('\n')
        .filter((line) => line !== '')
        .map((line) =>
          (JSON.parse(line) as { causes: { kind: string; path: string }[] }).causes.map(
            ({ kind, path }) => `${kind} ${path}`,
          ),
        );
    run(dataset, '-i', 'link/in.txt', '-i', 'chain', '-o', 'link/out.txt', 'cat link/in.txt chain/d.txt >link/out.txt');
    expect(stale()).toEqual([]);
    const commit = (line: string) => world.sh(dataset, `${line}; git add -A; git commit -qm change`);
    commit('echo more >>real/in.txt');
    expect(stale()).toEqual([['input-changed real/in.txt']]);
    commit('echo in >real/in.txt; echo more >>real/deep/d.txt');
    expect(stale()).toEqual([['input-changed real/deep/d.txt']]);
    commit('echo deep >real/deep/d.txt');
    run(dataset, '-i', 'link/out.txt', '-o', 'last.txt', 'cat link/out.txt >last.txt');
    expect(stale()).toEqual([]);
    commit('cp -r real real2; rm link; ln -s real2 link');
    expect(stale()[0]).toContain('input-changed link');
  });
});

describeWith(['git-annex'], 'annexed files behind a link', () => {
  let annexed: string;
  beforeAll(() => {
    annexed = world.path('annexed');
    world.ok([process.execPath, cliPath, 'create', annexed]);
    world.sh(annexed, 'mkdir real; ln -s real link; echo old >real/old.dat; echo in >real/in.dat');
    world.ok([process.execPath, cliPath, 'save', '-d', annexed, '-m', 'data']);
  });
  function clone(name: string): string {
    world.git(world.dir, 'clone', '-q', annexed, world.path(name));
    world.sh(world.path(name), 'git annex init -q');
    return world.path(name);
  }

  test('are fetched, made writable, put back where they were left alone, and stored', () => {
    const dataset = clone('annexed-run');
    const options = ['-i', 'link/in.dat', '-o', 'link/old.dat', '-o', 'link/in.dat'];
    const { code, commit } = run(dataset, ...options, 'cat link/in.dat >link/old.dat');
    expect([code, commit?.changes]).toEqual([0, ['M real/old.dat']]);
    expect(readlinkSync(join(dataset, 'real/old.dat'))).toContain('annex/objects');
    expect(readlinkSync(join(dataset, 'real/in.dat'))).toContain('annex/objects');
    expect(world.git(dataset, 'status', '--porcelain')).toBe('');
    expect(world.reprise(dataset, ['-f', 'json', 'rerun', '--verify'])).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('"verdict": "identical"'),
    });
  });

  test('get, unlock, save, drop and status take the path as the user has it', () => {
    const dataset = clone('annexed-verbs');
    for (const [verb, told] of [
      ['get', 'get(ok): real/old.dat'],
      ['unlock', 'unlock(ok): real/old.dat'],
      ['save', 'notneeded'],
      ['drop', 'drop(ok): real/old.dat'],
    ] as const)
      expect([verb, world.reprise(dataset, [verb, 'link/old.dat'])]).toMatchObject([
        verb,
        { code: 0, stdout: verb === 'save' ? expect.anything() : expect.stringContaining(told) },
      ]);
    world.write(join(dataset, 'real/new.dat'), 'new');
    expect(world.reprise(dataset, ['status', 'link/new.dat']).stdout).toContain('real/new.dat');
    expect(world.reprise(join(dataset, 'link'), ['save', 'new.dat'])).toMatchObject({ code: 0 });
    expect(world.git(dataset, 'status', '--porcelain')).toBe('');
  });

  test('a link into a subdataset: it is installed, and what is written there is saved', () => {
    const above = world.path('above');
    world.ok([process.execPath, cliPath, 'create', above]);
    world.sh(
      above,
      `git -c protocol.file.allow=always submodule --quiet add '${annexed}' sub 2>&1; ln -s sub/real way; git add way; git commit -qm sub`,
    );
    world.git(world.dir, 'clone', '-q', above, world.path('above-clone'));
    const dataset = world.path('above-clone');
    const { code, commit } = run(dataset, '-i', 'way/in.dat', '-o', 'way/out.dat', 'cat way/in.dat >way/out.dat');
    expect([code, commit?.changes]).toEqual([0, ['M sub']]);
    expect(commitsOf(world, join(dataset, 'sub')).at(-1)?.changes).toEqual(['A real/out.dat']);
  });

  for (const which of ['datalad', 'datalad-latest'] as const) {
    describeWith([which], `as ${which} has them`, () => {
      test('new outputs and inputs give the same tree and record; the record is rerun there', () => {
        const line = ['run', '-i', 'link/in.dat', '-o', 'link/new.dat', '-m', 'same', 'cat link/in.dat >link/new.dat'];
        const [theirs, ours] = [clone(`${which}-theirs`), clone(`${which}-ours`)];
        expect(world.exec(dataladArgv(which, line), { cwd: theirs })).toMatchObject({ code: 0 });
        expect(world.reprise(ours, line)).toMatchObject({ code: 0 });
        expect(world.git(ours, 'rev-parse', 'HEAD^{tree}')).toBe(world.git(theirs, 'rev-parse', 'HEAD^{tree}'));
        const [one, other] = [theirs, ours].map((dataset) => commitsOf(world, dataset).at(-1)?.record);
        expect({ ...other, reprise: undefined }).toEqual({ ...one, reprise: undefined });
        world.sh(ours, 'git rm -q real/new.dat; git commit -qm gone');
        expect(world.exec(dataladArgv(which, ['rerun', 'HEAD~1']), { cwd: ours })).toMatchObject({ code: 0 });
        expect(world.git(ours, 'ls-files', 'real/new.dat')).toBe('real/new.dat');
      });
    });
  }
});
