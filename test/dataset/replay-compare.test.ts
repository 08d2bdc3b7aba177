/** Verdicts on replays in real repositories. */
import { join } from 'node:path';
import { chmodSync, symlinkSync, unlinkSync } from 'node:fs';
import { fc } from '../support/random.ts';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Repo, requireRepo } from '../../src/dataset/repo.ts';
import { openWorkspace } from '../../src/dataset/workspace.ts';
import { compareCommits, compareWorkTree } from '../../src/rerun/compare.ts';
import { describeWith } from '../support/oracles.ts';
import { createWorld, type World } from '../support/world.ts';

let world: World;
beforeAll(() => {
  world = createWorld();
});
afterAll(() => world.remove());

function repoOf(path: string): Repo {
  return requireRepo(path, { cwd: path, env: world.env, overrides: [], emit: () => {} }, true);
}

function create(name: string): string {
  const path = world.path(name);
  world.git(world.dir, 'init', '-q', path);
  return path;
}

/** Makes changes, saves them with git-annex, and returns the commit. */
function commit(path: string, line: string): string {
  world.sh(
    path,
    `${line}\ngit annex add -q . && git add -A && git commit -q --allow-empty -m '${line.slice(0, 20).replace(/\W/g, ' ')}'`,
  );
  return world.git(path, 'rev-parse', 'HEAD');
}

const brief = (verdicts: readonly { path: string; verdict: string }[]) =>
  Object.fromEntries(verdicts.map(({ path, verdict }) => [path, verdict]));

