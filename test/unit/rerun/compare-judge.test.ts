/** What names alone say about two states of an output. */
import { createHash } from 'node:crypto';
import { fc } from '../../support/random.ts';
import { describe, expect, test } from 'vitest';
import { BACKENDS, keyForDigest, type Backend } from '../../../src/dataset/annex/keys.ts';
import type { FileState } from '../../../src/dataset/tree-compare.ts';
import { bookkeeping, judge } from '../../../src/rerun/compare.ts';
import { configFrom } from '../../../src/core/config.ts';

const annex = (key: string, sha = '1'): FileState => ({ kind: 'annex', key, sha });
const file = (sha: string): FileState => ({ kind: 'file', sha });
const link = (sha: string): FileState => ({ kind: 'link', sha });
const dataset = (sha: string): FileState => ({ kind: 'dataset', sha });

function keyOf(content: string, backend: Backend, name: string): string {
  return keyForDigest(backend, content.length, createHash(BACKENDS[backend]).update(content).digest('hex'), name);
}

describe('judging by names', () => {
  test.each<[string, FileState | null, FileState | null, string]>([
    ['gone in both', null, null, 'identical'],
    ['made by the replay only', null, file('1'), 'unexpected'],
    ['not made by the replay', file('1'), null, 'missing'],
    ['the same blob', file('1'), file('1'), 'identical'],
    ['another blob', file('1'), file('2'), 'different'],
    ['a link in the place of a file of the same bytes', file('1'), link('1'), 'different'],
    [
      'a locked and an unlocked annexed file',
      annex('SHA256E-s1--a.x', '1'),
      annex('SHA256E-s1--a.x', '2'),
      'identical',
    ],
    ['the same digest under another extension', annex('SHA256E-s1--a.x'), annex('SHA256E-s1--a.tar.gz'), 'identical'],
    ['with and without extension', annex('MD5E-s1--a.x'), annex('MD5-s1--a'), 'identical'],
    ['a backend that is not made here', annex('BLAKE2B256E-s1--a.x'), annex('BLAKE2B256-s1--a'), 'identical'],
    ['another digest', annex('SKEIN256-s1--a'), annex('SKEIN256-s1--b'), 'different'],
    ['another function', annex('MD5E-s1--a'), annex('SHA256E-s1--a'), 'undecided'],
    ['another function, another size', annex('MD5E-s1--a'), annex('SHA256E-s2--a'), 'different'],
    ['keys of names', annex('WORM-s1-m1--a'), annex('WORM-s1-m2--a'), 'undecided'],
    ['a URL', annex('URL--http&c%%example.org%a'), annex('SHA256E-s2--a'), 'undecided'],
    ['annexed and in Git', annex('MD5E-s1--a'), file('1'), 'undecided'],
    ['annexed and a plain link', annex('MD5E-s1--a'), link('1'), 'different'],
    ['a subdataset at the same commit', dataset('1'), dataset('1'), 'identical'],
    ['a subdataset and a file', dataset('1'), file('1'), 'different'],
  ])('%s', (_, recorded, replayed, verdict) => {
    expect(judge(recorded, replayed)).toBe(verdict);
  });

  test('keys are judged as their content is, whatever the file names, or not at all', () => {
    const some = fc.record({
      content: fc.constantFrom('', 'a', 'b', 'bb'),
      backend: fc.constantFrom(...(Object.keys(BACKENDS) as Backend[])),
      name: fc.constantFrom('x', 'x.dat', 'x.tar.gz', 'é.nii'),
    });
    fc.assert(
      fc.property(some, some, (a, b) => {
        const verdict = judge(annex(keyOf(a.content, a.backend, a.name)), annex(keyOf(b.content, b.backend, b.name)));
        const truth = a.content === b.content ? 'identical' : 'different';
        const comparable = BACKENDS[a.backend] === BACKENDS[b.backend] || a.content.length !== b.content.length;
        expect(verdict).toBe(comparable ? truth : 'undecided');
      }),
    );
  });

  test('sidecars and named logs are no outputs', () => {
    const record = { chain: [], cmd: 'x', extra_inputs: [], inputs: [], outputs: [], pwd: '.' };
    const logged = {
      ...record,
      reprise: { version: 1 as const, run: '0'.repeat(16), log: { out: '.reprise/log/1.out' } },
    };
    const isNone = bookkeeping(configFrom([]), [record, logged]);
    expect(['.datalad/runinfo/abc', '.reprise/log/1.out'].every(isNone)).toBe(true);
    expect(['.datalad/config', '.reprise/log/2.out', 'out', 'x/.datalad/runinfo/abc'].some(isNone)).toBe(false);
    expect(bookkeeping(configFrom([['datalad.run.record-directory', 'records/']]), [])('records/abc')).toBe(true);
  });
});
