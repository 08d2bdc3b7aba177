/** Commits beside the shared index: exactly the given paths, and nobody else's. */
import { chmodSync, existsSync, lstatSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { commitAside, commitChanges, commitJoin, type CommitRequest } from '../../src/dataset/commit.ts';
import { readConfig } from '../../src/dataset/read-config.ts';
import { type Repo, requireRepo } from '../../src/dataset/repo.ts';
import { takeSaveLock } from '../../src/dataset/save-lock.ts';
import { defaultContext } from '../../src/sys/context.ts';
import { describeWith } from '../support/oracles.ts';
import { commitsOf, leftovers } from '../support/runs.ts';
import { createWorld, type World } from '../support/world.ts';

let world: World;
beforeAll(() => {
  world = createWorld();
  world.sh(
    world.dir,
    'git init -q base && cd base && for n in a b c; do echo $n > $n; done && git add . && git commit -qm start',
  );
});
afterAll(() => world.remove());

function fresh(name: string): string {
  world.ok(['cp', '-aT', world.path('base'), world.path(name)]);
  return world.path(name);
}

function repoOf(dataset: string, env: NodeJS.ProcessEnv = {}): Repo {
  return requireRepo(dataset, defaultContext({ cwd: dataset, env: { ...world.env, PWD: dataset, ...env } }), true);
}

async function commit(repo: Repo, paths: readonly string[], more: Partial<CommitRequest> = {}) {
  return commitChanges(repo, await readConfig(repo), {
    changes: paths.map((path) => ({ path })),
    message: 'a commit\n',
    ...more,
  });
}

describe('a commit of some paths', () => {
  test('holds these, as they are on disk, and leaves the rest of index and work tree alone', async () => {
    const dataset = fresh('some');
    world.sh(
      dataset,
      'echo new > a; rm b; echo new > d; echo staged > s; git add s; echo changed > c; git rm -q --cached c',
    );
    const outcome = await commit(repoOf(dataset), ['a', 'b', 'd']);
    const [last] = commitsOf(world, dataset, 'HEAD~1..HEAD');
    expect(last).toMatchObject({ id: outcome.commit, changes: ['M a', 'D b', 'A d'], message: 'a commit\n' });
    expect(outcome.entries.map(({ path, status, key }) => [path, status, key])).toEqual([
      ['a', 'modified', null],
      ['b', 'deleted', null],
      ['d', 'added', null],
    ]);
    expect(world.git(dataset, 'status', '--porcelain').split('\n')).toEqual(['D  c', 'A  s', '?? c']);
    expect(leftovers(world, dataset)).toEqual([]);
    expect(world.git(dataset, 'reflog', '-1', '--format=%gs')).toBe('commit: a commit');
  });

  test('that did not change is none, unless asked for', async () => {
    const dataset = fresh('unchanged');
    const before = world.git(dataset, 'rev-parse', 'HEAD');
    expect(await commit(repoOf(dataset), ['a', 'absent'])).toEqual({ commit: null, entries: [] });
    expect(world.git(dataset, 'rev-parse', 'HEAD')).toBe(before);
    expect((await commit(repoOf(dataset), [], { allowEmpty: true })).commit).toBe(
      world.git(dataset, 'rev-parse', 'HEAD'),
    );
    expect(commitsOf(world, dataset, `${before}..HEAD`)).toMatchObject([{ changes: [] }]);
  });

  test('in place of the last one', async () => {
    const dataset = fresh('amended');
    const start = world.git(dataset, 'rev-parse', 'HEAD');
    world.sh(dataset, 'echo 1 > x && git add x && git commit -qm second && echo 2 > y');
    await commit(repoOf(dataset), ['y'], { amend: true, message: 'amended\n' });
    expect(commitsOf(world, dataset, `${start}..HEAD`)).toMatchObject([
      { subject: 'amended', parents: [start], changes: ['A x', 'A y'] },
    ]);
    expect(world.git(dataset, 'status', '--porcelain')).toBe('');
  });

  test('in place of somebody’s, whose it remains', async () => {
    const dataset = fresh('authored');
    world.sh(dataset, "git commit -q --allow-empty -m hers --author 'Zoë Q <zoe@example.org>' --date '@1000 +0130'");
    world.write(`${dataset}/x`, '1');
    await commit(repoOf(dataset), ['x'], { amend: true });
    expect(world.git(dataset, 'log', '-1', '--date=raw', '--format=%an <%ae> %ad')).toBe(
      'Zoë Q <zoe@example.org> 1000 +0130',
    );
    expect(world.git(dataset, 'log', '-1', '--date=raw', '--format=%cd')).not.toContain('+0130');
  });

  test('whose names are unusual', async () => {
    const dataset = fresh('names');
    const names = [
      'two words',
      '-dash',
      'new\nline',
      'tab\t',
      '"quoted"',
      ' blank ',
      'back\\slash',
      'ünï',
      '{brace}',
      ':(top)x',
      '\udcff-byte',
    ];
    const disk = (name: string) =>
      Buffer.concat([
        Buffer.from(`${dataset}/`),
        Buffer.from(name.replace('\udcff', '\x00'), 'utf8').map((byte) => (byte === 0 ? 0xff : byte)),
      ]);
    for (const name of names) writeFileSync(disk(name), 'content\n');
    const outcome = await commit(repoOf(dataset), names);
    expect(outcome.entries.map(({ path }) => path).sort()).toEqual([...names].sort());
    expect(world.git(dataset, 'status', '--porcelain')).toBe('');
  });

  test('of every type: executables, links, a file in place of a folder and the reverse', async () => {
    const dataset = fresh('types');
    world.sh(dataset, 'mkdir d && echo 1 > d/one && git add d && git commit -qm folder');
    world.sh(dataset, 'rm -r d a && echo file > d && mkdir a && echo 1 > a/inner && echo x > tool && chmod +x tool');
    symlinkSync('nowhere', join(dataset, 'link'));
    await commit(repoOf(dataset), ['d', 'd/one', 'a', 'a/inner', 'tool', 'link']);
    expect(world.git(dataset, 'ls-tree', '-r', '--format=%(objectmode) %(path)', 'HEAD').split('\n')).toEqual([
      '100644 a/inner',
      '100644 b',
      '100644 c',
      '100644 d',
      '120000 link',
      '100755 tool',
    ]);
    expect(world.git(dataset, 'status', '--porcelain')).toBe('');
  });

  test('with a message of any size, kept to the byte', async () => {
    const dataset = fresh('message');
    writeFileSync(join(dataset, 'x'), '1\n');
    const message = `subject   \n\n\n# comment\n\x01\t${'ö'.repeat(3_000_000)}\n\n\n`;
    await commit(repoOf(dataset), ['x'], { message });
    const raw = world.exec(['git', 'cat-file', 'commit', 'HEAD'], { cwd: dataset }).bytes;
    expect(raw.subarray(raw.indexOf('\n\n') + 2).equals(Buffer.from(message, 'utf8'))).toBe(true);
    expect(world.git(dataset, 'reflog', '-1', '--format=%gs')).toBe('commit: subject');
  });

  test('is signed with who the user is; without anybody, nothing happens', async () => {
    const dataset = fresh('identity');
    writeFileSync(join(dataset, 'x'), '1\n');
    const nobody = {
      HOME: world.path('nobody'),
      XDG_CONFIG_HOME: world.path('nobody'),
      GIT_CONFIG_COUNT: '1',
      GIT_CONFIG_KEY_0: 'user.useConfigOnly',
      GIT_CONFIG_VALUE_0: 'true',
    };
    const before = world.git(dataset, 'rev-parse', 'HEAD');
    await expect(commit(repoOf(dataset, nobody), ['x'])).rejects.toMatchObject({ code: 'identity-missing' });
    expect(world.git(dataset, 'rev-parse', 'HEAD')).toBe(before);
    expect(world.git(dataset, 'status', '--porcelain')).toBe('?? x');
    expect(leftovers(world, dataset)).toEqual([]);
    const somebody = {
      GIT_AUTHOR_NAME: 'Grace <i> Example',
      GIT_AUTHOR_EMAIL: 'grace@example.org',
      GIT_AUTHOR_DATE: '1700000000 +0200',
      GIT_COMMITTER_NAME: 'Çağrı',
    };
    await commit(repoOf(dataset, somebody), ['x']);
    expect(world.git(dataset, 'log', '-1', '--format=%an|%ae|%ad|%cn|%ce', '--date=raw')).toBe(
      'Grace i Example|grace@example.org|1700000000 +0200|Çağrı|ada@example.org',
    );
  });

  test('follows whoever moved the branch meanwhile, at any number of commits at once', async () => {
    const dataset = fresh('contended');
    const before = world.git(dataset, 'rev-parse', 'HEAD');
    const names = Array.from({ length: 12 }, (_, index) => `n${index}`);
    for (const name of names) writeFileSync(join(dataset, name), name);
    await Promise.all(names.map((name) => commit(repoOf(dataset), [name])));
    const commits = commitsOf(world, dataset, `${before}..HEAD`);
    expect(commits.map(({ changes }) => changes.join()).sort()).toEqual(names.map((name) => `A ${name}`).sort());
    expect(world.git(dataset, 'status', '--porcelain')).toBe('');
    expect(leftovers(world, dataset)).toEqual([]);
  });
});

describe('a commit for a ref of its own', () => {
  test('moves neither branch nor index', async () => {
    const dataset = fresh('aside');
    const before = world.git(dataset, 'rev-parse', 'HEAD');
    world.sh(dataset, 'echo new > a; rm b; echo new > d');
    const repo = repoOf(dataset);
    const status = world.git(dataset, 'status', '--porcelain');
    const ref = 'refs/reprise/unfinished/0123456789abcdef';
    const id = await commitAside(repo, await readConfig(repo), {
      ref,
      changes: [{ path: 'a' }, { path: 'b' }, { path: 'd' }],
      message: 'aside\n',
    });
    expect(world.git(dataset, 'rev-parse', ref)).toBe(id);
    expect(commitsOf(world, dataset, `${before}..${id}`)).toMatchObject([
      { parents: [before], changes: ['M a', 'D b', 'A d'] },
    ]);
    expect(world.git(dataset, 'rev-parse', 'HEAD')).toBe(before);
    expect(world.git(dataset, 'status', '--porcelain')).toBe(status);
    expect(leftovers(world, dataset)).toEqual([ref]);
  });
});

describe('a merge that joins two states', () => {
  test('has the tree of the later one, and keeps what is staged', async () => {
    const dataset = fresh('join');
    const before = world.git(dataset, 'rev-parse', 'HEAD');
    world.sh(dataset, 'echo 1 > x && git add x && git commit -qm own && echo s > s && git add s');
    const tip = world.git(dataset, 'rev-parse', 'HEAD');
    const repo = repoOf(dataset);
    const lock = await takeSaveLock(repo);
    const id = await commitJoin(repo, await readConfig(repo), { parents: [before, tip], message: 'joined\n' });
    lock.release();
    expect(commitsOf(world, dataset, `${tip}..HEAD`)).toMatchObject([
      { id, parents: [before, tip], changes: ['A x'], subject: 'joined' },
    ]);
    expect(world.git(dataset, 'status', '--porcelain')).toBe('A  s');
  });

  test('is not made when the branch is somewhere else', async () => {
    const dataset = fresh('join-moved');
    const tip = world.git(dataset, 'rev-parse', 'HEAD');
    world.git(dataset, 'commit', '-q', '--allow-empty', '-m', 'later');
    const repo = repoOf(dataset);
    const lock = await takeSaveLock(repo);
    const before = world.git(dataset, 'rev-parse', 'HEAD');
    expect(await commitJoin(repo, await readConfig(repo), { parents: [tip, tip], message: 'joined\n' })).toBeNull();
    lock.release();
    expect(world.git(dataset, 'rev-parse', 'HEAD')).toBe(before);
    expect(leftovers(world, dataset)).toEqual([]);
  });
});

describeWith(['git-annex'], 'a commit in an annexed dataset', () => {
  test('puts content into the annex, and says so on its branch', async () => {
    expect(world.reprise(world.dir, ['create', 'annexed']).code).toBe(0);
    const dataset = world.path('annexed');
    world.sh(dataset, 'echo 1 > x; echo 2 > y; mkdir d; echo 1 > d/same');
    const { entries } = await commit(repoOf(dataset), ['x', 'd/same']);
    expect(entries.map(({ path, mode }) => [path, mode])).toEqual([
      ['d/same', '120000'],
      ['x', '120000'],
    ]);
    expect(entries[0]?.key).toBe(entries[1]?.key);
    expect(lstatSync(join(dataset, 'x')).isSymbolicLink()).toBe(true);
    expect(world.git(dataset, 'status', '--porcelain')).toBe('?? y');
    const uuid = world.git(dataset, 'config', 'annex.uuid');
    expect(world.ok(['git-annex', 'whereis', '--format=${uuid}\\n', 'x'], { cwd: dataset })).toContain(uuid);
    world.ok(['git-annex', 'fsck', '--quiet'], { cwd: dataset });
  });

  test('but not with `toGit`, or where attributes say otherwise', async () => {
    const dataset = world.path('annexed');
    writeFileSync(join(dataset, 'z.txt'), 'text\n');
    writeFileSync(
      join(dataset, '.gitattributes'),
      `${readFileSync(join(dataset, '.gitattributes'), 'utf8')}*.txt annex.largefiles=nothing\n`,
    );
    const { entries } = await commit(repoOf(dataset), ['.gitattributes', 'z.txt']);
    expect(entries.map(({ key }) => key)).toEqual([null, null]);
    const second = await commit(repoOf(dataset), ['y'], { toGit: true });
    expect(second.entries).toMatchObject([{ path: 'y', mode: '100644', key: null }]);
    expect(world.git(dataset, 'status', '--porcelain')).toBe('');
  });

  test('keeps the old link for a file with the bytes of its key, and commits nothing', async () => {
    const dataset = world.path('annexed');
    rmSync(join(dataset, 'x'));
    writeFileSync(join(dataset, 'x'), '1\n');
    chmodSync(join(dataset, 'x'), 0o600);
    const repo = repoOf(dataset);
    const headSha = world.git(dataset, 'rev-parse', 'HEAD:x');
    const outcome = await commitChanges(repo, await readConfig(repo), {
      changes: [{ path: 'x', headMode: '120000', headSha }],
      message: 'none\n',
    });
    expect(outcome.commit).toBeNull();
    expect(lstatSync(join(dataset, 'x')).isSymbolicLink()).toBe(true);
    expect(world.git(dataset, 'status', '--porcelain')).toBe('');
    expect(existsSync(join(dataset, '.git/index.lock'))).toBe(false);
  });
});