describeWith(['git-annex'], 'a replay compared with what was recorded', () => {
  let dataset: string;
  let parent: string;
  let recorded: string;
  const at = () => ({ commit: recorded, parent });

  beforeAll(() => {
    dataset = create('one');
    world.sh(dataset, 'git annex init -q');
    world.write(join(dataset, '.gitattributes'), '*.txt annex.largefiles=nothing\n* annex.backend=SHA256E\n');
    parent = commit(dataset, 'echo r > removed.dat; echo i > input.dat; echo k > kept.txt');
    recorded = commit(
      dataset,
      'git rm -q removed.dat; mkdir d; echo s > d/same.dat; echo c > changed.dat; echo g > gone.dat; echo t > text.txt; echo u > u.txt; printf "x" > "odd\n\\" name"',
    );
  });

  test('everything is identical where nothing was committed, and in a repeat that made the same', async () => {
    const all = { changed: 'identical', gone: 'identical' };
    const verdicts = await compareCommits(repoOf(dataset), at(), recorded, recorded);
    expect(brief(verdicts)).toMatchObject({
      'changed.dat': all.changed,
      'gone.dat': all.gone,
      'removed.dat': 'identical',
    });
    expect(new Set(verdicts.map(({ verdict }) => verdict))).toEqual(new Set(['identical']));
    expect(verdicts.map(({ path }) => path)).toEqual([
      'changed.dat',
      'd/same.dat',
      'gone.dat',
      'odd\n" name',
      'removed.dat',
      'text.txt',
      'u.txt',
    ]);
    expect(await compareWorkTree(repoOf(dataset), at(), recorded)).toEqual(verdicts);
    world.git(dataset, 'checkout', '-q', '--detach', parent);
    const repeat = commit(dataset, `git read-tree -u --reset ${recorded}`);
    expect(await compareCommits(repoOf(dataset), at(), repeat, parent)).toEqual(verdicts);
    const key = verdicts.find(({ path }) => path === 'd/same.dat');
    expect(key?.recorded).toMatch(/^annex:SHA256E-s2--[0-9a-f]{64}\.dat$/);
    expect(key?.replayed).toBe(key?.recorded);
    expect(verdicts.at(-1)?.recorded).toBe(`git:${world.git(dataset, 'rev-parse', `${recorded}:u.txt`)}`);
  });

  test('names what differs, what is missing and what nobody expected, committed or not', async () => {
    world.git(dataset, 'checkout', '-q', '--detach', parent);
    const work =
      'mkdir d; echo s > d/same.dat; echo other > changed.dat; echo t > text.txt; echo other > u.txt; echo e > extra.dat; echo e > kept.txt; printf "x" > "odd\n\\" name"';
    const expected = {
      'changed.dat': 'different',
      'd/same.dat': 'identical',
      'extra.dat': 'unexpected',
      'gone.dat': 'missing',
      'kept.txt': 'different',
      'odd\n" name': 'identical',
      'removed.dat': 'unexpected',
      'text.txt': 'identical',
      'u.txt': 'different',
    };
    world.sh(dataset, work);
    const before = await compareWorkTree(repoOf(dataset), at(), parent);
    expect(brief(before)).toEqual(expected);
    const replayed = commit(dataset, 'true');
    const after = await compareCommits(repoOf(dataset), at(), replayed, parent);
    expect(brief(after)).toEqual(expected);
    expect(await compareWorkTree(repoOf(dataset), at(), parent)).toEqual(after);
    // Known keys give the same digests before and after saving; a file that was not recorded has no key before it is saved.
    expect(before.filter(({ path }) => path !== 'extra.dat')).toEqual(after.filter(({ path }) => path !== 'extra.dat'));
    const options = { except: (path: string) => path.endsWith('.txt') };
    const without = await compareCommits(repoOf(dataset), at(), replayed, parent, options);
    expect(without.map(({ path }) => path)).toEqual(
      after.map(({ path }) => path).filter((path) => !path.endsWith('.txt')),
    );
  });

  test('the way a file is stored is no difference: unlocked, under another backend, in Git', async () => {
    world.git(dataset, 'checkout', '-q', '--detach', parent);
    const replayed = commit(
      dataset,
      `git read-tree -u --reset ${recorded}
      git annex unlock -q d/same.dat
      git rm -qf changed.dat gone.dat text.txt; echo c > changed.dat; git -c annex.largefiles=nothing annex add -q changed.dat
      echo g > gone.dat; git annex add -q --backend=MD5E gone.dat
      echo t > text.txt; git annex add -q --force-large text.txt`,
    );
    expect(world.git(dataset, 'diff', '--name-only', recorded, replayed).split('\n')).toEqual([
      'changed.dat',
      'd/same.dat',
      'gone.dat',
      'text.txt',
    ]);
    const verdicts = await compareCommits(repoOf(dataset), at(), replayed, parent);
    expect(new Set(verdicts.map(({ verdict }) => verdict))).toEqual(new Set(['identical']));
  });

  test('keys that say nothing about content are verified by content, or not at all', async () => {
    const path = create('worm');
    world.sh(path, 'git annex init -q; git config annex.backend WORM');
    const first = commit(path, 'echo start > start');
    const original = commit(path, 'echo abc > a; echo abc > b; touch -d 2001-01-01 a b');
    world.git(path, 'checkout', '-q', '--detach', first);
    const replayed = commit(path, 'echo abc > a; echo xyz > b; touch -d 2002-02-02 a b');
    const state = { commit: original, parent: first };
    const compared = () => compareCommits(repoOf(path), state, replayed, first);
    expect(brief(await compared())).toEqual({ a: 'identical', b: 'different' });
    world.sh(path, `git checkout -q ${original}; git annex drop -q --force a b`);
    expect(brief(await compared())).toEqual({ a: 'unverifiable', b: 'unverifiable' });
  });

  test('goes through subdatasets whose commits are here; else a subdataset is one output', async () => {
    const top = world.path('tree');
    world.ok([process.execPath, join(import.meta.dirname, '../../bin/reprise.js'), 'create', 'tree']);
    for (const sub of ['a', 'a/b'])
      expect(world.reprise(top, ['create', '-d', join(sub, '..'), sub])).toMatchObject({ code: 0 });
    expect(world.reprise(top, ['save', '-r'])).toMatchObject({ code: 0 });
    const runIt = (cwd: string, line: string) => {
      expect(world.reprise(cwd, ['run', '-o', 'a', line])).toMatchObject({ code: 0 });
      return world.git(cwd, 'rev-parse', 'HEAD');
    };
    const base = world.git(top, 'rev-parse', 'HEAD');
    const original = runIt(top, 'echo 1 > top.dat; echo 1 > a/in-a.dat; echo 1 > a/b/in-b.dat; echo 1 > a/b/gone.dat');
    const workspace = await openWorkspace(repoOf(top), base, { subdatasets: 'recorded' });
    const again = runIt(
      workspace.root,
      'echo 1 > top.dat; echo 1 > a/in-a.dat; echo 2 > a/b/in-b.dat; echo 1 > a/b/new.dat',
    );
    const state = { commit: original, parent: base };
    const expected = {
      'a/b/gone.dat': 'missing',
      'a/b/in-b.dat': 'different',
      'a/b/new.dat': 'unexpected',
      'a/in-a.dat': 'identical',
      'top.dat': 'identical',
    };
    expect(brief(await compareCommits(workspace.repo, state, again, base))).toEqual(expected);
    expect(brief(await compareWorkTree(workspace.repo, state, base))).toEqual(expected);
    // Not saved yet, in a subdataset.
    world.sh(workspace.root, 'rm a/b/in-b.dat; echo 1 > a/b/in-b.dat; rm a/in-a.dat');
    expect(brief(await compareWorkTree(workspace.repo, state, base))).toEqual({
      ...expected,
      'a/b/in-b.dat': 'identical',
      'a/in-a.dat': 'missing',
    });
    // The source has not got the commits of the replay's subdatasets.
    world.git(top, 'fetch', '-q', '--no-recurse-submodules', workspace.root, again);
    expect(brief(await compareCommits(repoOf(top), state, again, base))).toEqual({
      a: 'different',
      'top.dat': 'identical',
    });
    await workspace.close();
  });

  test('a root commit is compared with nothing', async () => {
    const path = create('root');
    world.sh(path, 'echo 1 > f; git add f; git commit -qm root');
    const root = world.git(path, 'rev-parse', 'HEAD');
    expect(brief(await compareCommits(repoOf(path), { commit: root, parent: null }, root, null))).toEqual({
      f: 'identical',
    });
  });

  test('links and modes in the work tree', async () => {
    const path = create('links');
    world.sh(
      path,
      'git commit -q --allow-empty -m 0; echo 1 > x; ln -s target l; ln -s target m; git add .; git commit -qm 1',
    );
    const [first, second] = ['HEAD~', 'HEAD'].map((name) => world.git(path, 'rev-parse', name)) as [string, string];
    chmodSync(join(path, 'x'), 0o755);
    unlinkSync(join(path, 'l'));
    symlinkSync('elsewhere', join(path, 'l'));
    unlinkSync(join(path, 'm'));
    world.write(join(path, 'm'), 'target');
    const state = { commit: second, parent: first };
    expect(brief(await compareWorkTree(repoOf(path), state, first))).toEqual({
      l: 'different',
      m: 'different',
      x: 'identical',
    });
  });
});

