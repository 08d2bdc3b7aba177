/** `rerun`: executes recorded runs again, and says whether the results are the same. */
import { join } from 'node:path';
import type { Config } from '../core/config.ts';
import { RepriseError } from '../core/errors.ts';
import type { Event, Result, VerbOutcome } from '../core/result.ts';
import { explainSystemError } from '../core/system-errors.ts';
import { withAnnex } from '../dataset/annex-init.ts';
import { correspondingBranch } from '../dataset/adjusted.ts';
import { assertNothingHalfDone } from '../dataset/half-done.ts';
import { subdatasetHeads } from '../dataset/hierarchy.ts';
import { type Head, readHead, readRef } from '../dataset/refs.ts';
import { readConfig } from '../dataset/read-config.ts';
import { git, type Repo } from '../dataset/repo.ts';
import { datasetOf } from '../dataset/targets.ts';
import { scanWorktree } from '../dataset/worktree.ts';
import { assertNoRun } from '../run/at-work.ts';
import { assertWritable } from '../run/boundaries.ts';
import { dirtyDataset } from '../run/run.ts';
import type { Context } from '../sys/context.ts';
import { readOrNull } from '../sys/files.ts';
import { randomId } from '../sys/owner.ts';
import { readDeepChanges } from './changes.ts';
import { recordAttestations } from './attestations.ts';
import { carryOut } from './carry-out.ts';
import { conclude } from './conclude.ts';
import { readHistory } from './history.ts';
import type { Judgement } from './judge.ts';
import { replayInWorkspaces } from './in-workspaces.ts';
import { assertNoneStopped, type Kept, keepRequest, readKept, startWork } from './kept.ts';
import { assertPathsInside, planReplay, withChanges } from './plan.ts';
import { readProgress } from './progress.ts';
import type { ReplayPlan } from './replay-plan.gen.ts';
import { dryRunResults, planResults } from './report.ts';
import type { ReplayRequest, RerunOptions } from './request.ts';
import { resume, stoppedRerun } from './resume.ts';
import { allOf, type Range, requireCommit, resolveCommit, resolveRange } from './revisions.ts';
import { staleRuns } from './stale-read.ts';
import { staleResult } from './stale-verb.ts';
import { undo } from './undo.ts';
import { writeScript } from './write-script.ts';
import type { HistoryCommit } from './history-types.ts';
import { warnOfMovedSubdatasets } from './moved-subdatasets.ts';

export type { RerunOptions } from './request.ts';

/**
 * Reruns the runs of a range of history on top of the present state, or where `onto` and `branch` say.
 *
 * Returns a result for each commit of the range, and for each run a result with the verdict on its outputs; the exit code is that of a
 * command that failed, else 1 if `verify` was asked for and an output differs, or nothing could be rerun. Throws `no-dataset`,
 * `not-a-dataset` while Git has something half-done, `dataset-dirty`, `revision-unknown`, `no-run-commits`, `branch-exists`, `adjusted-branch`, `record-invalid`, `record-sidecar-missing`,
 * `path-outside`, `replay-conflict`, `replay-pending`, `replay-missing`, `dataset-busy`, `branch-moved`, `verdict-different`, and what `run` throws.
 */
export async function rerun(options: RerunOptions, context: Context): Promise<VerbOutcome> {
  const results: Result[] = [];
  const emit = (event: Event) => {
    if (event.kind === 'result') results.push(event.result);
    context.emit(event);
  };
  const exitCode = await rerunEmitting(options, { ...context, emit });
  return { exitCode, results };
}

/** As `rerun`, but results are emitted only and not held, however many there are; returns the exit code. */
export async function rerunEmitting(options: RerunOptions, context: Context): Promise<number> {
  const repo = datasetOf(context, options.dataset);
  const report = (result: Result) => context.emit({ kind: 'result', result });
  assertAlone(options);
  assertMeaningful(options);
  const looksOnly = options.report || options.dryRun || options.script !== undefined;
  if (looksOnly) return look(repo, options, report);
  if (options.workspace) return verifyInWorkspaces(repo, options, report);
  assertWritable(repo);
  const asked = options.continue || options.abort ? readKept(repo.gitDir)?.request : options;
  const lock = startWork(repo, asked?.explicit ?? false);
  try {
    return await work(repo, options, report);
  } finally {
    lock.release();
  }
}

type Report = (result: Result) => void;

/** What is only looked at: a report, a dry run, a script. */
async function look(repo: Repo, options: RerunOptions, report: Report): Promise<number> {
  const [config, head] = await Promise.all([readConfig(repo), readHead(repo)]);
  // Standard output is the script's where it goes there.
  const tell = options.script === undefined ? report : () => {};
  const planned = await makePlan(repo, config, head, options, tell);
  if (planned === null) return 0;
  const { plan } = planned;
  if (options.script === undefined) {
    const shown = options.dryRun ? dryRunResults(repo, plan) : planResults(repo, plan);
    for (const result of await shown) report(result);
    return 0;
  }
  assertPathsInside(plan, repo.root);
  for (const result of await writeScript(repo, config, plan, options.script, options.since)) report(result);
  return 0;
}

