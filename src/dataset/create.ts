/** `create`: a new dataset, with the files, configuration and commits that DataLad's has. A failure leaves nothing behind. */
import { randomUUID } from 'node:crypto';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fsPath } from '../core/bytes.ts';
import { quoteWord } from '../core/quote.ts';
import { RepriseError } from '../core/errors.ts';
import type { Result, VerbOutcome } from '../core/result.ts';
import type { Context } from '../sys/context.ts';
import { lstatOrNull } from '../sys/files.ts';
import { annexInstalled, annexMissing, runAnnex } from './annex-batch.ts';
import { appendAttributes, readAttributes } from './attributes.ts';
import { commitChanges } from './commit.ts';
import { rememberFolder } from './undo-create.ts';
import { collectResults } from './outcome.ts';
import { PROCEDURE_FILES, procedures } from './procedures.ts';
import { registerSubdataset } from './register.ts';
import { readConfig } from './read-config.ts';
import { findRepo, git, type Repo, repoAt } from './repo.ts';
import { pythonList } from './requested.ts';
import { readSubdatasets, subdatasetOnPath } from './subdatasets.ts';
import { datasetOf, isFolder, isWithin, relativeTo } from './targets.ts';
import { trackedBelow } from './tracked.ts';

export interface CreateOptions {
  /** The path, by default `dataset` or the current folder; then options for `git init`. */
  readonly words?: readonly string[];
  /** With a path: the dataset to register the new one in; `^` is the topmost around the current folder. */
  readonly dataset?: string;
  /** Also in a folder that is not empty. */
  readonly force?: boolean;
  /** What git-annex calls this copy. */
  readonly description?: string;
  /** A plain Git repository. */
  readonly noAnnex?: boolean;
  /** Procedures to apply: text2git, yoda, noannex. */
  readonly procedures?: readonly string[];
  /** Give every commit of the dataset an artificial date, one second after the one before. */
  readonly fakeDates?: boolean;
  /** Message of the commit in the superdataset. */
  readonly message?: string;
}

interface Place {
  readonly path: string;
  /** The dataset to register the new one in. */
  readonly top: Repo | null;
  readonly refds: string | null;
}

/**
 * Creates a dataset; results as DataLad's `create`.
 *
 * Throws `usage`, `no-dataset` (for `dataset`), `annex-missing`, `annex-failed`, `git-failed`, `identity-missing`, `dataset-dirty`
 * (from a procedure), `permission-denied`; a place that is taken is a result with status `error`.
 */
export async function create(options: CreateOptions, context: Context): Promise<VerbOutcome> {
  const [path, ...initOptions] = options.words ?? [];
  if (options.noAnnex && options.description !== undefined) {
    throw new RepriseError('usage', 'A description is kept by git-annex: it cannot go with --no-annex');
  }
  if (initOptions.includes('--bare'))
    throw new RepriseError('usage', 'A bare repository has no work tree, so it cannot be a dataset');
  const steps = procedures(options.procedures ?? []);
  const place = placeOf(path, options.dataset, context);
  return collectResults(context, 'continue', createAt(place, options, initOptions, steps, context));
}

function placeOf(given: string | undefined, dataset: string | undefined, context: Context): Place {
  if (dataset === undefined) return { path: resolve(context.cwd, given ?? '.'), top: null, refds: null };
  if (given === undefined && dataset !== '^' && dataset !== '^.') {
    const path = resolve(context.cwd, dataset);
    return { path, top: null, refds: path };
  }
  const top = datasetOf(context, dataset);
  const path = resolve(context.cwd, given ?? top.root);
  return { path, top: path === top.root ? null : top, refds: top.root };
}

async function* createAt(
  place: Place,
  options: CreateOptions,
  initOptions: readonly string[],
  steps: readonly ((repo: Repo) => Promise<void>)[],
  context: Context,
): AsyncGenerator<Result> {
  const result = {
    action: 'create',
    path: place.path,
    type: 'dataset',
    ...(place.refds === null ? {} : { refds: place.refds }),
  } as const;
  const refusal = await refusalOf(place, options.force ?? false, context);
  if (refusal !== null) {
    yield { ...result, status: 'error', message: refusal };
    return;
  }
  if (!options.noAnnex && !annexInstalled(context.env)) {
    throw annexMissing([`reprise create --no-annex ${quoteWord(place.path)}`, 'apt-get install git-annex']);
  }
  const undo = rememberFolder(place.path, ['.datalad/config', '.datalad/.gitattributes', ...PROCEDURE_FILES]);
  let registered: readonly Result[] = [];
  try {
    const repo = await initialise(place.path, options, initOptions, context);
    for (const step of steps) await step(repo);
    if (place.top)
      registered = await registerSubdataset(place.top, repo, options.message ?? '[DATALAD] Created subdataset');
  } catch (error) {
    undo();
    throw withoutPermission(error, place.path);
  }
  yield* registered;
  yield { ...result, status: 'ok' };
}

