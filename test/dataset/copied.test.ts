/** A dataset that was copied with `cp`: its inodes are others than git-annex has noted, and every change is seen all the same. */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { describeWith } from '../support/oracles.ts';
import { createWorld, ORDINARY_UID, type World } from '../support/world.ts';

describeWith(['git-annex'], 'in a copy of a dataset, a change that keeps size and second of an unlocked file', () => {
  let world: World;
  let copies = 0;
  const original = () => world.path('original');
  const copy = () => {
    const made = world.path(`copy-${(copies += 1)}`);
    world.ok(['cp', '-a', original(), made]);
    return made;
  };
  const CHANGE = 'echo 2 > f && touch -d @1700000001 f';
  const keyOf = (text: string) =>
    `/annex/objects/MD5E-s${text.length}--${createHash('md5').update(text).digest('hex')}`;

  beforeAll(() => {
    world = createWorld();
    world.reprise(world.dir, ['create', original()]);
    world.sh(original(), 'echo 1 > f && touch -d @1700000000 f && git annex add -q f && git annex unlock -q f');
    world.sh(original(), 'touch -d @1700000000 f && git add f && git commit -qm "1, unlocked"');
    expect(world.git(original(), 'show', 'HEAD:f')).toBe(keyOf('1\n'));
  });
  afterAll(() => world.remove());

  test('is hidden from Git by git-annex', () => {
    const dataset = copy();
    world.sh(dataset, CHANGE);
    expect(world.git(dataset, 'status', '--porcelain')).toBe('');
  });

  test('is recorded by run', () => {
    const dataset = copy();
    expect(world.reprise(dataset, ['run', '-o', 'f', CHANGE])).toMatchObject({ code: 0 });
    expect(world.git(dataset, 'show', 'HEAD:f')).toBe(keyOf('2\n'));
    expect(world.git(dataset, 'status', '--porcelain')).toBe('');
    expect(readFileSync(join(dataset, 'f'), 'utf8')).toBe('2\n');
    expect(world.git(dataset, 'annex', 'fsck', '-q')).toBe('');
  });

  test('is told by status, and saved', () => {
    const dataset = copy();
    world.sh(dataset, CHANGE);
    expect(world.reprise(dataset, ['status'])).toMatchObject({ stdout: ' modified: f (file)\n1 modified\n' });
    expect(world.reprise(dataset, ['save', '-m', 'two'])).toMatchObject({ code: 0 });
    expect(world.git(dataset, 'show', 'HEAD:f')).toBe(keyOf('2\n'));
  });

  test('is no reason to refuse who may not write what git-annex has noted', () => {
    const dataset = copy();
    const note = join(dataset, '.git/annex/sentinal.cache');
    const before = readFileSync(note, 'utf8');
    expect(before.split(' ')[0]).not.toBe(String(statSync(join(dataset, '.git/annex/sentinal')).ino));
    world.sh(dataset, 'chmod -R a-w .git/annex');
    expect(world.reprise(dataset, ['status'], { uid: ORDINARY_UID }).code).toBe(0);
    expect(readFileSync(note, 'utf8')).toBe(before);
    world.sh(dataset, 'chmod -R u+w .git/annex');
  });

  test('leaves alone what git-annex has not noted, and where inodes are not kept', () => {
    const dataset = copy();
    const note = join(dataset, '.git/annex/sentinal.cache');
    world.git(dataset, 'config', 'annex.crippledfilesystem', 'true');
    const before = readFileSync(note, 'utf8');
    world.sh(dataset, CHANGE);
    world.reprise(dataset, ['status']);
    expect(readFileSync(note, 'utf8')).toBe(before);
    world.sh(dataset, 'git config --unset annex.crippledfilesystem && rm .git/annex/sentinal*');
    writeFileSync(join(dataset, 'f'), 'longer\n');
    expect(world.reprise(dataset, ['status']).stdout).toContain('modified: f');
    expect(existsSync(note) && readFileSync(note, 'utf8') === before).toBe(false);
  });
});
