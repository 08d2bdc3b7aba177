import { fc } from '../support/random.ts';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { RepriseError } from '../../src/core/errors.ts';
import { formatTemplate } from '../../src/core/format.ts';
import { expandCommand, expandIoSpecs, normaliseCommand } from '../../src/core/placeholders.ts';
import { describeWith } from '../support/oracles.ts';
import { type PythonOracle, pythonOfDatalad, startPython } from '../support/python-oracle.ts';

const ORACLE = `
from types import SimpleNamespace
from datalad.core.local.run import normalize_command, format_command, _format_iospecs
from datalad.utils import SequenceFormatter

def answer(case):
    kind = case['kind']
    if kind == 'format':
        return SequenceFormatter().format(case['template'], **case['values'])
    if kind == 'normalise':
        return normalize_command(case['words'])
    if kind == 'specs':
        values = {**case['substitutions'], **{k: v for k, v in case['lists'].items() if v}}
        return _format_iospecs(case['specs'], **values) or []
    # The paths have no wildcards, so they stay as they are.
    items = [('datalad.run.substitutions.' + k, v) for k, v in case['substitutions'].items()]
    ds = SimpleNamespace(config=SimpleNamespace(items=lambda section: items))
    return format_command(ds, case['cmd'], pwd=case['pwd'], dspath=case['dspath'], tmpdir=case['tmpdir'],
                          inputs=case['inputs'], outputs=case['outputs'])
`;

/** Text that a file name or a setting may hold; further characters only where both Unicode tables agree upon them. */
const text = fc.oneof(
  fc.constantFrom(
    '',
    'a',
    'a b',
    "it's",
    'say "hi"',
    `both ' and "`,
    'tab\tnew\nline',
    '\\',
    'é',
    '😀',
    '\udcff',
    '\u2028',
    '\x7f',
  ),
  fc.string({ maxLength: 6 }),
  fc.string({ unit: fc.integer({ min: 1, max: 0x2ff }).map((point) => String.fromCodePoint(point)), maxLength: 4 }),
);

const names = ['inputs', 'outputs', 'pwd', 'name', 'multi'] as const;
const values = fc.record({
  inputs: fc.array(text, { maxLength: 3 }),
  outputs: fc.array(text, { minLength: 1, maxLength: 2 }),
  pwd: text,
  name: fc.constantFrom('5', '>', '07', 'x<9', 's', '.2', ''),
  multi: fc.constant(['one', 'two']),
});

const spec = fc.oneof(
  fc.constantFrom(
    '',
    's',
    '5',
    '05',
    '<5',
    '>05',
    '^7',
    '*^7',
    '=5',
    '+5',
    ' ',
    '#',
    'z',
    ',',
    '_',
    '.2',
    '.',
    '8.2',
    '.0',
    'd',
    'ss',
    '😀>4',
    '{<',
    '99999999999999999999',
  ),
  fc.string({ unit: fc.constantFrom(...Array.from('0123<>^=s.+-#z,_ x')), maxLength: 5 }),
);
const field = fc
  .tuple(
    fc.oneof(
      { weight: 6, arbitrary: fc.constantFrom<string>(...names) },
      { weight: 1, arbitrary: fc.constantFrom('', '0', 'nope', 'Inputs', ' ') },
    ),
    fc.oneof(
      { weight: 4, arbitrary: fc.constant('') },
      fc.constantFrom('[0]', '[1]', '[9]', '[0][0]', '[-1]', '[x]', '[]', '[0]x', '[0', '[{]'),
    ),
    fc.oneof({ weight: 4, arbitrary: fc.constant('') }, fc.constantFrom('!r', '!s', '!a', '!', '!x', '!rr', '!}')),
    fc.oneof(
      { weight: 3, arbitrary: fc.constant('') },
      { weight: 3, arbitrary: spec.map((s) => `:${s}`) },
      {
        weight: 1,
        arbitrary: fc.constantFrom(
          ':{name}',
          ':>{name}',
          ':{name:{name}}',
          ':{name:{name:{name}}}',
          ':{nope}',
          ':{{}}',
          ':{inputs}',
        ),
      },
    ),
  )
  .map((parts) => `{${parts.join('')}}`);
