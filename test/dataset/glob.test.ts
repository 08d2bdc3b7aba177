import { mkdirSync } from 'node:fs';
import { fc } from '../support/random.ts';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { nameMatcher } from '../../src/core/fnmatch.ts';
import { globPaths } from '../../src/dataset/glob.ts';
import { cpuMillisecondsOf } from '../support/cpu-time.ts';
import { DEEP, pattern, plant, sorted, tree } from '../support/odd-trees.ts';
import { describeWith } from '../support/oracles.ts';
import { GLOB_AS_NOW, type PythonOracle, startPython } from '../support/python-oracle.ts';
import { createWorld, type World } from '../support/world.ts';

describe('glob', () => {
  let world: World;
  beforeEach(() => {
    world = createWorld();
  });
  afterEach(() => world.remove());

  test('finds files, folders and links, hidden ones only when asked', () => {
    const root = world.path('tree');
    plant(root, [
      ['d/1.dat', 'file'],
      ['d/e/3.dat', 'file'],
      ['d/.h/4.dat', 'file'],
      ['gone.dat', { link: 'nowhere' }],
      ['.git', 'folder'],
    ]);
    expect(sorted(globPaths('d/**', root))).toEqual(['d/', 'd/1.dat', 'd/e', 'd/e/3.dat']);
    expect(sorted(globPaths('**/*.dat', root))).toEqual(['d/1.dat', 'd/e/3.dat', 'gone.dat']);
    expect(globPaths('.*', root)).toEqual(['.git']);
    expect(globPaths('gone.dat', root)).toEqual(['gone.dat']);
    expect(sorted(globPaths('*/', root))).toEqual(['d/']);
    expect(globPaths('nope/*', root)).toEqual([]);
    for (const none of ['nope/**', 'd/1.dat/**', 'gone.dat/**']) expect(globPaths(none, root)).toEqual([]);
  });

  test('a name with wildcards is written with a set', () => {
    const root = world.path('tree');
    plant(root, [
      ['[x].dat', 'file'],
      ['x.dat', 'file'],
    ]);
    expect(globPaths('[x].dat', root)).toEqual(['x.dat']);
    expect(globPaths('[[]x].dat', root)).toEqual(['[x].dat']);
  });

  test('names that are not UTF-8 survive', () => {
    const root = world.path('tree');
    plant(root, [
      ['d\udcff/\udce9.dat', 'file'],
      ['d\udcff/\ufffd.dat', 'file'],
    ]);
    expect(sorted(globPaths('*/?.dat', root))).toEqual(sorted(['d\udcff/\udce9.dat', 'd\udcff/\ufffd.dat']));
    expect(globPaths('d\udcff/[\udce9].dat', root)).toEqual(['d\udcff/\udce9.dat']);
  });

  test('a hostile pattern ends soon', async () => {
    const matcher = nameMatcher(`${'*a'.repeat(100)}*b`);
    expect(await cpuMillisecondsOf(() => expect(matcher('a'.repeat(255))).toBe(false))).toBeLessThan(1000);
    expect(() => globPaths('*/'.repeat(50_000), world.dir)).toThrow(
      expect.objectContaining({ code: 'pattern-too-wide' }),
    );
  });

  test('links in circles that multiply are refused instead of followed forever', () => {
    const root = world.path('tree');
    plant(root, [['a', 'folder'], ...['b', 'c', 'd'].map((link) => [`a/${link}`, { link: '.' }] as const)]);
    expect(() => globPaths('**', root, 20_000)).toThrow(expect.objectContaining({ code: 'pattern-too-wide' }));
  });
});

describeWith(['python3'], 'glob as in Python', () => {
  let world: World;
  let oracle: PythonOracle;
  let count = 0;
  beforeAll(() => {
    world = createWorld();
    oracle = startPython(`
import fnmatch, glob, os
${GLOB_AS_NOW}
def answer(case):
    if 'names' in case:
        return [[fnmatch.fnmatchcase(n, p) for n in case['names']] for p in case['patterns']]
    os.chdir(case['cwd'])
    return [sorted(glob.glob(p, recursive=True)) for p in case['patterns']]
`);
  });
  afterAll(async () => {
    await oracle.close();
    world.remove();
  });

  test('any pattern matches the same names', async () => {
    const unit = fc.constantFrom(...Array.from('abcABC01*?[]!-^.\\&|~x{}\n'), 'é', '😀', '\udcff');
    const names = fc.array(fc.string({ unit, maxLength: 4 }), { minLength: 5, maxLength: 20 });
    const set = fc
      .string({ unit: fc.constantFrom(...Array.from('abcx!-^]\\[&|~z')), maxLength: 9 })
      .map((inner) => `[${inner}]`);
    const parts = fc.array(fc.oneof(set, fc.string({ unit, maxLength: 4 })), { maxLength: 3 }).map((p) => p.join(''));
    await fc.assert(
      fc.asyncProperty(fc.array(parts, { maxLength: 10 }), names, async (patterns, names) => {
        const singles = [...names, ...Array.from('abcxz!-^]\\[&|~y')];
        const ours = patterns.map((pattern) => singles.map(nameMatcher(pattern)));
        expect(ours).toEqual(await oracle.ask({ names: singles, patterns }));
      }),
      { numRuns: 1500 },
    );
  });

  test('any pattern finds the same paths in any tree, as many times', async () => {
    await fc.assert(
      fc.asyncProperty(tree, fc.array(pattern, { minLength: 20, maxLength: 40 }), async (tree, patterns) => {
        const cwd = world.path(`${(count += 1)}`, DEEP, 'root');
        mkdirSync(cwd);
        plant(cwd, tree);
        const ours = patterns.map((pattern) => sorted(globPaths(pattern, cwd)));
        expect(ours).toEqual(await oracle.ask({ cwd, patterns }));
      }),
      { numRuns: 150 },
    );
  });

  test('a circle of links is followed as far as the system follows it', async () => {
    const cwd = world.path('circle');
    plant(cwd, [
      ['d/f', 'file'],
      ['d/again', { link: '..' }],
    ]);
    const patterns = ['**', '**/f', '**/', 'd/**/d/*'];
    expect(patterns.map((pattern) => sorted(globPaths(pattern, cwd)))).toEqual(await oracle.ask({ cwd, patterns }));
  });
});
