/** Runs inside runs: every one keeps its own record, and they know each other. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { dataladArgv, describeWith } from '../support/oracles.ts';
import { commitsOf, failuresOf, type FoundCommit, leftovers, startReprise } from '../support/runs.ts';
import { cliPath, createWorld, type World } from '../support/world.ts';

let world: World;
/** The built command, as a command line inside a run would name it. */
const inner = `"${process.execPath}" "${cliPath}"`;

beforeAll(() => {
  world = createWorld();
  world.reprise(world.dir, ['create', 'base']);
});
afterAll(() => world.remove());

function fresh(name: string): string {
  world.ok(['cp', '-aT', world.path('base'), world.path(name)]);
  return world.path(name);
}

function plain(name: string): string {
  world.sh(world.dir, `git init -q '${name}' && cd '${name}' && git commit -q --allow-empty -m start`);
  return world.path(name);
}

function runsOf(repo: string, since: string): readonly FoundCommit[] {
  return commitsOf(world, repo, `${since}..HEAD`).filter(({ record }) => record !== null);
}

/** The run commit whose command holds some text, and whose subject is not that of a run around it. */
function runOf(runs: readonly FoundCommit[], message: string): FoundCommit {
  const found = runs.filter(({ subject }) => subject === `[DATALAD RUNCMD] ${message}`);
  expect(found.map(({ subject }) => subject)).toHaveLength(1);
  return found[0] as FoundCommit;
}

/** Both ways: the parent names its children, each child its parent. */
function expectFamily(parent: FoundCommit, children: readonly FoundCommit[]): void {
  expect([...(parent.record?.reprise?.children ?? [])].sort()).toEqual(
    children.map((child) => `${child.record?.reprise?.run}`).sort(),
  );
  for (const child of children) expect(child.record?.reprise?.parent).toBe(parent.record?.reprise?.run);
}

function expectClean(dataset: string): void {
  expect(world.git(dataset, 'status', '--porcelain')).toBe('');
  expect(leftovers(world, dataset)).toEqual([]);
}

