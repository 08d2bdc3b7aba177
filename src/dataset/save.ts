/** `save`: commits changes of a dataset, and of its subdatasets bottom-up. */
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fsPath } from '../core/bytes.ts';
import { RepriseError } from '../core/errors.ts';
import type { Result, VerbOutcome } from '../core/result.ts';
import type { Context } from '../sys/context.ts';
import { assertNothingHalfDone } from './half-done.ts';
import { pathsBelow } from './hierarchy.ts';
import { assertIndex } from './index-check.ts';
import { type OnFailure, isFailure } from './outcome.ts';
import { readHead } from './refs.ts';
import { git, gitText, type Repo, repoAt } from './repo.ts';
import type { SaveTreeRequest } from './save-request.ts';
import { type SaveRoot, saveRoots } from './save-targets.ts';
import { saveTree } from './save-tree.ts';
import { readSubdatasets } from './subdatasets.ts';
import { datasetOf } from './targets.ts';

export interface SaveOptions {
  /** Save what is around the paths as well, up to this dataset. By default nothing is saved but in the datasets that hold them. */
  readonly dataset?: string;
  /** Files or folders; everything in the dataset of the current folder when absent or empty. */
  readonly paths?: readonly string[];
  readonly message?: string;
  readonly messageFile?: string;
  readonly recursive?: boolean;
  readonly recursionLimit?: number;
  /** Leave untracked files alone. */
  readonly updated?: boolean;
  /** Tag every dataset that was touched. */
  readonly versionTag?: string;
  readonly toGit?: boolean;
  readonly amend?: boolean;
  /** Join the commits made since this one, and what is unsaved, by a merge commit with the message. */
  readonly since?: string;
  readonly jobs?: number;
  readonly onFailure?: OnFailure;
}

const DEFAULT_MESSAGE = '[DATALAD] Recorded changes';

/**
 * Saves changes; results as DataLad's (`add`, `delete`, `save`).
 *
 * Throws `no-dataset`, `not-a-dataset` while Git has something half-done, `usage` for two messages, `path-missing`, `path-outside`, and what a commit throws.
 */
export async function save(options: SaveOptions, context: Context): Promise<VerbOutcome> {
  const reference = datasetOf(context, options.dataset);
  assertIndex(reference);
  // Commits since a state of the dataset are joined in that dataset.
  const asked = options.dataset !== undefined || options.since !== undefined;
  const roots = await saveRoots(reference, options.paths ?? [], asked);
  for (const { repo } of roots) {
    assertIndex(repo);
    assertNothingHalfDone(repo);
  }
  const since = options.since === undefined ? null : await commitNamed(reference, options.since);
  const results: Result[] = [];
  for (const root of roots) {
    const message = await messageOf(root.repo, options, context);
    const saved = await saveRoot(reference, root, requestOf(options, message, root.paths, since));
    if (options.versionTag !== undefined) await tagSaved(root.repo, options.versionTag, saved);
    results.push(...saved);
  }
  return { exitCode: options.onFailure !== 'ignore' && results.some(isFailure) ? 1 : 0, results };
}

function requestOf(
  options: SaveOptions,
  message: string,
  paths: readonly string[] | null,
  since: string | null,
): SaveTreeRequest {
  return {
    message,
    paths,
    recursive: options.recursive ?? false,
    ...(options.recursionLimit === undefined ? {} : { depth: options.recursionLimit }),
    updatedOnly: options.updated ?? false,
    toGit: options.toGit ?? false,
    amend: options.amend ?? false,
    ...(since === null
      ? {}
      : {
          join: {
            from: since,
            subHeads: new Map(),
            remainder: message.trimEnd(),
            meanwhile: async () => ({ own: 1, foreign: 0 }),
            landed: async () => null,
            landing: () => {},
          },
        }),
  };
}

/** Saves one dataset and what is below it; the results are told against the reference dataset, and emitted. */
async function saveRoot(reference: Repo, { repo }: SaveRoot, request: SaveTreeRequest): Promise<readonly Result[]> {
  const told = (result: Result): Result => (result.action === 'save' ? { ...result, refds: reference.root } : result);
  const emit = (result: Result) => repo.context.emit({ kind: 'result', result: told(result) });
  const { results } = await saveTree(repo, request, emit);
  const unchanged = request.recursive ? await unchangedBelow(repo, request, results) : [];
  for (const result of unchanged) emit(result);
  return [...results, ...unchanged].map(told);
}

/** Results, as DataLad's, of the subdatasets that were to be saved as well and had nothing that is new. */
async function unchangedBelow(
  top: Repo,
  request: SaveTreeRequest,
  saved: readonly Result[],
): Promise<readonly Result[]> {
  const told = new Set(saved.filter(({ action }) => action === 'save').map(({ path }) => path));
  const below = async (repo: Repo, paths: readonly string[] | null, levels: number): Promise<readonly Result[]> => {
    if (levels <= 0) return [];
    const results: Result[] = [];
    for (const { path } of await readSubdatasets(repo)) {
      const inner = paths === null ? null : pathsBelow(paths, path);
      const sub = inner?.length === 0 ? null : repoAt(join(repo.root, path), repo.context);
      if (!sub) continue;
      results.push(...(await below(sub, inner, levels - 1)));
      if (!told.has(sub.root))
        results.push({ action: 'save', status: 'notneeded', path: sub.root, type: 'dataset', refds: top.root });
    }
    return results;
  };
  return below(top, request.paths, request.depth ?? Number.POSITIVE_INFINITY);
}

async function messageOf(repo: Repo, options: SaveOptions, context: Context): Promise<string> {
  if (options.message !== undefined && options.messageFile !== undefined)
    throw new RepriseError('usage', 'Give a message or a file with one, not both');
  if (options.messageFile !== undefined)
    return withNewline(readMessage(resolve(context.cwd, options.messageFile), options.messageFile));
  if (options.message !== undefined) return withNewline(options.message.trimEnd() || DEFAULT_MESSAGE);
  const head = options.amend ? await readHead(repo) : null;
  return withNewline(head?.commit ? await gitText(repo, ['log', '-1', '--format=%B', head.commit]) : DEFAULT_MESSAGE);
}

function readMessage(path: string, given: string): string {
  try {
    return readFileSync(fsPath(path), 'utf8');
  } catch (cause) {
    throw new RepriseError('path-missing', `The message file ${given} cannot be read`, { cause, data: { path } });
  }
}

function withNewline(text: string): string {
  return `${text.trimEnd()}\n`;
}

async function commitNamed(repo: Repo, name: string): Promise<string> {
  const result = await git(repo, ['rev-parse', '--verify', '--quiet', '--end-of-options', `${name}^{commit}`], {
    accept: [0, 1, 128],
  });
  if (result.code === 0) return result.stdout.toString('latin1').trim();
  throw new RepriseError('usage', `${name} does not name a commit of ${repo.root}`, { hints: ['git log --oneline'] });
}

/** Tags every dataset that a commit was made in. */
async function tagSaved(top: Repo, tag: string, results: readonly Result[]): Promise<void> {
  const saved = results.filter(
    (result) => result.action === 'save' && (result.status === 'ok' || result.path === top.root),
  );
  for (const { path } of saved) await git(top, ['tag', '--end-of-options', tag], { cwd: path });
}