/** What is done in the work tree. The caller holds the lock. */
async function work(repo: Repo, options: RerunOptions, report: Report): Promise<number> {
  if (options.abort) return undo(repo, await stoppedRerun(repo));
  if (options.continue) return resume(repo, await stoppedRerun(repo), report);
  assertNoneStopped(repo.gitDir);
  assertNothingHalfDone(repo);
  assertNoRun(repo, options.explicit ?? false);
  const [known, head, dirty] = await Promise.all([
    readConfig(repo),
    readHead(repo),
    options.explicit ? [] : scanWorktree(repo, { untracked: 'normal' }),
  ]);
  if (dirty.length > 0)
    throw dirtyDataset(repo.root, dirty, 'reprise rerun --workspace ...   # nothing here is touched');
  const planned = await makePlan(repo, known, head, options, report);
  if (planned === null) return 0;
  const { plan, range } = planned;
  assertPathsInside(plan, repo.root);
  await warnOfMovedSubdatasets(repo, plan);
  const config = await withAnnex(repo, known);
  const id = randomId();
  const [refs, subdatasets] = [await adjustedRefs(repo, head), await subdatasetHeads(repo)];
  const request = requestOf(options);
  const kept = keepRequest(repo.gitDir, { id, plan, refs, subdatasets, range: range.arguments, request });
  return carryOut(repo, config, kept, readProgress(repo.gitDir, kept), report);
}

/** What moves along with an adjusted branch: the branch it was made from, git-annex's note of that, and the copy of it that a sync makes. */
async function adjustedRefs(repo: Repo, { ref }: Head): Promise<Kept['refs']> {
  const branch = correspondingBranch(ref);
  if (branch === null || ref === null) return [];
  const basis = ref.replace('refs/heads/', 'refs/basis/');
  const names = [branch, basis, branch.replace('refs/heads/', 'refs/heads/synced/')];
  return Promise.all(names.map(async (name) => [name, await readRef(repo, name)] as const));
}

/** Refuses `--continue` and `--abort` with anything that would have to be asked for at the beginning; `usage`. */
function assertAlone(options: RerunOptions): void {
  const { continue: goesOn, abort } = options;
  const given = Object.entries(options).some(
    ([key, value]) =>
      !['continue', 'abort', 'dataset', 'onFailure'].includes(key) && value !== undefined && value !== false,
  );
  if ((goesOn && (abort || given)) || (abort && given)) {
    const [option, what] = abort ? ['--abort', 'undoes'] : ['--continue', 'goes on with'];
    throw new RepriseError(
      'usage',
      `${option} ${what} a rerun as it began, so it takes no other options and no revision`,
    );
  }
}

/** Refuses options that would have no effect beside others; `usage`. */
function assertMeaningful({ stale, revision, since, workspace, branch, onto }: RerunOptions): void {
  if (stale && (revision !== undefined || since !== undefined)) {
    throw new RepriseError(
      'usage',
      '--stale chooses from all of the history of HEAD, so it takes no revision and no --since',
      { hints: ['reprise stale PATH'] },
    );
  }
  if (workspace && (branch !== undefined || onto !== undefined)) {
    throw new RepriseError('usage', '--workspace changes no branch, so it takes neither --branch nor --onto');
  }
}

/** What is kept of the options for the whole of a rerun. */
function requestOf({
  assumeReady,
  explicit,
  onCmdFailure,
  onFailure,
  jobs,
  runner,
  verify,
}: RerunOptions): ReplayRequest {
  return {
    ...(assumeReady === undefined ? {} : { assumeReady }),
    ...(explicit === undefined ? {} : { explicit }),
    ...(onCmdFailure === undefined ? {} : { onCmdFailure }),
    ...(onFailure === undefined ? {} : { onFailure }),
    ...(jobs === undefined ? {} : { jobs }),
    ...(runner === undefined ? {} : { runner }),
    ...(verify === undefined ? {} : { verify }),
  };
}

/** Replays in workspaces, keeps the verdicts, and says what came out; returns the exit code. */
async function verifyInWorkspaces(repo: Repo, options: RerunOptions, report: Report): Promise<number> {
  const [config, head] = await Promise.all([readConfig(repo), readHead(repo)]);
  const planned = await makePlan(repo, config, head, options, report);
  if (planned === null) return 0;
  const { plan } = planned;
  assertPathsInside(plan, repo.root);
  const request = requestOf(options);
  const judgements = await replayInWorkspaces(repo, plan, request, report);
  await keepVerdicts(repo, judgements);
  return conclude(repo, request, judgements, judgements.length === 0, report);
}

