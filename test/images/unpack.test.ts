import { spawnSync } from 'node:child_process';
import {
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fc } from '../support/random.ts';
import { afterAll, describe, expect, test } from 'vitest';
import { unpackTar } from '../../src/images/unpack.ts';

const world = mkdtempSync(join(tmpdir(), 'reprise-unpack-'));
afterAll(() => rmSync(world, { recursive: true, force: true }));

let count = 0;
const fresh = (): string => {
  count += 1;
  const folder = join(world, String(count));
  mkdirSync(folder);
  return folder;
};

async function* inPieces(bytes: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

/** A tar file by GNU tar. */
function tarOf(folder: string, ...options: string[]): Buffer {
  const made = spawnSync('tar', ['-C', folder, ...options, '-cf', '-', '.'], { maxBuffer: 1 << 26 });
  if (made.status !== 0) throw new Error(made.stderr.toString());
  return made.stdout;
}

interface Member {
  readonly name: string;
  readonly type?: string;
  readonly target?: string;
  readonly data?: string;
}

/** A tar file with exactly these members, which no honest program would write. */
function craft(members: readonly Member[]): Buffer {
  const blocks = members.map(({ name, type = '0', target = '', data = '' }) => {
    const header = Buffer.alloc(512);
    header.write(name, 0, 100, 'latin1');
    header.write('0000644\0', 100, 'latin1');
    header.write(`${data.length.toString(8).padStart(11, '0')}\0`, 124, 'latin1');
    header.write('        ', 148, 'latin1');
    header.write(type, 156, 'latin1');
    header.write(target, 157, 100, 'latin1');
    header.write('ustar\u000000', 257, 'latin1');
    const sum = header.reduce((total, byte) => total + byte, 0);
    header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
    const body = Buffer.alloc(Math.ceil(data.length / 512) * 512);
    body.write(data, 'latin1');
    return Buffer.concat([header, body]);
  });
  return Buffer.concat([...blocks, Buffer.alloc(1024)]);
}

const unpack = async (tar: Buffer, size = 700): Promise<string> => {
  const folder = fresh();
  await unpackTar(inPieces(tar, size), folder, 'the image');
  return folder;
};

/** Everything in a folder, as a comparable value. */
function snapshot(folder: string, below = ''): Record<string, string> {
  const found: Record<string, string> = {};
  for (const name of readdirSync(join(folder, below)).sort()) {
    const path = join(below, name);
    const stat = lstatSync(join(folder, path));
    if (stat.isDirectory()) Object.assign(found, { [path]: 'folder' }, snapshot(folder, path));
    else if (stat.isSymbolicLink()) found[path] = `-> ${readlinkSync(join(folder, path))}`;
    else
      found[path] =
        `${(stat.mode & 0o100) === 0 ? 'file' : 'program'} ${readFileSync(join(folder, path)).toString('base64')}`;
  }
  return found;
}

describe('unpacking what GNU tar packs', () => {
  test.each(['gnu', 'pax', 'ustar'])('in the format %s, whatever the pieces', async (format) => {
    const names = fc.stringMatching(/^[a-zé][a-z0-9 é._-]{0,30}$/).filter((name) => name.toLowerCase() !== '.git');
    const tree = fc.dictionary(names, fc.uint8Array({ maxLength: 2000 }), { maxKeys: 6, noNullPrototype: true });
    await fc.assert(
      fc.asyncProperty(tree, tree, fc.integer({ min: 1, max: 3000 }), async (top, below, size) => {
        const source = fresh();
        mkdirSync(join(source, '!sub'));
        for (const [name, bytes] of Object.entries(top)) writeFileSync(join(source, name), bytes);
        for (const [name, bytes] of Object.entries(below))
          writeFileSync(join(source, '!sub', name), bytes, { mode: 0o755 });
        symlinkSync('../!sub', join(source, '!sub', '!up'));
        expect(snapshot(await unpack(tarOf(source, `--format=${format}`), size))).toEqual(snapshot(source));
      }),
      { numRuns: 15 },
    );
  });

  test('long names and hard links', async () => {
    const source = fresh();
    const long = 'n'.repeat(200);
    mkdirSync(join(source, long));
    writeFileSync(join(source, long, long), 'x');
    spawnSync('ln', [join(source, long, long), join(source, 'same')]);
    symlinkSync(`${long}/${long}`, join(source, 'link'));
    for (const format of ['gnu', 'pax']) {
      expect(snapshot(await unpack(tarOf(source, `--format=${format}`)))).toEqual(snapshot(source));
    }
  });
});

describe('what is refused', () => {
  const cases: readonly (readonly [string, readonly Member[]])[] = [
    ['a name that climbs', [{ name: '../evil' }]],
    ['an absolute name', [{ name: '/evil' }]],
    ['Git’s own folder', [{ name: 'a/.GIT/hooks/post-checkout', data: 'x' }]],
    ['a link that climbs', [{ name: 'l', type: '2', target: '../evil' }]],
    ['an absolute link', [{ name: 'l', type: '2', target: '/etc/passwd' }]],
    ['a hard link that climbs', [{ name: 'l', type: '1', target: '../evil' }]],
    ['a hard link to nothing', [{ name: 'l', type: '1', target: 'nothing' }]],
    [
      'a file through a link',
      [
        { name: 'l', type: '2', target: 'd' },
        { name: 'd', type: '5' },
        { name: 'l/evil', data: 'x' },
      ],
    ],
    [
      'a link below a link, which leads out from where it really is',
      [
        { name: 't', type: '5' },
        { name: 'p/q/r', type: '2', target: '../../t' },
        { name: 'p/q/r/x', type: '2', target: '../../../y' },
      ],
    ],
    [
      'a member twice',
      [
        { name: 'a', data: '1' },
        { name: 'a', data: '2' },
      ],
    ],
    [
      'a folder in the place of a file',
      [
        { name: 'a', data: '1' },
        { name: 'a', type: '5' },
      ],
    ],
    [
      'a file below a file',
      [
        { name: 'a', data: '1' },
        { name: 'a/b', data: '1' },
      ],
    ],
    ['a device', [{ name: 'null', type: '3' }]],
  ];

  test.each(cases)('%s', async (_, members) => {
    const outer = fresh();
    const folder = join(outer, 'inner/folder');
    mkdirSync(folder, { recursive: true });
    await expect(unpackTar(inPieces(craft(members), 512), folder, 'the image')).rejects.toThrow(
      expect.objectContaining({ code: 'image-invalid' }),
    );
    expect(readdirSync(outer)).toEqual(['inner']);
    expect(readdirSync(join(outer, 'inner'))).toEqual(['folder']);
  });

  test('a tar file that is cut short, wherever', async () => {
    const whole = craft([{ name: 'a', data: 'x'.repeat(1500) }]);
    for (const size of [100, 512, 700, 2040]) {
      await expect(unpack(whole.subarray(0, size)), String(size)).rejects.toThrow(/ends in the middle/);
    }
  });

  test('what is no tar file', async () => {
    await expect(unpack(Buffer.alloc(2000, 'no tar'))).rejects.toThrow(/it is no tar file/);
  });
});
