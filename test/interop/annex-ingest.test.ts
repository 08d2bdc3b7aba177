import {
  chmodSync,
  chownSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { buildSync } from 'esbuild';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { decodeName, encodeName, fsPath, splitNul } from '../../src/core/bytes.ts';
import { observeAnnex } from '../../src/dataset/annex/eligibility.ts';
import { hashForAnnex, ingest, type IngestResult, mayBeAwaited, storeHashed } from '../../src/dataset/annex/ingest.ts';
import { keyFromLink, objectPath } from '../../src/dataset/annex/keys.ts';
import { addPresence, logPath } from '../../src/dataset/annex/location-log.ts';
import { relink, unlockCopy } from '../../src/dataset/annex/work-tree-links.ts';
import { describeWith, latestTree } from '../support/oracles.ts';
import { createWorld, ORDINARY_UID, projectRoot, type RunOptions, type World } from '../support/world.ts';

const NAMES = [
  'plain.txt',
  'a/b/deep.tar.gz',
  'with space/two words.nii.gz',
  'new\nline.txt',
  'tab\t"quote".dat',
  '-dash',
  '{brace}.jpeg',
  'é日本.töp',
  decodeName(Buffer.from('caf\xe9.\xe9', 'latin1')),
  '.hidden',
  'empty',
  'same as plain.txt',
  'script.sh',
  'private',
] as const;

/** Writes the same files, with the same modes and times, into a repository. */
function fill(repo: string): void {
  for (const [i, name] of NAMES.entries()) {
    const path = fsPath(`${repo}/${name}`);
    mkdirSync(fsPath(dirname(`${repo}/${name}`)), { recursive: true });
    writeFileSync(path, name === 'empty' ? '' : name === 'same as plain.txt' ? 'content 0' : `content ${i}`);
    chmodSync(path, name === 'script.sh' ? 0o775 : name === 'private' ? 0o600 : 0o664);
    utimesSync(path, 1_600_000_000 + i, 1_600_000_000 + i + 0.25);
  }
}

/** Everything that is to be the same, whoever adds the files. */
function snapshot(repo: string): unknown {
  return NAMES.map((name) => {
    const path = fsPath(`${repo}/${name}`);
    const target = decodeName(readlinkSync(path, 'buffer'));
    const object = `${repo}/${objectPath(keyFromLink(target) ?? '')}`;
    const mode = (of: string) => (statSync(fsPath(of)).mode & 0o7777).toString(8);
    return {
      name,
      target,
      // Node sets times by the microsecond.
      time: Math.round(lstatSync(path).mtimeMs),
      content: readFileSync(path, 'utf8'),
      object: [mode(object), statSync(fsPath(object)).nlink],
      folders: [mode(dirname(object)), mode(dirname(dirname(object))), mode(dirname(dirname(dirname(object))))],
    };
  });
}

interface Repo {
  readonly path: string;
  readonly uuid: string;
}

function annexRepo(world: World, name: string, options: RunOptions = {}): Repo {
  const path = world.path(name);
  world.ok(['git', 'init', '-q', path], options);
  world.ok(['git', 'annex', 'init', '-q', name], { ...options, cwd: path });
  return { path, uuid: world.ok(['git', 'config', 'annex.uuid'], { ...options, cwd: path }) };
}

/** Records keys as present in the `git-annex` branch, as a caller does: one commit by fast-import. */
function recordPresence(world: World, repo: Repo, keys: readonly string[]): void {
  const parts: Buffer[] = [
    Buffer.from(
      'commit refs/heads/git-annex\ncommitter A <a@example.org> 1700000000 +0000\ndata 6\nupdate\nfrom refs/heads/git-annex^0\n',
    ),
  ];
  for (const key of new Set(keys)) {
    const path = logPath(key);
    const old = world.exec(['git', 'cat-file', '--batch'], {
      cwd: repo.path,
      input: Buffer.concat([Buffer.from('refs/heads/git-annex:'), encodeName(path), Buffer.from('\n')]),
    }).stdout;
    const text = addPresence(
      old.endsWith(' missing\n') ? null : old.slice(old.indexOf('\n') + 1, -1),
      repo.uuid,
      Date.now() / 1000,
    );
    parts.push(
      Buffer.from('M 100644 inline '),
      encodeName(path),
      Buffer.from(`\ndata ${Buffer.byteLength(text)}\n${text}\n`),
    );
  }
  world.ok(['git', 'fast-import', '--quiet', '--done'], {
    cwd: repo.path,
    input: Buffer.concat([...parts, Buffer.from('done\n')]),
  });
}

const ingestAll = (repo: string): IngestResult[] => NAMES.map((name) => ingest(repo, name, { backend: 'MD5E' }));

describeWith(['git-annex'], 'content added natively', () => {
  let world: World;
  beforeAll(() => {
    world = createWorld();
  });
  afterAll(() => world.remove());

  test('is left exactly as git-annex add leaves it, and git-annex agrees with all of it', () => {
    const theirs = annexRepo(world, 'theirs');
    fill(theirs.path);
    world.git(theirs.path, '-c', 'annex.dotfiles=true', '-c', 'annex.backend=MD5E', 'annex', 'add', '-q', '.');
    const ours = annexRepo(world, 'ours');
    fill(ours.path);
    const results = ingestAll(ours.path);
    expect(snapshot(ours.path)).toEqual(snapshot(theirs.path));
    expect(results.map((result) => result.content)).toEqual(
      NAMES.map((name) => (name.startsWith('same') ? 'present' : 'moved')),
    );

    recordPresence(
      world,
      ours,
      results.map((result) => result.key),
    );
    world.git(ours.path, 'add', '-A');
    world.git(ours.path, 'commit', '-q', '-m', 'native');
    world.git(ours.path, 'annex', 'fsck', '-q');
    const shape = (repo: Repo) =>
      logs(world, repo).map(([path, text]) => [path, text?.replace(/^\d+(\.\d+)?s 1 /, '').replace(repo.uuid, 'HERE')]);
    expect(shape(ours)).toEqual(shape(theirs));
    expect(
      splitNul(world.exec(['git', 'annex', 'find', '--in=here', '--print0'], { cwd: ours.path }).bytes).sort(),
    ).toEqual([...NAMES].sort());
    expect(world.git(ours.path, 'annex', 'info', '--json')).toMatch(/"local annex keys":\s*13/);

    // A later git annex add keeps our lines, and a clone finds the content by them.
    writeFileSync(`${ours.path}/later.txt`, 'added by git-annex');
    world.git(ours.path, 'annex', 'add', '-q', 'later.txt');
    world.git(ours.path, 'commit', '-q', '-m', 'later');
    expect(shape(ours)).toEqual(expect.arrayContaining(shape(theirs)));
    const clone = world.path('clone');
    world.git(world.dir, 'clone', '-q', ours.path, clone);
    world.git(clone, 'annex', 'get', '-q', '.');
    for (const name of NAMES)
      expect(readFileSync(fsPath(`${clone}/${name}`), 'utf8')).toBe(
        readFileSync(fsPath(`${ours.path}/${name}`), 'utf8'),
      );
    expect(world.git(clone, 'annex', 'whereis', 'plain.txt')).toContain(ours.uuid);
    world.git(clone, 'annex', 'fsck', '-q');
  });

  test('is the same for an ordinary user', () => {
    const options = { uid: ORDINARY_UID };
    const theirs = annexRepo(world, 'ordinary/theirs', { uid: 0 });
    const ours = annexRepo(world, 'ordinary/ours', { uid: 0 });
    for (const repo of [theirs, ours]) {
      fill(repo.path);
      world.ok(['chown', '-R', `${ORDINARY_UID}`, repo.path]);
    }
    world.ok(['git', '-c', 'annex.dotfiles=true', '-c', 'annex.backend=MD5E', 'annex', 'add', '-q', '.'], {
      cwd: theirs.path,
      ...options,
    });
    const bundle = bundleIngest(world);
    for (const name of NAMES)
      world.ok([process.execPath, bundle, ours.path, encodeName(name).toString('hex'), ''], options);
    expect(snapshot(ours.path)).toEqual(snapshot(theirs.path));
    world.ok(['git', 'add', '-A'], { cwd: ours.path, ...options });
    world.ok(['git', 'annex', 'fsck', '-q'], { cwd: ours.path, ...options });
  });

  test('of a file with another name leaves the other name alone', () => {
    const repo = annexRepo(world, 'linked');
    writeFileSync(`${repo.path}/a`, 'shared');
    chmodSync(`${repo.path}/a`, 0o664);
    linkSync(`${repo.path}/a`, `${world.dir}/elsewhere`);
    expect(ingest(repo.path, 'a', { backend: 'SHA256E' }).content).toBe('copied');
    expect(statSync(`${repo.path}/a`).nlink).toBe(1);
    expect(lstatSync(`${world.dir}/elsewhere`).mode & 0o777).toBe(0o664);
    writeFileSync(`${world.dir}/elsewhere`, 'SHARED');
    expect(readFileSync(`${repo.path}/a`, 'utf8')).toBe('shared');
    expect(leftovers(repo.path)).toEqual([]);
    world.git(repo.path, 'add', 'a');
    world.git(repo.path, 'annex', 'fsck', '-q');
  });

  test('of a file that somebody else owns is copied, where it may be read', () => {
    const repo = annexRepo(world, 'foreign', { uid: 0 });
    writeFileSync(`${repo.path}/a`, 'made in a container');
    world.ok(['chown', '-R', `${ORDINARY_UID}`, repo.path]);
    chownSync(`${repo.path}/a`, 0, 0);
    world.ok([process.execPath, bundleIngest(world), repo.path, Buffer.from('a').toString('hex'), ''], {
      uid: ORDINARY_UID,
    });
    expect(statSync(`${repo.path}/a`).uid).toBe(ORDINARY_UID);
    expect(readFileSync(`${repo.path}/a`, 'utf8')).toBe('made in a container');
  });

  test.each(['freeze', 'link-object', 'check-object', 'replace-file', 'done'])(
    'survives a kill before the step %s, and is completed by doing it again',
    (step) => {
      const repo = annexRepo(world, `killed-${step}`);
      const reference = annexRepo(world, `whole-${step}`);
      fill(repo.path);
      fill(reference.path);
      ingestAll(reference.path);
      const bundle = bundleIngest(world);
      const killed = world.exec([process.execPath, bundle, repo.path, Buffer.from('script.sh').toString('hex'), step]);
      expect(killed.code).toBe(137);
      expect(readFileSync(`${repo.path}/script.sh`, 'utf8')).toBe('content 12');
      const rest = NAMES.filter((name) => step !== 'done' || name !== 'script.sh');
      for (const name of rest) ingest(repo.path, name, { backend: 'MD5E' });
      expect(snapshot(repo.path)).toEqual(snapshot(reference.path));
      world.git(repo.path, 'add', '-A');
      world.git(repo.path, 'annex', 'fsck', '-q');
    },
  );

  test('survives a kill while it is copied, and never touches the object that it copied', () => {
    const repo = annexRepo(world, 'killed-copy');
    writeFileSync(`${repo.path}/a`, 'shared');
    linkSync(`${repo.path}/a`, `${repo.path}/b`);
    const killed = world.exec([
      process.execPath,
      bundleIngest(world),
      repo.path,
      Buffer.from('a').toString('hex'),
      'replace-file',
    ]);
    expect(killed.code).toBe(137);
    expect(ingest(repo.path, 'a', { backend: 'MD5E' }).content).toBe('present');
    expect(ingest(repo.path, 'b', { backend: 'MD5E' }).content).toBe('present');
    world.git(repo.path, 'add', '-A');
    world.git(repo.path, 'annex', 'fsck', '-q');
  });

  test('is that of the last moment: a file that changes meanwhile is hashed again', () => {
    const repo = annexRepo(world, 'changing');
    for (const [step, how] of ['freeze', 'link-object', 'check-object', 'replace-file'].flatMap((name) => [
      [name, 'written'],
      [name, 'replaced'],
    ])) {
      const path = `${step} ${how}`;
      const file = `${repo.path}/${path}`;
      writeFileSync(file, `old ${path}`);
      let changed = false;
      const result = ingest(repo.path, path, { backend: 'MD5' }, (now) => {
        if (now !== step || changed) return;
        changed = true;
        if (how === 'replaced') renameSync(file, `${file} away`);
        writeFileSync(file, `new ${path}`);
      });
      expect(changed).toBe(true);
      expect(readFileSync(file, 'utf8')).toMatch(/^new/);
      expect(readlinkSync(file)).toBe(result.target);
    }
    world.git(repo.path, 'add', '-A');
    world.git(repo.path, 'annex', 'fsck', '-q', '--all');
    for (const object of world.sh(repo.path, 'find .git/annex/objects -type f').split('\n')) {
      expect(world.git(repo.path, 'annex', 'calckey', '--backend=MD5', object)).toBe(
        object.slice(object.lastIndexOf('/') + 1),
      );
    }
    expect(leftovers(repo.path)).toEqual([]);
  });

  test('is given up where the file keeps changing, which stays as it is, writable', () => {
    const repo = annexRepo(world, 'restless');
    writeFileSync(`${repo.path}/a`, '');
    chmodSync(`${repo.path}/a`, 0o644);
    let count = 0;
    const always = () =>
      ingest(repo.path, 'a', { backend: 'MD5E' }, (step) => {
        if (step === 'check-object') writeFileSync(`${repo.path}/a`, `version ${(count += 1)}`);
      });
    expect(always).toThrow(expect.objectContaining({ code: 'save-failed' }));
    expect(lstatSync(`${repo.path}/a`).mode & 0o777).toBe(0o644);
    expect(readFileSync(`${repo.path}/a`, 'utf8')).toBe('version 3');
    expect(
      readdirSync(`${repo.path}/.git/annex/objects`, { recursive: true, withFileTypes: true }).filter((entry) =>
        entry.isFile(),
      ),
    ).toEqual([]);
  });

  test('is not thrown away for a damaged object', () => {
    const repo = annexRepo(world, 'damaged');
    writeFileSync(`${repo.path}/a`, 'precious');
    const { key } = ingest(repo.path, 'a', { backend: 'MD5E' });
    const object = `${repo.path}/${objectPath(key)}`;
    chmodSync(object, 0o644);
    writeFileSync(object, 'prec');
    writeFileSync(`${repo.path}/b`, 'precious');
    expect(() => ingest(repo.path, 'b', { backend: 'MD5E' })).toThrow(
      expect.objectContaining({ code: 'annex-failed' }),
    );
    expect(readFileSync(`${repo.path}/b`, 'utf8')).toBe('precious');
    world.exec(['git', 'annex', 'fsck', '--key', key], { cwd: repo.path });
    expect(ingest(repo.path, 'b', { backend: 'MD5E' }).content).toBe('moved');
    expect(readFileSync(`${repo.path}/a`, 'utf8')).toBe('precious');
  });

  test('is refused for what is not a file of this work tree', () => {
    const repo = annexRepo(world, 'refused');
    const outside = world.path('outside', 'a');
    world.write(outside, 'not ours');
    world.sh(repo.path, `ln -s '${dirname(outside)}' out; ln -s plain link; mkdir folder; mkfifo pipe`);
    for (const [path, code] of [
      ['out/a', 'path-outside'],
      ['folder/../../outside/a', 'path-outside'],
      ['nowhere/a', 'path-missing'],
      ['link', 'save-failed'],
      ['folder', 'save-failed'],
      ['pipe', 'save-failed'],
      ['absent', 'save-failed'],
    ] as const) {
      expect(() => ingest(repo.path, path, { backend: 'MD5E' })).toThrow(expect.objectContaining({ code }));
    }
    expect(readFileSync(outside, 'utf8')).toBe('not ours');
  });

  test('can be looked at between hashing and storing', () => {
    const repo = annexRepo(world, 'phases');
    writeFileSync(`${repo.path}/a`, 'one');
    const hashed = hashForAnnex(repo.path, 'a', { backend: 'MD5E' });
    expect(hashed?.key).toMatch(/^MD5E-s3--/);
    writeFileSync(`${repo.path}/a`, 'two');
    expect(hashed && storeHashed(repo.path, hashed)).toBeNull();
    expect(readFileSync(`${repo.path}/a`, 'utf8')).toBe('two');
  });

  test('is left to git-annex where an unlocked file may be waiting for it', () => {
    const repo = annexRepo(world, 'awaited');
    writeFileSync(`${repo.path}/unlocked`, 'wanted');
    world.git(repo.path, '-c', 'annex.addunlocked=true', 'annex', 'add', '-q', '--backend=MD5', 'unlocked');
    writeFileSync(`${repo.path}/again`, 'wanted');
    const hashed = hashForAnnex(repo.path, 'again', { backend: 'MD5' });
    if (!hashed) throw new Error('the file did not change');
    const log = logs(world, repo).find(([path]) => path === logPath(hashed.key))?.[1] ?? null;
    expect(log).toContain(repo.uuid);
    expect(mayBeAwaited(repo.path, hashed, log)).toBe(false);
    world.git(repo.path, 'annex', 'drop', '-q', '--force', 'unlocked');
    expect(mayBeAwaited(repo.path, hashed, log)).toBe(true);
    expect(mayBeAwaited(repo.path, hashed, null)).toBe(false);
    world.git(repo.path, 'annex', 'add', '-q', '--backend=MD5', 'again');
    expect(readFileSync(`${repo.path}/unlocked`, 'utf8')).toBe('wanted');
  });

  test('by several processes at once ends in one object', () => {
    const repo = annexRepo(world, 'together');
    const names = ['a', 'b', 'c', 'd', 'e', 'f'];
    for (const name of names) writeFileSync(`${repo.path}/${name}`, 'the same content');
    world.ok(['chown', '-R', `${ORDINARY_UID}`, repo.path]);
    const bundle = bundleIngest(world);
    const line = names
      .map((name) => `'${process.execPath}' '${bundle}' '${repo.path}' ${Buffer.from(name).toString('hex')} '' & `)
      .join('');
    world.ok(['/bin/sh', '-c', `${line} wait`], { uid: ORDINARY_UID });
    expect(new Set(names.map((name) => readlinkSync(`${repo.path}/${name}`))).size).toBe(1);
    const object = `${repo.path}/${readlinkSync(`${repo.path}/a`)}`;
    expect([statSync(object).nlink, statSync(object).mode & 0o222, statSync(dirname(object)).mode & 0o222]).toEqual([
      1, 0, 0,
    ]);
    world.git(repo.path, 'add', '-A');
    world.git(repo.path, 'annex', 'fsck', '-q');
  });

  test('works in a submodule and in a linked work tree that git-annex has set up', () => {
    const sub = annexRepo(world, 'sub');
    world.git(sub.path, 'commit', '-q', '--allow-empty', '-m', 'first');
    const top = annexRepo(world, 'super');
    world.git(top.path, 'submodule', '--quiet', 'add', sub.path, 'sub');
    expect(observeAnnex(`${top.path}/sub`, 'main', new Map())).toMatchObject({ dotGit: 'other', initialised: false });
    world.git(`${top.path}/sub`, 'annex', 'init', '-q', 'in super');
    expect(observeAnnex(`${top.path}/sub`, 'main', new Map())).toMatchObject({
      dotGit: 'symlink',
      initialised: true,
      journalled: false,
    });
    expect(observeAnnex(top.path, 'main', new Map())).toMatchObject({
      dotGit: 'folder',
      initialised: true,
      journalled: false,
    });
    world.git(top.path, 'commit', '-q', '-m', 'sub');
    world.git(top.path, 'worktree', 'add', '-q', '-b', 'other', world.path('linked-tree'));
    world.git(world.path('linked-tree'), 'annex', 'find');
    for (const [folder, twin] of [
      [`${top.path}/sub`, `${top.path}/sub`],
      [world.path('linked-tree'), world.path('linked-tree')],
    ] as const) {
      mkdirSync(`${folder}/a`);
      writeFileSync(`${folder}/a/ours.txt`, 'same');
      ingest(folder, 'a/ours.txt', { backend: 'SHA256E' });
      writeFileSync(`${twin}/a/theirs.txt`, 'same');
      world.git(twin, 'annex', 'add', '-q', 'a/theirs.txt');
      expect(readlinkSync(`${folder}/a/ours.txt`)).toBe(readlinkSync(`${twin}/a/theirs.txt`));
      expect(readFileSync(`${folder}/a/ours.txt`, 'utf8')).toBe('same');
      world.git(folder, 'add', '-A');
      world.git(folder, 'annex', 'fsck', '-q');
    }
  });
});

describeWith(['git-annex'], 'a writable copy in the place of an annexed link', () => {
  let world: World;
  beforeAll(() => {
    world = createWorld();
  });
  afterAll(() => world.remove());

  test('is the file that git annex unlock makes, and the link can be put back', () => {
    const repos = [annexRepo(world, 'ours'), annexRepo(world, 'theirs')] as const;
    const files = (repo: string) =>
      NAMES.map((name) => {
        const stats = lstatSync(fsPath(`${repo}/${name}`));
        return [
          name,
          (stats.mode & 0o7777).toString(8),
          stats.isFile(),
          Math.round(stats.mtimeMs),
          readFileSync(fsPath(`${repo}/${name}`), 'utf8'),
        ];
      });
    for (const repo of repos) {
      fill(repo.path);
      ingestAll(repo.path);
      world.git(repo.path, 'add', '-A');
    }
    const [ours, theirs] = repos;
    world.git(theirs.path, 'annex', 'unlock', '-q');
    const before = snapshot(ours.path);
    const copies = NAMES.map((name) => unlockCopy(ours.path, name));
    expect(files(ours.path)).toEqual(files(theirs.path));
    for (const name of NAMES) {
      if (name === 'empty') continue;
      const file = fsPath(`${ours.path}/${name}`);
      writeFileSync(file, 'changed');
    }
    for (const [i, { target }] of copies.entries())
      relink(ours.path, NAMES[i] as string, target, 1_600_000_000_250 + i * 1000);
    expect(snapshot(ours.path)).toEqual(before);
    expect(leftovers(ours.path)).toEqual([]);
    world.git(ours.path, 'annex', 'fsck', '-q');
  });

  test('is refused where the content is not here', () => {
    const repo = annexRepo(world, 'absent');
    writeFileSync(`${repo.path}/a`, 'content');
    ingest(repo.path, 'a', { backend: 'MD5E' });
    world.git(repo.path, 'add', '-A');
    world.git(repo.path, 'annex', 'drop', '--force', '-q', 'a');
    writeFileSync(`${repo.path}/plain`, 'file');
    for (const path of ['a', 'plain', 'nowhere']) {
      expect(() => unlockCopy(repo.path, path)).toThrow(expect.objectContaining({ code: 'content-unavailable' }));
    }
    expect(lstatSync(`${repo.path}/a`).isSymbolicLink()).toBe(true);
  });
});

describeWith(['git-annex', 'datalad-latest'], 'the newest git-annex', () => {
  let world: World;
  beforeAll(() => {
    world = createWorld();
  });
  afterAll(() => world.remove());

  test('agrees with content and locations that were added natively', () => {
    const latest = (cwd: string, ...args: string[]) =>
      world.ok(['bash', `${projectRoot}/tools/engines/datalad-latest.sh`, 'exec', latestTree, '--', 'git', ...args], {
        cwd,
      });
    const ours = annexRepo(world, 'ours');
    const theirs = annexRepo(world, 'theirs');
    fill(ours.path);
    fill(theirs.path);
    latest(theirs.path, '-c', 'annex.dotfiles=true', '-c', 'annex.backend=MD5E', 'annex', 'add', '-q', '.');
    const results = ingestAll(ours.path);
    expect(snapshot(ours.path)).toEqual(snapshot(theirs.path));
    recordPresence(
      world,
      ours,
      results.map((result) => result.key),
    );
    world.git(ours.path, 'add', '-A');
    world.git(ours.path, 'commit', '-q', '-m', 'native');
    latest(ours.path, 'annex', 'fsck', '-q');
    const keys = logs(world, ours);
    writeFileSync(`${ours.path}/later.txt`, 'added by git-annex');
    latest(ours.path, 'annex', 'add', '-q', 'later.txt');
    expect(logs(world, ours)).toEqual(expect.arrayContaining(keys));
    expect(latest(ours.path, 'annex', 'whereis', 'plain.txt')).toContain(ours.uuid);
  });
});

/** Path and text of each location log. */
function logs(world: World, repo: Repo): (readonly [string, string | undefined])[] {
  const paths = splitNul(
    world.exec(['git', 'ls-tree', '-rz', '--name-only', 'git-annex'], { cwd: repo.path }).bytes,
  ).filter((path) => path.includes('/'));
  return paths.sort().map((path) => {
    const out = world.exec(['git', 'cat-file', '--batch'], {
      cwd: repo.path,
      input: Buffer.concat([Buffer.from('git-annex:'), encodeName(path), Buffer.from('\n')]),
    }).stdout;
    return [path, out.slice(out.indexOf('\n') + 1, -1)] as const;
  });
}

function leftovers(repo: string): string[] {
  return readdirSync(`${repo}/.git/annex/reprise`);
}

/** A program of its own that ingests one file and kills itself before a step: kill -9 has no cleanup to rely on. */
function bundleIngest(world: World): string {
  const entry = world.path('bundle', 'entry.ts');
  const outfile = world.path('bundle', 'ingest.mjs');
  world.write(
    entry,
    `import { ingest } from ${JSON.stringify(`${projectRoot}/src/dataset/annex/ingest.ts`)};
import { decodeName } from ${JSON.stringify(`${projectRoot}/src/core/bytes.ts`)};
const [, , top, name, fatal] = process.argv;
ingest(top, decodeName(Buffer.from(name, 'hex')), { backend: 'MD5E' }, (step) => {
  if (step === fatal) process.kill(process.pid, 'SIGKILL');
});\n`,
  );
  buildSync({ entryPoints: [entry], outfile, bundle: true, platform: 'node', format: 'esm', logLevel: 'error' });
  chmodSync(dirname(outfile), 0o755);
  chmodSync(outfile, 0o644);
  return outfile;
}
