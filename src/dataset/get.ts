/** `get`: subdatasets on the way to what is asked for, then the content of annexed files. */
import { join } from 'node:path';
import { RepriseError } from '../core/errors.ts';
import type { Result, VerbOutcome } from '../core/result.ts';
import type { Context } from '../sys/context.ts';
import { lstatOrNull } from '../sys/files.ts';
import { fetchEach } from './fetch.ts';
import { type InstallOptions, installSubdataset } from './install.ts';
import { procedures } from './procedures.ts';
import { collectResults, type OnFailure } from './outcome.ts';
import { hasAnnex } from './presence.ts';
import { assertReckless, type Reckless } from './reckless.ts';
import { readConfig } from './read-config.ts';
import type { Repo } from './repo.ts';
import { isRealFolder, pythonList, type Silence, summarise } from './requested.ts';
import { installed, isFree, readSubdatasets, subdatasetOnPath, subdatasetsBelow } from './subdatasets.ts';
import { datasetOf, isFolder, isWithin, relativeTo, repoHolding, resolveTargets } from './targets.ts';
import { trackedBelow } from './tracked.ts';

export interface GetOptions {
  readonly paths?: readonly string[];
  readonly dataset?: string;
  readonly recursive?: boolean;
  /** Levels of subdatasets below each path; `existing` installs none. */
  readonly recursionLimit?: number | 'existing';
  /** Install subdatasets only (-n). */
  readonly noData?: boolean;
  /** Which content to fetch; `nothing` is as `noData`. */
  readonly data?: 'anything' | 'nothing' | 'auto' | 'auto-if-wanted';
  /** What git-annex calls the copies in subdatasets that are installed. */
  readonly description?: string;
  /** Procedures to apply to subdatasets that are installed. */
  readonly procedures?: readonly string[];
  /** How subdatasets that are installed share content or access; by default as their superdataset does. */
  readonly reckless?: Reckless;
  /** Name of the remote to get content from. */
  readonly source?: string;
  readonly jobs?: number | 'auto';
  readonly onFailure?: OnFailure;
}

/**
 * Gets content and subdatasets; results as DataLad's `get` (`get` and `install`).
 *
 * Throws `usage` without paths or dataset, `no-dataset`, `annex-missing`, `annex-failed`.
 */
export async function get(options: GetOptions, context: Context): Promise<VerbOutcome> {
  if (options.dataset === undefined && !options.paths?.length) {
    throw new RepriseError('usage', 'Neither a dataset nor a path was given', { hints: ['reprise get .'] });
  }
  // What cannot be applied is said before anything is cloned.
  procedures(options.procedures ?? []);
  if (options.reckless !== undefined) assertReckless(options.reckless);
  const reference = datasetOf(context, options.dataset);
  return collectResults(context, options.onFailure ?? 'continue', getAll(reference, options, context));
}

async function* getAll(reference: Repo, options: GetOptions, context: Context): AsyncGenerator<Result> {
  const refds = reference.root;
  const wanted = options.paths?.length
    ? resolveTargets(reference, context, options.paths).map((target) => target.path)
    : [refds];
  const content = new Map<string, { repo: Repo; paths: Set<string> }>();
  const note = (path: string): void => {
    const repo = repoHolding(path, context);
    if (!repo) return;
    const known = content.get(repo.root) ?? { repo, paths: new Set<string>() };
    known.paths.add(path);
    content.set(repo.root, known);
  };
  // Datasets that need nothing are named once, and only where they are subdatasets that the paths lead into.
  const idle = (action: string, root: string, path: string): Result[] =>
    content.has(root) ? [] : [{ action, status: 'notneeded', path: root, type: 'dataset', refds, contains: [path] }];
  const missing = new Set<string>();
  for (const path of wanted) {
    if (!isWithin(path, refds)) {
      yield { action: 'get', status: 'error', path, message: `path not associated with dataset ${refds}` };
      continue;
    }
    // An empty folder may be where a subdataset belongs.
    const isThere = !isFree(path);
    if (!isThere) yield* installOnTheWay(reference, path, options);
    if (!lstatOrNull(path)) {
      if (!missing.has(path))
        yield { action: 'get', status: 'impossible', path, refds, message: 'path does not exist' };
      missing.add(path);
      continue;
    }
    const holder = repoHolding(path, context) ?? reference;
    const inSubdataset = holder.root !== refds;
    if (isThere && inSubdataset) yield* idle('get', holder.root, path);
    note(path);
    if (!options.recursive || !isFolder(path)) continue;
    for await (const { result, installedAt } of installBelow(holder, path, options.recursionLimit, options)) {
      if (result) yield result;
      else if (inSubdataset && installedAt !== null) yield* idle('install', installedAt, installedAt);
      if (installedAt !== null) note(installedAt);
    }
  }
  if (options.noData || options.data === 'nothing') return;
  for (const { repo, paths } of content.values()) {
    for await (const result of getContent(repo, [...paths], refds, options)) {
      if (!content.has(result.path)) yield result;
    }
  }
}

