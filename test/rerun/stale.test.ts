import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readConfig } from '../../src/dataset/read-config.ts';
import { repoAt, type Repo } from '../../src/dataset/repo.ts';
import { environmentClass, recordAttestation } from '../../src/rerun/attestations.ts';
import type { StaleReport } from '../../src/rerun/stale.ts';
import { staleRuns } from '../../src/rerun/stale-read.ts';
import { run as execute } from '../../src/run/run.ts';
import { defaultContext } from '../../src/sys/context.ts';
import { cliPath, createWorld, type World } from '../support/world.ts';

let world: World;
beforeAll(() => {
  world = createWorld();
});
afterAll(() => world.remove());

interface Dataset {
  readonly dir: string;
  readonly repo: Repo;
  /** Runs a command and gives the commit that records it. */
  readonly run: (options: readonly string[], cmd: string, folder?: string) => string;
  readonly commit: (line: string) => string;
  readonly stale: () => Promise<StaleReport>;
  /** `outputs: kind path, kind path` for each stale result. */
  readonly told: () => Promise<readonly string[]>;
}

/** An empty dataset with an annex or without one; made once, and copied. */
const empty = new Map<boolean, string>();
function emptyDataset(annex: boolean): string {
  const known = empty.get(annex);
  if (known !== undefined) return known;
  const dir = world.path(`empty-${annex}`);
  world.ok([process.execPath, cliPath, 'create', ...(annex ? [] : ['--no-annex']), dir]);
  empty.set(annex, dir);
  return dir;
}

let made = 0;
function dataset(setUp: string, annex = false): Dataset {
  made += 1;
  const dir = world.path(`ds-${made}`);
  cpSync(emptyDataset(annex), dir, { recursive: true, verbatimSymlinks: true, preserveTimestamps: true });
  const commit = (line: string): string => {
    world.sh(dir, `${line}\n git add -A . && git commit -qm plain`);
    return world.git(dir, 'rev-parse', 'HEAD');
  };
  commit(setUp);
  const repo = repoAt(dir, defaultContext({ cwd: dir, env: world.env })) as Repo;
  const stale = async () => staleRuns(repo, await readConfig(repo));
  return {
    dir,
    repo,
    commit,
    stale,
    run(options, cmd, folder = '.') {
      const outcome = world.reprise(join(dir, folder), ['run', ...options, cmd]);
      if (outcome.code !== 0) throw new Error(outcome.stdout + outcome.stderr);
      return world.git(dir, 'rev-parse', 'HEAD');
    },
    told: async () =>
      (await stale()).stale.map(
        ({ outputs, causes }) =>
          `${outputs.join(' ')}: ${causes.map(({ kind, path }) => `${kind} ${path}`).join(', ')}`,
      ),
  };
}

