import { lstatSync, mkdirSync, writeFileSync } from 'node:fs';
import { fc } from '../support/random.ts';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { decideLargeness, type FileFacts, isBinary, type Largeness } from '../../src/dataset/annex/largefiles.ts';
import { matchesGlob, parseExpression, parseSize } from '../../src/dataset/annex/matching-expression.ts';
import { describeWith, latestTree } from '../support/oracles.ts';
import { createWorld, projectRoot, type World } from '../support/world.ts';

const facts = (path: string, content: Buffer): FileFacts => ({
  path,
  size: content.length,
  readHead: (length) => content.subarray(0, length),
});
const decide = (expression: string | undefined, path: string, content: Buffer | string): Largeness =>
  decideLargeness(
    { config: expression, attribute: undefined, branch: undefined },
    true,
    facts(path, Buffer.from(content)),
  );

test('without an expression every file is large, except dotfiles where those are not wanted', () => {
  const nothing = { config: undefined, attribute: 'unspecified', branch: undefined };
  expect(decideLargeness(nothing, true, facts('.a', Buffer.alloc(0)))).toBe('large');
  for (const path of ['.a', 'b/.c/d'])
    expect(decideLargeness(nothing, false, facts(path, Buffer.alloc(0)))).toBe('small');
  expect(decideLargeness(nothing, false, facts('a.b/c', Buffer.alloc(0)))).toBe('large');
});

test('the configuration overrides the attribute, and that overrides the setting for all clones', () => {
  const file = facts('a', Buffer.from('x'));
  expect(decideLargeness({ config: 'nothing', attribute: 'anything', branch: 'anything' }, true, file)).toBe('small');
  expect(decideLargeness({ config: undefined, attribute: 'anything', branch: 'nothing' }, true, file)).toBe('large');
  expect(decideLargeness({ config: undefined, attribute: 'unspecified', branch: 'nothing' }, true, file)).toBe('small');
});

test("DataLad's text2git puts text into Git, and what is not text into the annex", () => {
  const text2git = '((mimeencoding=binary)and(largerthan=0))';
  expect(decide(text2git, 'a', 'some text\n')).toBe('small');
  expect(decide(text2git, 'a', 'grüße\n')).toBe('small');
  expect(decide(text2git, 'a', '')).toBe('small');
  expect(decide(text2git, 'a', Buffer.from([1, 2, 0, 3]))).toBe('large');
  expect(decide(text2git, 'a', Buffer.from([0xff, 0xfe, 0x41, 0]))).toBe('undecided');
  expect(decide(text2git, 'a', Buffer.from('\xe4\xf6', 'latin1'))).toBe('undecided');
});

test.each([
  ['mimetype=text/*'],
  ['largerthan=lots'],
  ['include=[ab]*'],
  ['wibble'],
  ['set'],
  [''],
  ['(anything'],
  ['anything)'],
  ['()'],
  ['and'],
  ['anything or'],
  ['(anything (anything or nothing))'],
  [`${'('.repeat(200)}anything${')'.repeat(200)}`],
])('the expression %j is left to git-annex', (expression) => {
  expect(decide(expression, 'a', 'text')).toBe('undecided');
});

test('what decides the whole is enough, though a part of it cannot be told', () => {
  expect(decide('mimetype=text/* and nothing', 'a', 'x')).toBe('small');
  expect(decide('anything or mimetype=text/*', 'a', 'x')).toBe('large');
  expect(decide('mimetype=text/* or wibble', 'a', 'x')).toBe('undecided');
});

test.each([
  ['0', 0],
  ['100', 100],
  ['100kb', 100_000],
  ['1.5MiB', 1_572_864],
  ['2k', 2000],
  ['2ki', 2048],
  ['1megabytes', 1_000_000],
  ['8kbit', 1000],
  ['0.5b', 0],
  ['1.5b', 2],
  ['3 kb', null],
  ['1e3', null],
  ['kb', null],
  ['5parsecs', null],
])('the size %j is %j bytes', (text, bytes) => {
  expect(parseSize(text)).toBe(bytes);
});

test('a star in a glob stands for slashes too', () => {
  expect(matchesGlob('*.c', 'a/b.c')).toBe(true);
  expect(matchesGlob('*.c', 'a/b.cc')).toBe(false);
  expect(matchesGlob('a?c', 'abc')).toBe(true);
  expect(matchesGlob('a?c', 'aéc')).toBeNull();
  expect(matchesGlob('*', 'a\nb')).toBeNull();
  expect(matchesGlob('*'.repeat(60), 'x'.repeat(10_000))).toBe(true);
});

