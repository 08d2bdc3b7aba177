import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fc } from '../support/random.ts';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { encodeName } from '../../src/core/bytes.ts';
import { readRange } from '../../src/containers/formats/byte-range.ts';
import { tarMembers } from '../../src/containers/formats/tar.ts';
import { describeWith } from '../support/oracles.ts';
import { type PythonOracle, startPython } from '../support/python-oracle.ts';

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'reprise-tar-'));
});
afterAll(() => rmSync(dir, { recursive: true }));

const open = (path: string) => tarMembers({ path, offset: 0, size: statSync(path).size }, path);

/** Writes members with Python's tarfile in one of its three formats. */
const WRITE = `
import io, tarfile
FORMATS = {'ustar': tarfile.USTAR_FORMAT, 'gnu': tarfile.GNU_FORMAT, 'pax': tarfile.PAX_FORMAT}
def answer(value):
    path, form, members = value
    with tarfile.open(path, 'w', format=FORMATS[form], encoding='utf-8', errors='surrogateescape') as tar:
        for name, kind, content in members:
            info = tarfile.TarInfo(bytes.fromhex(name).decode('utf-8', 'surrogateescape'))
            if kind == 'file':
                info.size = len(content)
                info.mtime = 0.5 if form == 'pax' else 0
                tar.addfile(info, io.BytesIO(content.encode()))
            else:
                info.type = tarfile.SYMTYPE if kind == 'symlink' else tarfile.LNKTYPE
                info.linkname = bytes.fromhex(content).decode('utf-8', 'surrogateescape')
                tar.addfile(info)
`;

const part = fc
  .string({
    unit: fc.constantFrom('a', 'Z', ' ', '.', '-', '\n', 'é', '\udcff', '{', "'"),
    minLength: 1,
    maxLength: 60,
  })
  .filter((text) => text !== '.' && text !== '..');
const name = fc.array(part, { minLength: 1, maxLength: 5 }).map((parts) => parts.join('/'));
const hex = (text: string) => encodeName(text).toString('hex');

describeWith(['python3'], 'tar files of every format', () => {
  let python: PythonOracle;
  beforeAll(() => {
    python = startPython(WRITE);
  });
  afterAll(() => python.close());

  test('yield the members that Python put in, under any name', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom('gnu', 'pax', 'ustar'),
        fc.uniqueArray(
          fc.tuple(
            name,
            fc.string({ maxLength: 1500 }).filter((text) => text.isWellFormed()),
          ),
          {
            selector: ([path]) => path,
            minLength: 1,
            maxLength: 6,
          },
        ),
        async (format, members) => {
          const path = join(dir, 'members.tar');
          const request = members.map(([member, content]) => [hex(member), 'file', content]);
          const answer = await python.ask([path, format, request]);
          // ustar cannot carry every name; Python says so.
          fc.pre(answer === null);
          const found = open(path);
          for (const [member, content] of members) {
            const range = found?.find(member);
            expect(range && readRange(range, 1 << 20).toString()).toBe(content);
          }
        },
      ),
      { numRuns: 150 },
    );
  });

  test('links of both kinds lead to the member that they name', async () => {
    const path = join(dir, 'links.tar');
    const long = `${'deep/'.repeat(40)}target`;
    for (const format of ['gnu', 'pax']) {
      await python.ask([
        path,
        format,
        [
          [hex(long), 'file', 'content'],
          [hex('hard'), 'hardlink', hex(long)],
          [hex('sub/soft'), 'symlink', hex(`../${long}`)],
          [hex('sub/chain'), 'symlink', hex('./soft')],
          [hex('out'), 'symlink', hex('../out')],
          [hex('root'), 'symlink', hex('/etc/passwd')],
          [hex('round'), 'symlink', hex('round')],
          [hex('nowhere'), 'symlink', hex('missing')],
        ],
      ]);
      const members = open(path);
      for (const link of ['hard', 'sub/soft', 'sub/chain'])
        expect(readRange(members?.find(link) as never, 100).toString()).toBe('content');
      for (const link of ['out', 'root', 'round'])
        expect(() => members?.find(link)).toThrow(expect.objectContaining({ code: 'image-invalid' }));
      expect(members?.find('nowhere')).toBeNull();
    }
  });
});

describe('a file that is no tar file', () => {
  test.each(['/dev/null', process.execPath, import.meta.filename])('%s has no members', (path) => {
    expect(open(path)).toBeNull();
  });
});