describe('inputs', () => {
  test('a pattern that leads to one place on more ways than can be taken is looked at once for each place', async () => {
    const deep = 'a/'.repeat(28);
    const { run, commit, told } = dataset(`mkdir -p ${deep}; echo 1 >${deep}file; mkdir b; echo 1 >b/zzz`);
    run(['-i', 'b/zzz', '-o', 'out'], 'echo >out');
    world.sh(
      world.path(`ds-${made}`),
      `git log -1 --format=%B | sed 's|"b/zzz"|"${'**/a/'.repeat(14)}**/file"|' | git commit -q --amend -F -`,
    );
    commit(`echo 2 >${deep}file`);
    expect(await told()).toEqual([`out: input-changed ${deep}file`]);
  });

  test('nothing is stale as long as nothing changed, and a change is told with both identities', async () => {
    const { run, commit, stale, told, dir } = dataset('echo 1 > in; echo x > other');
    const made = run(['-i', 'in', '-o', 'out'], 'cat in > out');
    commit('echo y > other');
    expect(await told()).toEqual([]);
    const was = world.git(dir, 'rev-parse', 'HEAD:in');
    commit('echo 2 > in');
    const report = await stale();
    expect(report).toMatchObject({ checked: 1, stale: [{ outputs: ['out'], outdated: true, more: false }] });
    expect(report.stale[0]?.run.commit).toBe(made);
    expect(report.stale[0]?.causes).toEqual([
      { kind: 'input-changed', path: 'in', was: `git:${was}`, now: `git:${world.git(dir, 'rev-parse', 'HEAD:in')}` },
    ]);
    commit('echo 1 > in');
    expect(await told()).toEqual([]);
    commit('git rm -q in');
    expect(await told()).toEqual(['out: input-removed in']);
  });

  test('a folder whose name looks like a pattern is that folder', async () => {
    const { run, commit, told } = dataset('mkdir "a[1]" a1; echo 1 > "a[1]/in"; echo 1 > a1/in');
    run(['-i', 'in', '-o', 'out'], 'cat in > out', 'a[1]');
    commit('echo 2 > a1/in');
    expect(await told()).toEqual([]);
    commit('echo 2 > "a[1]/in"');
    expect(await told()).toEqual(['a[1]/out: input-changed a[1]/in']);
  });

  test('patterns: files that come, go or change, at any depth, relative to the folder of the run', async () => {
    const { run, commit, told } = dataset(
      "mkdir -p raw/a/b raw/.h code 'odd ones'; for f in raw/1.csv raw/a/2.csv raw/a/b/3.csv raw/.h/4.csv raw/x.txt 'odd ones/n\nl'; do echo 0 > \"$f\"; done",
    );
    run(['-i', 'raw/*.csv', '-o', 'flat'], 'cat raw/*.csv > flat');
    run(['-i', '../raw/**/*.csv', '-o', '../deep'], 'echo deep > ../deep', 'raw');
    run(['-i', 'raw/a', '-o', 'folder'], 'echo folder > folder');
    run(['-i', 'odd ones/n\nl', '-o', 'newline'], 'echo newline > newline');
    run(['-i', 'raw/[!x]*', '-o', 'set'], 'echo set > set');
    expect(await told()).toEqual([]);
    commit('echo 1 > raw/x.txt; echo 1 > raw/.h/4.csv');
    expect(await told()).toEqual([]);
    commit('echo 1 > raw/a/b/3.csv');
    expect(await told()).toEqual([
      'deep: input-changed raw/a/b/3.csv',
      'folder: input-changed raw/a/b/3.csv',
      'set: input-changed raw/a/b/3.csv',
    ]);
    commit("echo 0 > raw/a/b/3.csv; echo 1 > raw/9.csv; git rm -q raw/a/2.csv; echo 1 > 'odd ones/n\nl'");
    expect(await told()).toEqual([
      'flat: input-added raw/9.csv',
      'deep: input-added raw/9.csv, input-removed raw/a/2.csv',
      'folder: input-removed raw/a/2.csv',
      'newline: input-changed odd ones/n\nl',
      'set: input-added raw/9.csv, input-removed raw/a/2.csv',
    ]);
  });

  test('image and code: extra inputs, and files that the command names', async () => {
    const { run, commit, told, repo } = dataset(
      'mkdir code image; echo "echo hi" > code/do.sh; echo 1 > image/layer; echo 1 > conf',
    );
    run(['-o', 'out'], "sh 'code/do.sh' --conf=conf > out");
    const cmd = 'echo boxed > boxed';
    await execute(
      { cmd: [cmd], outputs: ['boxed'], extraInputs: ['image'] },
      { ...repo.context, overrides: [['reprise.record.extension', 'none']] },
    );
    expect(await told()).toEqual([]);
    commit('echo 2 > image/layer');
    expect(await told()).toEqual(['boxed: image-changed image/layer']);
    commit('echo 1 > image/layer');
    commit('echo "echo ho" > code/do.sh; echo 2 > conf');
    expect(await told()).toEqual(['out: code-changed code/do.sh, code-changed conf']);
    commit('git rm -q conf; echo "echo hi" > code/do.sh');
    expect(await told()).toEqual(['out: code-changed conf']);
  });

  test('annexed files: by key, whether locked or not and whether the content is here or not', async () => {
    const { run, commit, told, stale, dir } = dataset('echo setup > .setup', true);
    commit('echo 1 > in; git annex add -q in');
    run(['-i', 'in', '-o', 'out'], 'cat in > out');
    world.sh(dir, 'git annex unlock -q in out && git commit -qm unlocked in out');
    expect(await told()).toEqual([]);
    world.sh(dir, 'git annex lock -q --force in out; git commit -qam locked; git annex drop -q --force in out');
    expect(await told()).toEqual([]);
    commit('rm in; echo 2 > in; git annex add -q in');
    const [found] = (await stale()).stale;
    expect(found?.causes).toMatchObject([
      {
        kind: 'input-changed',
        path: 'in',
        was: expect.stringMatching(/^annex:MD5E-s2--/),
        now: expect.stringMatching(/^annex:MD5E-s2--/),
      },
    ]);
  });

  test('what a run does to its own inputs does not make it stale', async () => {
    const { run, commit, told } = dataset('echo 1 > log; mkdir all; echo 1 > all/in');
    run(['-i', 'log', '-o', 'log'], 'echo 2 >> log');
    run(['-i', 'all', '-o', 'all'], 'cp all/in all/out');
    expect(await told()).toEqual([]);
    commit('echo 2 > all/in');
    expect(await told()).toEqual(['all/out: input-changed all/in']);
  });

  test('an input that was used before it was committed counts as it was used', async () => {
    const { run, commit, told, dir } = dataset('echo 1 > in');
    world.sh(dir, 'echo 2 > in');
    run(['--explicit', '--allow-dirty-input', '-i', 'in', '-o', 'out'], 'cat in > out');
    world.sh(dir, 'git checkout -q in');
    expect(await told()).toEqual(['out: input-changed in']);
    commit('echo 2 > in');
    expect(await told()).toEqual([]);
    commit('echo 3 > in');
    expect(await told()).toEqual(['out: input-changed in']);
  });
});

