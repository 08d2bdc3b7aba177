/** `stale`: which results no longer follow from their inputs, code or image, and why. Nothing is executed or fetched. */
import type { Result, VerbOutcome } from '../core/result.ts';
import { readConfig } from '../dataset/read-config.ts';
import type { Repo } from '../dataset/repo.ts';
import { datasetOf, relativeTo, resolveTargets, isWithin } from '../dataset/targets.ts';
import type { Context } from '../sys/context.ts';
import { RepriseError } from '../core/errors.ts';
import type { StaleReport, StaleResult } from './stale.ts';
import { staleRuns } from './stale-read.ts';

export interface StaleOptions {
  /** Only results at or below these paths. */
  readonly paths?: readonly string[];
  readonly dataset?: string;
  /** Exit with 1 if any result is listed. */
  readonly exitCode?: boolean;
}

export interface StaleOutcome extends VerbOutcome {
  readonly report: StaleReport;
}

/** Lists stale results, producers before those who use what they make. Throws `no-dataset`, `path-outside`, `git-failed`, and what reading history throws. */
export async function stale(options: StaleOptions, context: Context): Promise<StaleOutcome> {
  const repo = datasetOf(context, options.dataset);
  const wanted = resolveTargets(repo, context, options.paths ?? []).map(({ path }) => insideOf(repo, path));
  const all = await staleRuns(repo, await readConfig(repo));
  const report = { ...all, stale: selectStale(all.stale, wanted) };
  const results = report.stale.map((one) => staleResult(repo, one));
  for (const result of results) context.emit({ kind: 'result', result });
  return { exitCode: options.exitCode && results.length > 0 ? 1 : 0, results, report };
}

function insideOf(repo: Repo, path: string): string {
  if (isWithin(path, repo.root)) return relativeTo(repo.root, path);
  throw new RepriseError('path-outside', `${path} does not belong to the dataset at ${repo.root}`, { data: { path } });
}

/** The stale results that have an output at or below one of the paths (relative to the root); all of them for no path. */
export function selectStale(stale: readonly StaleResult[], paths: readonly string[]): readonly StaleResult[] {
  if (paths.length === 0 || paths.includes('')) return stale;
  return stale.filter(({ outputs }) =>
    outputs.some((output) => paths.some((path) => output === path || output.startsWith(`${path}/`))),
  );
}

/** A stale run with its causes as a result. */
export function staleResult(repo: Repo, { run, outputs, causes, more, outdated }: StaleResult): Result {
  return {
    action: 'stale',
    status: 'ok',
    path: repo.root,
    type: 'dataset',
    refds: repo.root,
    commit: run.commit,
    run_message: run.run.message,
    outputs,
    causes,
    more_causes: more,
    outdated,
  };
}
