import { dirname } from 'node:path';
import { fc } from '../support/random.ts';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { expand, expandStrict, globPatterns } from '../../src/dataset/globbed-paths.ts';
import { DEEP, pattern, plant, tree } from '../support/odd-trees.ts';
import { describeWith } from '../support/oracles.ts';
import { GLOB_AS_NOW, type PythonOracle, pythonOfDatalad, startPython } from '../support/python-oracle.ts';
import { createWorld, type World } from '../support/world.ts';

describe('declared paths', () => {
  let world: World;
  let pwd: string;
  beforeAll(() => {
    world = createWorld();
    pwd = world.path('set');
    plant(pwd, [
      ['b', 'file'],
      ['a', 'file'],
      ['d1/x', 'file'],
      ['d2/x', 'file'],
    ]);
  });
  afterAll(() => world.remove());
  const expanded = (...patterns: string[]): string[] => expand(globPatterns(patterns, pwd));

  test('are sorted per pattern, in the order of the patterns, duplicates kept', () => {
    expect(expanded('d*', '?', 'a')).toEqual(['d1', 'd2', 'a', 'b', 'a']);
  });

  test('come in their shortest form, but for a leading ./ and a final slash', () => {
    expect(expanded('d1/../a', 'd1//x', './a', 'd1/', `${pwd}/b`, `${pwd}/d2/*`)).toEqual([
      'a',
      'd1/x',
      './a',
      'd1/',
      'b',
      'd2/x',
    ]);
  });

  test('a dot is the whole folder, first and never globbed', () => {
    const result = globPatterns(['a', ' . '], pwd);
    expect(expand(result)).toEqual(['.', 'a']);
    expect(expand(result, { dot: false })).toEqual(['a']);
  });

  test('a pattern may match in part, or not at all', () => {
    const result = globPatterns(['d*/nope', 'nope*', 'a'], pwd);
    expect(expand(result)).toEqual(['d1/', 'd2/', 'nope*', 'a']);
    expect(expandStrict(result)).toEqual(['a']);
    expect([...result.partial.keys()]).toEqual(['d*/nope']);
    expect([...result.misses]).toEqual(['nope*']);
  });
});

describeWith(['datalad'], 'globbed paths as in DataLad', () => {
  let world: World;
  let oracle: PythonOracle;
  let count = 0;
  beforeAll(() => {
    world = createWorld();
    oracle = startPython(
      `
${GLOB_AS_NOW}
from datalad.support.globbedpaths import GlobbedPaths
def answer(case):
    g = GlobbedPaths(case['patterns'], pwd=case['pwd'])
    return [g.expand(), g.expand(dot=False), g.expand_strict(), g.expand(include_misses=False), g.expand(include_partial=False),
            g.partial_hits, g.misses]
`,
      pythonOfDatalad(),
    );
  });
  afterAll(async () => {
    await oracle.close();
    world.remove();
  });

  const views = (patterns: readonly string[], pwd: string): readonly (readonly string[])[] => {
    const result = globPatterns(patterns, pwd);
    return [
      expand(result),
      expand(result, { dot: false }),
      expandStrict(result),
      expand(result, { misses: false }),
      expand(result, { partial: false }),
      [...result.partial.values()].flat(),
      [...result.misses],
    ];
  };

  test('any patterns expand to the same lists in any tree', async () => {
    const any = fc.oneof(
      { weight: 8, arbitrary: pattern },
      {
        weight: 1,
        arbitrary: fc.constantFrom(
          '.',
          ' .\n',
          './',
          '',
          './.',
          '../root/a',
          '../linked/a',
          '../../../../../../../../../../..',
        ),
      },
      // `=` stands for the folder itself, as an absolute path.
      { weight: 1, arbitrary: fc.constantFrom('=', '=/', '=/*', '=/a/', '=/../*', '/tmp') },
    );
    await fc.assert(
      fc.asyncProperty(
        tree,
        fc.array(fc.array(any, { maxLength: 4 }), { minLength: 10, maxLength: 20 }),
        fc.boolean(),
        async (tree, lists, linked) => {
          const base = dirname(world.path(`${(count += 1)}`, DEEP, 'root'));
          plant(base, [
            ['root', 'folder'],
            ['linked', { link: 'root' }],
          ]);
          plant(`${base}/root`, tree);
          const pwd = `${base}/${linked ? 'linked' : 'root'}`;
          for (const list of lists) {
            const patterns = list.map((p) => p.replace('=', () => pwd));
            expect(views(patterns, pwd)).toEqual(await oracle.ask({ patterns, pwd }));
          }
        },
      ),
      { numRuns: 60 },
    );
  });
});
