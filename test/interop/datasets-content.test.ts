import { mkdirSync, readFileSync } from 'node:fs';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { drop, type DropOptions } from '../../src/dataset/drop.ts';
import { get, type GetOptions } from '../../src/dataset/get.ts';
import { status, type StatusOptions } from '../../src/dataset/status-verb.ts';
import { unlock, type UnlockOptions } from '../../src/dataset/unlock.ts';
import { comparedVersions, describeWith } from '../support/oracles.ts';
import { type WarmDatalad, warmDatalad } from '../support/twins-datalad.ts';
import { createWorld, type World } from '../support/world.ts';
import { type Answer, askDatalad, askOurs, contextIn, gitConfig, sorted } from './twins.ts';

const TWINS = ['theirs', 'ours'] as const;

/** A dataset with annexed files, files in Git, and two levels of subdatasets. */
function buildSource(world: World): string {
  const source = `${world.dir}/source`;
  mkdirSync(source);
  const make = (folder: string, lines: string) =>
    world.sh(
      source,
      `git init -q '${folder}' && cd '${folder}' && git annex init -q && git config annex.backend MD5E && ${lines}`,
    );
  // Of a size that no annexed file has: in a copied repository git-annex takes a file of the size and time of one for that one.
  make('top', 'echo "print(1 + 1)" > code.txt && git add code.txt && git commit -qm code');
  world.sh(
    `${source}/top`,
    'mkdir -p d/e && echo two > two.dat && echo x > d/e/x.dat && echo y > "d/y y.dat" && git annex add -q . && git commit -qm data',
  );
  make('top/a', 'echo one > one.dat && git annex add -q . && git commit -qm one');
  make('top/a/b b', 'echo deep > deep.dat && git annex add -q . && git commit -qm deep');
  world.sh(`${source}/top/a`, 'git submodule --quiet add "./b b" "b b" 2>/dev/null; git commit -qm sub');
  world.sh(`${source}/top`, 'git submodule --quiet add ./a a && git commit -qm sub');
  return `${source}/top`;
}