describe('outputs', () => {
  test('a chain: what is outdated makes outdated what uses it; producers come first', async () => {
    const { run, commit, told } = dataset('echo 1 > in');
    run(['-i', 'in', '-o', 'mid/a'], 'mkdir -p mid; cat in > mid/a');
    run(['-i', 'mid/*', '-o', 'end'], 'cat mid/* > end');
    run(['-i', 'end', '-o', 'last'], 'cat end > last');
    run(['-o', 'alone'], 'echo alone > alone');
    commit('echo 2 > in');
    expect(await told()).toEqual(['mid/a: input-changed in', 'end: upstream-stale mid/a', 'last: upstream-stale end']);
    // The producer is made again: its consumers have a changed input, and are told after it.
    run(['-i', 'in', '-o', 'mid/a'], 'mkdir -p mid; cat in > mid/a');
    expect(await told()).toEqual(['end: input-changed mid/a', 'last: upstream-stale end']);
    run(['-i', 'mid/*', '-o', 'end'], 'cat mid/* > end');
    run(['-i', 'end', '-o', 'last'], 'cat end > last');
    expect(await told()).toEqual([]);
  });

  test('edited and removed by hand: told, but not outdated, and not handed on', async () => {
    const { run, commit, stale, told } = dataset('echo 1 > in');
    run(['-i', 'in', '-o', 'a', '-o', 'b'], 'cat in > a; cat in > b');
    run(['-i', 'a', '-o', 'c'], 'cat a > c');
    commit('git rm -q b');
    expect(await told()).toEqual(['a b: output-missing b']);
    expect((await stale()).stale[0]?.outdated).toBe(false);
    commit('echo edited > a');
    expect(await told()).toEqual(['a b: output-edited a, output-missing b', 'c: input-changed a']);
    // A run of which nothing is left has no result.
    commit('git rm -q a c');
    expect(await stale()).toEqual({ stale: [], checked: 0 });
  });

  test('the last run that wrote a file stands for it, and after a revert the one before', async () => {
    const { run, commit, told, dir } = dataset('echo 1 > in; echo 1 > in2');
    run(['-i', 'in', '-o', 'out'], 'cat in > out');
    run(['-i', 'in2', '-o', 'out'], 'cat in2 in2 > out');
    commit('echo 2 > in');
    expect(await told()).toEqual([]);
    world.git(dir, 'revert', '--no-edit', 'HEAD^');
    expect(await told()).toEqual(['out: input-changed in']);
  });

  test('the same work done again stands for results that came out the same, too', async () => {
    const { run, commit, told } = dataset('echo 1 > in');
    const again = () => run(['-i', 'in', '-o', 'a', '-o', 'b'], 'cat in > a; echo same > b');
    again();
    commit('echo 2 > in');
    expect(await told()).toEqual(['a b: input-changed in']);
    again();
    expect(await told()).toEqual([]);
  });

  test('a replay that is attested as identical makes a result current without a commit', async () => {
    const { run, commit, told, repo } = dataset('echo 1 > in');
    const made = run(['-i', 'in', '-o', 'out'], 'wc -l < in > out');
    const base = commit('echo 2 > in');
    expect(await told()).toEqual(['out: input-changed in']);
    const attest = (verdict: 'identical' | 'different') =>
      recordAttestation(repo, {
        version: 1,
        commit: made,
        base,
        replayed: null,
        when: new Date().toISOString(),
        verdict,
        exit: 0,
        outputs: [],
        tool: 'reprise/1.0.0',
        runner: 'native',
        environment: environmentClass(),
      });
    await attest('different');
    expect(await told()).toEqual(['out: input-changed in']);
    await attest('identical');
    expect(await told()).toEqual([]);
    commit('echo 3 > in');
    expect(await told()).toEqual(['out: input-changed in']);
  });
});

