import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fc } from '../support/random.ts';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { configFrom } from '../../src/core/config.ts';
import { readConfig } from '../../src/dataset/read-config.ts';
import { repoAt, type Repo } from '../../src/dataset/repo.ts';
import { readContainers, removeContainer, writeContainer } from '../../src/images/config.ts';
import { imagePathIn, readImagePath } from '../../src/images/image-path.ts';
import { defaultContext } from '../../src/sys/context.ts';
import { createWorld, type World } from '../support/world.ts';

let world: World;
let repo: Repo;
let work: string;
beforeAll(() => {
  world = createWorld();
  const root = world.path('ds');
  world.ok(['git', 'init', '-q', root]);
  mkdirSync(join(root, '.datalad'));
  work = join(root, '.git/work');
  mkdirSync(work);
  repo = repoAt(root, defaultContext({ cwd: root, env: world.env })) as Repo;
});
afterAll(() => world.remove());

const configFile = (): string => join(repo.root, '.datalad/config');
const read = async () => readContainers(repo.root, await readConfig(repo));

describe('reading', () => {
  test('containers in their order, with all that is set; what has no image is none', () => {
    const config = configFrom([
      ['datalad.containers.b.image', 'b.sif'],
      ['datalad.containers.location', 'elsewhere'],
      ['datalad.containers.a.cmdexec', 'x {img}'],
      ['datalad.containers.a.image', 'old'],
      ['datalad.containers.ghost.cmdexec', 'x'],
      ['datalad.containers.a.extra-input', 'one'],
      ['datalad.containers.a.extra-input', 'two'],
      ['datalad.containers.a.image', 'new'],
      ['datalad.containers.a.updateurl', 'shub://x'],
    ]);
    expect(readContainers('/ds', config)).toEqual([
      { name: 'b', image: 'b.sif', extraInputs: [], settings: new Map() },
      {
        name: 'a',
        image: 'new',
        cmdexec: 'x {img}',
        extraInputs: ['one', 'two'],
        updateUrl: 'shub://x',
        settings: new Map([
          ['cmdexec', ['x {img}']],
          ['extra-input', ['one', 'two']],
          ['updateurl', ['shub://x']],
        ]),
      },
    ]);
  });

  test('a path that was written on Windows', () => {
    world.write(join(repo.root, 'images/mine.sif'), '');
    world.write(join(repo.root, 'odd\\name'), '');
    expect(readImagePath(repo.root, '.datalad\\environments\\a\\image')).toBe('.datalad/environments/a/image');
    expect(readImagePath(repo.root, 'images\\mine.sif')).toBe('images/mine.sif');
    expect(readImagePath(repo.root, 'odd\\name')).toBe('odd\\name');
    expect(readImagePath(repo.root, './a//b')).toBe('a/b');
  });

  test.each(['..', '../x', 'a/../../x', '/etc/passwd', '.git/x', 'a/.GIT/x', '', '.', '-x'])(
    'an image at %j belongs to no dataset',
    (path) => {
      expect(() => imagePathIn('/ds', path)).toThrow(expect.objectContaining({ code: 'path-outside' }));
    },
  );
});

describe('writing', () => {
  test('what is written is read again, to the character', async () => {
    const text = fc.string({
      unit: fc.constantFrom('a', '"', '\\', '#', ';', ' ', '{cmd}', "'", '\n', '\t', '=', 'é'),
      minLength: 1,
    });
    await fc.assert(
      fc.asyncProperty(text, fc.array(text, { maxLength: 3 }), async (cmdexec, extraInputs) => {
        writeFileSync(configFile(), '[datalad "dataset"]\n\tid = 1\n');
        await writeContainer(repo, 'c', { image: 'i', cmdexec, extraInputs }, work);
        expect(await read()).toMatchObject([{ name: 'c', image: 'i', cmdexec, extraInputs }]);
      }),
      { numRuns: 15 },
    );
  });

  test('what is not given stays; what is given replaces all there is', async () => {
    writeFileSync(configFile(), '');
    await writeContainer(repo, 'c', { image: 'i', cmdexec: 'x', extraInputs: ['1', '2'] }, work);
    await writeContainer(repo, 'c', { image: 'j' }, work);
    expect(await read()).toMatchObject([{ image: 'j', cmdexec: 'x', extraInputs: ['1', '2'] }]);
    await writeContainer(repo, 'c', { image: 'j', extraInputs: ['3'] }, work);
    expect(await read()).toMatchObject([{ image: 'j', cmdexec: 'x', extraInputs: ['3'] }]);
  });

  test('can be undone', async () => {
    writeFileSync(configFile(), '# mine\n[datalad "containers.c"]\n image = i\n');
    const restoreAdd = await writeContainer(repo, 'd', { image: 'j' }, work);
    restoreAdd();
    const restoreRemove = await removeContainer(repo, 'c', work);
    expect(await read()).toEqual([]);
    restoreRemove();
    expect(await read()).toMatchObject([{ name: 'c' }]);
    expect(world.ok(['cat', configFile()])).toBe('# mine\n[datalad "containers.c"]\n image = i');
  });

  test('a configuration that is a link is not written through', async () => {
    const other = world.path('other');
    world.write(other, 'theirs\n');
    world.ok(['rm', configFile()]);
    symlinkSync(other, configFile());
    await expect(writeContainer(repo, 'c', { image: 'i' }, work)).rejects.toThrow(
      expect.objectContaining({ code: 'path-outside' }),
    );
    expect(world.ok(['cat', other])).toBe('theirs');
    world.ok(['rm', configFile()]);
  });
});
