/** `drop`: content of files, of all keys, or whole datasets, each only after what must hold for it has been checked. Git history is never touched. */
import { mkdirSync } from 'node:fs';
import { fsPath } from '../core/bytes.ts';
import { RepriseError } from '../core/errors.ts';
import type { Result, VerbOutcome } from '../core/result.ts';
import type { Context } from '../sys/context.ts';
import { dropAllKeys, type DropOptions as ContentOptions, dropFiles } from './drop-content.ts';
import { annexKnownAt, unsavedIn, uniqueBranches } from './drop-checks.ts';
import { collectResults, type OnFailure } from './outcome.ts';
import { hasAnnex } from './presence.ts';
import { type Repo, repoAt } from './repo.ts';
import { pythonList } from './requested.ts';
import { removeTree } from './remove-tree.ts';
import { installedBelow, readSubdatasets, subdatasetOnPath } from './subdatasets.ts';
import { datasetOf, groupTargets, isWithin, parentRepo, relativeTo, resolveTargets } from './targets.ts';

export interface DropOptions {
  readonly paths?: readonly string[];
  readonly dataset?: string;
  readonly what?: 'filecontent' | 'allkeys' | 'datasets' | 'all';
  /** Which safety check to leave out; `kill` leaves out all of them. */
  readonly reckless?: 'modification' | 'availability' | 'undead' | 'kill';
  /** Deprecated: `reckless` is `availability`. */
  readonly nocheck?: boolean;
  /** Deprecated, without effect. */
  readonly ifDirty?: string;
  readonly recursive?: boolean;
  readonly recursionLimit?: number;
  readonly jobs?: number | 'auto';
  readonly onFailure?: OnFailure;
}

interface Plan {
  readonly what: NonNullable<DropOptions['what']>;
  readonly reckless: NonNullable<DropOptions['reckless']> | null;
  readonly content: ContentOptions;
  readonly refds: string;
}

/**
 * Drops content or datasets; results as DataLad's `drop` (`drop` and `uninstall`).
 *
 * Throws `usage` for `nocheck` beside `reckless`, for a kill without `recursive` and for dropping the dataset one stands in, `no-dataset`, `drop-refused`,
 * `annex-missing`, `annex-failed`.
 */
export async function drop(options: DropOptions, context: Context): Promise<VerbOutcome> {
  const what = options.what ?? 'filecontent';
  const reckless = recklessOf(options, context);
  const wholeDatasets = what === 'all' || what === 'datasets';
  if (wholeDatasets && reckless === 'kill' && !options.recursive) {
    throw new RepriseError(
      'usage',
      'A reckless kill makes no checks for subdatasets: acknowledge it with --recursive',
      {
        hints: [`reprise drop --what ${what} --reckless kill --recursive`],
      },
    );
  }
  const reference = datasetOf(context, options.dataset);
  const targets = resolveTargets(reference, context, options.paths ?? []);
  const { groups, outside } = groupTargets(reference, targets, !wholeDatasets);
  if (
    wholeDatasets &&
    groups.some(({ repo, paths }) => (paths ?? [repo.root]).some((path) => isWithin(context.cwd, path)))
  ) {
    throw new RepriseError('drop-refused', 'Refusing to remove the folder that this command runs in', {
      hints: ['cd ..'],
      data: { cwd: context.cwd },
    });
  }
  const plan: Plan = {
    what,
    reckless,
    content: {
      force: reckless === 'availability' || reckless === 'kill',
      jobs: typeof options.jobs === 'number' ? options.jobs : null,
    },
    refds: reference.root,
  };
  async function* all(): AsyncGenerator<Result> {
    for (const path of outside) {
      yield {
        action: 'drop',
        status: 'error',
        path,
        refds: plan.refds,
        message: `path not underneath the reference dataset ${plan.refds}`,
      };
    }
    for (const { repo, paths } of [...groups].reverse()) {
      const below = options.recursive ? await datasetsBelow(repo, paths, options.recursionLimit) : [];
      // Deepest first, so that no dataset is removed while one is inside it.
      for (const sub of [...below].reverse()) yield* dropFrom(sub, null, plan);
      yield* dropFrom(repo, paths, plan);
    }
  }
  return collectResults(context, options.onFailure ?? 'continue', all());
}

/** The check to leave out, from the option or from those that it replaced. */
function recklessOf(options: DropOptions, context: Context): Plan['reckless'] {
  if (options.nocheck && options.reckless !== undefined) {
    throw new RepriseError(
      'usage',
      '--nocheck is the old name of --reckless availability: it cannot go with --reckless',
      {
        hints: [`reprise drop --reckless ${options.reckless}`],
      },
    );
  }
  if (options.nocheck) context.emit({ kind: 'warning', text: '--nocheck is deprecated: use --reckless availability' });
  if (options.ifDirty !== undefined)
    context.emit({ kind: 'warning', text: '--if-dirty is deprecated and has no effect: see --reckless' });
  return options.nocheck ? 'availability' : (options.reckless ?? null);
}