describeWith(['git-annex'], 'a run inside a run', () => {
  test('keeps its own record; the outer one is accepted, and they name each other', () => {
    const dataset = fresh('two');
    const since = world.git(dataset, 'rev-parse', 'HEAD');
    const out = world.reprise(dataset, [
      'run',
      '-m',
      'outer',
      '-o',
      'outer.txt',
      `${inner} run -m inner -o inner.txt 'echo inner > inner.txt' && echo outer > outer.txt`,
    ]);
    expect(out).toMatchObject({ code: 0 });
    const runs = runsOf(dataset, since);
    expect(runs).toHaveLength(2);
    const [innerRun, outerRun] = [runOf(runs, 'inner'), runOf(runs, 'outer')];
    expectFamily(outerRun, [innerRun]);
    expect(innerRun.changes).toEqual(['A inner.txt']);
    expect(innerRun.record).toMatchObject({ cmd: 'echo inner > inner.txt', outputs: ['inner.txt'], exit: 0 });
    // The outer run is a merge of where it started and of where it ended.
    expect(outerRun.parents[0]).toBe(since);
    expect(world.git(dataset, 'rev-parse', `${outerRun.parents[1]}^{tree}`)).toBe(
      world.git(dataset, 'rev-parse', `${outerRun.id}^{tree}`),
    );
    expect(world.git(dataset, 'rev-parse', 'HEAD')).toBe(outerRun.id);
    expect(outerRun.record?.reprise?.['undeclared']).toBeUndefined();
    expect(readFileSync(join(dataset, 'outer.txt'), 'utf8')).toBe('outer\n');
    expectClean(dataset);
  });

  test('also three levels deep', () => {
    const dataset = fresh('three');
    const since = world.git(dataset, 'rev-parse', 'HEAD');
    world.write(join(world.dir, 'inner.sh'), `${inner} run -m third 'echo 3 > three' && echo 2 > two\n`);
    world.write(join(world.dir, 'middle.sh'), `${inner} run -m second sh ../inner.sh && echo 1 > one\n`);
    expect(world.reprise(dataset, ['run', '-m', 'first', 'sh ../middle.sh'])).toMatchObject({ code: 0 });
    const runs = runsOf(dataset, since);
    expect(runs).toHaveLength(3);
    expectFamily(runOf(runs, 'first'), [runOf(runs, 'second')]);
    expectFamily(runOf(runs, 'second'), [runOf(runs, 'third')]);
    expect(runOf(runs, 'third').changes).toEqual(['A three']);
    expect(runOf(runs, 'second').changes.toSorted()).toEqual(['A three', 'A two']);
    expect(runOf(runs, 'first').changes.toSorted()).toEqual(['A one', 'A three', 'A two']);
    expectClean(dataset);
  });

  test('several at once inside one outer run', () => {
    const dataset = fresh('parallel');
    const since = world.git(dataset, 'rev-parse', 'HEAD');
    const line = `for n in 1 2 3 4 5 6; do ${inner} run --explicit -m "inner $n" -o in/$n "mkdir -p in; echo $n > in/$n" & done; wait; echo done > done`;
    const out = world.reprise(dataset, ['run', '--no-placeholders', '-m', 'outer', line]);
    expect(out).toMatchObject({ code: 0 });
    const runs = runsOf(dataset, since);
    expect(runs).toHaveLength(7);
    const inners = runs.filter(({ subject }) => subject.includes('inner'));
    expectFamily(runOf(runs, 'outer'), inners);
    expect(inners.map(({ changes }) => changes)).toEqual(inners.map(({ record }) => [`A ${record?.outputs[0]}`]));
    expect(inners.every(({ parents }) => parents.length === 1)).toBe(true);
    expectClean(dataset);
  });

  test('with --explicit inside, and files of the outer run that are not saved yet', () => {
    const dataset = fresh('inner-explicit');
    const since = world.git(dataset, 'rev-parse', 'HEAD');
    const line = `echo early > early && ${inner} run --explicit -m inner -o inner.txt 'echo 1 > inner.txt' && echo late > late`;
    expect(world.reprise(dataset, ['run', '-m', 'outer', line])).toMatchObject({ code: 0 });
    const runs = runsOf(dataset, since);
    expectFamily(runOf(runs, 'outer'), [runOf(runs, 'inner')]);
    expect(runOf(runs, 'inner').changes).toEqual(['A inner.txt']);
    expect(runOf(runs, 'outer').changes.toSorted()).toEqual(['A early', 'A inner.txt', 'A late']);
    expectClean(dataset);
  });

  test('without --explicit: what the outer run wrote before is not in its commit', () => {
    const dataset = fresh('inner-whole');
    const since = world.git(dataset, 'rev-parse', 'HEAD');
    const line = `echo early > early && ${inner} run -m inner 'echo 1 > inner.txt' && echo late > late`;
    expect(world.reprise(dataset, ['run', '-m', 'outer', line])).toMatchObject({ code: 0 });
    const runs = runsOf(dataset, since);
    expect(runOf(runs, 'inner').changes).toEqual(['A inner.txt']);
    expect(runOf(runs, 'inner').record?.reprise?.['undeclared']).toEqual(['inner.txt']);
    expect(runOf(runs, 'outer').changes.toSorted()).toEqual(['A early', 'A inner.txt', 'A late']);
    expectClean(dataset);
  });

  test.each([
    ['with --explicit', ''],
    ['with --explicit, called by what names its own moves', 'env GIT_REFLOG_ACTION=rebase '],
    ['with --explicit, called by what forgets about moves', 'env -u GIT_REFLOG_ACTION '],
  ])('in an outer run %s', (name, by) => {
    const dataset = fresh(`outer-${name.length}`);
    const since = world.git(dataset, 'rev-parse', 'HEAD');
    world.write(join(dataset, 'mine'), 'not part of it\n');
    const line = `${by}${inner} run --explicit -m inner -o inner.txt 'echo 1 > inner.txt' && echo 2 > outer.txt`;
    const out = world.reprise(dataset, ['run', '--explicit', '-m', 'outer', '-o', 'outer.txt', line]);
    expect(out).toMatchObject({ code: 0 });
    const runs = runsOf(dataset, since);
    expectFamily(runOf(runs, 'outer'), [runOf(runs, 'inner')]);
    expect(runOf(runs, 'inner').changes).toEqual(['A inner.txt']);
    expect(runOf(runs, 'outer').changes.toSorted()).toEqual(['A inner.txt', 'A outer.txt']);
    expect(world.git(dataset, 'status', '--porcelain')).toBe('?? mine');
    expect(leftovers(world, dataset)).toEqual([]);
  });

  test('while the outer run has outputs prepared for writing: none is lost, none is the inner run’s', () => {
    const dataset = fresh('prepared');
    world.sh(dataset, 'mkdir res; for n in 1 2 3; do echo old $n > res/$n; done');
    expect(world.reprise(dataset, ['save', '-m', 'results']).code).toBe(0);
    const since = world.git(dataset, 'rev-parse', 'HEAD');
    const line = `echo new 1 > res/1 && ${inner} run -m inner 'echo 1 > inner.txt' && echo new 2 > res/2`;
    expect(world.reprise(dataset, ['run', '-m', 'outer', '-o', 'res', line])).toMatchObject({ code: 0 });
    const runs = runsOf(dataset, since);
    expect(runOf(runs, 'inner').changes).toEqual(['A inner.txt']);
    expect(runOf(runs, 'outer').changes.toSorted()).toEqual(['A inner.txt', 'M res/1', 'M res/2']);
    expect(['1', '2', '3'].map((n) => readFileSync(join(dataset, 'res', n), 'utf8'))).toEqual([
      'new 1\n',
      'new 2\n',
      'old 3\n',
    ]);
    world.ok(['git-annex', 'fsck', '--quiet'], { cwd: dataset });
    expectClean(dataset);
  });

  test('in a subdataset of the dataset of the outer run', () => {
    const dataset = fresh('with-sub');
    expect(world.reprise(dataset, ['create', '-d', '.', 'sub'])).toMatchObject({ code: 0 });
    const sub = join(dataset, 'sub');
    const since = { top: world.git(dataset, 'rev-parse', 'HEAD'), sub: world.git(sub, 'rev-parse', 'HEAD') };
    const line = `(cd sub && ${inner} run -m inner -o in.txt 'echo 1 > in.txt') && echo 2 > out.txt`;
    expect(world.reprise(dataset, ['run', '-m', 'outer', line])).toMatchObject({ code: 0 });
    const below = runsOf(sub, since.sub);
    const above = runsOf(dataset, since.top);
    const innerRun = runOf(below, 'inner');
    const outerRun = runOf(above, 'outer');
    expect(innerRun.changes).toEqual(['A in.txt']);
    expectFamily(outerRun, [innerRun]);
    expect(world.git(dataset, 'rev-parse', 'HEAD:sub')).toBe(world.git(sub, 'rev-parse', 'HEAD'));
    expect(world.git(dataset, 'ls-tree', '--name-only', 'HEAD', 'out.txt')).toBe('out.txt');
    expectClean(dataset);
    expectClean(sub);
  });

  test('saves a change in a subdataset although an older one at the top has the same name', () => {
    const dataset = plain('same-name');
    world.sh(
      dataset,
      'git init -q sub && git -C sub commit -q --allow-empty -m start && git submodule --quiet add ./sub && git commit -qm sub',
    );
    const line = `echo outer > x && ${inner} run -m inner 'echo inner > sub/x'`;
    expect(world.reprise(dataset, ['run', '-m', 'outer', line])).toMatchObject({ code: 0 });
    expect(world.git(dataset, 'show', 'HEAD:x')).toBe('outer');
    expect(world.git(join(dataset, 'sub'), 'log', '--format=%s', '--', 'x')).toBe('[DATALAD RUNCMD] inner');
    expectClean(dataset);
  });

  test('several outer runs at once, each with runs inside: everybody has exactly their own', async () => {
    const dataset = fresh('families');
    const since = world.git(dataset, 'rev-parse', 'HEAD');
    const family = (name: string) =>
      startReprise(world, dataset, [
        'run',
        '--explicit',
        '-m',
        `outer ${name}`,
        '-o',
        `${name}/own`,
        `mkdir -p ${name} && for n in 1 2; do ${inner} run --explicit -m "inner ${name}" -o ${name}/$n "echo ${name} $n > ${name}/$n" || exit 1; done; echo ${name} > ${name}/own`,
      ]).done;
    expect(failuresOf(await Promise.all(['a', 'b', 'c', 'd'].map(family)))).toEqual([]);
    const runs = runsOf(dataset, since);
    expect(runs).toHaveLength(12);
    for (const name of ['a', 'b', 'c', 'd']) {
      const inners = runs.filter(({ subject }) => subject.endsWith(`inner ${name}`));
      const outer = runOf(runs, `outer ${name}`);
      expectFamily(outer, inners);
      expect(
        inners
          .map(({ changes }) => changes)
          .flat()
          .sort(),
      ).toEqual([`A ${name}/1`, `A ${name}/2`]);
      // Whatever the outer run's commit is, against its first parent it holds its family's files only.
      expect(outer.changes.filter((change) => !change.startsWith(`A ${name}/`))).toEqual([]);
      expect(outer.changes).toContain(`A ${name}/own`);
    }
    expectClean(dataset);
  });

  test('that fails makes the outer run fail, and what it had committed stays', () => {
    const dataset = fresh('failing');
    const since = world.git(dataset, 'rev-parse', 'HEAD');
    const line = `${inner} run -m good 'echo 1 > good' && ${inner} run -m bad 'echo 2 > bad; exit 7'`;
    expect(world.reprise(dataset, ['run', '-m', 'outer', line])).toMatchObject({ code: 7 });
    expect(runsOf(dataset, since).map(({ subject }) => subject)).toEqual(['[DATALAD RUNCMD] good']);
    expect(world.git(dataset, 'status', '--porcelain')).toBe('?? bad');
    expect(leftovers(world, dataset)).toEqual([]);
  });
});

