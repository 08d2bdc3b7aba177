import { fc } from '../../support/random.ts';
import { describe, expect, test } from 'vitest';
import { type ParsedMessage, parseMessage, renderMessage, shortCommand } from '../../../src/record/message.ts';
import { stripEnd } from '../../../src/record/locate.ts';
import { anyRecord, anyText, CLOSER, OPENER, plainBlock, plainRecord, plainText } from './records.ts';
import { cpuMillisecondsOf } from '../../support/cpu-time.ts';

const commit = '1afbfe8f67';
const parse = (text: string) => parseMessage(text, { commit });
const plainMessage = `[DATALAD RUNCMD] first\n\n${plainBlock}`;
const block = (cmd: string) => `${OPENER}\n${JSON.stringify({ ...plainRecord, cmd }, null, 1)}\n${CLOSER}`;

describe('the message of a run', () => {
  test('is DataLad’s layout byte for byte', () => {
    expect(renderMessage({ message: 'first', fallback: 'echo hi', content: { record: plainRecord } })).toBe(
      plainMessage,
    );
  });

  test('holds the id alone when the record is in a sidecar', () => {
    const content = { sidecarId: '5f290e097f5a98051e40a7059b643681' };
    expect(renderMessage({ message: 'schön', fallback: 'x', content })).toBe(
      `[DATALAD RUNCMD] schön\n\n${OPENER}\n"5f290e097f5a98051e40a7059b643681"\n${CLOSER}\n`,
    );
  });

  test.each([[undefined], [''], [' \n\t']])('is never empty: %j gives way to the command', (message) => {
    const parts = { fallback: 'echo hi', content: { record: plainRecord } };
    const text = renderMessage(message === undefined ? parts : { ...parts, message });
    expect(text.split('\n')[0]).toBe('[DATALAD RUNCMD] echo hi');
  });

  test('of an empty command still has words', () => {
    expect(renderMessage({ message: '', fallback: ' ', content: { record: plainRecord } })).toMatch(
      /^\[DATALAD RUNCMD\] empty command\n/,
    );
  });

  test('refuses a record that breaks the schema', () => {
    const record = { ...plainRecord, pwd: '/abs' };
    expect(() => renderMessage({ fallback: 'x', content: { record } })).toThrow(TypeError);
  });

  test('shortens commands to 40 code points', () => {
    expect(shortCommand('a'.repeat(40))).toBe('a'.repeat(40));
    expect(shortCommand('a'.repeat(41))).toBe(`${'a'.repeat(40)}...`);
    expect(shortCommand('😀'.repeat(40))).toBe('😀'.repeat(40));
    expect(shortCommand(`${'😀'.repeat(40)}x`)).toBe(`${'😀'.repeat(40)}...`);
    expect(shortCommand(`${'😀'.repeat(60)}x`)).toBe(`${'😀'.repeat(40)}...`);
  });

  test('reads back as what was written, whatever the message and the record hold', () => {
    const hostile = fc.array(
      fc.oneof(anyText, fc.constantFrom(OPENER, CLOSER, '[DATALAD RUNCMD] ', '\r\n', plainBlock)),
      {
        maxLength: 5,
      },
    );
    fc.assert(
      fc.property(
        hostile.map((parts) => parts.join('')).filter((text) => stripEnd(text) !== ''),
        anyRecord,
        (message, record) => {
          const parsed = parse(renderMessage({ message, fallback: 'x', content: { record } }));
          expect(parsed).toMatchObject({ kind: 'record', how: 'datalad', message: stripEnd(message), trailing: '' });
          expect((parsed as { record: unknown }).record).toEqual(record);
        },
      ),
    );
  });
});

