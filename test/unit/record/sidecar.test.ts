import { fc } from '../../support/random.ts';
import { describe, expect, test } from 'vitest';
import { toCompactJson } from '../../../src/record/python-json.ts';
import { decodeSidecar, encodeSidecar, sidecarId, sidecarPath } from '../../../src/record/sidecar.ts';
import { compressXz } from '../../../src/record/xz.ts';
import { describeWith } from '../../support/oracles.ts';
import { askPython, batchOf } from './python.ts';
import { anyRecord, plainRecord } from './records.ts';

const commit = 'c0ffee';
const decode = (bytes: Buffer) => decodeSidecar(bytes, { commit });

const refused = async (bytes: Buffer, reason: string) => {
  await expect(decode(bytes)).rejects.toMatchObject({
    code: 'record-invalid',
    message: expect.stringMatching(`^the run record of commit ${commit} is in a sidecar that ${reason}`),
  });
};

describe('sidecars', () => {
  test('are named by the MD5 sum of the inline record', () => {
    const record = { ...plainRecord, cmd: 'echo "ü" > ö.txt', inputs: ['.'], outputs: ['ö.txt'] };
    expect(sidecarId({ ...record, dsid: '82baf646-afed-4bf9-a679-0cec9ea76952' })).toBe(
      '5f290e097f5a98051e40a7059b643681',
    );
  });

  test('live in .datalad/runinfo unless configured otherwise', () => {
    expect(sidecarPath('abc')).toBe('.datalad/runinfo/abc');
    expect(sidecarPath('abc', 'records/')).toBe('records/abc');
  });

  test('read back as what was written', async () => {
    await fc.assert(
      fc.asyncProperty(anyRecord, async (record) => {
        expect(await decode(await encodeSidecar(record))).toEqual(record);
      }),
      { numRuns: 30 },
    );
  });

  test('only the first line counts', async () => {
    expect(await decode(await compressXz(Buffer.from('{"cmd": "a"}\n{"cmd": "b"}\n')))).toEqual({ cmd: 'a' });
    expect(await decode(await compressXz(Buffer.from('{"cmd": "a"}')))).toEqual({ cmd: 'a' });
  });

  test('a record that breaks the schema is not written', async () => {
    await expect(encodeSidecar({ ...plainRecord, pwd: '/abs' })).rejects.toThrow(TypeError);
  });
});

describe('broken sidecars are refused', () => {
  test('empty', () => refused(Buffer.alloc(0), 'is empty'));
  test('not compressed', () => refused(Buffer.from('{"cmd": "a"}\n'), 'is not valid XZ'));
  test('cut short anywhere', async () => {
    const whole = await encodeSidecar(plainRecord);
    for (let size = 1; size < whole.length; size += 1) await refused(whole.subarray(0, size), 'is not valid XZ');
  });
  test('with a flipped bit', async () => {
    const bytes = await encodeSidecar(plainRecord);
    bytes[40] = (bytes[40] as number) ^ 1;
    await refused(bytes, 'is not valid XZ');
  });
  test('not UTF-8', async () => refused(await compressXz(Buffer.from([0x22, 0xff, 0x22])), 'is not valid UTF-8'));
  test('not JSON', async () => refused(await compressXz(Buffer.from('cmd: a\n')), 'is not valid JSON'));
});

const COMPRESS = `
import json, lzma, sys
print(json.dumps([lzma.compress(text.encode(), format=lzma.FORMAT_XZ).hex() for text in json.load(sys.stdin)]))
`;
const FORMATS = `
import json, lzma, sys
data = json.load(sys.stdin).encode()
print(json.dumps([lzma.compress(data, **how).hex() for how in (
    {'preset': 9 | lzma.PRESET_EXTREME}, {'preset': 0}, {'check': lzma.CHECK_SHA256}, {'format': lzma.FORMAT_ALONE})]
    + [lzma.compress(data[:5]).hex() + lzma.compress(data[5:]).hex()]))
`;
const BOMBS = `
import json, lzma, sys
print(json.dumps([lzma.compress(bytes(65 << 20), preset=0).hex(), lzma.compress(b'{}', filters=[
    {'id': lzma.FILTER_LZMA2, 'preset': 0, 'dict_size': 1 << 29}]).hex()]))
`;

describeWith(['python3'], 'sidecars and Python', () => {
  test('are the bytes that Python’s lzma writes', async () => {
    const large = { ...plainRecord, outputs: Array.from({ length: 20_000 }, (_, n) => `out/YZ/${n * 7919}.dat`) };
    const { seed, values } = batchOf(anyRecord, 60);
    const records = [plainRecord, large, ...values];
    const expected = askPython(
      COMPRESS,
      records.map((record) => `${toCompactJson(record)}\n`),
    ) as string[];
    const differing: unknown[] = [];
    for (const [n, record] of records.entries()) {
      const written = await encodeSidecar(record);
      if (written.toString('hex') !== expected[n]) differing.push(record);
    }
    expect(differing.slice(0, 3), seed).toEqual([]);
  });

  test('any preset, check, container and number of streams is read', async () => {
    const files = askPython(FORMATS, `${JSON.stringify(plainRecord)}\n`) as string[];
    expect(files.length).toBe(5);
    for (const hex of files) expect(await decode(Buffer.from(hex, 'hex'))).toEqual(plainRecord);
  });

  test('a few kilobytes that would fill the memory are refused', async () => {
    const [zeros, dictionary] = (askPython(BOMBS, null) as string[]).map((hex) => Buffer.from(hex, 'hex'));
    expect(zeros?.length).toBeLessThan(20_000);
    await refused(zeros as Buffer, 'holds more than 67108864 bytes');
    await refused(dictionary as Buffer, 'is not valid XZ .Memory usage limit was reached');
  });
});
