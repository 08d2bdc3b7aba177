/** What a reflog tells of the way from one commit to another. */
import { appendFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readMoves } from '../../src/dataset/reflog.ts';
import { type Repo, requireRepo } from '../../src/dataset/repo.ts';
import { defaultContext } from '../../src/sys/context.ts';
import { createWorld, type World } from '../support/world.ts';

let world: World;
beforeAll(() => {
  world = createWorld();
});
afterAll(() => world.remove());

/** A repository with some commits, and their names, oldest first. */
function repository(name: string, commits: number): { readonly repo: Repo; readonly names: readonly string[] } {
  world.sh(
    world.dir,
    `git init -q ${name} && cd ${name} && for i in $(seq ${commits}); do git commit -q --allow-empty -m "number $i"; done`,
  );
  const root = world.path(name);
  const names = world.git(root, 'log', '--reverse', '--format=%H').split('\n');
  return { repo: requireRepo(root, defaultContext({ cwd: root, env: world.env }), true), names };
}

test('the moves between two commits, in order', async () => {
  const { repo, names } = repository('few', 5);
  const moves = await readMoves(repo, names[1] as string, names[3] as string);
  expect(moves?.map(({ message }) => message)).toEqual(['commit: number 3', 'commit: number 4']);
  expect(moves?.map(({ to }) => to)).toEqual([names[2], names[3]]);
});

test('a way that is longer than what is read at once', async () => {
  const { repo, names } = repository('many', 150);
  const moves = await readMoves(repo, names[0] as string, names[149] as string);
  expect(moves?.map(({ to }) => to)).toEqual(names.slice(1));
});

test('after a detour, only the last way counts', async () => {
  const { repo, names } = repository('detour', 3);
  world.sh(repo.root, `git reset -q --hard ${names[0]} && git commit -q --allow-empty -m other`);
  const tip = world.git(repo.root, 'rev-parse', 'HEAD');
  expect((await readMoves(repo, names[0] as string, tip))?.map(({ message }) => message)).toEqual(['commit: other']);
  const roundabout = await readMoves(repo, names[1] as string, tip);
  expect(roundabout?.map(({ message }) => message.replace(/:.*/, ''))).toEqual(['commit', 'reset', 'commit']);
});

test('nothing is told where there is no way, a gap in it, or no reflog', async () => {
  const { repo, names } = repository('gap', 3);
  const [first, , third] = names as [string, string, string];
  expect(await readMoves(repo, third, first)).toBeNull();
  expect(await readMoves(repo, 'f'.repeat(40), third)).toBeNull();
  const fourth = 'a'.repeat(40);
  const log = join(repo.gitDir, 'logs/refs/heads', world.git(repo.root, 'symbolic-ref', '--short', 'HEAD'));
  appendFileSync(log, `${'b'.repeat(40)} ${fourth} T <t@example.org> 1 +0000\tcommit: after a gap\n`);
  expect(await readMoves(repo, first, fourth)).toBeNull();
  rmSync(log);
  expect(await readMoves(repo, first, third)).toBeNull();
});
