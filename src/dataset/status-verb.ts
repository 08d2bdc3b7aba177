/** `status`: the state of a dataset's content, or of a whole hierarchy's. */
import { join } from 'node:path';
import type { Result, VerbOutcome } from '../core/result.ts';
import type { Context } from '../sys/context.ts';
import { annexFacts } from './annex-facts.ts';
import { collectResults, type OnFailure } from './outcome.ts';
import { type Repo, repoAt } from './repo.ts';
import { datasetStatus, type State } from './status.ts';
import { assertIndex } from './index-check.ts';
import { datasetOf, groupTargets, relativeTo, resolveTargets } from './targets.ts';

export interface StatusOptions {
  readonly paths?: readonly string[];
  readonly dataset?: string;
  readonly recursive?: boolean;
  readonly recursionLimit?: number;
  /** Report keys and sizes of annexed files (`basic`), and whether their content is here (`availability`, `all`). */
  readonly annex?: 'basic' | 'availability' | 'all';
  readonly untracked?: 'no' | 'normal' | 'all';
  readonly evalSubdatasetState?: 'full' | 'commit' | 'no';
  /** Accepted for DataLad's sake; without effect there, too, since 0.16. */
  readonly reportFiletype?: 'raw' | 'eval';
  /** Report unchanged content as well, as DataLad's results do. Default true. */
  readonly clean?: boolean;
  readonly onFailure?: OnFailure;
}

export interface StatusSummary {
  /** How many items are in each state. */
  readonly states: Readonly<Partial<Record<State, number>>>;
  /** Present when annex information was asked for: annexed files, their bytes, and those whose content is here. */
  readonly annex?: {
    readonly files: number;
    readonly bytes: number;
    readonly presentFiles: number | null;
    readonly presentBytes: number | null;
  };
}

export interface StatusOutcome extends VerbOutcome {
  readonly summary: StatusSummary;
}

/** Reports the state of content; results as DataLad's `status`. Throws `no-dataset`. */
export async function status(options: StatusOptions, context: Context): Promise<StatusOutcome> {
  const reference = datasetOf(context, options.dataset);
  assertIndex(reference);
  const outcome = await collectResults(
    context,
    options.onFailure ?? 'continue',
    statusResults(reference, options, context),
  );
  return { ...outcome, summary: summarise(outcome.results, options.annex) };
}

async function* statusResults(reference: Repo, options: StatusOptions, context: Context): AsyncGenerator<Result> {
  const targets = resolveTargets(reference, context, options.paths ?? []);
  const { groups, outside } = groupTargets(reference, targets, options.dataset !== undefined);
  const refds = reference.root;
  for (const path of outside) {
    yield {
      action: 'status',
      status: 'error',
      path,
      refds,
      message: `path not underneath the reference dataset ${refds}`,
    };
  }
  const queried = new Set<string>();
  const levels = options.recursionLimit ?? (options.recursive ? Number.POSITIVE_INFINITY : 0);
  for (const { repo, paths } of groups) {
    const relative = paths?.includes(repo.root) ? null : (paths?.map((path) => relativeTo(repo.root, path)) ?? null);
    yield* inDataset(repo, relative, options, levels, queried, refds);
  }
}

async function* inDataset(
  repo: Repo,
  paths: readonly string[] | null,
  options: StatusOptions,
  levels: number,
  queried: Set<string>,
  refds: string,
): AsyncGenerator<Result> {
  if (queried.has(repo.root)) return;
  queried.add(repo.root);
  const clean = options.clean ?? true;
  const entries = await datasetStatus(repo, {
    paths,
    untracked: options.untracked ?? 'normal',
    evalSubdatasetState: options.evalSubdatasetState ?? 'full',
    // Annexed files count in the summary, changed or not; subdatasets have to be seen to go into them.
    clean: clean || options.annex !== undefined || levels > 0,
  });
  const facts = options.annex === undefined ? null : await annexFacts(repo, entries, options.annex !== 'basic');
  for (const entry of entries) {
    const path = join(repo.root, entry.path);
    const annexed = facts?.get(entry.path) ?? {};
    if (clean || entry.state !== 'clean' || 'key' in annexed) {
      yield { ...entry, ...annexed, action: 'status', status: 'ok', path, parentds: repo.root, refds };
    }
    const sub = levels > 0 && entry.type === 'dataset' ? repoAt(path, repo.context) : null;
    if (sub) yield* inDataset(sub, null, options, levels - 1, queried, refds);
  }
}

function summarise(results: readonly Result[], annex: StatusOptions['annex']): StatusSummary {
  const states: Partial<Record<State, number>> = {};
  for (const result of results) {
    const state = result['state'] as State | undefined;
    if (state !== undefined) states[state] = (states[state] ?? 0) + 1;
  }
  if (annex === undefined) return { states };
  const annexed = results.filter((result) => 'key' in result);
  const present = annexed.filter((result) => result['has_content'] === true);
  const known = annex !== 'basic';
  return {
    states,
    annex: {
      files: annexed.length,
      bytes: sizeOf(annexed),
      presentFiles: known ? present.length : null,
      presentBytes: known ? sizeOf(present) : null,
    },
  };
}

function sizeOf(results: readonly Result[]): number {
  return results.reduce((sum, result) => sum + (typeof result['bytesize'] === 'number' ? result['bytesize'] : 0), 0);
}
