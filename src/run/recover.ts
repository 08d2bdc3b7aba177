/** `recover`: completes runs that were interrupted, without executing anything. */
import { hostname } from 'node:os';
import { join } from 'node:path';
import { RepriseError } from '../core/errors.ts';
import { quoteWord } from '../core/quote.ts';
import type { Result, VerbOutcome } from '../core/result.ts';
import { explainSystemError } from '../core/system-errors.ts';
import { propagateAdjusted } from '../dataset/adjusted.ts';
import { clearLeftovers } from '../dataset/leftovers.ts';
import { readHead } from '../dataset/refs.ts';
import { removeTree } from '../dataset/remove-tree.ts';
import { readConfig } from '../dataset/read-config.ts';
import type { Repo } from '../dataset/repo.ts';
import { datasetOf } from '../dataset/targets.ts';
import { shortCommand } from '../record/message.ts';
import type { Context } from '../sys/context.ts';
import { takeForGone } from '../sys/owner.ts';
import { finishRun } from './finish.ts';
import {
  type CommandExit,
  type Journal,
  type JournalState,
  journalState,
  readExit,
  readJournals,
  removeJournal,
} from './journal.ts';
import { findLanded } from './landed.ts';
import { hasSwitched } from './nesting.ts';
import { putBackPlanned } from './outputs.ts';
import type { Subject } from './subject.ts';
import { setAside } from './unfinished.ts';

export interface RecoverOptions {
  readonly dataset?: string;
  /** Only say what there is. */
  readonly list?: boolean;
  /** Recover these runs only. */
  readonly ids?: readonly string[];
  /** Take runs of other hosts for gone: it cannot be told from here. */
  readonly assumeGone?: boolean;
}

/**
 * Completes interrupted runs: a command that ended is recorded, one that never started has its outputs put back, and of one that was cut
 * off what it left is kept under `refs/reprise/unfinished/<id>` and the tree restored.
 *
 * Throws `no-dataset`; `recovery-failed` for an id that does not exist. A run that cannot be completed is a result with status `error`.
 */
export async function recover(options: RecoverOptions, context: Context): Promise<VerbOutcome> {
  const repo = datasetOf(context, options.dataset);
  const journals = readJournals(repo.gitDir);
  const unknown = options.ids?.find((id) => !journals.some((journal) => journal.id === id));
  if (unknown !== undefined) {
    throw new RepriseError('recovery-failed', `No run ${unknown} waits to be recovered in ${repo.root}`, {
      hints: ['reprise recover --list'],
    });
  }
  const chosen = journals.filter(({ id }) => !options.ids?.length || options.ids.includes(id));
  if (options.assumeGone) for (const { owner } of chosen) takeForGone(owner);
  if (!options.list) await clearLeftovers(repo);
  const results: Result[] = [];
  const report = (result: Result) => {
    results.push(result);
    context.emit({ kind: 'result', result });
  };
  for (const journal of chosen) {
    const state = journalState(repo.gitDir, journal);
    if (options.list) report(describe(repo, journal, state, 'ok'));
    else if (state === 'active' || state === 'running') {
      sayGoingOn(context, journal);
    } else await recoverOne(repo, journal, state, report);
  }
  if (results.length === 0) context.emit({ kind: 'info', text: 'nothing to recover' });
  return { exitCode: results.some((result) => result.status === 'error') ? 1 : 0, results };
}

function sayGoingOn(context: Context, { id, owner, expanded }: Journal): void {
  const what = shortCommand(expanded);
  if (owner.host === hostname()) context.emit({ kind: 'info', text: `run ${id} is still going on: ${what}` });
  else {
    const hints = [`reprise recover --assume-gone ${id}   # if it is gone`];
    context.emit({ kind: 'warning', text: `run ${id} may be going on on ${owner.host}: ${what}`, hints });
  }
}

async function recoverOne(
  repo: Repo,
  journal: Journal,
  state: JournalState,
  report: (result: Result) => void,
): Promise<void> {
  const subject: Subject = { repo, pwd: join(repo.root, journal.pwd), relativePwd: journal.pwd };
  let commit: string | null = null;
  try {
    for (const folder of journal.scratch ?? []) removeTree(folder);
    if (state === 'finished') commit = await record(subject, journal, report);
    else if (state === 'prepared') {
      putBackPlanned(subject, journal.prepared);
      removeJournal(repo.gitDir, journal.id);
    } else {
      const kept = await setAside(subject, journal);
      removeJournal(repo.gitDir, journal.id);
      repo.context.emit({
        kind: 'info',
        text: kept ? `what run ${journal.id} left is kept as ${kept}` : `run ${journal.id} left nothing`,
      });
    }
    report({ ...describe(repo, journal, state, 'ok'), ...(state === 'finished' ? { commit } : {}) });
  } catch (thrown) {
    const error = explainSystemError(thrown);
    // One run that cannot be recovered must not keep the others from it, not even by a bug of ours.
    const code = error instanceof RepriseError ? error.code : 'internal-error';
    report({
      ...describe(repo, journal, state, 'error'),
      message: error instanceof Error ? error.message : String(error),
      error_code: code,
    });
  }
}

/** Records a run whose command has ended, unless it is recorded already; returns the commit, or null where there was nothing to record. */
async function record(subject: Subject, journal: Journal, report: (result: Result) => void): Promise<string | null> {
  const { repo } = subject;
  const noted = new Map(journal.landings).get('');
  const landed = noted === undefined ? null : await findLanded(repo, journal.base.ref, noted);
  if (landed) {
    if (landed.isPresent) await propagateAdjusted(repo, landed.commit);
    removeJournal(repo.gitDir, journal.id);
    const where = landed.isPresent
      ? ''
      : landed.refs.length > 0
        ? `; it is on ${landed.refs.join(', ')}, not on what is checked out`
        : '; it was replaced or taken back since';
    const text = `run ${journal.id} has been recorded already, as ${landed.commit.slice(0, 7)}${where}`;
    repo.context.emit({ kind: 'info', text });
    return landed.commit;
  }
  await assertSameBranch(repo, journal);
  const exit = (journal.exit ?? readExit(repo.gitDir, journal.id)) as CommandExit;
  return (await finishRun({ subject, config: await readConfig(repo), journal, exit, report })).commit;
}

/** Refuses to record a run on another branch than its own, where it was not the command that switched; `recovery-failed`. */
async function assertSameBranch(repo: Repo, journal: Journal): Promise<void> {
  const { base } = journal;
  const { ref } = await readHead(repo);
  if (base.ref === null || ref === base.ref || (await hasSwitched(repo, journal.id))) return;
  const branch = base.ref.replace('refs/heads/', '');
  throw new RepriseError(
    'recovery-failed',
    `The run ${journal.id} began on ${branch}, and ${ref?.replace('refs/heads/', '') ?? 'a detached HEAD'} is checked out now`,
    {
      hints: [`git checkout ${quoteWord(branch)} && reprise recover`],
      data: { run: journal.id, from: base.ref, to: ref },
    },
  );
}

function describe(repo: Repo, journal: Journal, state: JournalState, status: Result['status']): Result {
  return {
    action: 'recover',
    status,
    path: repo.root,
    type: 'dataset',
    message: `${state}: ${shortCommand(journal.expanded)}`,
    run: journal.id,
    state,
    host: journal.owner.host,
    started: journal.record.reprise?.started ?? null,
  };
}
