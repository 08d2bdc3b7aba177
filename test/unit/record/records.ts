/** Random run records, and a plain one. */
import { fc } from '../../support/random.ts';
import type { RunExtension, RunRecord } from '../../../src/record/run-record.gen.ts';

export const plainRecord: RunRecord = {
  chain: [],
  cmd: 'echo hi > a.txt',
  dsid: '2be3f7db-6e6d-4e98-be54-52b478217039',
  exit: 0,
  extra_inputs: [],
  inputs: [],
  outputs: [],
  pwd: '.',
};

export const plainText = `{
 "chain": [],
 "cmd": "echo hi > a.txt",
 "dsid": "2be3f7db-6e6d-4e98-be54-52b478217039",
 "exit": 0,
 "extra_inputs": [],
 "inputs": [],
 "outputs": [],
 "pwd": "."
}`;

export const OPENER = '=== Do not change lines below ===';
export const CLOSER = '^^^ Do not change lines above ^^^';
export const plainBlock = `${OPENER}\n${plainText}\n${CLOSER}\n`;

/** Strings as commands and paths hold them: anything but NUL, escaped bytes included. */
export const anyText = fc
  .array(
    fc.oneof(
      fc.constantFrom(
        '\n',
        '\t',
        '"',
        '\\',
        '/',
        '\u007f',
        '\u0085',
        '\u001f',
        '\u2028',
        '{',
        '}',
        'é',
        '\udc80',
        '\udcff',
        '😀',
        'YZ',
      ),
      fc.string({ minLength: 1, unit: 'binary' }),
    ),
    { maxLength: 8 },
  )
  .map((parts) => parts.join('').replaceAll('\0', ''));

const paths = fc.array(anyText, { maxLength: 4 });
const hex = (length: number) =>
  fc
    .array(fc.constantFrom(...'0123456789abcdef'.split('')), { minLength: length, maxLength: length })
    .map((all) => all.join(''));
const seconds = fc.double({ min: 0, max: 1e9, noNaN: true, noDefaultInfinity: true });

const extension: fc.Arbitrary<RunExtension> = fc.record(
  {
    version: fc.constant(1 as const),
    run: hex(16),
    parent: hex(16),
    user_s: seconds,
    system_s: seconds,
    peak_kb: fc.nat(),
    base: fc.option(hex(40)),
    undeclared: paths,
    environment: fc.dictionary(fc.stringMatching(/^[A-Z_]{1,8}$/), anyText),
  },
  { requiredKeys: ['version', 'run'] },
);

export const anyRecord: fc.Arbitrary<RunRecord> = fc.record(
  {
    chain: fc.array(hex(40), { maxLength: 3 }),
    cmd: anyText,
    dsid: fc.uuid(),
    exit: fc.integer({ min: -64, max: 255 }),
    extra_inputs: paths,
    inputs: paths,
    outputs: paths,
    pwd: anyText.map((text) => (text === '' || text.startsWith('/') ? `.${text}` : text)),
    reprise: extension,
  },
  { requiredKeys: ['chain', 'cmd', 'extra_inputs', 'inputs', 'outputs', 'pwd'] },
);