/** The forms of real histories (3,845 records of 79 public repositories), with the text around them made up. */
describe('forms of real histories', () => {
  const record = (text: string) => parse(text) as Extract<ParsedMessage, { kind: 'record' }>;

  test('a squash merge: the record is in one of its bullets', () => {
    const text = `ENH: apply the style (#12)\n\n* first change\n\n* [DATALAD RUNCMD] run isort\n\n${plainBlock}\n* another\n\nSigned-off-by: Ada`;
    expect(record(text)).toEqual({
      kind: 'record',
      how: 'squash-bullet',
      message: 'run isort',
      record: plainRecord,
      oddities: [],
      blocks: 1,
      trailing: '* another\n\nSigned-off-by: Ada',
    });
  });

  test('several records in a squash merge: the last one, and how many', () => {
    const bullets = [1, 2, 3].map((n) => `* [DATALAD RUNCMD] step ${n}\n\n${block(`step ${n}`)}\n`);
    expect(record(`Three steps\n\n${bullets.join('\n')}`)).toMatchObject({
      how: 'squash-bullet',
      message: 'step 3',
      record: { cmd: 'step 3' },
      blocks: 3,
    });
  });

  test('several records behind the prefix: the last one, the others are message, as DataLad reads it', () => {
    const text = `[DATALAD RUNCMD] one\n\n${block('one')}\n\n[DATALAD RUNCMD] two\n\n${block('two')}\n`;
    expect(record(text)).toMatchObject({
      how: 'datalad',
      message: `one\n\n${block('one')}\n\n[DATALAD RUNCMD] two`,
      record: { cmd: 'two' },
      blocks: 2,
    });
  });

  test('melded commits under a new subject', () => {
    const text = `Just melded multiple commits\n\n[DATALAD RUNCMD] one\n\n${block('one')}\n\n[DATALAD RUNCMD] two\n\n${block('two')}\n`;
    expect(record(text)).toMatchObject({ how: 'prefix-moved', message: 'two', record: { cmd: 'two' }, blocks: 2 });
  });

  test('text before the prefix', () => {
    const text = `cherry-picking headers... [DATALAD RUNCMD] apply it\nto all\n\n${plainBlock}`;
    expect(record(text)).toMatchObject({ how: 'prefix-moved', message: 'apply it\nto all', record: plainRecord });
  });

  test('a subject of its own in place of the prefix', () => {
    expect(record(`Sorted the imports\n\n${plainBlock}`)).toMatchObject({
      how: 'prefix-lost',
      message: 'Sorted the imports',
      record: plainRecord,
    });
  });

  test('another program’s prefix', () => {
    expect(record(`[DATALAD SLURM RUN] job\n\n${plainBlock}`)).toMatchObject({ how: 'other-prefix' });
  });

  test('CR LF line ends, with and without the prefix in its place', () => {
    expect(record(plainMessage.replaceAll('\n', '\r\n'))).toMatchObject({
      how: 'crlf',
      message: 'first',
      record: plainRecord,
      blocks: 1,
    });
    const squash = `Title (#1)\n\n* [DATALAD RUNCMD] x\n\n${plainBlock}`.replaceAll('\n', '\r\n');
    expect(record(squash)).toMatchObject({ how: 'squash-bullet', message: 'x', record: plainRecord });
  });

  test('an empty message whose blank Git has stripped', () => {
    expect(record(`[DATALAD RUNCMD]\n\n${plainBlock}`)).toMatchObject({ how: 'empty-message', message: '' });
  });

  test('text after the record', () => {
    expect(record(`${plainMessage}\nSigned-off-by: Ada\n\nmanually reverted change to config.py\n`)).toMatchObject({
      how: 'datalad',
      trailing: 'Signed-off-by: Ada\n\nmanually reverted change to config.py',
    });
  });

  test('text between subject and record, JSON and tracebacks included', () => {
    const between = 'Traceback (most recent call last):\n {"cmd": "\\u00e9"}\n=== Do not';
    const parsed = record(`[DATALAD RUNCMD] subject\n\n${between}\n\n${plainBlock}`);
    expect(parsed).toMatchObject({ how: 'datalad', message: `subject\n\n${between}` });
  });

  test('the first record’s key order and escapes', () => {
    const text = `[DATALAD RUNCMD] x\n\n${OPENER}\n{"pwd": ".", "cmd": ["echo", "\\u00e9"], "exit": 0}\n${CLOSER}`;
    expect(record(text)).toMatchObject({ record: { cmd: "echo 'é'", chain: [] }, oddities: ['cmd-list'] });
  });

  test('braces, backslash-newlines and failing exits are data', () => {
    const odd = { ...plainRecord, cmd: "bash -c 'a{{,*/}} \\\n b'", exit: 125 };
    expect(record(`[DATALAD RUNCMD] x\n\n${OPENER}\n${JSON.stringify(odd)}\n${CLOSER}\n`).record).toEqual(odd);
  });

  test('a sidecar’s id', () => {
    expect(parse(`[DATALAD RUNCMD] x\n\n${OPENER}\n"5f290e097f5a98051e40a7059b643681"\n${CLOSER}\n`)).toEqual({
      kind: 'sidecar',
      id: '5f290e097f5a98051e40a7059b643681',
      message: 'x',
      how: 'datalad',
      blocks: 1,
      trailing: '',
    });
  });
});

