/**
 * From any record object that was ever written to one shape.
 *
 * DataLad's records changed over the years (lists as commands until 2018, fields added one by one), people edit them by hand, and
 * a foreign dataset's records are an attacker's input: reading is lenient about form and strict about the type of all that is
 * used later.
 */
import { posix } from 'node:path';
import { RepriseError } from '../core/errors.ts';
import { quoteWords } from '../core/quote.ts';
import type { RunExtension, RunRecord } from './run-record.gen.ts';
import { problemsOfRunRecord } from './run-record.validate.gen.ts';

/** What was unusual about a record, for callers that warn or refuse. */
export type Oddity =
  /** `cmd` was a list, as until 2018. */
  | 'cmd-list'
  /** Entries of `chain` that are not full commit names were left out. */
  | 'chain-not-commits'
  /** No `pwd`, as in 2017: the root of the dataset is assumed. */
  | 'pwd-missing'
  | 'pwd-absolute'
  /** `pwd` climbs out of the dataset. */
  | 'pwd-outside'
  /** The `reprise` key is malformed or of a later version, and was left out. */
  | 'extension-unreadable';

export interface NormalisedRecord {
  readonly record: RunRecord;
  readonly oddities: readonly Oddity[];
}

/**
 * Checks a record for writing.
 *
 * @returns nothing; throws a TypeError (a bug of the caller) if the record breaks schemas/run-record.schema.json
 */
export function assertWritable(record: RunRecord): void {
  const [problem] = problemsOfRunRecord(record);
  if (problem) throw new TypeError(`the run record is malformed: ${problem.path || 'it'} ${problem.message}`);
}

/**
 * Brings a record of any age into today's shape; unknown keys are kept.
 *
 * @param raw what was read as JSON
 * @param origin the commit that the record belongs to, for messages
 * @returns the record and what was unusual about it
 * Errors: `record-invalid`, naming the commit and the reason.
 */
export function normaliseRecord(raw: unknown, origin: { readonly commit: string }): NormalisedRecord {
  const result = readRecord(raw);
  if (typeof result !== 'string') return result;
  throw invalidRecord(origin.commit, result);
}

/** The error for a record that cannot be used; `reason` completes "the run record of commit X ...". */
export function invalidRecord(commit: string, reason: string, cause?: unknown): RepriseError {
  return new RepriseError('record-invalid', `the run record of commit ${commit} ${reason}`, {
    data: { commit },
    cause,
  });
}

/** As `normaliseRecord`, but gives the reason as a string instead of throwing. */
export function readRecord(raw: unknown): NormalisedRecord | string {
  if (typeof raw !== 'object' || raw === null || Array.isArray(raw)) return 'is not a JSON object';
  const fields = raw as Readonly<Record<string, unknown>>;
  if (!Object.hasOwn(fields, 'cmd')) return 'does not have a command';
  const cmd = readCommand(fields['cmd']);
  if (cmd === undefined) return 'has a command that is neither a string nor a list of strings';
  if (cmd.includes('\0')) return 'has a command with a NUL character';

  const lists: Record<string, readonly string[]> = {};
  for (const key of ['chain', 'extra_inputs', 'inputs', 'outputs']) {
    const list = fields[key] ?? [];
    if (!Array.isArray(list) || !list.every((item) => typeof item === 'string')) {
      return `has a field ${key} that is not a list of strings`;
    }
    if (list.some((item) => item.includes('\0'))) return `has a NUL character in ${key}`;
    lists[key] = list;
  }
  const pwd = fields['pwd'] ?? '';
  if (typeof pwd !== 'string') return 'has a field pwd that is not a string';
  if (pwd.includes('\0')) return 'has a NUL character in pwd';
  const dsid = fields['dsid'] ?? undefined;
  if (dsid !== undefined && typeof dsid !== 'string') return 'has a field dsid that is not a string';
  const exit = fields['exit'] ?? undefined;
  if (exit !== undefined && !Number.isSafeInteger(exit)) return 'has a field exit that is not an integer';

  const chain = (lists['chain'] as readonly string[]).filter((item) => COMMIT.test(item));
  const extension = readExtension(fields['reprise']);
  const { dsid: _dsid, exit: _exit, reprise: _reprise, ...rest } = fields;
  const record = {
    ...rest,
    ...(lists as Pick<RunRecord, 'extra_inputs' | 'inputs' | 'outputs'>),
    chain,
    cmd,
    pwd: pwd === '' ? '.' : pwd,
    ...(dsid === undefined ? {} : { dsid }),
    ...(exit === undefined ? {} : { exit: exit as number }),
    ...(extension === undefined ? {} : { reprise: extension }),
  };
  const oddities: readonly (Oddity | false)[] = [
    Array.isArray(fields['cmd']) && 'cmd-list',
    chain.length !== lists['chain']?.length && 'chain-not-commits',
    pwd === '' && 'pwd-missing',
    pwd.startsWith('/') && 'pwd-absolute',
    /^\.\.(\/|$)/.test(posix.normalize(pwd)) && 'pwd-outside',
    (fields['reprise'] ?? undefined) !== undefined && extension === undefined && 'extension-unreadable',
  ];
  return { record, oddities: oddities.filter((oddity) => oddity !== false) };
}

const COMMIT = /^([0-9a-f]{40}|[0-9a-f]{64})$/;

/** A list of one item is shell text; of several, words (DataLad's `normalize_command`). */
function readCommand(cmd: unknown): string | undefined {
  if (typeof cmd === 'string') return cmd;
  if (!Array.isArray(cmd) || !cmd.every((word) => typeof word === 'string')) return undefined;
  const [first, ...more] = cmd;
  if (first === '--') return quoteWords(more);
  return more.length === 0 ? (first ?? '') : quoteWords(cmd);
}

function readExtension(value: unknown): RunExtension | undefined {
  const shell = { chain: [], cmd: '', extra_inputs: [], inputs: [], outputs: [], pwd: '.', reprise: value };
  return value !== undefined && problemsOfRunRecord(shell).length === 0 ? (value as RunExtension) : undefined;
}