const template = fc
  .array(
    fc.oneof(
      { weight: 4, arbitrary: field },
      { weight: 3, arbitrary: text },
      fc.constantFrom('{{', '}}', '{', '}', 'x{{y}}', '{}', '!', ':', '[', ']'),
    ),
    { maxLength: 5 },
  )
  .map((parts) => parts.join(''));

/** Our result in the oracle's terms. */
function outcome(act: () => unknown): unknown {
  try {
    return act();
  } catch (error) {
    if (error instanceof RepriseError) return { raised: error.code === 'placeholder-unknown' ? 'KeyError' : 'other' };
    throw error;
  }
}

/** A missing name is one thing, every other exception another; `{[0]}` has no name at all. */
function simplified(answer: unknown): unknown {
  if (typeof answer !== 'object' || answer === null || !('raised' in answer)) return answer;
  return { raised: answer.raised === 'KeyError' && !('text' in answer && answer.text === "''") ? 'KeyError' : 'other' };
}

describeWith(['datalad'], 'placeholders as in DataLad', () => {
  let oracle: PythonOracle;
  beforeAll(() => {
    oracle = startPython(ORACLE, pythonOfDatalad());
  });
  afterAll(() => oracle.close());

  test('any template gives what SequenceFormatter gives, or both refuse it', async () => {
    await fc.assert(
      fc.asyncProperty(template, values, async (template, values) => {
        const theirs = simplified(await oracle.ask({ kind: 'format', template, values }));
        expect(outcome(() => formatTemplate(template, values))).toEqual(theirs);
      }),
      { numRuns: 4000 },
    );
  });

  test('any words give the same command line', async () => {
    await fc.assert(
      fc.asyncProperty(fc.oneof(text, fc.array(fc.oneof(fc.constant('--'), text), { maxLength: 4 })), async (words) => {
        expect(normaliseCommand(words)).toBe(await oracle.ask({ kind: 'normalise', words }));
      }),
      { numRuns: 1000 },
    );
  });

  test('declared inputs and outputs expand to the same values', async () => {
    const plain = fc.constantFrom(
      '{name}',
      '{pwd}',
      '{name}.{pwd}',
      'x{{y}}',
      '{inputs[0]}.out',
      '{outputs[1]}',
      '{nope}',
      '{multi[1]}',
      '{',
      'a*',
    );
    const lists = fc.record({
      inputs: fc.array(text, { maxLength: 2 }),
      outputs: fc.array(text, { maxLength: 2 }),
    });
    const specs = fc.oneof(fc.array(plain, { maxLength: 3 }), fc.constantFrom(['{outputs}'], ['{inputs}']));
    const substitutions = { name: 'n', pwd: '{name}', multi: ['one', 'two'] };
    await fc.assert(
      fc.asyncProperty(specs, lists, async (specs, lists) => {
        const theirs = simplified(await oracle.ask({ kind: 'specs', specs, lists, substitutions }));
        expect(outcome(() => expandIoSpecs(specs, substitutions, lists))).toEqual(theirs);
      }),
      { numRuns: 500 },
    );
  });

  test('commands expand to the same line', async () => {
    const paths = fc.array(
      text.filter((path) => !/[/*?[]/.test(path) && path.trim() !== '.'),
      { maxLength: 3 },
    );
    const cmd = fc
      .array(
        fc.oneof(
          fc.constantFrom(
            '{inputs}',
            '{outputs}',
            '{inputs[0]}',
            '{pwd}',
            '{dspath}',
            '{tmpdir}',
            '{who}',
            '{{',
            '}}',
            '{inputs!r}',
            '{nope}',
          ),
          text,
        ),
      )
      .map((parts) => parts.join(' '));
    await fc.assert(
      fc.asyncProperty(cmd, paths, paths, async (cmd, inputs, outputs) => {
        const given = {
          pwd: '/',
          dspath: '/the set',
          tmpdir: '/t',
          inputs,
          outputs,
          substitutions: { who: 'joe', pwd: 'never' },
        };
        const ours = outcome(() => expandCommand(cmd, given));
        expect(ours).toEqual(simplified(await oracle.ask({ kind: 'command', cmd, ...given })));
      }),
      { numRuns: 500 },
    );
  });
});
