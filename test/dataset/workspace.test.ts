/** Workspaces: a commit with its subdatasets and content in a folder of its own, and a source that notices nothing. */
import { createHash } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join, relative } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Event, Result } from '../../src/core/result.ts';
import { fetchEach } from '../../src/dataset/fetch.ts';
import { objectFile } from '../../src/dataset/presence.ts';
import { readConfig } from '../../src/dataset/read-config.ts';
import { type Repo, requireRepo } from '../../src/dataset/repo.ts';
import { scanWorktree } from '../../src/dataset/worktree.ts';
import { openWorkspace, type Workspace } from '../../src/dataset/workspace.ts';
import { adoptCommit } from '../../src/dataset/workspace-adopt.ts';
import { clearWorkspaces } from '../../src/dataset/workspace-registry.ts';
import type { Context } from '../../src/sys/context.ts';
import { describeWith } from '../support/oracles.ts';
import { createWorld, type World } from '../support/world.ts';

/** All results of a fetch. */
async function fetched(...asked: Parameters<typeof fetchEach>): Promise<readonly Result[]> {
  const results: Result[] = [];
  for await (const result of fetchEach(...asked)) results.push(result);
  return results;
}

let world: World;
let source: Repo;
const events: Event[] = [];
const SUBS = ['a', 'a/b'];

function contextOf(cwd: string): Context {
  return { cwd, env: world.env, overrides: [], emit: (event) => events.push(event) };
}

/** top > a > a/b, each with an annexed `raw.dat`; the top with an unlocked file and one in Git as well. Two commits; all moved on in the second. */
beforeAll(() => {
  world = createWorld();
  const top = world.path('top');
  world.ok([process.execPath, join(import.meta.dirname, '../../bin/reprise.js'), 'create', 'top']);
  for (const sub of SUBS) expect(world.reprise(top, ['create', '-d', join(sub, '..'), sub])).toMatchObject({ code: 0 });
  for (const folder of ['.', ...SUBS]) world.write(join(top, folder, 'raw.dat'), `raw of ${folder}\n`);
  world.write(join(top, 'plain.txt'), 'in git\n');
  world.write(join(top, 'odd name\n"x'), 'odd\n');
  world.write(join(top, '.gitattributes'), '*.txt annex.largefiles=nothing\n');
  world.sh(top, 'echo loose > loose.dat; git -c annex.addunlocked=true annex add -q loose.dat');
  expect(world.reprise(top, ['save', '-r', '-m', 'first'])).toMatchObject({ code: 0 });
  world.git(top, 'tag', 'first');
  for (const folder of ['.', ...SUBS]) {
    world.sh(join(top, folder), 'git rm -q raw.dat; echo later > later.dat');
  }
  expect(world.reprise(top, ['save', '-r', '-m', 'second'])).toMatchObject({ code: 0 });
  world.write(join(top, 'plain.txt'), 'edited and not saved\n');
  world.write(join(top, 'untracked'), 'mine\n');
  source = requireRepo(top, contextOf(top), true);
});
afterAll(() => world.remove());

/** Every file of the source by digest, mode and, for links, target; but for what is ours alone. */
function everything(root: string): Record<string, string> {
  const found: Record<string, string> = {};
  const visit = (folder: string): void => {
    for (const entry of readdirSync(folder, { withFileTypes: true })) {
      const path = join(folder, entry.name);
      const name = relative(root, path);
      if (/(^|\/)\.git\/reprise$/.test(name)) continue;
      if (entry.isDirectory()) visit(path);
      else if (entry.isSymbolicLink()) found[name] = `-> ${readlinkSync(path)}`;
      else {
        const stat = statSync(path);
        const digest = createHash('sha256').update(readFileSync(path)).digest('hex');
        found[name] = `${(stat.mode & 0o7777).toString(8)} ${stat.nlink} ${digest}`;
      }
    }
  };
  visit(root);
  return found;
}

async function inWorkspace<T>(commit: string, body: (workspace: Workspace) => Promise<T>): Promise<T> {
  const workspace = await openWorkspace(source, commit, { subdatasets: 'recorded' });
  try {
    return await body(workspace);
  } finally {
    await workspace.close();
  }
}

function runIn(workspace: Workspace, line: string, inputs: readonly string[], outputs: readonly string[] = []): void {
  const declared = [...inputs.flatMap((path) => ['-i', path]), ...outputs.flatMap((path) => ['-o', path])];
  expect(world.reprise(workspace.root, ['run', ...declared, line])).toMatchObject({ code: 0 });
}

