import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { create, type CreateOptions } from '../../src/dataset/create.ts';
import { comparedVersions, describeWith } from '../support/oracles.ts';
import { type WarmDatalad, warmDatalad } from '../support/twins-datalad.ts';
import { createWorld, type World } from '../support/world.ts';
import { askDatalad, askOurs, contextIn, gitConfig, history } from './twins.ts';

function tree(folder: string): string {
  return execFileSync('find', ['.', '-name', '.git', '-prune', '-o', '-printf', '%p %y\\n'], { cwd: folder })
    .toString()
    .split('\n')
    .sort()
    .join('\n');
}

for (const which of comparedVersions) {
  describeWith([which, 'git-annex'], `create gives the dataset that ${which} gives`, () => {
    let world: World;
    let datalad: WarmDatalad;
    beforeAll(async () => {
      world = createWorld();
      for (const twin of ['theirs', 'ours']) mkdirSync(`${world.dir}/${twin}`);
      datalad = await warmDatalad(world, which);
    });
    afterAll(async () => {
      await datalad?.close();
      world.remove();
    });

    async function both(args: readonly string[], options: CreateOptions, cwd = '.') {
      const theirs = await askDatalad(world, datalad, `${world.dir}/theirs/${cwd}`, ['create', ...args]);
      const ours = await askOurs(
        world,
        create(options, contextIn(world, cwd === '.' ? `${world.dir}/ours` : `${world.dir}/ours/${cwd}`)),
      );
      return { theirs: { ...theirs, results: theirs.results.filter((result) => result['action'] !== 'run') }, ours };
    }

    function expectTwins(folder: string): void {
      const [theirs, ours] = [`${world.dir}/theirs/${folder}`, `${world.dir}/ours/${folder}`];
      expect(tree(ours)).toBe(tree(theirs));
      expect(history(world, ours)).toBe(history(world, theirs));
      expect(gitConfig(world, ours)).toBe(gitConfig(world, theirs));
      expect(world.git(ours, 'status', '--porcelain')).toBe(world.git(theirs, 'status', '--porcelain'));
      expect(world.git(ours, 'branch', '--format=%(refname)')).toBe(world.git(theirs, 'branch', '--format=%(refname)'));
    }

    test('an ordinary dataset', async () => {
      const { theirs, ours } = await both(['plain'], { words: ['plain'] });
      expect(ours).toEqual(theirs);
      expectTwins('plain');
    });

    test('a dataset without an annex', async () => {
      const { theirs, ours } = await both(['--no-annex', 'git'], { words: ['git'], noAnnex: true });
      expect(ours).toEqual(theirs);
      expectTwins('git');
    });

    test('procedures text2git and yoda', async () => {
      const { theirs, ours } = await both(['-c', 'text2git', '-c', 'yoda', 'both'], {
        words: ['both'],
        procedures: ['text2git', 'cfg_yoda'],
      });
      expect(ours).toEqual(theirs);
      expectTwins('both');
    });

    test('procedure noannex', async () => {
      const { theirs, ours } = await both(['-c', 'noannex', 'gone'], { words: ['gone'], procedures: ['noannex'] });
      expect(ours).toEqual(theirs);
      expect(history(world, `${world.dir}/ours/gone`)).toBe(history(world, `${world.dir}/theirs/gone`));
      expect(world.git(`${world.dir}/ours/gone`, 'branch', '--format=%(refname)')).toBe('refs/heads/main');
    });

    test('subdatasets, one inside the other', async () => {
      await both(['top'], { words: ['top'] });
      const first = await both(['-d', '.', 'a b'], { words: ['a b'], dataset: '.' }, 'top');
      expect(first.ours).toEqual(first.theirs);
      const second = await both(['-d', '.', 'a b/c.d/e'], { words: ['a b/c.d/e'], dataset: '.' }, 'top');
      expect(second.ours.code).toBe(0);
      // DataLad saves the chain in an order of its own; what is saved is the same.
      const paths = (answer: typeof second.ours) =>
        answer.results.map((result) => `${String(result['action'])} ${String(result['path'])}`).sort();
      expect(paths(second.ours)).toEqual(paths(second.theirs));
      for (const folder of ['top', 'top/a b', 'top/a b/c.d/e']) {
        if (which === 'datalad-latest') expectTwins(folder);
        else expect(tree(`${world.dir}/ours/${folder}`)).toBe(tree(`${world.dir}/theirs/${folder}`));
      }
    });

    test('an existing folder with --force, and again', async () => {
      for (const twin of ['theirs', 'ours']) {
        mkdirSync(`${world.dir}/${twin}/old`);
        writeFileSync(`${world.dir}/${twin}/old/data.txt`, 'mine\n');
        writeFileSync(`${world.dir}/${twin}/old/.gitattributes`, '*.txt text');
      }
      const refused = await both(['old'], { words: ['old'] });
      expect(refused.ours).toEqual(refused.theirs);
      const forced = await both(['--force', 'old'], { words: ['old'], force: true });
      expect(forced.ours).toEqual(forced.theirs);
      expectTwins('old');
      const before = world.git(`${world.dir}/ours/old`, 'rev-parse', 'HEAD');
      const again = await both(['--force', 'old'], { words: ['old'], force: true });
      expect(again.ours).toEqual(again.theirs);
      expect(world.git(`${world.dir}/ours/old`, 'rev-parse', 'HEAD')).toBe(before);
      expectTwins('old');
    });

    describe('places that are taken', () => {
      beforeAll(async () => {
        await both(['host'], { words: ['host'] });
        await both(['-d', '.', 'sub'], { words: ['sub'], dataset: '.' }, 'host');
        for (const twin of ['theirs', 'ours']) {
          const host = `${world.dir}/${twin}/host`;
          mkdirSync(`${host}/dir`);
          writeFileSync(`${host}/dir/tracked`, '1');
          world.sh(host, 'git add dir/tracked && git -c annex.largefiles=nothing commit -qm tracked');
        }
      });

      test.each([
        ['a registered subdataset', ['sub'], { words: ['sub'] }],
        ['a folder with content of the superdataset', ['dir'], { words: ['dir'] }],
        [
          'a place outside the given superdataset',
          ['-d', '.', '../elsewhere'],
          { words: ['../elsewhere'], dataset: '.' },
        ],
      ] as const)('%s', async (_, args, options) => {
        const { theirs, ours } = await both(args, options, 'host');
        expect(ours).toEqual(theirs);
        expect(ours.code).toBe(1);
      });
    });
  });
}
