/** Executing a prepared run under its journal, and handing it over to be recorded. */
import { rmSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import type { Config } from '../core/config.ts';
import { RepriseError } from '../core/errors.ts';
import type { Result } from '../core/result.ts';
import { explainSystemError } from '../core/system-errors.ts';
import { assertIdentity } from '../dataset/fast-import.ts';
import { assertIndex } from '../dataset/index-check.ts';
import { installedHeads } from '../dataset/hierarchy.ts';
import { readHead } from '../dataset/refs.ts';
import type { ScanEntry } from '../dataset/worktree.ts';
import { randomId, thisOwner } from '../sys/owner.ts';
import { statId } from '../sys/stat-id.ts';
import { sidecarPath } from '../record/sidecar.ts';
import { assertAlone, assertNoRerun } from './at-work.ts';
import { assertOwnPath, assertWritable } from './boundaries.ts';
import { type Execution, executeCommand } from './execute.ts';
import { allowedEnvironment, seenEnvironment, openingBlock } from './extension.ts';
import { logPath, sidecarFolder } from './artefacts.ts';
import { finishRun } from './finish.ts';
import { changedInputs, type InputStates, rememberInputs } from './inputs.ts';
import { type Journal, removeJournal, writeJournal } from './journal.ts';
import { runVariables } from './nesting.ts';
import type { Replay, RunOptions } from './options.ts';
import { planOutputs, prepareOutputs, putBack, putBackPlanned, rememberOutputs } from './outputs.ts';
import { covers, wantsExtension, wantsSidecar } from './plan.ts';
import type { Prepared } from './prepare.ts';
import type { Subject } from './subject.ts';

/** The journal of a run that is about to begin; throws `config-invalid`. */
export async function openJournal(
  subject: Subject,
  options: RunOptions,
  config: Config,
  prepared: Prepared,
  parent: string | null,
  dirty: readonly ScanEntry[],
  replay?: Replay,
): Promise<Journal> {
  try {
    return await planJournal(subject, options, config, prepared, parent, dirty, replay);
  } catch (error) {
    prepared.launched?.clear();
    throw error;
  }
}

async function planJournal(
  subject: Subject,
  options: RunOptions,
  config: Config,
  prepared: Prepared,
  parent: string | null,
  dirty: readonly ScanEntry[],
  replay: Replay | undefined,
): Promise<Journal> {
  const { repo } = subject;
  const id = randomId();
  assertWritable(repo);
  // Without --explicit, the scan for unsaved changes has read the index.
  if (options.explicit) assertIndex(repo);
  const extension = wantsExtension(config);
  const sidecar = wantsSidecar(options.sidecar, config);
  if (sidecar) assertOwnPath(subject, sidecarPath('0'.repeat(32), sidecarFolder(config)));
  if (options.log) assertOwnPath(subject, logPath(id, 'out'));
  const [head] = await Promise.all([readHead(repo), assertIdentity(repo, config)]);
  const block = openingBlock({
    id,
    parent,
    base: head.commit,
    started: new Date().toISOString(),
    environment: allowedEnvironment(seenEnvironment(repo.context.env, prepared.launched?.container ?? null), config),
    dirtyInputs: prepared.dirtyInputs,
    literal: options.noPlaceholders ?? false,
    container: prepared.launched?.container ?? null,
  });
  const saves = options.onFailure === 'ignore' || options.onFailure === 'continue' ? 'all' : 'error';
  return {
    version: 1,
    id,
    phase: 'intent',
    owner: thisOwner(),
    base: head,
    subHeads: [...(await installedHeads(repo))],
    pwd: subject.relativePwd,
    expanded: prepared.expanded,
    record: { ...prepared.record, reprise: block },
    message: options.message ?? null,
    explicit: options.explicit ?? false,
    sidecar,
    extension,
    expandOutputs: covers(options.expand, 'outputs'),
    onCmdFailure: options.onCmdFailure ?? saves,
    strictIo: options.strictIo ?? false,
    ...(replay ? { expectedExit: replay.record.exit ?? 0 } : {}),
    outputPatterns: [...(prepared.outputs.dot ? ['.'] : []), ...prepared.outputs.patterns],
    outputsBefore: [],
    changedInputs: [],
    dirtyBefore: dirty.map((entry) => [entry.path, statId(join(repo.root, entry.path))] as const),
    prepared: [],
    log: options.log ?? null,
    scratch: [...(prepared.tmpdir === '' ? [] : [prepared.tmpdir]), ...(prepared.launched?.scratch ?? [])],
  };
}

/** Prepares outputs, executes, records; returns the result of the run. */
export async function performRun(
  subject: Subject,
  options: RunOptions,
  config: Config,
  prepared: Prepared,
  opened: Journal,
  report: (result: Result) => void,
  replay?: Replay,
): Promise<Result> {
  const { gitDir, context } = subject.repo;
  const launched = prepared.launched ?? undefined;
  let journal: Journal;
  let execution: Execution;
  let inputs: InputStates;
  try {
    journal = begin(subject, options, prepared, opened, report, replay);
    inputs = rememberInputs(subject.repo.root, prepared.inputFiles);
    context.emit({ kind: 'info', text: '== Command start (output follows) =====' });
    const env = { ...launched?.env, ...runVariables(journal.id, context.env) };
    execution = await executeCommand(context, gitDir, journal, subject.pwd, env, launched);
  } finally {
    launched?.clear();
  }
  const { exit, interrupted } = execution;
  context.emit({ kind: 'info', text: '== Command exit (modification check follows) =====' });
  if (prepared.tmpdir) rmSync(prepared.tmpdir, { recursive: true, force: true });
  if (interrupted && exit.code !== 0) {
    putBack(subject, journal.prepared);
    removeJournal(gitDir, journal.id);
    const number = constants.signals[interrupted];
    throw new RepriseError(
      'interrupted',
      'The command was interrupted, so nothing was recorded; what it wrote is left as it is',
      { hints: ['git status'], exitCode: 128 + number },
    );
  }
  const changed = await changedInputs(subject, inputs, new Set(journal.outputsBefore.map(([path]) => path)));
  if (changed.length > 0)
    context.emit({
      kind: 'warning',
      text: `inputs were changed while the command ran: ${changed.map(({ path }) => path).join(', ')}`,
    });
  try {
    const exited = writeJournal(gitDir, { ...journal, phase: 'exited', exit, changedInputs: changed });
    return (await finishRun({ subject, config, journal: exited, exit, report })).result;
  } catch (error) {
    throw explain(error, journal);
  }
}

/** Writes the journal and prepares outputs; on failure everything is as it was. */
function begin(
  subject: Subject,
  options: RunOptions,
  prepared: Prepared,
  opened: Journal,
  report: (result: Result) => void,
  replay: Replay | undefined,
): Journal {
  const { gitDir } = subject.repo;
  const steps = covers(options.assumeReady, 'outputs') ? [] : planOutputs(subject, prepared.outputs, replay?.written);
  try {
    // Until outputs are prepared, what the journal says about them is a plan: recovery checks before it acts.
    if (steps.length > 0)
      writeJournal(gitDir, { ...opened, prepared: steps.map((step) => ({ ...step, identity: '' })) });
    const outputs = prepareOutputs(subject, steps, report);
    const started = writeJournal(gitDir, {
      ...opened,
      phase: 'started',
      prepared: outputs,
      outputsBefore: rememberOutputs(subject, prepared.outputs),
    });
    // Now that others which begin can see this run, those that have begun meanwhile are looked for.
    if (replay === undefined) {
      assertNoRerun(subject.repo, opened.explicit);
      assertAlone(subject.repo, opened.explicit, opened);
    }
    return started;
  } catch (error) {
    putBackPlanned(subject, steps);
    removeJournal(gitDir, opened.id);
    throw explainSystemError(error);
  }
}

/** Errors after which the journal is gone: the user decides what becomes of the results. */
const DECIDED: ReadonlySet<string> = new Set([
  'branch-switched',
  'history-rewritten',
  'undeclared-committed',
  'strict-io',
  'uninstalled-subdataset-written',
]);

/** A run that could not be saved says that nothing is lost, and what to do. */
function explain(thrown: unknown, journal: Journal): unknown {
  const error = explainSystemError(thrown);
  if (!(error instanceof RepriseError) || DECIDED.has(error.code)) return error;
  return new RepriseError(
    'save-failed',
    `The command has ended, but its results could not be saved: ${error.message}`,
    {
      cause: error,
      hints: [`reprise recover   # completes run ${journal.id} without executing it again`, ...error.hints].slice(0, 2),
      data: { run: journal.id, reason: error.code, ...error.data },
    },
  );
}