test('a text of more than the head is text even where the head cuts a character in two', () => {
  const long = Buffer.from(`a${'é'.repeat(600_000)}`);
  expect(isBinary(facts('a', long))).toBe(false);
  expect(isBinary(facts('a', Buffer.from('ok')))).toBe(false);
  expect(isBinary(facts('a', long.subarray(0, 1000)))).toBeNull();
  expect(isBinary(facts('a', Buffer.concat([Buffer.alloc(70_000, 'a'), Buffer.alloc(1)])))).toBeNull();
});

const piece = fc.oneof(
  fc
    .constantFrom(
      'text',
      ' ',
      '\n',
      '\r\n',
      '\t',
      'é',
      '日本',
      '{"a": 1}',
      'a,b\n1,2\n',
      '#!/bin/sh\n',
      '\x1b[0m',
      '\x07',
      '\x0b',
      '\x7f',
    )
    .map((text) => Buffer.from(text)),
  fc
    .constantFrom(
      [0],
      [0xff, 0xfe],
      [0xfe, 0xff],
      [0, 0, 0xfe, 0xff],
      [0xef, 0xbb, 0xbf],
      [0x85],
      [0xe4],
      [0x41, 0],
      [1],
      [0xc1, 0x40],
    )
    .map((bytes) => Buffer.from(bytes)),
  fc.uint8Array({ maxLength: 4 }).map((bytes) => Buffer.from(bytes)),
);
const content = fc.array(piece, { maxLength: 8 }).map((pieces) => Buffer.concat(pieces));
const special = [
  Buffer.alloc(0),
  Buffer.from('\n'),
  Buffer.from('+/v8 utf-7'),
  Buffer.from('plain letters', 'utf16le'),
  Buffer.concat([Buffer.alloc(66_000, 'a'), Buffer.from([0, 1])]),
  Buffer.concat([Buffer.alloc(1 << 20, 'a'), Buffer.from([0, 1])]),
  Buffer.concat([Buffer.alloc(65_535, 'a'), Buffer.from('é'), Buffer.alloc(100_000, 'b')]),
  Buffer.from(`{"json": [${'1,'.repeat(50)}2]}\n`),
  Buffer.from('col1,col2\n1,2\n3,4\n'),
  Buffer.concat([Buffer.from('text'), Buffer.alloc(20)]),
  Buffer.from('%PDF-1.4\ntext only\n'),
  Buffer.from('\x89PNG\r\n\x1a\n\0\0\0\rIHDR', 'latin1'),
];

const versions = [
  ['git-annex', []],
  ['datalad-latest', ['bash', `${projectRoot}/tools/engines/datalad-latest.sh`, 'exec', latestTree, '--']],
] as const;