describe('histories', () => {
  test('runs on two branches that were merged', async () => {
    const { run, commit, told, dir } = dataset('echo 1 > in; echo 1 > in2');
    world.git(dir, 'checkout', '-qb', 'side');
    run(['-i', 'in', '-o', 'a'], 'cat in > a');
    world.git(dir, 'checkout', '-q', '-');
    run(['-i', 'in2', '-o', 'b'], 'cat in2 > b');
    commit('echo 2 > in');
    world.git(dir, 'merge', '-q', '--no-edit', 'side');
    expect(await told()).toEqual(['a: input-changed in']);
  });

  test('a command that commits itself: the merge that records it is judged as one run', async () => {
    const { run, commit, told } = dataset('echo 1 > in');
    run(['-i', 'in', '-o', 'a'], 'cat in > a; git add a; git commit -qm inner; echo b > b');
    expect(await told()).toEqual([]);
    commit('echo 2 > in');
    expect(await told()).toEqual(['a b: input-changed in']);
  });

  test('records of another dataset, and such that leave the dataset, are passed over', async () => {
    const { run, commit, stale, dir } = dataset('echo 1 > in');
    run(['-i', 'in', '-o', 'out'], 'cat in > out');
    const message = world.git(dir, 'log', '-1', '--format=%B');
    for (const [from, to] of [
      [/"dsid": ".*"/, '"dsid": "00000000-0000-0000-0000-000000000000"'],
      [/"pwd": "\."/, '"pwd": ".."'],
    ] as const) {
      world.sh(dir, `echo ${Math.random()} > out; git add out`);
      world.ok(['git', 'commit', '-q', '--cleanup=verbatim', '-F', '-'], {
        cwd: dir,
        input: message.replace(from, to),
      });
    }
    commit('echo 2 > in');
    expect((await stale()).checked).toBe(1);
  });

  test('a dataset without commits has no results', async () => {
    const dir = world.path('empty');
    world.sh(world.dir, `git init -q ${dir}`);
    const repo = repoAt(dir, defaultContext({ cwd: dir, env: world.env })) as Repo;
    expect(await staleRuns(repo, await readConfig(repo))).toEqual({ stale: [], checked: 0 });
  });
});