/** Keeps verdicts where this user may write; a reader of the dataset is told that they are not kept, and still what came out. */
async function keepVerdicts(repo: Repo, judgements: readonly Judgement[]): Promise<void> {
  try {
    await recordAttestations(
      repo,
      judgements.map(({ attestation }) => attestation),
    );
  } catch (thrown) {
    const error = explainSystemError(thrown);
    if (!(error instanceof RepriseError) || error.code !== 'permission-denied') throw error;
    repo.context.emit({ kind: 'warning', text: `the verdicts are not kept as attestations: ${error.message}` });
  }
}

/** Reads history and decides; null where only stale results were asked for, and there are none. Throws what that throws. */
async function makePlan(
  repo: Repo,
  config: Config,
  head: Head,
  options: RerunOptions,
  tell: (result: Result) => void,
): Promise<{ readonly plan: ReplayPlan; readonly range: Range } | null> {
  const commit = requireCommit(repo, head);
  await assertPossible(repo, head, options);
  const range = options.stale ? allOf(commit) : await resolveRange(repo, head, options.revision, options.since);
  const history = options.stale ? await outdatedRuns(repo, config, tell) : await readHistory(repo, config, range);
  if (options.stale && history.length === 0) {
    repo.context.emit({ kind: 'info', text: 'nothing is stale' });
    return null;
  }
  const { plan, warnings } = planReplay({
    dsid: config.get('datalad.dataset.id'),
    range,
    history,
    start: { ref: head.ref, commit },
    onto: await resolveOnto(repo, options.onto),
    branch: options.branch,
    message: options.message,
    cutOff: shallowCommits(repo),
    linear: options.stale ?? false,
  });
  for (const text of warnings) repo.context.emit({ kind: 'warning', text });
  const runs = plan.steps.filter(({ action }) => action === 'run');
  return { plan: withChanges(plan, await readDeepChanges(repo, runs)), range };
}

/** Commits at which the history of a shallow clone is cut off (gitrepository-layout(5), "shallow"). */
function shallowCommits(repo: Repo): ReadonlySet<string> {
  return new Set(readOrNull(join(repo.commonDir, 'shallow'))?.toString('latin1').trimEnd().split('\n'));
}

/** Runs whose results are outdated, in the order in which they need each other; each is told with its causes. */
async function outdatedRuns(
  repo: Repo,
  config: Config,
  tell: (result: Result) => void,
): Promise<readonly HistoryCommit[]> {
  const outdated = (await staleRuns(repo, config)).stale.filter((one) => one.outdated);
  for (const one of outdated) tell(staleResult(repo, one));
  return outdated.map(({ run }) => run);
}

async function assertPossible(repo: Repo, head: Head, { onto, branch }: RerunOptions): Promise<void> {
  if ((onto !== undefined || branch !== undefined) && correspondingBranch(head.ref) !== null) {
    const option = onto === undefined ? '--branch' : '--onto';
    throw new RepriseError('adjusted-branch', `${option} is incompatible with an adjusted branch`, {
      hints: [`git checkout ${correspondingBranch(head.ref)?.replace('refs/heads/', '')}`],
    });
  }
  if (branch === undefined) return;
  const known = await git(repo, ['show-ref', '--verify', '--quiet', `refs/heads/${branch}`], { accept: [0, 1, 128] });
  if (known.code === 0) {
    throw new RepriseError('branch-exists', `Branch '${branch}' already exists`, {
      hints: [`reprise rerun --branch ${branch}-2 ...`],
      data: { branch },
    });
  }
  if ((await git(repo, ['check-ref-format', '--branch', branch], { accept: [0, 1, 128] })).code !== 0)
    throw new RepriseError('usage', `'${branch}' cannot be the name of a branch`, { data: { branch } });
  const attempt = `start\ncreate refs/heads/${branch} ${head.commit}\nprepare\nabort\n`;
  if ((await git(repo, ['update-ref', '--stdin'], { accept: [0, 1, 128], input: attempt })).code !== 0) {
    throw new RepriseError('branch-exists', `Branch '${branch}' cannot be made beside a branch that is already there`, {
      hints: ['git branch --list'],
      data: { branch },
    });
  }
}

async function resolveOnto(repo: Repo, onto: string | undefined): Promise<string | undefined> {
  if (onto === undefined) return undefined;
  if (onto.trim() === '') return '';
  const commit = await resolveCommit(repo, onto);
  if (commit !== null) return commit;
  throw new RepriseError('revision-unknown', `Revision specified for --onto (${onto}) does not exist`, {
    hints: ['git log --oneline --all'],
    data: { revision: onto },
  });
}
