import { describe, expect, test } from 'vitest';
import { RepriseError } from '../../src/core/errors.ts';
import { formatTemplate, placeholderNames } from '../../src/core/format.ts';

const values = { inputs: ['a.dat', "'b c.dat'"], outputs: ['out'], none: [], pwd: '/data/set', width: '8' };
const format = (template: string): string => formatTemplate(template, values);

function refusal(template: string, given: Record<string, string | string[]> = values): RepriseError {
  try {
    formatTemplate(template, given);
  } catch (error) {
    if (error instanceof RepriseError) return error;
    throw error;
  }
  throw new Error(`${template} was accepted`);
}

describe('a template', () => {
  test.each([
    ['no placeholder at all', 'no placeholder at all'],
    ['ls {pwd}', 'ls /data/set'],
    ['cat {inputs} > {outputs}', "cat a.dat 'b c.dat' > out"],
    ['{inputs[0]}', 'a.dat'],
    ['{none}|', '|'],
    ['{pwd[1]}', 'd'],
    ['{inputs[0][0]}', 'a'],
    ["awk '{{print $1}}' {inputs[0]}", "awk '{print $1}' a.dat"],
  ])('%s gives %s', (template, expected) => expect(format(template)).toBe(expected));

  test('specifications apply to each element of a list', () => {
    expect(format('{inputs:>8}|')).toBe("   a.dat 'b c.dat'|");
    expect(format('{inputs:.1}')).toBe("a '");
    expect(format('{outputs:*^9}')).toBe('***out***');
    expect(format('{outputs:05}')).toBe('out00');
    expect(format('{outputs:>{width}}')).toBe('     out');
  });

  test('conversions show a value as Python does', () => {
    expect(format('{pwd!r} {pwd!s}')).toBe("'/data/set' /data/set");
    expect(format('{inputs!r}')).toBe(`['a.dat', "'b c.dat'"]`);
    expect(formatTemplate('{x!a} {x!r}', { x: 'é\n\udcff😀' })).toBe("'\\xe9\\n\\udcff\\U0001f600' 'é\\n\\udcff😀'");
  });

  test('names are listed, those in specifications included', () => {
    expect([...placeholderNames('{a} {{b}} {c[0]:{d}} {e!r:>{f}}')]).toEqual(['a', 'c', 'd', 'e', 'f']);
  });
});

describe('what is refused', () => {
  test('an unknown name, with the nearest known one', () => {
    const error = refusal('cat {input}');
    expect(error.code).toBe('placeholder-unknown');
    expect(error.message).toBe('There is no placeholder {input}, which stands at character 5 of "cat {input}"');
    expect(error.hints).toEqual(['Did you mean {inputs}?']);
  });

  test('an unknown name without any near one: perhaps no placeholder was meant', () => {
    expect(refusal("awk '{print}'").hints).toEqual(['Write {{name}} for literal braces, or give --no-placeholders']);
  });

  test.each([
    ['{', 'character 1 of "{" is malformed: \'{\' stands alone'],
    ['a } b', 'character 3 of "a } b" is malformed: \'}\' stands alone'],
    ['x {pwd', 'character 3 of "x {pwd" is malformed: its \'}\' is missing'],
    ['{}', 'names here, not positions'],
    ['{0}', 'names here, not positions'],
    ['{inputs[2]}', '[2] is out of range, inputs has 2, counted from 0'],
    ['{inputs[-1]}', '[-1] is not a number counted from 0'],
    ['{inputs.x}', 'attributes cannot be read'],
    ['{pwd.__class__}', 'attributes cannot be read'],
    ['{pwd!x}', "the conversion '!x' does not exist"],
    ['{pwd:=5}', "the alignment '=' is for numbers"],
    ['{pwd:d}', "'d' is not a format of a text"],
    ['{pwd:{width:{width:{width}}}}', 'nested too deeply'],
    ['{pwd:999999999}', 'the width is too large'],
    ['{pwd:16000000}{pwd:16000000}', 'longer than 16 MiB'],
    ['{inputs:16000000}', 'longer than 16 MiB'],
    ['{pwd:{pwd:16000000}}', 'the specification is too long'],
  ])('%s', (template, reason) => {
    const error = refusal(template);
    expect(error.code).toBe('placeholder-invalid');
    expect(error.message).toContain(reason);
  });

  test.each(['__proto__', 'constructor', 'toString', 'hasOwnProperty'])('%s, which no one has defined', (name) => {
    expect(refusal(`{${name}}`).code).toBe('placeholder-unknown');
  });
});
