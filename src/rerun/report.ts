/** What a plan looks like to those who only want to see it: DataLad's `--report`, and the dry run. One result at a time: a history may be long. */
import { join } from 'node:path';
import type { Result } from '../core/result.ts';
import { gitText, type Repo } from '../dataset/repo.ts';
import type { RunRecord } from '../record/run-record.gen.ts';
import { FOREIGN, recordOf } from './plan.ts';
import type { PlannedChange, PlanStep, ReplayPlan } from './replay-plan.gen.ts';

/** A line for each step of a plan, for people. */
export async function dryRunResults(repo: Repo, plan: ReplayPlan): Promise<Iterable<Result>> {
  return dryRuns(repo, await planResults(repo, plan));
}

function* dryRuns(repo: Repo, planned: Iterable<Result>): Generator<Result> {
  for (const result of planned) {
    const { commit, rerun_action: what, run_message: said, message } = result as Partial<Record<string, string>>;
    const about = message ?? [commit?.slice(0, 7), ...(said === undefined ? [] : [said.split('\n')[0]])].join(' ');
    const declared = what === 'run' ? declaredText(result['run_info'] as RunRecord) : '';
    yield { ...result, action: 'run [dry-run]', refds: repo.root, message: `${what} ${about}${declared}` };
  }
}

/** ` (inputs: a, b; outputs: c; in: folder)`; nothing for a record that declares nothing. */
function declaredText({ inputs, extra_inputs: extra, outputs, pwd }: RunRecord): string {
  const facts = [
    ['inputs', [...inputs, ...extra]],
    ['outputs', outputs],
    ['in', pwd === '.' ? [] : [pwd]],
  ] as const;
  const said = facts.flatMap(([what, paths]) => {
    const more = paths.length > SHOWN ? [`and ${paths.length - SHOWN} more`] : [];
    return paths.length === 0 ? [] : [`${what}: ${[...paths.slice(0, SHOWN), ...more].join(', ')}`];
  });
  return said.length === 0 ? '' : ` (${said.join('; ')})`;
}

/** How many paths of a kind are named for people. */
const SHOWN = 5;

/**
 * One result for each step of a plan, and one for the checkout that comes first.
 *
 * Format: `rerun --report` of DataLad, with `reason` and `sidecar` of the plan (schemas/replay-plan.schema.json) in addition.
 */
export async function planResults(repo: Repo, plan: ReplayPlan): Promise<Iterable<Result>> {
  return resultsOf(repo, plan, await sizesOf(repo, plan));
}

function* resultsOf(repo: Repo, plan: ReplayPlan, sizes: ReadonlyMap<string, number>): Generator<Result> {
  const { checkout } = plan;
  if (checkout) {
    const { commit, branch } = checkout;
    yield { action: 'run', path: repo.root, type: 'dataset', status: 'ok', commit, branch, rerun_action: 'checkout' };
  }
  for (const step of plan.steps) yield stepResult(repo, plan, step, sizes);
}

/** Sizes of the files that runs wrote into Git, by the names of their blobs. Those of a subdataset are not in this repository. */
async function sizesOf(repo: Repo, plan: ReplayPlan): Promise<ReadonlyMap<string, number>> {
  const changes = plan.steps.flatMap((step) => step.changes ?? []);
  const files = new Set(changes.flatMap(({ type, gitshasum }) => (type === 'file' && gitshasum ? [gitshasum] : [])));
  if (files.size === 0) return new Map();
  const input = [...files].map((sha) => `${sha}\n`).join('');
  const answer = await gitText(repo, ['cat-file', '--batch-check=%(objectname) %(objectsize)'], { input });
  return new Map(
    answer.split('\n').flatMap((line): [string, number][] => {
      const [, sha, size] = /^([0-9a-f]+) (\d+)$/.exec(line) ?? [];
      return sha === undefined ? [] : [[sha, Number(size)]];
    }),
  );
}

function stepResult(repo: Repo, plan: ReplayPlan, step: PlanStep, sizes: ReadonlyMap<string, number>): Result {
  const { commit, parents, action, reason, run } = step;
  const facts: Result = {
    action: 'run',
    path: repo.root,
    type: 'dataset',
    status: reason === FOREIGN ? 'notneeded' : 'ok',
    commit,
    parents,
    rerun_action: action,
    reason,
    ...(run?.sidecar === undefined ? {} : { sidecar: run.sidecar }),
  };
  if (action !== 'run') {
    const said = reason === null ? facts : { ...facts, message: `${commit.slice(0, 7)} ${reason}; ${WORDS[action]}` };
    return run === undefined ? said : { ...said, run_info: recordOf(step), run_message: run.message };
  }
  return {
    ...facts,
    run_info: recordOf(step),
    run_message: run?.message,
    rerun_message: plan.message ?? null,
    diff: (step.changes ?? []).map((change) => diffResult(repo, change, sizes)),
    author: step.author,
    date: step.date,
  };
}

const WORDS = {
  'skip-or-pick': 'skipping or cherry picking',
  merge: 'merging',
  skip: 'skipping',
} as const;

function diffResult(repo: Repo, { path, ...change }: PlannedChange, sizes: ReadonlyMap<string, number>): Result {
  const size = change.type === 'file' ? sizes.get(change.gitshasum ?? '') : undefined;
  return {
    action: 'diff',
    status: 'ok',
    path: join(repo.root, path),
    parentds: repo.root,
    refds: repo.root,
    ...change,
    ...(size === undefined ? {} : { bytesize: size }),
  };
}