for (const which of comparedVersions) {
  describeWith([which, 'git-annex'], `content as ${which}`, () => {
    let world: World;
    let datalad: WarmDatalad;
    let source: string;
    beforeAll(async () => {
      world = createWorld();
      source = buildSource(world);
      for (const twin of TWINS) mkdirSync(`${world.dir}/${twin}`);
      world.sh(world.dir, `git clone -q '${source}' clone && cd clone && git annex init -q`);
      datalad = await warmDatalad(world, which);
    });
    afterAll(async () => {
      await datalad?.close();
      world.remove();
    });
    beforeEach(() => {
      for (const twin of TWINS) {
        world.sh(`${world.dir}/${twin}`, 'chmod -R u+w . && rm -rf ds && cp -a ../clone ds');
      }
    });

    function inBoth(line: string): void {
      for (const twin of TWINS) world.sh(`${world.dir}/${twin}/ds`, line);
    }
    const theirs = (args: readonly string[], cwd = 'ds') =>
      askDatalad(world, datalad, `${world.dir}/theirs/${cwd}`, args);
    const here = (cwd = 'ds') => contextIn(world, `${world.dir}/ours/${cwd}`);
    const ourGet = (options: GetOptions, cwd?: string) => askOurs(world, get(options, here(cwd)));
    const ourDrop = (options: DropOptions, cwd?: string) => askOurs(world, drop(options, here(cwd)));
    const ourUnlock = (options: UnlockOptions) => askOurs(world, unlock(options, here()));
    const ourStatus = (options: StatusOptions) => askOurs(world, status(options, here()));

    test('get of files, folders, what is there, what is in Git and what does not exist', async () => {
      for (const paths of [['two.dat', 'code.txt', 'd', 'nope'], ['two.dat', 'd'], ['/nowhere']]) {
        expect(sorted(await ourGet({ paths }))).toEqual(sorted(await theirs(['get', ...paths])));
      }
      expect(readFileSync(`${world.dir}/ours/ds/d/e/x.dat`, 'utf8')).toBe('x\n');
    });

    test('get of a file in a subdataset of a subdataset installs both', async () => {
      const paths = ['a/b b/deep.dat'];
      expect(sorted(await ourGet({ paths }))).toEqual(sorted(await theirs(['get', ...paths])));
      for (const folder of ['ds', 'ds/a', 'ds/a/b b']) {
        expect(gitConfig(world, `${world.dir}/ours/${folder}`).replaceAll('ours', 'theirs')).toBe(
          gitConfig(world, `${world.dir}/theirs/${folder}`),
        );
        expect(world.git(`${world.dir}/ours/${folder}`, 'status', '--porcelain', '-b')).toBe(
          world.git(`${world.dir}/theirs/${folder}`, 'status', '--porcelain', '-b'),
        );
      }
      expect(readFileSync(`${world.dir}/ours/ds/a/b b/deep.dat`, 'utf8')).toBe('deep\n');
    });

    test('get -r of everything, get -n, get with a limit', async () => {
      expect(sorted(await ourGet({ paths: ['a'], noData: true }))).toEqual(sorted(await theirs(['get', '-n', 'a'])));
      expect(sorted(await ourGet({ paths: ['.'], recursive: true, recursionLimit: 1 }))).toEqual(
        sorted(await theirs(['get', '-r', '-R', '1', '.'])),
      );
      expect(sorted(await ourGet({ paths: ['.'], recursive: true }))).toEqual(sorted(await theirs(['get', '-r', '.'])));
      for (const paths of [['.'], ['a'], ['two.dat', 'a', 'a/b b/deep.dat']]) {
        expect([paths, sorted(await ourGet({ paths, recursive: true }))]).toEqual([
          paths,
          sorted(await theirs(['get', '-r', ...paths])),
        ]);
      }
    });

    test('a recorded commit behind the branch of the source is what gets checked out, on the branch', async () => {
      world.sh(`${source}/a`, 'git commit -q --allow-empty -m later');
      try {
        expect(sorted(await ourGet({ paths: ['a/one.dat'] }))).toEqual(sorted(await theirs(['get', 'a/one.dat'])));
        const branch = world.git(`${world.dir}/ours/ds/a`, 'status', '--porcelain', '-b');
        expect(branch).toBe(world.git(`${world.dir}/theirs/ds/a`, 'status', '--porcelain', '-b'));
        expect(branch).toBe('## main...origin/main [behind 1]');
      } finally {
        world.sh(`${source}/a`, 'git reset -q --hard HEAD~');
      }
    });

    test('content that no remote has is an error', async () => {
      inBoth('git remote rm origin');
      const [ours, oracle] = [await ourGet({ paths: ['two.dat'] }), await theirs(['get', 'two.dat'])];
      const withoutUuid = (answer: Answer) =>
        JSON.parse(JSON.stringify(answer).replace(/[0-9a-f-]{36}[^"]*/g, 'UUID')) as Answer;
      expect(withoutUuid(ours)).toEqual(withoutUuid(oracle));
      expect(ours.code).toBe(1);
    });

    test('status in every state', async () => {
      inBoth(
        'git annex get -q two.dat && git annex get -q "d/y y.dat" && git annex unlock -q "d/y y.dat" && echo changed > code.txt && rm d/e/x.dat',
      );
      inBoth(
        'echo new > new.txt && mkdir -p fresh/deep && echo n > fresh/deep/n && echo staged > staged.txt && git -c annex.largefiles=nothing add staged.txt',
      );
      inBoth('ln -s nowhere link && printf "ignored\\n" > .gitignore && echo i > ignored');
      for (const args of [
        [],
        ['--annex'],
        ['--annex', 'availability'],
        ['--untracked', 'all'],
        ['--untracked', 'no'],
        ['code.txt', 'd'],
        ['fresh'],
        ['-e', 'no'],
        ['nope', '/elsewhere'],
      ]) {
        const options: StatusOptions = {
          ...(args[0] === '--annex' ? { annex: (args[1] ?? 'basic') as 'basic' } : {}),
          ...(args[0] === '--untracked' ? { untracked: args[1] as 'all' } : {}),
          ...(args[0] === '-e' ? { evalSubdatasetState: 'no' } : {}),
          paths: args.filter((arg) => !args[0]?.startsWith('-') && arg !== ''),
        };
        expect([args, sorted(await ourStatus(options))]).toEqual([args, sorted(await theirs(['status', ...args]))]);
      }
    });

    test('status of subdatasets, changed in each way, with and without recursion', async () => {
      inBoth('git -c protocol.file.allow=always submodule --quiet update --init --recursive');
      inBoth('cd a && git checkout -q -B main && echo u > untracked');
      for (const args of [
        [],
        ['-r'],
        ['-e', 'commit'],
        ['-r', '-R', '1'],
        ['a'],
        ['a/'],
        ['-d', '.', 'a'],
        ['-d', '.', 'a/'],
      ]) {
        const options: StatusOptions = {
          ...(args.includes('-r') ? { recursive: true } : {}),
          ...(args.includes('-R') ? { recursionLimit: 1 } : {}),
          ...(args.includes('-e') ? { evalSubdatasetState: 'commit' } : {}),
          ...(args.includes('-d') ? { dataset: '.' } : {}),
          paths: args.filter((arg) => arg.startsWith('a')),
        };
        expect([args, sorted(await ourStatus(options))]).toEqual([args, sorted(await theirs(['status', ...args]))]);
      }
      inBoth('cd a && rm untracked && git commit -q --allow-empty -m more');
      expect((await ourStatus({})).results.find((result) => result['path'] === 'W/ds/a')?.['state']).toBe('modified');
    });

    test('drop of files and folders', async () => {
      inBoth('git annex get -q .');
      for (const paths of [['two.dat', 'code.txt', 'd', 'nope'], ['two.dat', 'd'], ['.']]) {
        expect(sorted(await ourDrop({ paths }))).toEqual(sorted(await theirs(['drop', ...paths])));
      }
      expect(world.git(`${world.dir}/ours/ds`, 'annex', 'find')).toBe('');
    });

    test('drop of the last copy is refused, until it is reckless', async () => {
      inBoth('git annex get -q . && git remote rm origin');
      expect(sorted(await ourDrop({ paths: ['two.dat', 'd'] }))).toEqual(
        sorted(await theirs(['drop', 'two.dat', 'd'])),
      );
      expect(sorted(await ourDrop({ paths: ['two.dat', 'd'], reckless: 'availability' }))).toEqual(
        sorted(await theirs(['drop', '--reckless', 'availability', 'two.dat', 'd'])),
      );
    });

    test('drop of unlocked, modified and untracked content', async () => {
      inBoth('git annex get -q . && git annex unlock -q two.dat && git commit -qm unlocked && echo more > d/more');
      expect(sorted(await ourDrop({ paths: ['two.dat'] }))).toEqual(sorted(await theirs(['drop', 'two.dat'])));
      expect(sorted(await ourDrop({ paths: ['d'] }))).toEqual(sorted(await theirs(['drop', 'd'])));
    });

    test('drop of all keys and of whole datasets, with every check on the way', async () => {
      inBoth(
        'git -c protocol.file.allow=always submodule --quiet update --init a && cd a && git checkout -q -B main && git annex init -q && git annex get -q .',
      );
      inBoth('git annex get -q .');
      expect(sorted(await ourDrop({ what: 'allkeys', paths: ['d'] }))).toEqual(
        sorted(await theirs(['drop', '--what', 'allkeys', 'd'])),
      );
      expect(sorted(await ourDrop({ what: 'allkeys' }))).toEqual(sorted(await theirs(['drop', '--what', 'allkeys'])));
      inBoth('git annex get -q .');
      expect(sorted(await ourDrop({ what: 'all', dataset: 'ds' }, '.'))).toEqual(
        sorted(await theirs(['drop', '--what', 'all', '-d', 'ds'], '.')),
      );
      inBoth('cd a && git commit -q --allow-empty -m mine');
      const unpushed = [
        await ourDrop({ what: 'all', paths: ['a'] }),
        await theirs(['drop', '--what', 'all', 'a']),
      ] as const;
      expect(unpushed[0].results.map(withoutAdvice)).toEqual(unpushed[1].results.map(withoutAdvice));
      expect(unpushed[0].results[0]?.['message']).toMatch(/Unique revisions: \['main'\]$/);
      inBoth('cd a && git reset -q --hard HEAD~ && echo u > untracked');
      expect(sorted(await ourDrop({ what: 'datasets', paths: ['a'] }))).toEqual(
        sorted(await theirs(['drop', '--what', 'datasets', 'a'])),
      );
      inBoth('rm a/untracked');
      expect(sorted(await ourDrop({ what: 'datasets', paths: ['a'] }))).toEqual(
        sorted(await theirs(['drop', '--what', 'datasets', 'a'])),
      );
      expect(world.sh(`${world.dir}/ours/ds`, 'ls -A a; git status --porcelain')).toBe('');
      expect(sorted(await ourDrop({ what: 'all', dataset: 'ds' }, '.'))).toEqual(
        sorted(await theirs(['drop', '--what', 'all', '-d', 'ds'], '.')),
      );
      expect(world.sh(`${world.dir}/ours`, 'ls -A')).toBe('');
    });

    test('unlock', async () => {
      inBoth('git annex get -q two.dat && git annex get -q d/e/x.dat && echo u > untracked');
      for (const paths of [['two.dat', 'code.txt', 'd/y y.dat', 'untracked', 'nope'], ['.'], ['two.dat'], ['nope']]) {
        expect([paths, sorted(await ourUnlock({ paths }))]).toEqual([
          paths,
          sorted(await theirs(['unlock', ...paths])),
        ]);
      }
      expect(world.git(`${world.dir}/ours/ds`, 'status', '--porcelain')).toBe(
        world.git(`${world.dir}/theirs/ds`, 'status', '--porcelain'),
      );
    });
  });
}

/** The advice names other commands here; the rest of the message is the same. */
function withoutAdvice(result: Record<string, unknown>): Record<string, unknown> {
  return {
    ...result,
    message: String(result['message']).replace(/sibling\. [\s\S]*? or ignore/, 'sibling. or ignore'),
  };
}