describe('messages that only speak of runs', () => {
  const indented = plainMessage.replaceAll(/^/gm, '    ');
  const tabbed = plainMessage.replaceAll(/^/gm, '\t');
  test.each([
    ['a pasted log', `Redo what was done before\n\n${tabbed}`],
    ['a merge with --squash', `Squashed commit of the following:\n\ncommit 012345\nAuthor: Ada\n\n${indented}`],
    ['a quotation', plainMessage.replaceAll(/^/gm, '> ')],
    ['a merge’s list of branches', "Merge branch 'x'\n\n* x:\n  [DATALAD RUNCMD] one\n  [DATALAD RUNCMD] two\n"],
    ['a revert', 'Revert "[DATALAD RUNCMD] one"\n\nThis reverts commit 012345.\n'],
    ['a revert that kept the record', `Revert "[DATALAD RUNCMD] one"\n\n${plainBlock}`],
    ['a bullet whose delimiters were deleted', `Title\n\n* [DATALAD RUNCMD] one\n\n${plainText}\n`],
    ['a prefix alone', '[DATALAD RUNCMD] one\n'],
    ['delimiters around something else', `Title\n\n${OPENER}\nnot a record\n${CLOSER}\n`],
    ['delimiters around nothing', `Title\n\n${OPENER}\n${CLOSER}\n`],
  ])('%s', (_, text) => {
    expect(parse(text)).toEqual({ kind: 'mention' });
  });

  test.each([[''], ['Add data\n'], ['[DATALAD] new dataset\n'], [CLOSER]])('%j does not', (text) => {
    expect(parse(text)).toEqual({ kind: 'none' });
  });
});

describe('messages that claim a record and have none', () => {
  test.each([
    ['{', 'is not valid JSON'],
    ['', 'is not valid JSON'],
    ['{"exit": 0}', 'does not have a command'],
    ['["cmd"]', 'is not a JSON object'],
    ['7', 'is not a JSON object'],
    ['null', 'is not a JSON object'],
    ['"../../etc/passwd"', 'names a sidecar that is not a file name'],
    ['".."', 'names a sidecar that is not a file name'],
    ['""', 'names a sidecar that is not a file name'],
    [`{"cmd": "x", "a": ${'['.repeat(300)}${']'.repeat(300)}}`, 'is not valid JSON'],
  ])('%s', (body, reason) => {
    expect(parse(`[DATALAD RUNCMD] x\n\n${OPENER}\n${body}\n${CLOSER}\n`)).toEqual({
      kind: 'invalid',
      reason: `the run record of commit ${commit} ${reason}`,
    });
  });
});

describe('hostile messages', () => {
  const megabytes = (text: string) => text.repeat(Math.ceil(4e6 / text.length));
  test.each([
    ['openers', megabytes(`${OPENER}\n`)],
    ['openers behind the prefix', `[DATALAD RUNCMD] ${megabytes(`${OPENER}\n`)}`],
    ['closers behind the prefix', `[DATALAD RUNCMD] ${megabytes(`\n${CLOSER}`)}`],
    ['openers, then a closer', `[DATALAD RUNCMD] ${megabytes(`${OPENER}\n`)}\n${CLOSER}`],
    ['closers, then an opener', `[DATALAD RUNCMD] ${megabytes(`\n${CLOSER}`)}${OPENER}\n`],
    ['empty records', megabytes(`${OPENER}\n${CLOSER}\n`)],
    ['records', megabytes(plainBlock)],
    ['almost openers', `[DATALAD RUNCMD] ${megabytes('=== Do not change lines below ==')}\n${CLOSER}`],
    ['prefixes', `${megabytes('[DATALAD RUNCMD] ')}\n${plainBlock}`],
    ['white space', `[DATALAD RUNCMD] ${megabytes(' ')}x\n${plainBlock}${megabytes(' ')}x`],
    ['bullets of white space', `Title\n${megabytes(' ')}* ${plainMessage}`],
    ['carriage returns', megabytes(`${OPENER}\r\n`)],
    ['nested JSON', `[DATALAD RUNCMD] x\n${OPENER}\n${megabytes('[')}\n${CLOSER}`],
    ['a long sidecar name', `[DATALAD RUNCMD] x\n${OPENER}\n"${megabytes('a')}"\n${CLOSER}`],
  ])('%s by the megabyte take less than two seconds', async (_, text) => {
    const spent = await cpuMillisecondsOf(() =>
      expect(['none', 'mention', 'record', 'invalid']).toContain(parse(text).kind),
    );
    expect(spent).toBeLessThan(2000);
  });

  test('nothing makes the reader throw', () => {
    const piece = fc.oneof(
      fc.constantFrom(
        '[DATALAD RUNCMD] ',
        '[DATALAD RUNCMD]',
        OPENER,
        CLOSER,
        '\n',
        '\r\n',
        '{',
        '}',
        '"cmd":',
        '"a"',
        '[',
        ']',
        '* ',
        ' ',
      ),
      fc.string({ unit: 'binary' }),
      fc.json(),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 20 }), (pieces) => {
        expect(parse(pieces.join('')).kind).toMatch(/^(none|mention|record|sidecar|invalid)$/);
      }),
      { numRuns: 2000 },
    );
  });
});