describe('subdatasets', () => {
  test('are looked into when they are here, and stand for all that is in them when they are not', async () => {
    const { run, told, dir } = dataset('true; echo 1 > top');
    const sub = world.path(`sub-${made}`);
    world.sh(
      world.dir,
      `git init -q ${sub} && cd ${sub} && echo 1 > used && echo 1 > unused && git add . && git commit -qm s`,
    );
    world.sh(dir, `git submodule --quiet add ${sub} sub && git commit -qm sub`);
    run(['-i', 'sub/used', '-o', 'out'], 'cat sub/used > out');
    run(['-i', 'sub/u*d', '-o', 'globbed'], 'cat sub/u*d > globbed');
    expect(await told()).toEqual([]);
    world.sh(dir, 'echo 2 > sub/unused && git -C sub commit -qam 2 && git commit -qam 2');
    expect(await told()).toEqual(['globbed: input-changed sub/unused']);
    world.sh(dir, 'echo 2 > sub/used && git -C sub commit -qam 3 && git commit -qam 3');
    expect(await told()).toEqual([
      'out: input-changed sub/used',
      'globbed: input-changed sub/unused, input-changed sub/used',
    ]);
    world.sh(dir, 'git submodule --quiet deinit -f sub');
    expect(await told()).toEqual(['out: input-changed sub', 'globbed: input-changed sub']);
  });

  test('results in a subdataset are told one by one', async () => {
    const { run, commit, told, dir } = dataset('echo 1 > in; echo 1 > in2');
    const sub = world.path(`sub-${made}`);
    world.sh(world.dir, `git init -q ${sub} && cd ${sub} && echo 1 > f && git add . && git commit -qm s`);
    world.sh(dir, `git submodule --quiet add ${sub} sub && git commit -qm sub`);
    run(['-i', 'in', '-o', 'sub/a'], 'cat in > sub/a');
    run(['-i', 'in2', '-o', 'sub/b'], 'cat in2 > sub/b');
    expect(await told()).toEqual([]);
    commit('echo 2 > in');
    expect(await told()).toEqual(['sub/a: input-changed in']);
    world.sh(dir, 'echo edited > sub/b && git -C sub commit -qam edited && git commit -qam edited');
    expect(await told()).toEqual(['sub/a: input-changed in', 'sub/b: output-edited sub/b']);
  });
});

describe('reprise stale', () => {
  test('prints causes, executes nothing, and tells by its exit code when asked', async () => {
    const { run, commit, dir } = dataset('echo 1 > in');
    expect(world.reprise(dir, ['stale'])).toMatchObject({ code: 0, stdout: 'nothing is stale\n' });
    const first = run(['-i', 'in', '-o', 'sub/out'], 'mkdir -p sub; cat in > sub/out; date > sub/at');
    run(['-i', 'sub/out', '-o', 'end'], 'cat sub/out > end');
    expect(world.reprise(dir, ['stale', '--exit-code']).code).toBe(0);
    commit('echo 2 > in');
    const before = world.sh(dir, 'git status --porcelain; git rev-parse HEAD; cat sub/at');
    const said = world.reprise(dir, ['stale']);
    expect(said.code).toBe(0);
    expect(said.stdout).toMatch(
      new RegExp(
        `^${first.slice(0, 8)} sub/at, sub/out\n  in changed \\(\\w{8} -> \\w{8}\\)\n\\w{8} end\n  sub/out is stale itself, made by ${first.slice(0, 8)}\n2 outdated\n$`,
      ),
    );
    expect(world.reprise(join(dir, 'sub'), ['stale', '../end']).stdout).toMatch(/^\w{8} end\n.*\n1 outdated\n$/);
    expect(world.reprise(dir, ['stale', '--exit-code']).code).toBe(1);
    const json = JSON.parse(world.reprise(dir, ['-f', 'json', 'stale', 'sub']).stdout);
    expect(json).toMatchObject({ action: 'stale', commit: first, outputs: ['sub/at', 'sub/out'], outdated: true });
    expect(world.reprise(dir, ['stale', '/elsewhere'])).toMatchObject({ code: 1 });
    expect(world.sh(dir, 'git status --porcelain; git rev-parse HEAD; cat sub/at')).toBe(before);
  });
});

