import { describe, expect, test } from 'vitest';
import { pullProgress } from '../../src/images/engine-images.ts';
import { classifySource, completeReference, splitReference } from '../../src/images/sources.ts';

const HERE = new Set(['image.sif', 'layout', 'odd:name', 'docker.tar']);
const classify = (url: string) => classifySource(url, (path) => (HERE.has(path) ? `/work/${path}` : null));

describe('what an image is got from', () => {
  test.each([
    ['image.sif', { kind: 'local', path: '/work/image.sif' }],
    ['odd:name', { kind: 'local', path: '/work/odd:name' }],
    ['docker-archive:docker.tar', { kind: 'local', path: '/work/docker.tar' }],
    ['oci:layout', { kind: 'local', path: '/work/layout' }],
    ['oci:layout:2.1', { kind: 'layout', path: '/work/layout', tag: '2.1' }],
    ['dhub://busybox', { kind: 'pull', reference: 'busybox:latest' }],
    ['dhub://localhost:5000/a/b', { kind: 'pull', reference: 'localhost:5000/a/b:latest' }],
    ['docker://debian:12', { kind: 'build', uri: 'docker://debian:12', reference: 'debian:12' }],
    ['library://x/y', { kind: 'build', uri: 'library://x/y', reference: null }],
    ['docker-daemon:mine', { kind: 'engine', engines: ['docker', 'podman'], reference: 'mine:latest' }],
    ['podman:localhost/mine:3', { kind: 'engine', engines: ['podman'], reference: 'localhost/mine:3' }],
    ['oci://h:5000/a:1', { kind: 'build', uri: 'docker://h:5000/a:1', reference: 'h:5000/a:1' }],
    ['https://example.org/a.sif', { kind: 'download', url: 'https://example.org/a.sif' }],
    ['bogus:x', { kind: 'download', url: 'bogus:x' }],
  ])('%s', (url, source) => {
    expect(classify(url)).toEqual(source);
  });

  test('Singularity Hub is gone, and says so', () => {
    expect(() => classify('shub://a/b')).toThrow(/Singularity Hub was shut down/);
  });

  test.each([
    'dhub://',
    'dhub://a b',
    'docker://../../etc',
    'docker-daemon:?x=1',
    'dhub://a:b:c',
    'dhub://a#b',
    'dhub://-x',
  ])('%s is no reference', (url) => {
    expect(() => classify(url)).toThrow(expect.objectContaining({ code: 'usage' }));
  });

  test.each(['oci:nowhere:1', 'oci:///nowhere', 'docker-archive:gone.tar', 'not-here.sif', '../not/here'])(
    '%s is not there',
    (url) => {
      expect(() => classify(url)).toThrow(expect.objectContaining({ code: 'path-missing' }));
    },
  );
});

describe('the progress of a pull', () => {
  type Line = Parameters<ReturnType<typeof pullProgress>>[0];
  const after = (lines: readonly Line[]) => {
    const told: string[] = [];
    const follow = pullProgress(({ done, total, unit }) => told.push(`${done}/${total} ${unit}`));
    for (const line of lines) follow(line);
    return told;
  };

  test('is in bytes where an engine tells them', () => {
    expect(
      after([
        { status: 'Pulling from a', id: '1' },
        { status: 'Pulling fs layer', id: 'a', progressDetail: {} },
        { status: 'Downloading', id: 'a', progressDetail: { current: 5, total: 10 } },
        { status: 'Already exists', id: 'b', progressDetail: {} },
        { status: 'Downloading', id: 'c', progressDetail: { current: 1, total: 20 } },
        { status: 'Download complete', id: 'a', progressDetail: {} },
        { status: 'Extracting', id: 'a', progressDetail: { current: 1, total: 10 } },
      ]),
    ).toEqual(['0/1 layers', '5/10 bytes', '5/10 bytes', '6/30 bytes', '11/30 bytes']);
  });

  test('is in layers where it does not', () => {
    const begun = ['a', 'b'].map((id) => ({ status: 'Pulling fs layer', id, progressDetail: {} }));
    const lines = [...begun, { status: 'Download complete', id: 'b', progressDetail: {} }];
    expect(after(lines)).toEqual(['0/1 layers', '0/2 layers', '1/2 layers']);
  });
});

describe('references', () => {
  const digest = `sha256:${'a'.repeat(64)}`;

  test('get a tag where they have neither tag nor digest', () => {
    expect(completeReference('h:5000/a')).toBe('h:5000/a:latest');
    expect(completeReference(`h:5000/a@${digest}`)).toBe(`h:5000/a@${digest}`);
  });

  test('are split into name and version', () => {
    expect(splitReference('h:5000/a:1')).toEqual({ name: 'h:5000/a', version: '1' });
    expect(splitReference(`h:5000/a:1@${digest}`)).toEqual({ name: 'h:5000/a', version: digest });
  });
});