async function datasetsBelow(repo: Repo, paths: readonly string[] | null, limit?: number): Promise<Repo[]> {
  if (limit !== undefined && limit <= 0) return [];
  const found: Repo[] = [];
  for (const sub of await installedBelow(repo, paths?.map((path) => relativeTo(repo.root, path)) ?? null)) {
    found.push(sub, ...(await datasetsBelow(sub, null, limit === undefined ? undefined : limit - 1)));
  }
  return found;
}

async function* dropFrom(repo: Repo, given: readonly string[] | null, plan: Plan): AsyncGenerator<Result> {
  if (!repoAt(repo.root, repo.context)) {
    yield {
      action: 'drop',
      status: 'notneeded',
      path: repo.root,
      type: 'dataset',
      refds: plan.refds,
      message: 'does not exist',
    };
    return;
  }
  const paths = given?.length === 1 && given[0] === repo.root ? null : given;
  const what = paths !== null && plan.what === 'all' ? 'filecontent' : plan.what;
  const annex = await hasAnnex(repo);
  const refusals = await refusalsFor(repo, paths, what, plan, annex);
  if (refusals.length > 0) {
    yield* refusals;
    return;
  }
  if (what === 'datasets' && paths !== null) return;
  if (!annex) {
    for (const path of paths ?? [repo.root]) {
      yield { action: 'drop', status: 'notneeded', path, refds: plan.refds, message: "no annex'ed content" };
    }
    if (what === 'allkeys') {
      yield {
        action: 'drop',
        status: 'notneeded',
        path: repo.root,
        type: 'dataset',
        refds: plan.refds,
        message: 'dataset with no annex',
      };
    }
  }
  if (what === 'filecontent') {
    if (annex) yield* dropFiles(repo, paths, plan.content, plan.refds);
    return;
  }
  if (annex && plan.reckless !== 'kill') {
    let unsafe = false;
    for await (const result of dropAllKeys(repo, plan.content, plan.refds)) {
      unsafe ||= result.status !== 'ok';
      yield result;
    }
    if (unsafe) return;
  }
  if (what === 'allkeys') return;
  await removeDataset(repo);
  yield { action: 'uninstall', status: 'ok', path: repo.root, type: 'dataset', refds: plan.refds };
}

/** Everything that forbids a drop. Any of them is final for this dataset. */
async function refusalsFor(
  repo: Repo,
  paths: readonly string[] | null,
  what: Plan['what'],
  plan: Plan,
  annex: boolean,
): Promise<Result[]> {
  const { reckless, refds } = plan;
  const dataset = { path: repo.root, type: 'dataset', refds } as const;
  if (what === 'allkeys' && paths !== null) {
    return [
      {
        ...dataset,
        action: 'drop',
        status: 'impossible',
        message: `cannot drop allkeys, with path constraints given: ${pythonList(paths)}`,
      },
    ];
  }
  const removal = what === 'all' || what === 'datasets';
  const refuse = (message: string): Result[] => [{ ...dataset, action: 'uninstall', status: 'error', message }];
  if (removal && reckless !== 'kill') {
    const inside = await installedBelow(repo, paths?.map((path) => relativeTo(repo.root, path)) ?? null);
    if (inside.length > 0) {
      return refuse(
        `cannot drop dataset, subdataset(s) still present (forgot --recursive?): ${pythonList(inside.map((sub) => sub.root))}`,
      );
    }
  }
  if (removal && paths === null && reckless !== 'availability' && reckless !== 'kill') {
    const unique = await uniqueBranches(repo, annex);
    if (unique.length > 0) {
      return refuse(
        'to-be-dropped dataset has revisions that are not available at any known sibling. Push these before dropping the local dataset, ' +
          `or ignore via \`--reckless availability\`. Unique revisions: ${pythonList(unique)}`,
      );
    }
  }
  if (removal && annex && reckless !== 'undead' && reckless !== 'kill') {
    const knowing = await annexKnownAt(repo);
    if (knowing.length > 0) {
      return refuse(
        "to-be-deleted local annex not declared 'dead' at the following siblings. Announce death (`git annex dead here`, then push), " +
          `or ignore via \`--reckless undead\`: ${pythonList(knowing)}`,
      );
    }
  }
  if (reckless === 'modification' || reckless === 'kill') return [];
  return (await unsavedIn(repo, paths, removal)).map(({ state, ...facts }) => ({
    ...facts,
    action: 'drop',
    status: 'impossible',
    state,
    refds,
    message: `cannot drop ${state} content, save first`,
  }));
}

/** Removes a dataset's folder; below a superdataset that knows it, an empty mount point stays. */
async function removeDataset(repo: Repo): Promise<void> {
  const above = parentRepo(repo);
  const registered = above
    ? subdatasetOnPath(await readSubdatasets(above), relativeTo(above.root, repo.root)) !== null
    : false;
  removeTree(repo.root);
  if (registered) mkdirSync(fsPath(repo.root));
}