describe('a command that commits by itself', () => {
  test('gives a merge of before and after, and a commit of what remained', () => {
    const dataset = plain('committing');
    const since = world.git(dataset, 'rev-parse', 'HEAD');
    const line = 'echo 1 > f1 && git add f1 && git commit -qm own && echo 2 > f2';
    expect(world.reprise(dataset, ['run', line])).toMatchObject({ code: 0 });
    const [own, rest, merge] = commitsOf(world, dataset, `${since}..HEAD`) as [FoundCommit, FoundCommit, FoundCommit];
    expect([own.subject, rest.subject]).toEqual(['own', 'Remaining changes after command execution']);
    expect([own.parents, rest.parents, merge.parents]).toEqual([[since], [own.id], [since, rest.id]]);
    expect(merge.record).toMatchObject({ cmd: line });
    expect(merge.changes).toEqual(['A f1', 'A f2']);
    expect(existsSync(join(dataset, '.git/MERGE_HEAD'))).toBe(false);
    expectClean(dataset);
  });

  const nameless = [
    ['in an environment of its own', 'echo 1 > f; git add f; env -i "PATH=$PATH" "HOME=$HOME" git commit -qm own'],
    ['by plumbing', 'echo 1 > f; git add f; git update-ref HEAD $(git commit-tree -m own -p HEAD $(git write-tree))'],
  ] as const;
  test.each(
    nameless.flatMap(([how, line]) => [
      [how, 'as a whole', line, []] as const,
      [how, 'with --explicit', line, ['--explicit', '-o', 'f']] as const,
    ]),
  )('whose commits carry no name of the run (%s, %s) is recorded all the same', (how, title, line, options) => {
    const dataset = plain(`nameless ${how} ${title}`);
    const since = world.git(dataset, 'rev-parse', 'HEAD');
    expect(world.reprise(dataset, ['run', ...options, line])).toMatchObject({ code: 0 });
    const commits = commitsOf(world, dataset, `${since}..HEAD`);
    expect(commits.map(({ subject }) => subject)[0]).toBe('own');
    expect(commits.slice(1).map(({ record }) => record?.cmd)).toEqual([line]);
    expect(commits.at(-1)?.parents.at(-1)).toBe(commits[0]?.id);
    expectClean(dataset);
  });

  test('an empty commit alone is enough for a record', () => {
    const dataset = plain('empty');
    const since = world.git(dataset, 'rev-parse', 'HEAD');
    expect(world.reprise(dataset, ['run', 'git commit -q --allow-empty -m nothing'])).toMatchObject({ code: 0 });
    const commits = commitsOf(world, dataset, `${since}..HEAD`);
    expect(commits.map(({ subject }) => subject)).toEqual([
      'nothing',
      '[DATALAD RUNCMD] git commit -q --allow-empty -m nothing',
    ]);
    expect(commits[1]?.parents).toEqual([since, commits[0]?.id]);
  });

  test('with --explicit must not commit what was not declared', () => {
    const dataset = plain('undeclared');
    const since = world.git(dataset, 'rev-parse', 'HEAD');
    const line = 'echo 1 > f1 && git add f1 && git commit -qm own && echo 2 > f2';
    const out = world.reprise(dataset, ['run', '--explicit', '-o', 'f2', line]);
    expect(out.code).toBe(1);
    expect(out.stderr).toContain('undeclared-committed');
    expect(out.stderr).toContain('f1');
    expect(commitsOf(world, dataset, `${since}..HEAD`).map(({ subject }) => subject)).toEqual(['own']);
    const ignoring = world.reprise(dataset, [
      '-c',
      'datalad.run.dirty-committed=ignore',
      'run',
      '--explicit',
      '-o',
      'f3',
      'echo 3 > g && git add g && git commit -qm again && echo 3 > f3',
    ]);
    expect(ignoring).toMatchObject({ code: 0 });
    expect(commitsOf(world, dataset, `${since}..HEAD`).at(-1)).toMatchObject({ changes: ['A f3', 'A g'] });
  });

  test('and rewrites what it started from is told, and nothing is joined', () => {
    const dataset = plain('rewriting');
    world.sh(dataset, 'echo 0 > f0 && git add f0 && git commit -qm zero');
    const out = world.reprise(dataset, ['run', 'echo 1 > f1 && git add f1 && git commit -q --amend -m one']);
    expect(out.code).toBe(1);
    expect(out.stderr).toContain('history-rewritten');
    expect(commitsOf(world, dataset).map(({ subject }) => subject)).toEqual(['start', 'one']);
  });
});