/** Installs every subdataset between a dataset and a path inside it. */
async function* installOnTheWay(reference: Repo, path: string, how: InstallOptions = {}): AsyncGenerator<Result> {
  for (let repo = repoHolding(path, reference.context) ?? reference; ; ) {
    const sub = subdatasetOnPath(await readSubdatasets(repo), relativeTo(repo.root, path));
    if (!sub) return;
    const present = installed(repo, sub);
    if (present === null) {
      const result = await installSubdataset(repo, sub, how);
      const found = result.status === 'ok';
      yield {
        ...result,
        ...(found ? { message: `Installed subdataset in order to get ${path}` } : {}),
        ...(found && lstatOrNull(path) ? { contains: [path] } : {}),
      };
      if (!found) return;
    }
    const next = installed(repo, sub);
    if (!next || next.root === path) return;
    repo = next;
  }
}

interface InstallStep {
  /** Null for a subdataset that was there before. */
  readonly result: Result | null;
  /** Root of a subdataset that is there now. */
  readonly installedAt: string | null;
}

async function* installBelow(
  repo: Repo,
  start: string,
  limit: GetOptions['recursionLimit'],
  options: GetOptions,
): AsyncGenerator<InstallStep> {
  if (typeof limit === 'number' && limit <= 0) return;
  for (const sub of subdatasetsBelow(await readSubdatasets(repo), relativeTo(repo.root, start))) {
    const path = join(repo.root, sub.path);
    let present = installed(repo, sub);
    if (present) {
      yield { result: null, installedAt: path };
    } else {
      if (limit === 'existing' || sub.properties.get('datalad-recursiveinstall') === 'skip') continue;
      const result = await installSubdataset(repo, sub, options);
      present = installed(repo, sub);
      yield { result: { ...result, contains: [path] }, installedAt: present ? path : null };
    }
    if (present) yield* installBelow(present, present.root, typeof limit === 'number' ? limit - 1 : limit, options);
  }
}

async function* getContent(
  repo: Repo,
  paths: readonly string[],
  refds: string,
  options: GetOptions,
): AsyncGenerator<Result> {
  if (!(await hasAnnex(repo))) {
    for (const path of paths) {
      yield {
        action: 'get',
        status: 'notneeded',
        path,
        type: 'file',
        refds,
        message: 'no dataset annex, content already present',
      };
    }
    return;
  }
  const folders = paths.filter(isRealFolder);
  const files = new Set(paths.filter((path) => !isRealFolder(path)).map((path) => relativeTo(repo.root, path)));
  if (folders.length > 0) {
    const below = await trackedBelow(
      repo,
      folders.map((path) => relativeTo(repo.root, path)),
    );
    for (const entry of below) if (entry.mode !== '160000') files.add(entry.path);
  }
  const outcomes: Result[] = [];
  const fetchOptions = {
    refds,
    ...(options.source === undefined ? {} : { source: options.source }),
    ...(options.jobs === undefined ? {} : { jobs: options.jobs }),
    ...(options.data === undefined || options.data === 'nothing' ? {} : { data: options.data }),
  };
  for await (const result of fetchEach(repo, await readConfig(repo), [...files], fetchOptions)) {
    outcomes.push(result);
    yield result;
  }
  yield* summarise(paths, outcomes, refds, NOTHING_TO_GET);
}

const NOTHING_TO_GET: Silence = {
  action: 'get',
  failed: (folder, failures) => `could not get some content in ${folder} ${pythonList(failures)}`,
  nothing: (folder) => `nothing to get from ${folder}`,
  file: 'already present',
};
