import { mkdirSync, writeFileSync } from 'node:fs';
import { fc } from '../support/random.ts';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { decodeName, fsPath, joinNul } from '../../src/core/bytes.ts';
import {
  BACKENDS,
  type Backend,
  hashDirLower,
  hashDirMixed,
  keptExtensions,
  keyForDigest,
  keyFromFileName,
  keyFromLink,
  keyFileName,
  linkTarget,
  objectPath,
  parseKey,
  parsePointer,
} from '../../src/dataset/annex/keys.ts';
import { encodeName } from '../../src/core/bytes.ts';
import { hashFile } from '../../src/dataset/annex/digest.ts';
import { describeWith, latestTree } from '../support/oracles.ts';
import { createWorld, projectRoot, type World } from '../support/world.ts';

/** A pointer file's content, as git-annex writes it. */
function pointerFor(key: string): Buffer {
  return encodeName(`/annex/objects/${keyFileName(key)}\n`);
}

test.each([
  ['a.tar.gz', '.tar.gz'],
  ['.hidden', ''],
  ['.hidden.txt', '.txt'],
  ['..x', ''],
  ['x.', ''],
  ['a.b c.d', '.d'],
  ['a.b..c', '.c'],
  ['a.jpegx.gz', '.gz'],
  ['a.abcd.e-f.gh', '.abcd.gh'],
  ['folder.d/plain', ''],
  ['a.töp', '.töp'],
  ['a.töpf', ''],
  [decodeName(Buffer.from('z.\xff\xfe', 'latin1')), decodeName(Buffer.from('.\xff\xfe', 'latin1'))],
])('the key of %j keeps the extensions %j', (name, kept) => {
  expect(keptExtensions(name)).toBe(kept);
});

test('the lengths and the number of kept extensions follow the settings', () => {
  expect(keptExtensions('a.nii.gz', { maxExtensions: 1 })).toBe('.gz');
  expect(keptExtensions('a.parquet', { maxExtensionLength: 7 })).toBe('.parquet');
  expect(keptExtensions('a.gz', { maxExtensionLength: 1 })).toBe('');
});

test('a key is taken apart, and what git-annex refuses is refused', () => {
  expect(parseKey('MD5E-s3--49f68a5c8493ec2c0bf489821c21fc3b.tar.gz')).toEqual({
    backend: 'MD5E',
    size: 3,
    name: '49f68a5c8493ec2c0bf489821c21fc3b.tar.gz',
  });
  expect(parseKey('WORM-s3-m1700000000--a-b--c')).toEqual({
    backend: 'WORM',
    size: 3,
    mtime: 1700000000,
    name: 'a-b--c',
  });
  expect(parseKey('SHA256-s10-S5-C2--abc')).toEqual({
    backend: 'SHA256',
    size: 10,
    chunkSize: 5,
    chunkNumber: 2,
    name: 'abc',
  });
  for (const wrong of ['', 'MD5E', '-s1--a', 'MD5E-x1--a', 'MD5E-s1-a', 'MD5E-s--a', `MD5E-s1--a.${'x'.repeat(64)}`]) {
    expect(parseKey(wrong)).toBeNull();
  }
});

test('a key is found in a link from any depth, and in nothing else', () => {
  const key = 'SHA256E-s2--8f434346648f6b96df89dda901c5176b10a6d83961dd3c1ac88b59b2dc327aa4.txt';
  expect(linkTarget('a/b/c.txt', key)).toBe(`../../${objectPath(key)}`);
  for (const path of ['c.txt', 'a/c.txt', 'a/b/c.txt']) expect(keyFromLink(linkTarget(path, key))).toBe(key);
  expect(keyFromLink(`../.git/modules/sub/annex/objects/aa/bb/${key}/${key}`)).toBe(key);
  for (const target of ['c.txt', '/etc/passwd', '.git/annex/objects/aa/bb/x/x', `elsewhere/${key}`])
    expect(keyFromLink(target)).toBeNull();
});

test('pointer files are recognised as git-annex recognises them', () => {
  const key = 'URL--http://example.org/a%20b&c';
  expect(parsePointer(pointerFor(key))).toBe(key);
  expect(parsePointer(Buffer.from('/annex/objects/MD5-s1--abc'))).toBe('MD5-s1--abc');
  expect(parsePointer(Buffer.from('/annex/objects/MD5-s1--abc\r\n'))).toBe('MD5-s1--abc');
  expect(parsePointer(Buffer.from('/annex/objects/MD5-s1--abc\n/annex/more\n'))).toBe('MD5-s1--abc');
  for (const other of [
    '',
    'text\n',
    '/annex/objects/MD5-s1--abc\nappended',
    '/annex/objects/MD5-s1--abc\nappended\n',
  ]) {
    expect(parsePointer(Buffer.from(other))).toBeNull();
  }
  expect(parsePointer(Buffer.concat([pointerFor(key), Buffer.alloc(40000)]))).toBeNull();
});

