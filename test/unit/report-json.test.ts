import { fc } from '../support/random.ts';
import { describe, expect, test } from 'vitest';
import { toJson } from '../../src/report/json.ts';
import { describeWith } from '../support/oracles.ts';
import { askPython, batchOf } from './record/python.ts';

describe('results as JSON', () => {
  test('keys are sorted, absent values left out, everything is ASCII', () => {
    expect(toJson({ b: 1, a: 'é\udce9', c: undefined, d: [null, true, {}], é: [] })).toBe(
      '{"a": "\\u00e9\\udce9", "b": 1, "d": [null, true, {}], "\\u00e9": []}',
    );
  });

  test('pretty is indented by two', () => {
    expect(toJson({ b: [1], a: { c: 'x' } }, true)).toBe('{\n  "a": {\n    "c": "x"\n  },\n  "b": [\n    1\n  ]\n}');
  });

  test('passwords in URLs are masked, except in what is recorded', () => {
    const url = 'https://u:p@host';
    expect(JSON.parse(toJson({ message: url, run_info: { cmd: url } }))).toEqual({
      message: 'https://***@host',
      run_info: { cmd: url },
    });
  });
});

describeWith(['python3'], 'against json.dumps', () => {
  test('the same text, compact and pretty', () => {
    const text = fc.string({ unit: 'binary' });
    const value = fc.letrec((tie) => ({
      any: fc.oneof(
        { maxDepth: 3 },
        text,
        fc.integer(),
        fc.boolean(),
        fc.constant(null),
        fc.array(tie('any'), { maxLength: 4 }),
        fc.dictionary(text, tie('any'), { maxKeys: 4 }),
      ),
    })).any;
    const result = fc
      .dictionary(text, value, { maxKeys: 5 })
      .filter((object) => !JSON.stringify(object).includes('://'));
    const { seed, values } = batchOf(result, 1000);
    const program = `
import json, sys
print(json.dumps([json.dumps(r, sort_keys=True, indent=i) for r in json.load(sys.stdin) for i in (None, 2)]))
`;
    expect(
      values.flatMap((one) => [toJson(one), toJson(one, true)]),
      seed,
    ).toEqual(askPython(program, values));
  });
});
