/** Getting ready: declared paths filled in, matched and fetched, the command expanded. Nothing in the work tree is changed but by fetching. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, posix } from 'node:path';
import type { Config } from '../core/config.ts';
import { RepriseError } from '../core/errors.ts';
import { usesTmpdir } from '../core/placeholders.ts';
import type { Result } from '../core/result.ts';
import { expand, type GlobResult, globPatterns } from '../dataset/globbed-paths.ts';
import { installSubdataset } from '../dataset/install.ts';
import type { RunRecord } from '../record/run-record.gen.ts';
import { assertInside } from './boundaries.ts';
import { hopeless, type Installer, matchInstalling } from './globs.ts';
import { type DirtyInput, dirtyInputs, fetchInputs, type InputFile, lookAtInputs } from './inputs.ts';
import type { Launched, Launcher, Replay, RunOptions } from './options.ts';
import {
  covers,
  expandedCommand,
  fillSpecs,
  plainRecord,
  recordedCommand,
  replayedRecord,
  type Specs,
  substitutionsOf,
} from './plan.ts';
import { declaredPaths, type Subject } from './subject.ts';

/** All that is known once inputs are here and before anything is changed. */
export interface Prepared {
  readonly expanded: string;
  readonly inputs: GlobResult;
  readonly outputs: GlobResult;
  readonly inputFiles: readonly InputFile[];
  readonly dirtyInputs: readonly DirtyInput[];
  /** Folder that `{tmpdir}` stands for, or empty. */
  readonly tmpdir: string;
  /** Whether inputs were missing and the user said to go on. */
  readonly missed: boolean;
  /** DataLad's fields of the record. */
  readonly record: RunRecord;
  /** How the command is executed, if not by the shell as it is. */
  readonly launched: Launched | null;
}

/** What makes a run more than a command line: an earlier run that it replays, a container that it goes through. */
export interface Kind {
  readonly replay?: Replay;
  readonly launcher?: Launcher;
}

/** Gets ready; throws what a launcher throws, and `input-missing`, `input-dirty`, `input-unavailable`, `placeholder-unknown`, `placeholder-invalid`, `path-outside`. */
export async function prepare(
  subject: Subject,
  options: RunOptions,
  config: Config,
  report: (result: Result) => void,
  { replay, launcher }: Kind = {},
): Promise<Prepared> {
  const { context } = subject.repo;
  const declared: Specs = {
    inputs: declaredPaths(options.inputs, options.inputFrom, context),
    outputs: declaredPaths(options.outputs, options.outputFrom, context),
    extraInputs: options.extraInputs ?? [],
  };
  const substitutions = substitutionsOf(config);
  const literal = options.noPlaceholders ?? false;
  // What a record declares was filled in when it was made; DataLad does it again, and fails on every name with a brace (its S-09).
  const specs = literal || replay ? declared : fillSpecs(declared, substitutions);
  assertInside(subject, [...specs.inputs, ...specs.outputs, ...specs.extraInputs]);
  const cmd = recordedCommand(options);
  const needsInputs = !options.dryRun && !covers(options.assumeReady, 'inputs');
  // A run that is refused anyway must not leave subdatasets behind that it has installed.
  let refusable = needsInputs && !goesOn(options);
  const install: Installer = async (superRepo, sub) => {
    const lost = refusable ? await hopeless(subject, specs.inputs) : [];
    if (lost.length > 0) throw inputMissing(lost);
    refusable = false;
    return installSubdataset(superRepo, sub);
  };
  const look = options.dryRun
    ? async (patterns: readonly string[]) => globPatterns(patterns, subject.pwd)
    : (patterns: readonly string[]) => matchInstalling(subject, patterns, report, install);
  const inputs = await (needsInputs ? look(specs.inputs) : globPatterns(specs.inputs, subject.pwd));
  const missed = needsInputs && reportMisses(subject, options, inputs, report);
  const extraInputs = await look(specs.extraInputs);
  const outputs = await (covers(options.assumeReady, 'outputs')
    ? globPatterns(specs.outputs, subject.pwd)
    : look(specs.outputs));
  const files = lookAtInputs(subject, inputs);
  // A command that cannot be expanded must not leave fetched or unlocked files behind as its only trace.
  const scratch = !options.dryRun && usesTmpdir(cmd) ? makeScratch(context.env) : '';
  try {
    const expandFor = (root: string, pwd: string) =>
      expandedCommand(cmd, { inputs, outputs, pwd, root, tmpdir: scratch, substitutions });
    const expanded = expandFor(subject.repo.root, subject.pwd);
    const dirty =
      options.explicit && !options.dryRun
        ? await dirtyInputs(
            subject,
            [...files, ...lookAtInputs(subject, extraInputs)].map((file) => file.path),
            options.allowDirtyInput ?? false,
          )
        : [];
    if (!options.dryRun)
      await fetchAll(subject, config, options, needsInputs ? files : [], lookAtInputs(subject, extraInputs), report);
    const dsid = config.get('datalad.dataset.id');
    const plain = plainRecord({
      cmd,
      specs,
      literal,
      inputs,
      extraInputs,
      expand: options.expand,
      relativePwd: subject.relativePwd,
      dsid,
    });
    const record = replay ? replayedRecord(replay, plain) : plain;
    const launched =
      launcher && !options.dryRun
        ? await launcher.launch({
            host: expanded,
            inside:
              launcher.root === null
                ? expanded
                : expandFor(launcher.root, posix.join(launcher.root, subject.relativePwd)),
            tmpdir: scratch,
          })
        : null;
    return {
      expanded,
      inputs,
      outputs,
      inputFiles: files,
      dirtyInputs: dirty,
      tmpdir: scratch,
      missed,
      record,
      launched,
    };
  } catch (error) {
    if (scratch) rmSync(scratch, { recursive: true, force: true });
    throw error;
  }
}

