import { describe, expect, test } from 'vitest';
import { RepriseError } from '../../src/core/errors.ts';
import type { Result } from '../../src/core/result.ts';
import { parseFormat } from '../../src/report/format.ts';
import { parseTemplate } from '../../src/report/template.ts';
import { describeWith } from '../support/oracles.ts';
import { askPython, dataladInterpreter } from './record/python.ts';

const result: Result = {
  action: 'get',
  status: 'ok',
  path: "/ds/it's",
  type: 'file',
  bytesize: 12,
  has_content: true,
  key: null,
  inputs: ['a b', 'c'],
  metadata: { 'music:Genre': 'folk', plain: { deep: 'x' }, flag: false },
};
const same = (text: string): string => text;
const render = (template: string): string => parseTemplate(template)(result, same);

/** Templates that DataLad takes, too. */
const TEMPLATES = [
  '{action}|{status}|{path}',
  '{path!r:>12}|{type:^9}|{action:.2}|{status!s}',
  '{{{action}}}{{}}',
  '{nope}|{nope[x]}|{metadata[nope]}',
  '{metadata[music#Genre]}|{metadata[plain][deep]}|{metadata[flag]}',
  '{inputs[0]}|{inputs}|{has_content}|{key}|{bytesize}',
  'plain text, {{ only',
  '',
];

describe('an output template', () => {
  test('reads properties, keys and items, and gives N/A for what is missing', () => {
    expect(render('{action}|{nope}|{metadata[music#Genre]}|{inputs[1]}|{{x}}')).toBe('get|N/A|folk|c|{x}');
    expect(render('{constructor}|{metadata[__proto__]}')).toBe('N/A|N/A');
  });

  test('makes values safe, and leaves its own text alone', () => {
    const shown = parseTemplate('\t{path}\n')({ ...result, path: 'p' }, (text) => `<${text}>`);
    expect(shown).toBe('\t<p>\n');
  });

  test.each(['{', '}', '{action', 'a}b', '{}', '{0}', '{path.x}', '{path!x}', '{path:d}', '{a b}'])(
    '%s is refused before anything is done',
    (template) => {
      expect(() => parseTemplate(template)).toThrow(RepriseError);
    },
  );

  test('the value of -f is a known format, or holds a placeholder', () => {
    expect(parseFormat('json_pp')).toBe('json_pp');
    expect(parseFormat('{path}')).toBeTypeOf('function');
    expect(() => parseFormat('jsn')).toThrow(/'jsn' is not an output format; choose tailored, generic, json/);
  });
});

describeWith(['datalad'], 'against DataLad’s own renderer', () => {
  test('the same text', () => {
    const script = `
import json, sys
from datalad.cli import renderer
templates, result = json.load(sys.stdin)
out = []
class Capture:
    def message(self, text, cr='\\n'): out.append(text)
renderer.ui = Capture()
for t in templates:
    renderer.DefaultOutputRenderer(t)(result)
print(json.dumps(out))
`;
    expect(TEMPLATES.map(render)).toEqual(askPython(script, [TEMPLATES, result], dataladInterpreter()));
  });
});