describeWith(['git-annex'], 'a workspace', () => {
  test('has the commit and every subdataset as recorded, clean, and gives way to nothing when it is closed', async () => {
    const folder = await inWorkspace('first', async ({ root, repo, commit, absent }) => {
      expect(absent).toEqual([]);
      expect(commit).toBe(world.git(source.root, 'rev-parse', 'first'));
      expect(world.git(root, 'rev-parse', 'HEAD')).toBe(commit);
      for (const sub of SUBS) {
        const [parent, name] = sub === 'a' ? ['.', 'a'] : ['a', 'b'];
        expect(world.git(join(root, sub), 'rev-parse', 'HEAD')).toBe(
          world.git(join(root, parent), 'rev-parse', `HEAD:${name}`),
        );
        expect(existsSync(join(root, sub, 'later.dat'))).toBe(false);
      }
      expect(await scanWorktree(repo, { untracked: 'all' })).toEqual([]);
      expect(world.git(root, 'status', '--porcelain', '--ignore-submodules=none')).toBe('');
      expect(world.git(root, 'tag')).toBe('first');
      expect(readFileSync(join(root, 'plain.txt'), 'utf8')).toBe('in git\n');
      return root;
    });
    expect(existsSync(folder)).toBe(false);
    expect(readdirSync(join(source.commonDir, 'reprise/workspaces'))).toEqual([]);
  });

  test('runs commands over the hierarchy with content of the source, and the source is byte for byte as before', async () => {
    const before = everything(source.root);
    await inWorkspace('first', async (workspace) => {
      const line =
        'cat raw.dat a/raw.dat a/b/raw.dat loose.dat "odd name\n\\"x" > all.dat && cp all.dat a/b/deep.dat && echo more >> raw.dat && chmod u+w a/b && echo x > plain.txt';
      const inputs = ['a/raw.dat', 'a/b/raw.dat', 'loose.dat', 'odd name*', 'raw.dat'];
      runIn(workspace, line, inputs, ['raw.dat', 'all.dat', 'a/b/deep.dat', 'plain.txt']);
      const all = 'raw of .\nraw of a\nraw of a/b\nloose\nodd\n';
      expect(readFileSync(join(workspace.root, 'all.dat'), 'utf8')).toBe(all);
      expect(readlinkSync(join(workspace.root, 'a/b/deep.dat'))).toContain('.git/annex/objects/');
      expect(world.git(workspace.root, 'status', '--porcelain', '--ignore-submodules=none')).toBe('');
      // What the command might do besides, as the user or as root.
      world.sh(
        workspace.root,
        'git annex unlock -q raw.dat; echo spoilt > raw.dat; cp -L a/raw.dat x; chmod u+w "$(readlink -f a/raw.dat)"; git annex drop -q --force a/b || :; git -C a/b annex drop -q --force .; git branch -f extra; git gc -q --prune=now; git annex add -q . && git commit -qm own',
      );
    });
    expect(everything(source.root)).toEqual(before);
  });

  test('fetches an unlocked file whose content a locked file of the same key brought before', async () => {
    const dataset = world.path('twice');
    world.ok(['git', 'init', '-q', dataset]);
    world.sh(
      dataset,
      'git annex init -q; echo same > a; echo same > b; git annex add -q a; git -c annex.addunlocked=true annex add -q b; git commit -qm twice',
    );
    const own = requireRepo(dataset, contextOf(dataset), true);
    const workspace = await openWorkspace(own, 'HEAD', { subdatasets: 'recorded' });
    const config = await readConfig(workspace.repo);
    expect(await fetched(workspace.repo, config, ['a'])).toEqual([]);
    expect(await fetched(workspace.repo, config, ['b'])).toEqual([]);
    expect(readFileSync(join(workspace.root, 'b'), 'utf8')).toBe('same\n');
    expect(await scanWorktree(workspace.repo, { untracked: 'all' })).toEqual([]);
    await workspace.close();
  });

  test('has all content from the start when asked, and leaves what the source lacks to git-annex', async () => {
    const clone = world.path('clone');
    world.git(world.dir, 'clone', '-q', 'top', 'clone');
    world.sh(clone, 'git checkout -q first; git annex init -q clone; git annex get -q raw.dat');
    const own = requireRepo(clone, contextOf(clone), true);
    const workspace = await openWorkspace(own, 'first', { subdatasets: 'recorded', content: 'present' });
    expect(readFileSync(join(workspace.root, 'raw.dat'), 'utf8')).toBe('raw of .\n');
    expect(workspace.absent).toEqual(['a']);
    const config = await readConfig(workspace.repo);
    const results = await fetched(workspace.repo, config, ['loose.dat', 'raw.dat']);
    expect(results.map(({ status, action }) => [action, status])).toEqual([['get', 'ok']]);
    expect(readFileSync(join(workspace.root, 'loose.dat'), 'utf8')).toBe('loose\n');
    // The subdataset that the source has not installed comes from where the source would have it from.
    runIn(workspace, 'cat a/raw.dat > out.dat', ['a/raw.dat']);
    expect(readFileSync(join(workspace.root, 'out.dat'), 'utf8')).toBe('raw of a\n');
    await workspace.close();
    expect(existsSync(join(clone, 'a/.git'))).toBe(false);
  });

  test('root gets copies: a command that writes through the link does not reach the source', async () => {
    await inWorkspace('first', async ({ repo, root }) => {
      await fetched(repo, await readConfig(repo), ['raw.dat']);
      const object = realpathSync(join(root, 'raw.dat'));
      expect(statSync(object).nlink).toBe(process.geteuid?.() === 0 ? 1 : 2);
      if (process.geteuid?.() === 0) writeFileSync(object, 'spoilt');
    });
    const key = readlinkSync(join(world.path('clone'), 'raw.dat'))
      .split('/')
      .at(-1) as string;
    expect(readFileSync(objectFile(source, key) as string, 'utf8')).toBe('raw of .\n');
  });

  test('gives a commit and its content to the source, through subdatasets, without moving a ref', async () => {
    const refs = () => ['.', ...SUBS].map((sub) => world.git(join(source.root, sub), 'show-ref', '--head'));
    const before = refs();
    const adopted = await inWorkspace('first', async (workspace) => {
      const line = 'cat raw.dat > new.dat; echo deep > a/b/deep.dat; (cat raw.dat; echo again) > a/again.dat';
      runIn(workspace, line, ['raw.dat'], ['new.dat', 'a/again.dat', 'a/b/deep.dat']);
      return adoptCommit(workspace.repo, world.git(workspace.root, 'rev-parse', 'HEAD'));
    });
    expect(refs()).toEqual(before);
    expect(adopted.map(({ repo, keys }) => [relative(source.root, repo.root), keys.length])).toEqual([
      ['a/b', 1],
      ['a', 1],
      ['', 0],
    ]);
    for (const { repo, commit, keys } of adopted) {
      world.git(repo.root, 'update-ref', 'refs/heads/adopted', commit);
      expect(world.exec(['git', 'fsck', '--connectivity-only'], { cwd: repo.root })).toMatchObject({ code: 0 });
      for (const key of keys) world.ok(['git', 'annex', 'fsck', '--key', key], { cwd: repo.root });
    }
    expect(world.git(join(source.root, 'a/b'), 'show', '--format=', '--name-only', 'adopted')).toBe('deep.dat');
  });

  test('a workspace whose process was killed is removed by the next one, and nothing else is', async () => {
    const workspace = await openWorkspace(source, 'first', { subdatasets: 'recorded' });
    const registry = join(source.commonDir, 'reprise/workspaces');
    const [id] = readdirSync(registry) as [string];
    const registration = JSON.parse(readFileSync(join(registry, id), 'utf8')) as { owner: { pid: number } };
    expect(clearWorkspaces(source)).toBe(0);
    expect(existsSync(workspace.root)).toBe(true);
    const pid = Number(world.sh(world.dir, 'sh -c "echo \\$\\$"'));
    const gone = { ...registration, owner: { ...registration.owner, pid, start: 1 } };
    writeFileSync(join(registry, id), JSON.stringify(gone));
    // A Git directory that came from elsewhere may name any folder.
    const precious = world.path('precious/kept');
    mkdirSync(precious);
    writeFileSync(join(registry, '0123456789abcdef'), JSON.stringify({ ...gone, folder: precious }));
    const next = await openWorkspace(source, 'first', { subdatasets: 'recorded' });
    expect(existsSync(workspace.root)).toBe(false);
    expect(existsSync(precious)).toBe(true);
    await next.close();
    expect(world.reprise(source.root, ['recover'])).toMatchObject({ code: 0 });
    expect(readdirSync(registry)).toEqual(['0123456789abcdef']);
  });

  test('a commit that does not exist leaves nothing behind', async () => {
    const tmp = () => readdirSync(join(world.dir, 'tmp')).filter((name) => name.startsWith('reprise-workspace'));
    const before = tmp();
    await expect(openWorkspace(source, 'no-such', { subdatasets: 'recorded' })).rejects.toMatchObject({
      code: 'git-failed',
    });
    expect(tmp()).toEqual(before);
  });
});

