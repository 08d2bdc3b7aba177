/** An ordinary user, to whom permissions mean something: the main flows, and folders that may not be written to. */
import { cpSync, existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { expectSentence, looksOf } from '../support/crash-unchanged.ts';
import { journalsIn, recordOf } from '../support/crash-world.ts';
import { describeWith } from '../support/oracles.ts';
import { createWorld, ORDINARY_UID, type Outcome, type World } from '../support/world.ts';

const isRoot = process.getuid?.() === 0;
if (!isRoot && process.env['REPRISE_REQUIRE_ALL'])
  throw new Error('an ordinary user: these tests change to another user, which needs root');

describe.skipIf(!isRoot)('[needs root: to become an ordinary user]', () => {
  describeWith(['git-annex'], 'as an ordinary user', () => {
    let world: World;
    let template: string;
    let made = 0;

    const reprise = (cwd: string, args: readonly string[]): Outcome => world.reprise(cwd, args, { uid: ORDINARY_UID });
    const as = (cwd: string, line: string): string => world.ok(['/bin/sh', '-ec', line], { cwd, uid: ORDINARY_UID });

    beforeAll(() => {
      world = createWorld();
      template = world.path('template');
      expect(reprise(world.dir, ['create', template]).stderr).toBe('');
      as(template, 'mkdir data; for name in a b c; do echo old $name >data/$name.dat; done');
      expect(reprise(template, ['save', '-m', 'data']).code).toBe(0);
    });
    afterAll(() => world.remove());

    const fresh = () => {
      made += 1;
      const dataset = world.path(`dataset-${made}`);
      as(world.dir, `cp -a template ${dataset} && cd ${dataset} && git status`);
      return dataset;
    };
    const status = (dataset: string) => as(dataset, 'git status --porcelain');

    test('records new outputs, and outputs that had to be made writable', () => {
      const dataset = fresh();
      const first = reprise(dataset, ['run', '-i', 'data/a.dat', '-o', 'out', 'mkdir out; sort {inputs} >out/sorted']);
      expect(`${first.code} ${first.stderr}`).toMatch(/^0 /);
      const second = reprise(dataset, [
        'run',
        '-o',
        'data/*.dat',
        '-o',
        'out/sorted',
        'echo new >>data/a.dat; echo new >out/sorted; rm data/c.dat',
      ]);
      expect(`${second.code} ${second.stderr}`).toMatch(/^0 /);
      expect(status(dataset)).toBe('');
      expect(as(dataset, 'git diff --name-status HEAD~1')).toBe('M\tdata/a.dat\nD\tdata/c.dat\nM\tout/sorted');
      expect(as(dataset, 'cat data/a.dat data/b.dat out/sorted')).toBe('old a\nnew\nold b\nnew');
      expect(as(dataset, 'test -w "$(readlink -f data/a.dat)" || echo protected')).toBe('protected');
      as(dataset, 'git annex fsck --quiet; git fsck --strict');
    });

    test('an annexed file that was not declared is protected; the exit code of the command is passed on', () => {
      const dataset = fresh();
      const before = looksOf(dataset);
      const ended = reprise(dataset, ['run', 'sh -c "echo new >data/a.dat" || exit 23']);
      expect(ended.code).toBe(23);
      expect(ended.stderr).toContain('Permission denied');
      expect(looksOf(dataset)).toStrictEqual(before);
      expect(journalsIn(dataset)).toStrictEqual([]);
      expect(readFileSync(join(dataset, 'data/a.dat'), 'utf8')).toBe('old a\n');
    });

    test('files, folders and records that others made read-only', () => {
      const dataset = fresh();
      const ended = reprise(dataset, [
        'run',
        '-o',
        'out',
        'mkdir out; echo 1 >out/one; chmod 444 out/one; chmod 555 out',
      ]);
      if (ended.code === 0) expect(status(dataset)).toBe('');
      else {
        expectSentence(ended, /save-failed|permission-denied/, 1);
        as(dataset, 'chmod 755 out');
        expect(reprise(dataset, ['recover']).code).toBe(0);
      }
      expect(recordOf(world, dataset)).toMatchObject({ exit: 0, outputs: ['out'] });
      as(dataset, 'chmod -R u+w out');
    });

    test('a dataset, a Git directory or a folder that may not be written to is refused before anything is executed', () => {
      for (const lock of ['.', '.git', '.git/reprise', 'data']) {
        const dataset = fresh();
        as(dataset, `mkdir -p .git/reprise; chmod a-w ${lock}`);
        const before = looksOf(dataset);
        const ended = reprise(dataset, [
          'run',
          '-o',
          'data/a.dat',
          `echo run >>"${dataset}.counter"; echo new >data/a.dat`,
        ]);
        if (ended.code !== 0) {
          expectSentence(ended, 'permission-denied', 1);
          expect(existsSync(`${dataset}.counter`), lock).toBe(false);
        } else expect(lock).toBe('.');
        if (ended.code !== 0) expect(looksOf(dataset), lock).toStrictEqual(before);
        as(dataset, `chmod u+w ${lock}`);
        expect(reprise(dataset, ['recover']).code).toBe(0);
        expect(status(dataset)).toBe('');
      }
    });

    test('objects that cannot be added to: the command has run, and recover completes it', () => {
      for (const [lock, plain] of [
        ['.git/annex/objects', false],
        ['.git/objects', true],
        ['.git/refs/heads', true],
      ] as const) {
        const dataset = fresh();
        as(dataset, `${plain ? 'git config annex.largefiles nothing; ' : ''}find ${lock} -type d -exec chmod a-w {} +`);
        const ended = reprise(dataset, ['run', '-o', 'new', `echo run >>"${dataset}.counter"; echo new >new`]);
        expectSentence(ended, /save-failed|permission-denied/, 1);
        as(dataset, `find ${lock} -type d -exec chmod u+w {} +`);
        const recovered = reprise(dataset, ['recover']);
        expect(`${lock} ${recovered.code} ${recovered.stderr}`).toContain(`${lock} 0 `);
        expect(status(dataset)).toBe('');
        if (existsSync(`${dataset}.counter`)) {
          expect(readFileSync(`${dataset}.counter`, 'utf8')).toBe('run\n');
          expect(recordOf(world, dataset)).toMatchObject({ exit: 0, outputs: ['new'] });
        }
        as(dataset, 'git annex fsck --quiet; git fsck --strict');
      }
    });

    test('a dataset of somebody else can be looked at, and refuses the rest with a sentence', () => {
      const dataset = world.path('of-root');
      cpSync(template, dataset, { recursive: true, verbatimSymlinks: true });
      world.sh(dataset, 'chown -R 0:0 . && chmod -R a+rX,go-w .');
      const before = looksOf(dataset);
      for (const verb of [
        ['run', 'touch x'],
        ['run', '--explicit', '-o', 'x', 'touch x'],
        ['save'],
        ['unlock', 'data/a.dat'],
        ['drop', 'data/a.dat'],
      ]) {
        const ended = reprise(dataset, verb);
        expect(`${verb.join(' ')}: ${ended.stderr}`).not.toMatch(/internal error|^ +at /m);
        if (verb[0] !== 'save') expect(ended.code, verb.join(' ')).toBeGreaterThan(0);
        expect(ended.code, verb.join(' ')).toBeLessThan(3);
        expect(looksOf(dataset)).toStrictEqual(before);
      }
      expect(reprise(dataset, ['status']).code).toBe(0);
    });
  });
});