describe('reprise rerun --stale', () => {
  test('tells each result with its cause, and reruns these only, in the order in which they need each other', () => {
    const { run, commit, dir } = dataset('echo 1 > in; echo 1 > other');
    const middle = run(['-i', 'in', '-o', 'middle'], 'cat in > middle');
    const end = run(['-i', 'middle', '-o', 'end'], 'cat middle middle > end');
    run(['-i', 'other', '-o', 'untouched'], 'cat other > untouched; date +%N >> untouched');
    const nothing = world.reprise(dir, ['rerun', '--stale']);
    expect(nothing).toMatchObject({ code: 0, stdout: '' });
    expect(nothing.stderr).toContain('nothing is stale');

    const changed = commit('echo 22 > in');
    const causes = `${middle.slice(0, 8)} middle\n  in changed (`;
    const upstream = `${end.slice(0, 8)} end\n  middle is stale itself, made by ${middle.slice(0, 8)}\n`;
    for (const looking of ['--dry-run', '--report']) {
      const said = world.reprise(dir, ['rerun', '--stale', looking]);
      expect(said.code, said.stderr).toBe(0);
      expect(said.stdout.startsWith(causes) && said.stdout.includes(upstream), said.stdout).toBe(true);
      expect(world.git(dir, 'rev-parse', 'HEAD')).toBe(changed);
    }
    // What goes to standard output is a script, and nothing else.
    expect(world.reprise(dir, ['rerun', '--stale', '--script=-']).stdout).toMatch(/^#!\/bin\/sh\n/);

    const ended = world.reprise(dir, ['rerun', '--stale']);
    expect(ended.code, ended.stderr).toBe(0);
    expect(ended.stdout.startsWith(causes), ended.stdout).toBe(true);
    expect(ended.stdout.indexOf(upstream)).toBeLessThan(ended.stdout.indexOf('run(ok)'));
    expect(world.sh(dir, 'cat middle end')).toBe('22\n22\n22');
    expect(world.git(dir, 'diff', '--name-only', changed, 'HEAD').split('\n')).toEqual(['end', 'middle']);
    expect(world.reprise(dir, ['stale', '--exit-code']).stdout).toBe('nothing is stale\n');
  });

  test('needs no content, and takes neither a revision nor --since', () => {
    const { run, commit, dir } = dataset('echo 1 > in', true);
    run(['-i', 'in', '-o', 'out'], 'cat in > out');
    commit('git rm -q in; echo 2 > in');
    const clone = world.path('stale-clone');
    world.git(world.dir, 'clone', '-q', dir, clone);
    const said = world.reprise(clone, ['-f', 'json', 'rerun', '--stale', '--dry-run']);
    expect(said.code, said.stderr).toBe(0);
    expect(
      said.stdout
        .split('\n')
        .slice(0, -1)
        .map((line) => JSON.parse(line)),
    ).toMatchObject([
      { action: 'stale', outputs: ['out'], causes: [{ kind: 'input-changed', path: 'in' }] },
      { action: 'run [dry-run]', rerun_action: 'run' },
    ]);
    for (const words of [['HEAD'], ['--since=']])
      expect(world.reprise(clone, ['rerun', '--stale', ...words])).toMatchObject({ code: 2, stdout: '' });
  });
});
