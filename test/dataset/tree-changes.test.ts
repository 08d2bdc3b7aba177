/** What differs between commits, for several pairs by one process. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Repo, requireRepo } from '../../src/dataset/repo.ts';
import { diffCommits, diffTrees } from '../../src/dataset/tree-changes.ts';
import { createWorld, type World } from '../support/world.ts';

describe('what differs between commits', () => {
  let world: World;
  let repo: Repo;
  const commits: string[] = [];

  beforeAll(() => {
    world = createWorld();
    const path = world.path('repo');
    world.git(world.dir, 'init', '-q', path);
    const steps = [
      'echo 1 >one; mkdir d; echo 2 >d/two',
      // The name is as long as names may be tricky: it looks like a change, and like a commit.
      `echo 3 >":100644 100644 $(git rev-parse HEAD) x"; printf x >"$(printf 'a\\nb\\t\\377')"; rm one`,
      ':',
      'git checkout -q -b side HEAD~2; echo s >side',
    ];
    for (const step of steps) {
      world.sh(path, `${step}; git add -A; git commit -q --allow-empty -m step`);
      commits.push(world.git(path, 'rev-parse', 'HEAD'));
    }
    world.sh(path, `git merge -q -m merge ${commits[2]}`);
    commits.push(world.git(path, 'rev-parse', 'HEAD'));
    repo = requireRepo(path, { cwd: path, env: world.env, overrides: [], emit: () => {} }, true);
  });
  afterAll(() => world.remove());

  test('is the same for many pairs at once as for each alone, whatever their ancestry', async () => {
    const pairs = commits.flatMap((from) => commits.map((to) => [from, to] as const));
    const alone = await Promise.all(pairs.map(([from, to]) => diffTrees(repo, from, to)));
    expect(await diffCommits(repo, pairs)).toEqual(alone);
    expect(alone.filter((differences) => differences.size > 0)).toHaveLength(18);
  });

  test('a commit against nothing is all that it holds', async () => {
    const [first, second] = commits as [string, string];
    const [all, none, back, nothing] = await diffCommits(repo, [
      [null, first],
      [second, second],
      [first, null],
      [null, null],
    ]);
    expect([...all].map(([path, { before, after }]) => [path, before, after?.mode])).toEqual([
      ['d/two', null, '100644'],
      ['one', null, '100644'],
    ]);
    expect([...back].map(([path, { before, after }]) => [path, before?.mode, after])).toEqual([
      ['d/two', '100644', null],
      ['one', '100644', null],
    ]);
    expect([none.size, nothing.size]).toEqual([0, 0]);
  });
});