test('escaping a key for a file name is undone without loss', () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom('/', '%', '&', ':', 'a', 's', 'c', '-', '.'), { maxLength: 12 }), (parts) => {
      const key = `URL--${parts.join('')}`;
      expect(keyFileName(key)).not.toMatch(/[/:]/);
      expect(keyFromFileName(keyFileName(key))).toBe(key);
    }),
  );
});

const part = fc.constantFrom(
  '.',
  '.',
  '.',
  'a',
  'tar',
  'gz',
  'jpeg',
  'abcde',
  ' ',
  '-',
  '_',
  '+',
  '\n',
  '\t',
  '"',
  '{',
  'é',
  '日',
  '\xff',
  '\x80',
);
const fileName = fc
  .array(part, { minLength: 1, maxLength: 9 })
  .map((parts) =>
    decodeName(
      Buffer.concat(
        parts.map((text) => Buffer.from(text, text >= '\x80' && text <= '\xff' && text !== 'é' ? 'latin1' : 'utf8')),
      ),
    ),
  )
  .filter((name) => name !== '.' && name !== '..');

const versions = [
  ['git-annex', []],
  ['datalad-latest', ['bash', `${projectRoot}/tools/engines/datalad-latest.sh`, 'exec', latestTree, '--']],
] as const;

for (const [oracle, prefix] of versions) {
  describeWith([oracle], `keys are those of the real git-annex (${oracle})`, () => {
    let world: World;
    let repo: string;
    let round = 0;
    beforeAll(() => {
      world = createWorld();
      repo = world.path('repo');
      world.git(world.dir, 'init', '-q', repo);
      world.git(repo, 'annex', 'init', '-q', 'keys');
    });
    afterAll(() => world.remove());

    test('for files of any name and size, with each backend', () => {
      fc.assert(
        fc.property(
          fc.uniqueArray(fileName, { minLength: 40, maxLength: 60 }),
          fc.constantFrom(...(Object.keys(BACKENDS) as Backend[])),
          (names, backend) => {
            round += 1;
            const folder = `${repo}/round-${round}`;
            mkdirSync(folder);
            for (const [i, name] of names.entries()) writeFileSync(fsPath(`${folder}/${name}`), 'x'.repeat(i % 3));
            const out = world.exec(
              [...prefix, 'xargs', '-0', 'git', 'annex', 'calckey', `--backend=${backend}`, '--'],
              {
                cwd: folder,
                input: joinNul(names),
              },
            );
            const mine = names.map((name) => {
              const digest = hashFile(`${folder}/${name}`, BACKENDS[backend]);
              return keyForDigest(backend, digest?.size ?? -1, digest?.hex ?? '', name);
            });
            expect(decodeName(out.bytes).split('\n').slice(0, -1)).toEqual(mine);
          },
        ),
        { numRuns: 4 },
      );
    });

    test('and so are the places of their objects and logs', () => {
      const name = fc.stringMatching(/^[a-zA-Z0-9/%&:.,_-]{1,40}$/);
      const key = fc
        .tuple(fc.constantFrom('MD5E', 'SHA256', 'URL', 'WORM', 'XBLAKE3E'), fc.option(fc.nat()), fc.boolean(), name)
        .map(
          ([backend, size, chunk, text]) =>
            `${backend}${size === null ? '' : `-s${size}`}${chunk ? '-S100-C2' : ''}--${text}`,
        )
        .filter((text) => parseKey(text) !== null);
      fc.assert(
        fc.property(fc.array(key, { minLength: 100, maxLength: 100 }), (keys) => {
          const format = '${hashdirmixed} ${hashdirlower} ${objectpath}\\n';
          const out = world.ok([...prefix, 'git', 'annex', 'examinekey', `--format=${format}`, '--batch'], {
            cwd: repo,
            input: keys.map((text) => `${text}\n`).join(''),
          });
          expect(out.split('\n')).toEqual(
            keys.map((text) => `${hashDirMixed(text)}/ ${hashDirLower(text)}/ ${objectPath(text)}`),
          );
        }),
        { numRuns: 3 },
      );
    });

    test('and what is no key to git-annex is none here', () => {
      const texts = [
        'MD5E-s1--a',
        'MD5E-x1--a',
        'MD5E--',
        `MD5E-s1--a.${'x'.repeat(63)}`,
        `MD5E-s1--a.${'x'.repeat(64)}`,
        '--a',
        'A-m1-s1--b',
      ];
      for (const text of texts) {
        const out = world.exec([...prefix, 'git', 'annex', 'examinekey', text], { cwd: repo });
        expect([text, parseKey(text) !== null]).toEqual([text, out.code === 0]);
      }
    });
  });
}
