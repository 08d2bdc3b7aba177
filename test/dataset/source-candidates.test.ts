import { fc } from '../support/random.ts';
import { describe, expect, test } from 'vitest';
import { configFrom } from '../../src/core/config.ts';
import { urlRefusal } from '../../src/dataset/clone.ts';
import { decodeSource, sourceCandidates, spellings } from '../../src/dataset/source-candidates.ts';
import { isSafeName, isSafePath, parseModules } from '../../src/dataset/subdatasets.ts';

const PREFIX = 'datalad.get.subdataset-source-candidate-';

function urls(given: {
  url?: string;
  remotes?: [string, string][];
  config?: [string, string][];
  more?: [string, string][];
  path?: string;
}): string[] {
  const properties = new Map([
    ...(given.url === undefined ? [] : [['url', given.url] as const]),
    ...(given.more ?? []),
  ]);
  const facts = { superRoot: '/data/super', path: given.path ?? 'a b/sub', properties, remotes: given.remotes ?? [] };
  return sourceCandidates(facts, configFrom(given.config ?? [])).map(
    (candidate) => `${candidate.cost} ${candidate.name} ${candidate.url}`,
  );
}

describe('places of a subdataset', () => {
  test('relative URLs are taken from the remotes, then from the superdataset itself', () => {
    expect(urls({ url: './a b/sub', remotes: [['origin', 'https://example.org/x/super/.git']] })).toEqual([
      '600 origin https://example.org/x/super/a b/sub/.git',
      '650 origin https://example.org/x/super/a%20b/sub/.git',
    ]);
    expect(urls({ url: '../sibling', remotes: [['origin', 'git@example.org:x/super']] })).toEqual([
      '600 origin git@example.org:x/sibling',
      '650 origin git@example.org:x/super/a b/sub',
      '900 local /data/sibling',
    ]);
    expect(urls({ url: '../sibling', remotes: [['origin', '/srv/super']] })).toEqual([
      '600 origin /srv/sibling',
      '650 origin /srv/super/a b/sub',
      '900 local /data/sibling',
    ]);
  });

  test('an absolute URL stands for itself; the mount point itself is no source', () => {
    expect(urls({ url: 'https://example.org/sub' })).toEqual(['900 local https://example.org/sub']);
    expect(urls({ url: './a b/sub' })).toEqual([]);
  });

  test('templates take their cost from three digits, and their values from what is known', () => {
    expect(
      urls({
        url: 'https://example.org/sub',
        more: [
          ['datalad-id', 'ID'],
          ['path', 'a b/sub'],
          ['datalad-url', 'ria+https://store.example.org#ID'],
        ],
        remotes: [['up', '/srv/super']],
        config: [
          [`${PREFIX}100fast`, 'https://fast.example.org/{id}/{path_basename}'],
          [`${PREFIX}named`, '{remoteurl-up}/{{{path}}}'],
          [`${PREFIX}12short`, 'https://short.example.org/'],
          [`${PREFIX}300unknown`, 'https://x.example.org/{no-such}'],
        ],
      }),
    ).toEqual([
      '100 fast https://fast.example.org/ID/sub',
      '590 dl-url ria+https://store.example.org#ID',
      '600 up https://example.org/sub',
      '650 up /srv/super/a b/sub',
      '700 named /srv/super/{a b/sub}',
      '700 12short https://short.example.org/',
    ]);
  });

  test('RIA stores', () => {
    expect(decodeSource('ria+file:///store#abcdef-1@1.0')).toEqual({ url: '/store/abc/def-1', version: '1.0' });
    expect(decodeSource('ria+https://example.org/s/#~name')).toEqual({
      url: 'https://example.org/s/alias/name',
      version: null,
    });
    expect(decodeSource('ssh://example.org/x')).toEqual({ url: 'ssh://example.org/x', version: null });
    expect(spellings('https://example.org/x/')).toEqual(['https://example.org/x/', 'https://example.org/x/.git']);
    expect(spellings('/local')).toEqual(['/local']);
  });
});

describe('what an attacker writes into .gitmodules', () => {
  test.each([
    '-u/x',
    '--upload-pack=touch /tmp/x',
    'ext::sh -c touch% /tmp/x',
    'fd::7',
    'git://example.org/x',
    'ftp://example.org/x',
    'ssh://-oProxyCommand=x/y',
    'user@-oProxyCommand=x:y',
    'a\nb',
    '',
  ])('URL %j is refused', (url) => expect(urlRefusal(url)).not.toBeNull());
  test.each([
    '/srv/x',
    './x',
    'https://example.org/x',
    'http://localhost:1/x',
    'ssh://u@example.org/x',
    'git@example.org:x/y-z',
    'file:///srv/x',
    'a-b/c',
  ])('URL %j is allowed', (url) => expect(urlRefusal(url)).toBeNull());
  test.each([
    '..',
    '../x',
    'a/../../x',
    '/etc',
    '.git',
    '.git/hooks',
    'a/.GIT/x',
    '.git /x',
    '.git./x',
    'git~1/x',
    'a//b',
    './a',
    '',
    'a/',
    'a\0b',
    '-n',
  ])('path %j is refused', (path) => expect(isSafePath(path)).toBe(false));
  test.each(['a', 'a/b', 'a/-n', '...', '.gitx', 'a b/ü', 'x.git'])('path %j is allowed', (path) =>
    expect(isSafePath(path)).toBe(true),
  );
  test.each(['..', 'a/../b', 'a\\..\\b', ''])('name %j is refused', (name) => expect(isSafeName(name)).toBe(false));

  test('no accepted path leaves the dataset or enters .git', () => {
    const part = fc.constantFrom('..', '.', '', '.git', '.GIT', 'a', 'b c', '.git.', 'git~1', '...');
    fc.assert(
      fc.property(fc.array(part, { maxLength: 5 }), (parts) => {
        const path = parts.join('/');
        if (!isSafePath(path)) return;
        expect(new URL(`file:///root/${path.split('/').map(encodeURIComponent).join('/')}`).pathname).toMatch(
          /^\/root\/./,
        );
        expect(path.toLowerCase().split('/')).not.toContain('.git');
      }),
    );
  });

  test('the last value of a property wins, and a name may have dots', () => {
    const text =
      'submodule.a.b.path\na.b\0submodule.a.b.url\nx\0submodule.a.b.url\ny\nz\0other.key\n1\0submodule.a.b.flag\0';
    expect(parseModules(Buffer.from(text))).toEqual([
      {
        name: 'a.b',
        properties: new Map([
          ['path', 'a.b'],
          ['url', 'y\nz'],
          ['flag', 'true'],
        ]),
      },
    ]);
  });
});
