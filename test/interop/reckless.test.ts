import { lstatSync, mkdirSync, readFileSync, readlinkSync, statSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { get, type GetOptions } from '../../src/dataset/get.ts';
import { comparedVersions, describeWith } from '../support/oracles.ts';
import { type WarmDatalad, warmDatalad } from '../support/twins-datalad.ts';
import { createWorld, type World } from '../support/world.ts';
import { type Answer, askDatalad, askOurs, contextIn, gitConfig, sorted, UUID } from './twins.ts';

const TWINS = ['theirs', 'ours'] as const;

for (const which of comparedVersions) {
  describeWith([which, 'git-annex'], `reckless subdatasets as ${which}`, () => {
    let world: World;
    let source: string;
    let datalad: WarmDatalad;
    beforeAll(async () => {
      world = createWorld();
      datalad = await warmDatalad(world, which);
      source = world.path('source');
      mkdirSync(source);
      const make = (folder: string) =>
        world.sh(
          source,
          `git init -q '${folder}' && cd '${folder}' && git annex init -q && echo ${folder} > data && git annex add -q data && git commit -qm data`,
        );
      for (const folder of ['.', 'a', 'a/b']) make(folder);
      world.sh(`${source}/a`, 'git submodule --quiet add ./b b 2>/dev/null; git commit -qm sub');
      world.sh(source, 'git submodule --quiet add ./a a 2>/dev/null; git commit -qm sub');
      for (const twin of TWINS) mkdirSync(`${world.dir}/${twin}`);
      world.sh(world.dir, `git clone -q '${source}' clone && git -C clone annex init -q`);
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

    async function both(args: readonly string[], options: GetOptions): Promise<void> {
      const theirs: Answer = await askDatalad(world, datalad, `${world.dir}/theirs/ds`, ['get', ...args]);
      const ours = await askOurs(world, get(options, contextIn(world, `${world.dir}/ours/ds`)));
      expect(sorted(ours)).toEqual(sorted(theirs));
      expect(ours.code).toBe(0);
    }

    /** What sharing decides: configuration, trust, the annex, and modes. */
    function facts(twin: (typeof TWINS)[number], folder: string): Record<string, unknown> {
      const repo = `${world.dir}/${twin}/ds/${folder}`;
      const log = (name: string) => world.exec(['git', 'show', `git-annex:${name}`], { cwd: repo }).stdout;
      const annex = lstatSync(`${repo}/.git/annex`);
      const mode = (path: string) => (statSync(`${repo}/${path}`).mode & 0o7777).toString(8);
      return {
        config: gitConfig(world, repo).replaceAll('ours', 'theirs').split('\n').sort(),
        trust: log('trust.log')
          .replace(UUID, 'UUID')
          .replace(/\d{10}[\d.]*s/g, 'WHEN'),
        known: log('uuid.log').split('\n').length,
        annex: annex.isSymbolicLink() ? readlinkSync(`${repo}/.git/annex`) : 'own',
        modes: ['.git', '.git/HEAD', '.git/objects', '.git/config'].map(mode),
        sameFile: statSync(`${repo}/data`).ino === statSync(`${source}/${folder}/data`).ino,
        content: readFileSync(`${repo}/data`, 'utf8'),
        state: world.git(repo, 'status', '--porcelain', '-b'),
      };
    }

    test.each([
      ['auto', { annex: 'own', sameFile: true }],
      ['ephemeral', { annex: expect.stringContaining('/source/a/b/.git/annex') as unknown, sameFile: true }],
      ['shared-group', { annex: 'own', sameFile: false }],
      ['shared-0640', { annex: 'own', sameFile: false }],
    ] as const)(
      '%s: the same configuration, annex and modes, and in what is installed below later',
      async (mode, known) => {
        await both(['--reckless', mode, 'a/data'], { paths: ['a/data'], reckless: mode });
        await both(['a/b/data'], { paths: ['a/b/data'] });
        for (const folder of ['a', 'a/b']) expect(facts('ours', folder)).toEqual(facts('theirs', folder));
        expect(facts('ours', 'a/b')).toMatchObject(known);
      },
    );

    test('an ephemeral clone saves into the annex that it shares, in both tools', async () => {
      await both(['-n', '--reckless', 'ephemeral', 'a'], { paths: ['a'], noData: true, reckless: 'ephemeral' });
      for (const twin of TWINS) writeFileSync(`${world.dir}/${twin}/ds/a/new`, `${twin}\n`);
      const saved = world.reprise(`${world.dir}/ours/ds/a`, ['save', '-m', 'new']);
      expect(saved.code, saved.stderr).toBe(0);
      const theirs = await askDatalad(world, datalad, `${world.dir}/theirs/ds/a`, ['save', '-m', 'new']);
      expect(theirs.code).toBe(0);
      const logs = (twin: string) =>
        world.git(`${world.dir}/${twin}/ds/a`, 'ls-tree', '-r', '--name-only', 'git-annex').split('\n').length;
      expect(logs('ours')).toBe(logs('theirs'));
      const key = readlinkSync(`${world.dir}/ours/ds/a/new`).replace(/.*annex\//, '');
      expect(readFileSync(`${source}/a/.git/annex/${key}`, 'utf8')).toBe('ours\n');
    });
  });
}