/** A new folder for `{tmpdir}`; throws `path-missing` where it cannot be made. */
function makeScratch(env: NodeJS.ProcessEnv): string {
  const parent = env['TMPDIR'] ?? tmpdir();
  try {
    return mkdtempSync(join(parent, 'datalad-run-'));
  } catch (cause) {
    throw new RepriseError('path-missing', `No temporary folder can be made in ${parent}`, {
      cause,
      hints: ['export TMPDIR=/tmp'],
      data: { path: parent },
    });
  }
}

/** Reports inputs that match nothing; true when there are some and the user wants to go on. Throws `input-missing` otherwise. */
function reportMisses(
  subject: Subject,
  options: RunOptions,
  inputs: GlobResult,
  report: (result: Result) => void,
): boolean {
  const misses = [...inputs.misses, ...inputs.partial.keys()];
  if (misses.length === 0) return false;
  if (goesOn(options)) {
    for (const miss of misses) {
      report({
        action: 'run',
        status: 'error',
        path: subject.repo.root,
        type: 'dataset',
        message: `Input did not match existing file: ${miss}`,
      });
    }
    return true;
  }
  throw inputMissing(misses);
}

function inputMissing(patterns: readonly string[]): RepriseError {
  return new RepriseError('input-missing', `Input did not match existing file: ${patterns.join(', ')}`, {
    data: { patterns },
  });
}

/** Whether the user wants the command although not all inputs are here. */
function goesOn({ onFailure }: RunOptions): boolean {
  return onFailure === 'ignore' || onFailure === 'continue';
}

async function fetchAll(
  subject: Subject,
  config: Config,
  options: RunOptions,
  files: readonly InputFile[],
  extra: readonly InputFile[],
  report: (result: Result) => void,
): Promise<void> {
  const complete = await fetchInputs(subject, config, [...files, ...extra], options.jobs, report);
  if (complete || goesOn(options)) return;
  throw new RepriseError(
    'input-unavailable',
    'The content of at least one input could not be fetched, so the command was not executed',
    {
      hints: ['git annex whereis PATH', 'reprise run --assume-ready inputs ...'],
    },
  );
}

/** What a dry run reports: DataLad's result. */
export function dryRunResult(subject: Subject, prepared: Prepared): Result {
  return {
    action: 'run [dry-run]',
    status: 'ok',
    path: subject.repo.root,
    type: 'dataset',
    message: 'Dry run',
    run_info: prepared.record,
    dry_run_info: {
      cmd_expanded: prepared.expanded,
      pwd_full: subject.pwd,
      inputs: expand(prepared.inputs),
      outputs: expand(prepared.outputs),
    },
  };
}
