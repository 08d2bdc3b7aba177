/** Many objects, large and small, there or not, from one Git process. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { withObjects } from '../../src/dataset/object-reader.ts';
import { requireRepo, type Repo } from '../../src/dataset/repo.ts';
import { defaultContext } from '../../src/sys/context.ts';
import { createWorld, type World } from '../support/world.ts';

let world: World;
let repo: Repo;
beforeAll(() => {
  world = createWorld();
  const root = world.path('dataset');
  world.ok(['git', 'init', '-q', root]);
  world.write(`${root}/small`, 'small\n');
  world.write(`${root}/empty`, '');
  world.write(`${root}/large`, 'line\nabc def 12\n'.repeat(40_000));
  world.git(root, 'add', '.');
  repo = requireRepo(root, defaultContext({ cwd: root, env: world.env }), true);
});
afterAll(() => world.remove());

const texts = (contents: readonly (Buffer | null)[]) => contents.map((content) => content?.toString('utf8') ?? null);

test('answers come in the order of the questions, whichever come at once', async () => {
  const large = 'line\nabc def 12\n'.repeat(40_000);
  const [first, second, third] = await withObjects(repo, async (objects) => {
    const both = await Promise.all([
      objects.read([':small', ':missing', ':large', ':empty']),
      objects.read([Buffer.from(':large'), ':small']),
    ]);
    return [...both, await objects.read(Array.from({ length: 3000 }, (_, at) => (at % 2 ? ':small' : 'abc def 12')))];
  });
  expect(texts(first ?? [])).toEqual(['small\n', null, large, '']);
  expect(texts(second ?? [])).toEqual([large, 'small\n']);
  expect(new Set(texts(third ?? []))).toEqual(new Set([null, 'small\n']));
  expect(third).toHaveLength(3000);
});

test('a Git that cannot answer is an error, not a wait', async () => {
  const elsewhere = { ...repo, root: world.dir };
  await expect(withObjects(elsewhere, (objects) => objects.read([':small']))).rejects.toMatchObject({
    code: 'git-failed',
    message: expect.stringContaining('not a git repository'),
  });
});

test('what stops a reading ends its process', async () => {
  const stop = new Error('stop');
  await expect(
    withObjects(repo, async () => {
      throw stop;
    }),
  ).rejects.toBe(stop);
});
