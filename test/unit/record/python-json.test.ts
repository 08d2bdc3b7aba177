import { fc } from '../../support/random.ts';
import { describe, expect, test } from 'vitest';
import { toCompactJson, toPrettyJson } from '../../../src/record/python-json.ts';
import { describeWith } from '../../support/oracles.ts';
import { askPython, batchOf } from './python.ts';
import { anyRecord, anyText, plainRecord, plainText } from './records.ts';

describe('JSON as Python writes it', () => {
  test('an inline record as DataLad writes it', () => {
    expect(toPrettyJson(plainRecord)).toBe(plainText);
  });

  test('lists one item per line, two deep; empty ones in brackets', () => {
    expect(toPrettyJson({ outputs: ['b', 'a'], inputs: [], more: {} })).toBe(
      '{\n "inputs": [],\n "more": {},\n "outputs": [\n  "b",\n  "a"\n ]\n}',
    );
  });

  test('a byte that is not UTF-8 is an escape, so the text can be encoded', () => {
    expect(toPrettyJson('a\udcff')).toBe('"a\\udcff"');
    expect(toCompactJson({ outputs: ['a\udcff'] }).isWellFormed()).toBe(true);
  });

  test('keys are sorted by code point, not by UTF-16 unit', () => {
    expect(toCompactJson({ '\u{1f600}': 1, '\uff5e': 2, b: 3, B: 4 })).toBe('{"B":4,"b":3,"\uff5e":2,"\u{1f600}":1}');
  });

  test.each([
    [-9, '-9'],
    [0.1, '0.1'],
    [1e-7, '1e-07'],
    [0.0001, '0.0001'],
    [0.00001234, '1.234e-05'],
    [2 ** 53, '9007199254740992.0'],
    [1e16, '1e+16'],
    [1.5e300, '1.5e+300'],
    [-0, '-0.0'],
  ])('the number %d is %s', (value, text) => {
    expect(toCompactJson(value)).toBe(text);
  });

  test.each([[Number.NaN], [Number.POSITIVE_INFINITY], [() => 1], [[undefined]]])('%s is refused', (value) => {
    expect(() => toPrettyJson(value)).toThrow(TypeError);
  });
});

/** Numbers that Python must take as floats travel as their bytes; our escapes are put where Python leaves lone surrogates raw. */
const PROGRAM = `
import json, re, struct, sys
def revive(d):
    return struct.unpack('>d', bytes.fromhex(d['$float']))[0] if '$float' in d else d
def escape(text):
    return re.sub('[\\ud800-\\udfff]', lambda m: '\\\\u%04x' % ord(m[0]), text)
values = [json.loads(t, object_hook=revive) for t in json.load(sys.stdin)]
print(json.dumps([[escape(json.dumps(v, indent=1, sort_keys=True, ensure_ascii=False)),
    escape(json.dumps(v, separators=(',', ':'), sort_keys=True, ensure_ascii=False))] for v in values]))
`;

function forPython(value: unknown): unknown {
  if (typeof value === 'number' && (!Number.isSafeInteger(value) || Object.is(value, -0))) {
    const bytes = Buffer.alloc(8);
    bytes.writeDoubleBE(value);
    return { $float: bytes.toString('hex') };
  }
  if (Array.isArray(value)) return value.map(forPython);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, forPython(item)]));
}

describeWith(['python3'], 'JSON of random values', () => {
  const number = fc.oneof(
    fc.integer(),
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.double({ min: -1e17, max: 1e17, noNaN: true }),
  );
  const { value } = fc.letrec((tie) => ({
    value: fc.oneof({ maxDepth: 4 }, anyText, number, fc.boolean(), fc.constant(null), tie('list'), tie('object')),
    list: fc.array(tie('value'), { maxLength: 4 }),
    // Python orders a lone surrogate below U+E000; keys of records never hold one.
    object: fc.dictionary(
      anyText.map((text) => text.toWellFormed()),
      tie('value'),
      { maxKeys: 5 },
    ),
  }));

  test('equals json.dumps byte for byte', () => {
    const { seed, values } = batchOf(fc.oneof(value, anyRecord), 1000);
    const expected = askPython(
      PROGRAM,
      values.map((item) => JSON.stringify(forPython(item))),
    ) as [string, string][];
    const differences = values
      .map((item, n) => ({ ours: [toPrettyJson(item), toCompactJson(item)], theirs: expected[n] }))
      .filter(({ ours, theirs }) => ours[0] !== theirs?.[0] || ours[1] !== theirs?.[1]);
    expect(differences.slice(0, 3), seed).toEqual([]);
  });
});