describe('verdicts of random replays', () => {
  const PATHS = ['a', 'b/a', 'b/b', 'c\n"', 'é'];
  type Tree = Record<string, string>;
  const tree: fc.Arbitrary<Tree> = fc
    .array(fc.tuple(fc.constantFrom(...PATHS), fc.constantFrom('1', '2', '3')))
    .map((pairs) => Object.fromEntries(pairs));

  /** The rules, on whole trees. */
  function model(parent: Tree, recorded: Tree, base: Tree, replayed: Tree): Tree {
    const verdicts = PATHS.flatMap((path): [string, string][] => {
      const [was, now] = [recorded[path], replayed[path]];
      const isOutput = parent[path] !== was;
      const isWritten = base[path] !== now;
      if (!isOutput && (!isWritten || was === now)) return [];
      if (was === now) return [[path, 'identical']];
      return [[path, was === undefined ? 'unexpected' : now === undefined ? 'missing' : 'different']];
    });
    return Object.fromEntries(verdicts);
  }

  test('are those of the rules, in commits and in the work tree', async () => {
    const path = create('random');
    const repo = repoOf(path);
    const quote = (name: string) => `"${name.replace(/["\\]/g, '\\$&').replaceAll('\n', '\\n')}"`;
    const write = (trees: readonly Tree[]) => {
      const commits = trees.map((files, index) => {
        const lines = Object.entries(files).map(([name, text]) => `M 100644 inline ${quote(name)}\ndata 1\n${text}\n`);
        return `commit refs/heads/t${index}\nmark :${index + 1}\ncommitter A <a@b> 1 +0000\ndata 0\n${lines.join('')}\n`;
      });
      const asks = trees.map((_, index) => `get-mark :${index + 1}\n`).join('');
      return world
        .ok(['git', 'fast-import', '--quiet', '--force'], { cwd: path, input: `${commits.join('')}${asks}` })
        .split('\n');
    };
    await fc.assert(
      fc.asyncProperty(tree, tree, tree, tree, async (parent, recorded, base, replayed) => {
        const [p, c, b, n] = write([parent, recorded, base, replayed]) as [string, string, string, string];
        const state = { commit: c, parent: p };
        const expected = model(parent, recorded, base, replayed);
        expect(brief(await compareCommits(repo, state, n, b))).toEqual(expected);
        world.sh(
          path,
          `git checkout -qf --detach ${b} && git clean -qfdx && git read-tree -u --reset ${n} && git read-tree ${b}`,
        );
        expect(brief(await compareWorkTree(repo, state, b))).toEqual(expected);
      }),
      { numRuns: 40 },
    );
  });
});
