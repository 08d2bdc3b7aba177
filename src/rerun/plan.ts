/** From history to a plan: what will happen for each commit of a range, and why. A pure function; nothing is asked or changed. */
import { RepriseError } from '../core/errors.ts';
import type { RunRecord } from '../record/run-record.gen.ts';
import type { Change, HistoryCommit, RecordedRun } from './history-types.ts';
import { refusedPath } from './refused-paths.ts';
import type { PlannedChange, PlannedRun, PlanStep, ReplayPlan } from './replay-plan.gen.ts';
import type { Range } from './revisions.ts';

export interface PlanRequest {
  /** Id of the dataset, if it has one. */
  readonly dsid: string | undefined;
  readonly range: Range;
  readonly history: readonly HistoryCommit[];
  readonly start: ReplayPlan['start'];
  /** Where to start instead: full name of a commit; blank for the parent of the first run. */
  readonly onto: string | undefined;
  /** Branch to make at the start. */
  readonly branch: string | undefined;
  readonly message: string | undefined;
  /** Commits whose parents are not here, in a shallow clone. */
  readonly cutOff?: ReadonlySet<string>;
  /** Whether each step is built on the one before it, in the order of `history`, whatever its parents are. */
  readonly linear?: boolean;
}

/** A plan without the changes of its commits, and what was left out of it. */
export interface Planned {
  readonly plan: ReplayPlan;
  /** Commits whose record can never be executed, each with the reason. */
  readonly warnings: readonly string[];
}

/**
 * Decides what to do for each commit (behaviour: `_rerun_as_results` in DataLad's `local/rerun.py`).
 *
 * Unlike there, commits that a run made itself are part of that run, and are not taken a second time.
 * Throws `no-run-commits`, and `record-invalid` for a record that cannot be read.
 */
export function planReplay(request: PlanRequest): Planned {
  const { range, dsid } = request;
  const warnings: string[] = [];
  const history = request.history.map((commit): HistoryCommit => {
    if (commit.run === null || commit.parents.length === 1 || commit.parents.length === 2) return commit;
    const root = request.cutOff?.has(commit.commit)
      ? 'is where the history of this shallow clone is cut off'
      : 'is a root commit';
    const why = commit.parents.length === 0 ? root : 'is a merge commit';
    warnings.push(`${commit.commit} has run information but ${why}; it will not be re-executed`);
    return { ...commit, run: null };
  });
  const unreadable = history.find(({ problem }) => problem !== null);
  if (unreadable?.problem) {
    throw new RepriseError('record-invalid', unreadable.problem, {
      hints: [`git show -s ${unreadable.commit}`, `reprise rerun --since=${unreadable.commit}`],
      data: { commit: unreadable.commit },
    });
  }
  const left =
    warnings.length === 0 ? history : history.filter((_, at) => request.history[at]?.run === history[at]?.run);
  const commits = range.keepsLeading
    ? left
    : left.slice(
        Math.max(
          0,
          left.findIndex(({ run }) => run !== null),
        ),
      );
  const first = commits.find(({ run }) => run !== null);
  if (!first) throw noRunCommits(request, warnings);
  const isOurs = (run: RecordedRun) => run.record.dsid === undefined || run.record.dsid === dsid;
  const inside = insideRuns(commits, isOurs);
  const steps = commits.map((commit): PlanStep => stepFor(commit, isOurs, inside.get(commit.commit)));
  const start = request.onto === '' ? (first.parents[0] as string) : request.onto;
  return {
    warnings,
    plan: {
      version: 1,
      ...(dsid === undefined ? {} : { dataset: dsid }),
      revision: range.tip,
      range: range.text,
      start: request.start,
      checkout:
        start === undefined && request.branch === undefined
          ? null
          : { commit: start ?? request.start.commit, branch: request.branch ?? null },
      ...(request.linear ? { linear: true } : {}),
      ...(request.message === undefined ? {} : { message: request.message }),
      steps,
    },
  };
}

function stepFor(
  { commit, parents, author, date, run }: HistoryCommit,
  isOurs: (run: RecordedRun) => boolean,
  inside: string | undefined,
): PlanStep {
  // Written out: of a hundred thousand objects, copying one into another costs more than all of the decision.
  const step = (action: PlanStep['action'], reason: string | null): PlanStep => ({
    commit,
    parents,
    author,
    date,
    action,
    reason,
  });
  if (inside !== undefined) return step('skip', `is part of the run ${inside.slice(0, 7)}`);
  if (run && isOurs(run)) return { ...step('run', null), run: plannedRun(run) };
  if (parents.length > 1) return step('merge', null);
  if (parents.length === 0) return step('skip', 'is a root commit');
  return run ? { ...step('skip-or-pick', FOREIGN), run: plannedRun(run) } : step('skip-or-pick', NO_COMMAND);
}