for (const [oracle, prefix] of versions) {
  describeWith([oracle], `git-annex decides the same, where it is decided here (${oracle})`, () => {
    let world: World;
    let repo: string;
    let round = 0;
    beforeAll(() => {
      world = createWorld();
      repo = world.path('repo');
      world.git(world.dir, 'init', '-q', repo);
      world.git(repo, 'annex', 'init', '-q', 'large');
    });
    afterAll(() => world.remove());

    const add = (folder: string, ...settings: string[]): void => {
      world.ok(
        [
          ...prefix,
          'git',
          '-c',
          'annex.dotfiles=true',
          ...settings.flatMap((text) => ['-c', text]),
          'annex',
          'add',
          '-q',
          folder,
        ],
        { cwd: repo },
      );
    };
    const outcome = (path: string): Largeness => (lstatSync(`${repo}/${path}`).isSymbolicLink() ? 'large' : 'small');

    test('what is binary', () => {
      let decided = 0;
      const check = (contents: readonly Buffer[]) => {
        round += 1;
        const folder = `binary-${round}`;
        mkdirSync(`${repo}/${folder}`);
        for (const [i, bytes] of contents.entries()) writeFileSync(`${repo}/${folder}/${i}`, bytes);
        add(folder, 'annex.largefiles=mimeencoding=binary');
        const wrong = contents.flatMap((bytes, i) => {
          const mine = decide('mimeencoding=binary', `${folder}/${i}`, bytes);
          if (mine === 'undecided') return [];
          decided += 1;
          return mine === outcome(`${folder}/${i}`) ? [] : [{ mine, bytes: bytes.subarray(0, 60).toString('latin1') }];
        });
        expect(wrong).toEqual([]);
      };
      check(special);
      fc.assert(fc.property(fc.array(content, { minLength: 100, maxLength: 100 }), check), {
        numRuns: 1,
        endOnFailure: true,
      });
      expect(decided).toBeGreaterThan(40);
    });

    test('what an expression of sizes and names matches', () => {
      const files = [
        ['a.c', 0],
        ['b.h', 5],
        ['c.dat', 1000],
        ['d.tar.gz', 1024],
        ['e', 2048],
      ] as const;
      const leaf = fc.constantFrom(
        'anything',
        'nothing',
        'largerthan=5',
        'largerthan=1k',
        'smallerthan=1kib',
        'smallerthan=0.002mb',
        'include=*.c',
        'exclude=*.h',
        'include=*/?',
        'include=*/c.d?t',
        'largerthan=8kbit',
      );
      const { expression } = fc.letrec<{ expression: string }>((tie) => ({
        expression: fc.oneof(
          { maxDepth: 4, withCrossShrink: true },
          leaf.map((text) => `(${text})`),
          fc
            .tuple(tie('expression'), fc.constantFrom('and', 'or', 'andnot', 'or(not'), tie('expression'))
            .map(([a, word, b]) =>
              word === 'or(not'
                ? `${a}or(not${b})`
                : `${a}${word === 'andnot' ? 'and(not' : word}${b}${word === 'andnot' ? ')' : ''}`,
            ),
          fc
            .tuple(tie('expression'), fc.constantFrom('and', 'or'), tie('expression'))
            .map(([a, word, b]) => `(${a}${word}${b})`),
          tie('expression').map((a) => `(not${a})`),
        ),
      }));
      fc.assert(
        fc.property(fc.array(expression, { minLength: 20, maxLength: 20 }), (expressions) => {
          round += 1;
          const folder = `expressions-${round}`;
          mkdirSync(`${repo}/${folder}`);
          writeFileSync(
            `${repo}/${folder}/.gitattributes`,
            expressions.map((text, i) => `/${i}/* annex.largefiles=${text}\n`).join(''),
          );
          for (const i of expressions.keys()) {
            mkdirSync(`${repo}/${folder}/${i}`);
            for (const [name, size] of files) writeFileSync(`${repo}/${folder}/${i}/${name}`, Buffer.alloc(size, 'x'));
          }
          add(folder);
          const real = expressions.map((text, i) => [
            text,
            ...files.map(([name]) => outcome(`${folder}/${i}/${name}`)),
          ]);
          const mine = expressions.map((text, i) => [
            text,
            ...files.map(([name, size]) => decide(text, `${folder}/${i}/${name}`, Buffer.alloc(size, 'x'))),
          ]);
          expect(mine).toEqual(real);
        }),
        { numRuns: 1, endOnFailure: true },
      );
      expect(parseExpression('(anything)and(not(nothing))')).not.toBeNull();
    });

    test('how sizes are written', () => {
      const sizes = [
        '1000',
        '1kb',
        '1k',
        '1kib',
        '1ki',
        '0.001MB',
        '1kilobyte',
        '8kbit',
        '0.5',
        '0.9995kb',
        '1.0005k',
        '1024b',
        '1023bytes',
        '0.0009765625mib',
      ];
      round += 1;
      const folder = `sizes-${round}`;
      mkdirSync(`${repo}/${folder}`);
      writeFileSync(
        `${repo}/${folder}/.gitattributes`,
        sizes.map((text, i) => `/${i}/* annex.largefiles=largerthan=${text}\n`).join(''),
      );
      const lengths = [0, 1, 999, 1000, 1001, 1023, 1024, 1025];
      for (const i of sizes.keys()) {
        mkdirSync(`${repo}/${folder}/${i}`);
        for (const length of lengths) writeFileSync(`${repo}/${folder}/${i}/${length}`, Buffer.alloc(length, 'x'));
      }
      add(folder);
      for (const [i, size] of sizes.entries()) {
        const real = lengths.filter((length) => outcome(`${folder}/${i}/${length}`) === 'large');
        expect([size, lengths.filter((length) => length > (parseSize(size) ?? Infinity))]).toEqual([size, real]);
      }
    });
  });
}
