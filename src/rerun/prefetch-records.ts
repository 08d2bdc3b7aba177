/** What records need for their reruns: in place, on what is checked out now, and in workspaces, in the states that they were recorded in. */
import type { Config } from '../core/config.ts';
import type { Result } from '../core/result.ts';
import { fetchKeys } from '../dataset/fetch.ts';
import { readHead } from '../dataset/refs.ts';
import { readConfig } from '../dataset/read-config.ts';
import type { Repo } from '../dataset/repo.ts';
import { gather } from '../run/gather.ts';
import { nothingOurs } from './conclude.ts';
import { readHistory } from './history.ts';
import { assertPathsInside, FOREIGN, planReplay } from './plan.ts';
import { absentContent, bringSubdatasets, recordedState } from './recorded-state.ts';
import type { PlanStep } from './replay-plan.gen.ts';
import { requireCommit, resolveRange } from './revisions.ts';
import { openForest } from './stale-compare.ts';
import { patternOf } from './stale-specs.ts';
import { openTrees } from './stale-trees.ts';

/** Which records, as for `rerun`. */
export interface RecordsWanted {
  readonly revision: string | undefined;
  readonly since: string | undefined;
}

/** How content is transferred. */
export interface Transfer {
  readonly jobs?: number;
  readonly dryRun: boolean;
}

/** What has been reported before, as far as it must be known. */
export interface Reported {
  /** Keys that cannot be had. */
  readonly failedKeys: ReadonlySet<string>;
  /** Absolute paths of subdatasets that are not here. */
  readonly absent: ReadonlySet<string>;
}

/**
 * The steps of a rerun that execute a record; sidecars that are not here are fetched to read them.
 *
 * Throws `no-run-commits`, `revision-unknown`, `record-invalid`, `path-outside`, as `rerun` does.
 */
export async function* readRecords(
  repo: Repo,
  config: Config,
  { revision, since }: RecordsWanted,
  transfer: Transfer,
): AsyncGenerator<Result, readonly PlanStep[]> {
  const head = await readHead(repo);
  const start = { ref: head.ref, commit: requireCommit(repo, head) };
  const range = await resolveRange(repo, head, revision, since);
  const sidecars: Result[] = [];
  const read = await readHistory(repo, config, range, async (_, __, wanted) => {
    for await (const result of fetchKeys(repo, config, wanted, transfer)) sidecars.push(result);
  });
  yield* sidecars;
  if (transfer.dryRun && sidecars.length > 0) {
    const records = sidecars.length === 1 ? 'a record that is' : `${sidecars.length} records that are`;
    repo.context.emit({ kind: 'info', text: `what is needed for ${records} not here is not known before` });
  }
  // A record that cannot be had has been reported; the others are read all the same.
  const history = read.map((commit) => (commit.unread ? { ...commit, problem: null } : commit));
  if (sidecars.length > 0 && history.every(({ run }) => run === null)) return [];
  const { plan, warnings } = planReplay({
    dsid: config.get('datalad.dataset.id'),
    range,
    history,
    start,
    onto: undefined,
    branch: undefined,
    message: undefined,
  });
  for (const text of warnings) repo.context.emit({ kind: 'warning', text });
  assertPathsInside(plan, repo.root);
  const steps = plan.steps.filter(({ action }) => action === 'run');
  if (steps.length === 0 && plan.steps.some(({ reason }) => reason === FOREIGN)) yield nothingOurs(repo, 'prefetch');
  return steps;
}

/** Fetches the content that records declare to read, and the subdatasets that they work in. */
export async function* contentOfRecords(
  repo: Repo,
  config: Config,
  steps: readonly PlanStep[],
  transfer: Transfer,
  reported: Reported,
): AsyncGenerator<Result> {
  if (steps.length === 0) return;
  const states = steps.map((step) => recordedState(step, repo.root));
  const patterns = (which: 'files' | 'places') => [...new Set(states.flatMap((state) => state[which].map(patternOf)))];
  const top = { repo, pwd: repo.root, relativePwd: '.' };
  yield* gather(top, config, { files: patterns('files'), places: patterns('places'), ...transfer });
  // Opened now: what has been installed is seen.
  const forest = openForest(openTrees(repo), new Set());
  yield* bringSubdatasets(forest, states, { known: reported.absent, dryRun: transfer.dryRun });
  for (const { repo: owner, keys } of await absentContent(forest, states)) {
    const wanted = new Map([...keys].filter(([key]) => !reported.failedKeys.has(key)));
    const own = owner.root === repo.root ? config : await readConfig(owner);
    for await (const result of fetchKeys(owner, own, wanted, { ...transfer, refds: repo.root }))
      yield { ...result, message: [result.message, 'as it was recorded'].filter(Boolean).join('; ') };
  }
}