/** Why a dataset cannot be created at a place, or null. */
async function refusalOf(place: Place, force: boolean, context: Context): Promise<string | null> {
  const { path, top } = place;
  if (top && !isWithin(path, top.root)) {
    return `dataset containing given paths is not underneath the reference dataset ${top.root}: ${path}`;
  }
  if (top && relativeTo(top.root, path).startsWith('-')) {
    return `Git does not take a subdataset whose path starts with a hyphen: ${relativeTo(top.root, path)}`;
  }
  if (lowerParts(path).includes('.git')) return `will not create a dataset inside of a .git folder: ${path}`;
  const parent = path === '/' ? null : findRepo(join(path, '..'), context);
  if (parent) {
    const conflict = await conflictIn(parent, path, force);
    if (conflict !== null) return conflict;
  }
  if (lstatOrNull(path) && !isFolder(path)) return `will not create a dataset in place of a file: ${path}`;
  if (isFolder(path) && !force && readdirSync(fsPath(path)).length > 0) {
    return 'will not create a dataset in a non-empty directory, use `--force` option to ignore';
  }
  return null;
}

function lowerParts(path: string): string[] {
  return path.split('/').map((part) => part.toLowerCase());
}

async function conflictIn(parent: Repo, path: string, force: boolean): Promise<string | null> {
  const relative = relativeTo(parent.root, path);
  const sub = subdatasetOnPath(await readSubdatasets(parent), relative);
  if (sub)
    return force && sub.path === relative
      ? null
      : `collision with ${join(parent.root, sub.path)} (dataset) in dataset ${parent.root}`;
  const below = await trackedBelow(parent, [relative]);
  const collisions = below
    .filter((entry) => entry.mode !== '160000' || entry.path !== relative)
    .map((entry) => join(parent.root, entry.path));
  return collisions.length === 0
    ? null
    : `collision with content in parent dataset at ${parent.root}: ${pythonList(collisions)}`;
}

async function initialise(
  path: string,
  options: CreateOptions,
  initOptions: readonly string[],
  context: Context,
): Promise<Repo> {
  mkdirSync(fsPath(path), { recursive: true });
  if (!repoAt(path, context)) {
    await git({ root: path, context }, ['init', '--quiet', ...initOptions]);
  }
  const repo = repoAt(path, context);
  if (!repo) throw new RepriseError('git-failed', `git init made no repository with a work tree at ${path}`);
  if (options.fakeDates) await writeCommitted(repo, ['datalad.fake-dates', 'true']);
  const written = options.noAnnex ? prepareGit(repo) : await prepareAnnex(repo, options.description);
  await writeId(repo);
  for (const [key, value] of context.overrides) await git(repo, ['config', '--local', '--add', key, value]);
  const changes = ['.datalad/config', ...written].map((file) => ({ path: file }));
  await commitChanges(repo, await readConfig(repo), { changes, message: '[DATALAD] new dataset\n', toGit: true });
  return repo;
}

/** `.noannex` tells git-annex to leave the repository alone. */
function prepareGit(repo: Repo): string[] {
  writeFileSync(join(repo.root, '.noannex'), '');
  return ['.noannex'];
}

/** Initialises the annex and sets its attributes, as far as they are not set yet; returns the files written. */
async function prepareAnnex(repo: Repo, description: string | undefined): Promise<string[]> {
  const config = await readConfig(repo);
  if (config.get('annex.uuid') === undefined || description !== undefined) {
    await runAnnex(repo, ['init', ...(description === undefined ? [] : [description])]);
  }
  const value = await readAttributes(repo, ['annex.backend', 'annex.largefiles'], ['.', '.git', '.datalad/config']);
  if (value('.', 'annex.backend') === undefined) {
    appendAttributes(repo, '.gitattributes', [`* annex.backend=${config.get('datalad.repo.backend') ?? 'MD5E'}`]);
  }
  // Configuration must never be annexed, whatever else the attributes say.
  if (value('.datalad/config', 'annex.largefiles') !== 'nothing') {
    appendAttributes(repo, '.datalad/.gitattributes', ['config annex.largefiles=nothing']);
  }
  if (value('.git', 'annex.largefiles') !== 'nothing') {
    appendAttributes(repo, '.gitattributes', ['**/.git* annex.largefiles=nothing']);
  }
  return ['.gitattributes', '.datalad/.gitattributes'].filter((file) => lstatOrNull(join(repo.root, file)));
}

/** Gives the dataset an identifier, unless it has one. */
async function writeId(repo: Repo): Promise<void> {
  const file = join(repo.root, '.datalad/config');
  const known = await git(repo, ['config', '-f', file, '--get-all', 'datalad.dataset.id'], { accept: [0, 1] });
  if (known.stdout.length === 0) await writeCommitted(repo, ['--add', 'datalad.dataset.id', randomUUID()]);
}

/** Puts a setting into the dataset's committed configuration. */
async function writeCommitted(repo: Repo, words: readonly string[]): Promise<void> {
  mkdirSync(join(repo.root, '.datalad'), { recursive: true });
  await git(repo, ['config', '-f', join(repo.root, '.datalad/config'), ...words]);
}

function withoutPermission(error: unknown, path: string): unknown {
  const code = (error as NodeJS.ErrnoException | null)?.code;
  if (code !== 'EACCES' && code !== 'EROFS' && code !== 'EPERM') return error;
  return new RepriseError('permission-denied', `${path} may not be written by this user`, { cause: error });
}
