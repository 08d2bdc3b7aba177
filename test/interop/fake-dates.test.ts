import { appendFileSync, rmSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { comparedVersions, describeWith } from '../support/oracles.ts';
import { type WarmDatalad, warmDatalad } from '../support/twins-datalad.ts';
import { createWorld, type World } from '../support/world.ts';
import { UUID } from './twins.ts';

/** Every commit of the local branches in the order of its branch, and every entry of the logs of the git-annex branch, with their dates. */
function dates(world: World, repo: string): string {
  const branches = world.git(repo, 'for-each-ref', '--format=%(refname)', 'refs/heads').split('\n');
  const commits = branches.map((branch) =>
    [branch, world.git(repo, 'log', '--topo-order', '--date=raw', '--format=%ad | %cd | %s', branch)].join('\n'),
  );
  const files = branches.includes('refs/heads/git-annex')
    ? world.git(repo, 'ls-tree', '-r', '--name-only', 'git-annex').split('\n')
    : [];
  const logs = files.map((file) => [file, newest(world.git(repo, 'show', `git-annex:${file}`))].join('\n'));
  return [...commits, ...logs].join('\n\n').replaceAll(repo, 'REPO').replace(UUID, 'UUID');
}

/** git-annex does not always drop an entry that a newer one overrides; there is one repository only, so its last one counts. */
function newest(log: string): string {
  return log.split('\n').at(-1) ?? '';
}

for (const which of comparedVersions) {
  describeWith([which, 'git-annex'], `fake dates as ${which}`, () => {
    let world: World;
    const repos: Record<'theirs' | 'ours', string> = { theirs: '', ours: '' };
    let datalad: WarmDatalad;
    beforeAll(async () => {
      world = createWorld();
      datalad = await warmDatalad(world, which);
      for (const twin of ['theirs', 'ours'] as const) repos[twin] = world.path(twin);
    });
    afterAll(async () => {
      await datalad?.close();
      world.remove();
    });

    async function both(cwd: 'world' | 'repo', args: readonly string[], prepare: (repo: string) => void = () => {}) {
      for (const twin of ['theirs', 'ours'] as const) {
        const repo = repos[twin];
        prepare(repo);
        const words = args.map((word) => (word === 'REPO' ? repo : word));
        const folder = cwd === 'world' ? world.dir : repo;
        const ended = twin === 'ours' ? world.reprise(folder, words) : await datalad.exec(words, folder);
        expect(ended.code, `${twin}: ${words.join(' ')}\n${ended.stderr}`).toBe(0);
      }
    }
    const expectTwins = (): void => expect(dates(world, repos.ours)).toBe(dates(world, repos.theirs));

    test('create, save, run, amend, unlock, drop and a subdataset: the same dates in both tools', async () => {
      await both('world', ['create', '--fake-dates', 'REPO']);
      expect(world.git(repos.ours, 'show', 'HEAD:.datalad/config').replace(UUID, 'UUID')).toBe(
        world.git(repos.theirs, 'show', 'HEAD:.datalad/config').replace(UUID, 'UUID'),
      );
      await both('repo', ['save', '-m', 'two files'], (repo) => {
        writeFileSync(`${repo}/a`, 'one\n');
        writeFileSync(`${repo}/b`, 'two\n');
      });
      await both('repo', ['run', '-m', 'run', 'echo three > c']);
      await both('repo', ['save', '--amend', '-m', 'amended'], (repo) => writeFileSync(`${repo}/d`, 'four\n'));
      await both('repo', ['unlock', 'a']);
      await both('repo', ['save', '-m', 'changed'], (repo) => appendFileSync(`${repo}/a`, 'more\n'));
      await both('repo', ['run', '-m', 'again', '-o', 'b', 'echo more >> b']);
      await both('repo', ['drop', '--reckless', 'availability', 'c']);
      await both('repo', ['save', '-m', 'removed'], (repo) => rmSync(`${repo}/a`));
      if (which === 'datalad-latest') await both('repo', ['create', '-d', '.', 'sub']);
      expectTwins();
      // A new subdataset has dates of its own.
      const twins = which === 'datalad-latest' ? Object.values(repos) : [];
      for (const repo of twins) expect(world.git(`${repo}/sub`, 'log', '-1', '--format=%cd')).not.toContain('2005');
      expect(dates(world, repos.ours).split('\n')[1]).toMatch(/^11129120\d\d \+0000 \| 11129120\d\d \+0000 \| /);
    });

    test('each goes on in a repository of the other', async () => {
      for (const [name, writer] of Object.entries(repos)) {
        const before = world.git(writer, 'rev-parse', 'HEAD');
        writeFileSync(`${writer}/${name}`, 'by the other one\n');
        const args = ['save', '-m', 'by the other one'];
        const ended = name === 'theirs' ? world.reprise(writer, args) : await datalad.exec(args, writer);
        expect(ended.code, ended.stderr).toBe(0);
        expect(world.git(writer, 'rev-parse', 'HEAD~1')).toBe(before);
      }
      const last = (repo: string) => world.git(repo, 'log', '-1', '--date=raw', '--format=%ad %cd');
      expect(last(repos.ours)).toBe(last(repos.theirs));
    });

    test('a start of one’s own, without an annex', async () => {
      for (const twin of ['theirs', 'ours'] as const) repos[twin] = world.path(`${twin}-plain`);
      await both('world', ['-c', 'datalad.fake-dates-start=1000', 'create', '--no-annex', '--fake-dates', 'REPO']);
      await both('repo', ['save', '-m', 'file'], (repo) => writeFileSync(`${repo}/a`, 'one\n'));
      expectTwins();
      expect(world.git(repos.ours, 'log', '--date=raw', '--format=%cd')).toBe('1002 +0000\n1001 +0000');
    });
  });
}