describe('sharing content', () => {
  test.skipIf(process.geteuid?.() !== 0)(
    'an ordinary user gets hard links, and protection that a command took away is put back',
    async () => {
      const { shareObject } = await import('../../src/dataset/workspace-content.ts');
      const { discardWorkspace } = await import('../../src/dataset/workspace-registry.ts');
      const home = world.path('ordinary');
      mkdirSync(home);
      chmodSync(home, 0o777);
      process.seteuid?.(65534);
      try {
        const from = join(home, 'store/object');
        mkdirSync(join(home, 'store'));
        writeFileSync(from, 'content', { mode: 0o444 });
        const folder = join(home, 'reprise-workspace-1');
        const object = join(folder, '.git/annex/objects/XX/YY/KEY/KEY');
        shareObject(from, lstatSync(from), object, { durable: false });
        expect(readFileSync(object, 'utf8')).toBe('content');
        expect(lstatSync(object).mode & 0o777).toBe(0o444);
        // On a file system with block-sharing copies it would be one of those.
        if (lstatSync(object).nlink === 2) {
          chmodSync(object, 0o644);
          expect(lstatSync(from).mode & 0o777).toBe(0o644);
        }
        discardWorkspace(source, '1', folder);
        expect(existsSync(folder)).toBe(false);
        expect(lstatSync(from)).toMatchObject({ nlink: 1 });
        expect(lstatSync(from).mode & 0o777).toBe(0o444);
      } finally {
        process.seteuid?.(0);
      }
    },
  );
});