function plannedRun({ record, message, sidecar }: RecordedRun): PlannedRun {
  return sidecar === null ? { record, message } : { record, message, sidecar };
}

/** DataLad's words. */
export const FOREIGN = 'was ran from a different dataset';
const NO_COMMAND = 'does not have a command';

/** The commits that commands of runs made themselves -> the run's commit. Each is between the two parents of a merge with a record. */
function insideRuns(
  commits: readonly HistoryCommit[],
  isOurs: (run: RecordedRun) => boolean,
): ReadonlyMap<string, string> {
  const inside = new Map<string, string>();
  const mayHoldOthers = ({ parents, run }: HistoryCommit) => run !== null && parents.length === 2;
  if (!commits.some(mayHoldOthers)) return inside;
  const positions = new Map(commits.map(({ commit }, at) => [commit, at]));
  for (let at = commits.length - 1; at >= 0; at -= 1) {
    const one = commits[at] as HistoryCommit;
    const { commit, run } = one;
    // A run inside a run is part of the outermost one.
    if (run === null || !mayHoldOthers(one) || !isOurs(run) || inside.has(commit)) continue;
    for (const inner of between(commits, positions, at)) inside.set((commits[inner] as HistoryCommit).commit, commit);
  }
  return inside;
}

/** Positions of what is reachable from the second parent and not from the first; parents come before their children. */
function between(
  commits: readonly HistoryCommit[],
  positions: ReadonlyMap<string, number>,
  at: number,
): readonly number[] {
  const reached = new Map<number, 'inner' | 'outer'>();
  let pending = 0;
  const mark = (name: string | undefined, kind: 'inner' | 'outer') => {
    const position = name === undefined ? undefined : positions.get(name);
    if (position === undefined) return;
    const before = reached.get(position);
    if (before === kind || before === 'outer') return;
    if (kind === 'inner') pending += 1;
    else if (before === 'inner') pending -= 1;
    reached.set(position, kind);
  };
  const [first, second] = (commits[at] as HistoryCommit).parents;
  mark(first, 'outer');
  mark(second, 'inner');
  const found: number[] = [];
  for (let position = at - 1; pending > 0 && position >= 0; position -= 1) {
    const kind = reached.get(position);
    if (kind === undefined) continue;
    if (kind === 'inner') {
      found.push(position);
      pending -= 1;
    }
    for (const parent of (commits[position] as HistoryCommit).parents) mark(parent, kind);
  }
  return found;
}

function noRunCommits({ range, history, cutOff }: PlanRequest, warnings: readonly string[]): RepriseError {
  const [only] = history;
  const isMerge = range.single && only !== undefined && only.parents.length > 1;
  const isCutOff = history.some(({ commit, run }) => run !== null && cutOff?.has(commit));
  const why = warnings.length === 0 ? '' : `: ${warnings[0]}`;
  return new RepriseError('no-run-commits', `No run commits found in range ${range.text}${why}`, {
    hints: isCutOff
      ? ['git fetch --unshallow']
      : isMerge
        ? [`reprise rerun --since=${only.commit}^ ${only.commit}`]
        : ['reprise rerun --since= --report'],
    data: { range: range.text },
  });
}

/** The record of a step that runs. */
export function recordOf(step: PlanStep): RunRecord {
  return step.run?.record as unknown as RunRecord;
}

/** Adds what the commits that will be rerun changed. */
export function withChanges(plan: ReplayPlan, changes: ReadonlyMap<string, readonly Change[]>): ReplayPlan {
  const steps = plan.steps.map((step) =>
    step.action === 'run' ? { ...step, changes: (changes.get(step.commit) ?? []).map(describe) } : step,
  );
  return { ...plan, steps };
}

const NOTHING = '000000';

function describe({ path, oldMode, newMode, oldSha, newSha }: Change): PlannedChange {
  const mode = newMode === NOTHING ? oldMode : newMode;
  return {
    path,
    state: oldMode === NOTHING ? 'added' : newMode === NOTHING ? 'deleted' : 'modified',
    type: mode === '160000' ? 'dataset' : mode === '120000' ? 'symlink' : 'file',
    ...(newMode === NOTHING ? {} : { gitshasum: newSha }),
    ...(oldMode === NOTHING ? {} : { prev_gitshasum: oldSha }),
  };
}

/**
 * Refuses a plan with a record that would work outside the dataset; throws `path-outside`, naming the commit.
 *
 * @param root absolute path of the dataset: an absolute path below it is inside
 */
export function assertPathsInside(plan: ReplayPlan, root: string): void {
  for (const step of plan.steps) {
    const refused = step.action === 'run' ? refusedPath(recordOf(step), root) : null;
    if (refused === null) continue;
    throw new RepriseError(
      'path-outside',
      `The run record of commit ${step.commit} names ${refused}, which is outside the dataset, so it is not executed`,
      { hints: [`git show -s ${step.commit}`], data: { commit: step.commit, path: refused } },
    );
  }
}
