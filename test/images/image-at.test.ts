import { readdirSync, readFileSync, readlinkSync, realpathSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { create } from '../../src/dataset/create.ts';
import { save } from '../../src/dataset/save.ts';
import { containersAdd } from '../../src/images/add.ts';
import { imageAt } from '../../src/images/image-at.ts';
import { createWorld, type World } from '../support/world.ts';
import { contextIn, newDataset, repoIn } from './support.ts';

let world: World;
let root: string;
const commits: string[] = [];
const IMAGE = '.datalad/environments/v/image';

beforeAll(async () => {
  world = createWorld();
  root = await newDataset(world, 'ds');
  for (const text of ['one', 'two']) {
    world.write(world.path('v.sh'), text);
    await containersAdd({ name: 'v', url: world.path('v.sh'), update: true }, contextIn(world, root));
    commits.push(world.git(root, 'rev-parse', 'HEAD'));
  }
});
afterAll(() => world.remove());

const at = (commit: string, path: string, options = {}) => imageAt(repoIn(world, root), commit, path, options);
const [first, second] = [() => commits[0] as string, () => commits[1] as string];

describe('an image of an earlier commit', () => {
  test('that is one annexed file is its object', async () => {
    expect(readFileSync(await at(first(), IMAGE), 'utf8')).toBe('one');
    expect(readFileSync(await at(second(), IMAGE), 'utf8')).toBe('two');
    expect(await at(second(), IMAGE)).toBe(realpathSync(join(root, IMAGE)));
  });

  test('that is a folder has all its files, links and modes', async () => {
    const folder = join(root, 'folder');
    world.write(join(folder, 'sub/large'), 'annexed');
    world.write(join(folder, '.gitattributes'), 'small annex.largefiles=nothing\n');
    world.write(join(folder, 'small'), 'in git');
    world.ok(['chmod', '+x', join(folder, 'small')]);
    symlinkSync('sub/large', join(folder, 'link'));
    await save({}, contextIn(world, root));
    const commit = world.git(root, 'rev-parse', 'HEAD');
    world.ok(['rm', '-r', folder]);
    await save({}, contextIn(world, root));

    const found = await at(commit, 'folder');
    expect(readdirSync(found).sort()).toEqual(['.gitattributes', 'link', 'small', 'sub']);
    expect(readFileSync(join(found, 'sub/large'), 'utf8')).toBe('annexed');
    expect(readlinkSync(join(found, 'link'))).toBe('sub/large');
    expect(world.ok(['stat', '-c', '%a', join(found, 'small')])).toMatch(/^7/);
    expect(await at(commit, 'folder')).toBe(found);
    expect(world.git(root, 'status', '--porcelain')).toBe('');

    // A cache whose content was dropped is not handed out.
    world.ok(['git', 'annex', 'drop', '-q', '--force', '--all'], { cwd: root });
    await expect(at(commit, 'folder')).rejects.toThrow(expect.objectContaining({ code: 'content-unavailable' }));
    await expect(at(first(), IMAGE)).rejects.toThrow(expect.objectContaining({ code: 'content-unavailable' }));
  });

  test('that is in Git', async () => {
    const plain = await newDataset(world, 'plain');
    world.write(join(plain, '.gitattributes'), '* annex.largefiles=nothing\n');
    world.write(join(plain, 'run.sh'), 'echo 1');
    await save({}, contextIn(world, plain));
    const path = await imageAt(repoIn(world, plain), 'HEAD', 'run.sh');
    expect(path.endsWith('/run.sh')).toBe(true);
    expect(readFileSync(path, 'utf8')).toBe('echo 1');
  });

  test('that is not there', async () => {
    await expect(at(first(), 'nowhere')).rejects.toThrow(expect.objectContaining({ code: 'image-missing' }));
    await expect(at(first(), `${IMAGE}/below`)).rejects.toThrow(expect.objectContaining({ code: 'image-missing' }));
  });

  test('that a clone has to fetch', async () => {
    const origin = await newDataset(world, 'origin');
    world.write(join(origin, 'i.sif'), 'content');
    await save({}, contextIn(world, origin));
    const clone = world.path('clone');
    world.ok(['git', 'clone', '-q', origin, clone]);
    world.ok(['git', 'annex', 'init', '-q'], { cwd: clone });
    const repo = repoIn(world, clone);
    await expect(imageAt(repo, 'HEAD', 'i.sif')).rejects.toThrow(
      expect.objectContaining({ code: 'content-unavailable' }),
    );
    expect(readFileSync(await imageAt(repo, 'HEAD', 'i.sif', { fetch: true }), 'utf8')).toBe('content');
  });

  test('in a subdataset, whose commit of that time counts', async () => {
    const top = await newDataset(world, 'top');
    await create({ dataset: top, words: [join(top, 'sub')] }, contextIn(world, top));
    const versions: string[] = [];
    for (const text of ['old', 'new']) {
      world.ok(['rm', '-f', join(top, 'sub/i.sif')]);
      world.write(join(top, 'sub/i.sif'), text);
      await save({ recursive: true }, contextIn(world, top));
      versions.push(world.git(top, 'rev-parse', 'HEAD'));
    }
    const repo = repoIn(world, top);
    expect(readFileSync(await imageAt(repo, versions[0] as string, 'sub/i.sif'), 'utf8')).toBe('old');
    expect(readFileSync(await imageAt(repo, versions[1] as string, 'sub/i.sif'), 'utf8')).toBe('new');
  });
});
