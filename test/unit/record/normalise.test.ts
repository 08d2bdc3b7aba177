import { describe, expect, test } from 'vitest';
import { RepriseError } from '../../../src/core/errors.ts';
import { normaliseRecord } from '../../../src/record/normalise.ts';
import { plainRecord } from './records.ts';

const commit = 'c0ffee';
const read = (raw: unknown) => normaliseRecord(raw, { commit });
const without = (...keys: string[]) =>
  Object.fromEntries(Object.entries(plainRecord).filter(([key]) => !keys.includes(key)));

describe('records of any age in today’s shape', () => {
  test('a record of today stays as it is', () => {
    expect(read(plainRecord)).toEqual({ record: plainRecord, oddities: [] });
  });

  test.each([
    [['ls', '-l', 'a b'], "ls -l 'a b'"],
    [['echo a | wc'], 'echo a | wc'],
    [['--'], ''],
    [['--', 'a b'], "'a b'"],
    [[], ''],
  ])('the command list %j is the line %s', (cmd, line) => {
    expect(read({ ...plainRecord, cmd })).toMatchObject({ record: { cmd: line }, oddities: ['cmd-list'] });
  });

  test('the first records had a command, an exit code and a folder only', () => {
    expect(read({ cmd: 'true', exit: 0, pwd: 'sub' })).toEqual({
      record: { chain: [], cmd: 'true', exit: 0, extra_inputs: [], inputs: [], outputs: [], pwd: 'sub' },
      oddities: [],
    });
  });

  test('null stands for what is absent', () => {
    const nothing = { chain: null, dsid: null, exit: null, extra_inputs: null, inputs: null, outputs: null, pwd: null };
    expect(read({ cmd: 'true', ...nothing, reprise: null })).toEqual({
      record: { chain: [], cmd: 'true', extra_inputs: [], inputs: [], outputs: [], pwd: '.' },
      oddities: ['pwd-missing'],
    });
  });

  test.each([
    ['/abs/path', 'pwd-absolute'],
    ['../x', 'pwd-outside'],
    ['a/../../x', 'pwd-outside'],
    ['..', 'pwd-outside'],
  ])('the folder %s is kept and flagged', (pwd, oddity) => {
    expect(read({ ...plainRecord, pwd })).toEqual({ record: { ...plainRecord, pwd }, oddities: [oddity] });
  });

  test('a folder whose name begins with two dots is inside', () => {
    expect(read({ ...plainRecord, pwd: '..a/b' }).oddities).toEqual([]);
  });

  test('unknown keys are kept, even one that is called __proto__', () => {
    const raw = JSON.parse('{"cmd": "true", "slurm_job_id": 7, "__proto__": {"pwd": "/etc"}}') as unknown;
    const { record } = read(raw);
    expect(record['slurm_job_id']).toBe(7);
    expect(Object.hasOwn(record, '__proto__')).toBe(true);
    expect(record.pwd).toBe('.');
  });

  test('entries of chain that are no commit names do not reach Git', () => {
    const sha = 'a'.repeat(40);
    expect(read({ ...plainRecord, chain: ['--output=x', sha] })).toMatchObject({
      record: { chain: [sha] },
      oddities: ['chain-not-commits'],
    });
  });

  test('our own part is kept when it is well-formed, with keys of later releases', () => {
    const reprise = { version: 1, run: '0123456789abcdef', peak_kb: 12, later: true };
    expect(read({ ...plainRecord, reprise })).toEqual({ record: { ...plainRecord, reprise }, oddities: [] });
  });

  test.each([
    [{ version: 2, run: '0123456789abcdef' }],
    [{ version: 1 }],
    ['x'],
    [{ version: 1, run: '0123456789abcdef', log: 'x' }],
  ])('our own part as %j is left out and flagged', (reprise) => {
    expect(read({ ...plainRecord, reprise })).toEqual({ record: plainRecord, oddities: ['extension-unreadable'] });
  });
});

describe('records that cannot be used are refused with their commit and the reason', () => {
  test.each([
    [[], 'is not a JSON object'],
    ['x', 'is not a JSON object'],
    [null, 'is not a JSON object'],
    [without('cmd'), 'does not have a command'],
    [{ ...plainRecord, cmd: 1 }, 'has a command that is neither a string nor a list of strings'],
    [{ ...plainRecord, cmd: null }, 'has a command that is neither a string nor a list of strings'],
    [{ ...plainRecord, cmd: ['a', 1] }, 'has a command that is neither a string nor a list of strings'],
    [{ ...plainRecord, cmd: 'a\0b' }, 'has a command with a NUL character'],
    [{ ...plainRecord, inputs: 'a' }, 'has a field inputs that is not a list of strings'],
    [{ ...plainRecord, outputs: [1] }, 'has a field outputs that is not a list of strings'],
    [{ ...plainRecord, extra_inputs: {} }, 'has a field extra_inputs that is not a list of strings'],
    [{ ...plainRecord, chain: [null] }, 'has a field chain that is not a list of strings'],
    [{ ...plainRecord, outputs: ['a\0'] }, 'has a NUL character in outputs'],
    [{ ...plainRecord, pwd: [] }, 'has a field pwd that is not a string'],
    [{ ...plainRecord, pwd: '\0' }, 'has a NUL character in pwd'],
    [{ ...plainRecord, dsid: 1 }, 'has a field dsid that is not a string'],
    [{ ...plainRecord, exit: '0' }, 'has a field exit that is not an integer'],
    [{ ...plainRecord, exit: true }, 'has a field exit that is not an integer'],
    [{ ...plainRecord, exit: 0.5 }, 'has a field exit that is not an integer'],
  ])('%j', (raw, reason) => {
    const thrown = (() => {
      try {
        return read(raw);
      } catch (error) {
        return error;
      }
    })();
    expect(thrown).toBeInstanceOf(RepriseError);
    expect(thrown).toMatchObject({ code: 'record-invalid', message: `the run record of commit ${commit} ${reason}` });
  });
});