describeWith(['git-annex', 'datalad-latest'], 'the shape of a run whose command commits', () => {
  test('is the shape that DataLad 1.6 gives it, in the dataset and in its subdatasets', () => {
    const line =
      'echo 1 > f1 && git add f1 && git commit -qm own && echo 2 > f2 && cd sub && echo 3 > f3 && git add f3 && git commit -qm below && echo 4 > f4';
    const shape = (name: string, tool: (dataset: string) => { readonly code: number }) => {
      const dataset = fresh(name);
      expect(world.reprise(dataset, ['create', '-d', '.', 'sub']).code).toBe(0);
      const since = [world.git(dataset, 'rev-parse', 'HEAD'), world.git(join(dataset, 'sub'), 'rev-parse', 'HEAD')];
      expect(tool(dataset)).toMatchObject({ code: 0 });
      return [dataset, join(dataset, 'sub')].map((repo, index) => {
        const commits = commitsOf(world, repo, `${since[index]}..HEAD`);
        const place = new Map<string | undefined, number>(commits.map(({ id }, at) => [id, at]));
        return commits.map(({ subject, changes, parents, record }) => ({
          subject,
          changes: changes.filter((change) => change !== 'M .gitmodules').sort(),
          parents: parents.map((parent) => place.get(parent) ?? 'before'),
          cmd: record?.cmd,
        }));
      });
    };
    const theirs = shape('theirs', (cwd) => world.exec(dataladArgv('datalad-latest', ['run', line]), { cwd }));
    const ours = shape('ours', (cwd) => world.reprise(cwd, ['run', line]));
    expect(ours).toEqual(theirs);
  });
});
