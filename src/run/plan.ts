/** What a run will do, before it does anything: pure values from options, configuration and matched paths. */
import { parseBoolean, type Config } from '../core/config.ts';
import { RepriseError } from '../core/errors.ts';
import { expandCommand, expandIoSpecs, escapeBraces, normaliseCommand, unescapeBraces } from '../core/placeholders.ts';
import { expand, type GlobResult } from '../dataset/globbed-paths.ts';
import type { RunRecord } from '../record/run-record.gen.ts';
import type { InputsOrOutputs, Replay, RunOptions } from './options.ts';

export interface Specs {
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly extraInputs: readonly string[];
}

/** Values of `datalad.run.substitutions.*`; several values of one name become a list. */
export function substitutionsOf(config: Config): Record<string, string | readonly string[]> {
  const values: Record<string, string | readonly string[]> = {};
  for (const [name, all] of config.section('datalad.run.substitutions'))
    values[name] = all.length === 1 ? (all[0] as string) : all;
  return values;
}

/** Fills placeholders of declared paths; throws `placeholder-unknown` or `placeholder-invalid`. */
export function fillSpecs(declared: Specs, substitutions: Record<string, string | readonly string[]>): Specs {
  const lists = { inputs: declared.inputs, outputs: declared.outputs, extra_inputs: declared.extraInputs };
  const fill = (specs: readonly string[]) => expandIoSpecs(specs, substitutions, lists);
  return { inputs: fill(declared.inputs), outputs: fill(declared.outputs), extraInputs: fill(declared.extraInputs) };
}

/** The paths that a record declares, as they were meant. */
export function recordedSpecs(record: RunRecord): Specs {
  const literal = record.reprise?.no_placeholders === true;
  const plain = (paths: readonly string[]) => (literal ? paths.map(unescapeBraces) : paths);
  return {
    inputs: plain(record.inputs),
    outputs: plain(record.outputs),
    extraInputs: plain(record.extra_inputs),
  };
}

/** The command in string form, as it is recorded. A literal command has its braces doubled, so that DataLad runs the same. */
export function recordedCommand(options: RunOptions): string {
  const cmd = normaliseCommand(options.cmd);
  return options.noPlaceholders ? escapeBraces(cmd) : cmd;
}

export interface Expansion {
  readonly inputs: GlobResult;
  readonly outputs: GlobResult;
  readonly pwd: string;
  readonly root: string;
  readonly tmpdir: string;
  readonly substitutions: Record<string, string | readonly string[]>;
}

/** The command line that is executed. */
export function expandedCommand(cmd: string, given: Expansion): string {
  return expandCommand(cmd, {
    inputs: expand(given.inputs, { dot: false }),
    outputs: expand(given.outputs, { dot: false }),
    pwd: given.pwd,
    dspath: given.root,
    tmpdir: given.tmpdir,
    substitutions: given.substitutions,
  });
}

/** Whether an option that names `inputs`, `outputs` or `both` covers one of them. */
export function covers(option: InputsOrOutputs | undefined, which: 'inputs' | 'outputs'): boolean {
  return option === 'both' || option === which;
}

/** DataLad's fields of the record, but for `exit`, and for `outputs` where these are expanded after the command. */
export function plainRecord(given: {
  readonly cmd: string;
  readonly specs: Specs;
  /** Braces in declared paths mean nothing: they are recorded doubled, because DataLad fills them in again when it reruns. */
  readonly literal: boolean;
  readonly inputs: GlobResult;
  readonly extraInputs: GlobResult;
  readonly expand: InputsOrOutputs | undefined;
  readonly relativePwd: string;
  readonly dsid: string | undefined;
}): RunRecord {
  const expanded = covers(given.expand, 'inputs');
  const write = (paths: readonly string[]) => (given.literal ? paths.map(escapeBraces) : [...paths]);
  return {
    chain: [],
    cmd: given.cmd,
    ...(given.dsid === undefined ? {} : { dsid: given.dsid }),
    extra_inputs: write(expanded ? expand(given.extraInputs) : given.specs.extraInputs),
    inputs: write(expanded ? expand(given.inputs) : given.specs.inputs),
    outputs: write(given.specs.outputs),
    pwd: given.relativePwd,
  };
}

/** The record of a replay: fields of the replayed one that nobody here knows are kept (DataLad drops them, its S-22). */
export function replayedRecord({ record, chain }: Replay, plain: RunRecord): RunRecord {
  const { reprise: _, exit: __, dsid: ___, ...rest } = record;
  return { ...rest, ...plain, chain };
}

/** Whether the record goes into a file of its own: as asked, else as configured. */
export function wantsSidecar(option: boolean | undefined, config: Config): boolean {
  return option ?? booleanSetting(config, 'datalad.run.record-sidecar', false);
}

/** Whether our own block is written; `reprise.record.extension=none` leaves exactly DataLad's record. */
export function wantsExtension(config: Config): boolean {
  const value = config.get('reprise.record.extension') ?? 'full';
  if (value === 'none' || value === 'full') return value === 'full';
  throw new RepriseError('config-invalid', `reprise.record.extension is ${value}, which is neither full nor none`, {
    hints: ['git config reprise.record.extension none'],
  });
}

/** A boolean setting; throws `config-invalid` naming it. */
function booleanSetting(config: Config, key: string, fallback: boolean): boolean {
  const value = config.get(key);
  if (value === undefined) return fallback;
  const parsed = parseBoolean(value);
  if (parsed === undefined) {
    throw new RepriseError('config-invalid', `${key} is ${value}, which is neither true nor false`, {
      hints: [`git config ${key} true`],
    });
  }
  return parsed;
}
