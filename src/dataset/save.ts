/** `save`: commits changes of a dataset, and of its subdatasets bottom-up. */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { fsPath } from '../core/bytes.ts';
import { RepriseError } from '../core/errors.ts';
import type { Result, VerbOutcome } from '../core/result.ts';
import type { Context } from '../sys/context.ts';
import { lstatOrNull } from '../sys/files.ts';
import { assertNothingHalfDone } from './half-done.ts';
import { assertIndex } from './index-check.ts';
import { type OnFailure, isFailure } from './outcome.ts';
import { realPaths } from './real-paths.ts';
import { readHead } from './refs.ts';
import { git, gitText, type Repo } from './repo.ts';
import type { SaveTreeRequest } from './save-request.ts';
import { saveTree } from './save-tree.ts';
import { datasetOf, isWithin, relativeTo } from './targets.ts';
import { trackedBelow } from './tracked.ts';

export interface SaveOptions {
  readonly dataset?: string;
  /** Files or folders; everything when absent or empty. */
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
  const repo = datasetOf(context, options.dataset);
  assertIndex(repo);
  assertNothingHalfDone(repo);
  const paths = await requestedPaths(repo, options.paths ?? [], context);
  const message = await messageOf(repo, options, context);
  const since = options.since === undefined ? null : await commitNamed(repo, options.since);
  const request: SaveTreeRequest = {
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
  const { results } = await saveTree(repo, request, (result) => context.emit({ kind: 'result', result }));
  if (options.versionTag !== undefined) await tagSaved(repo, options.versionTag, results);
  return { exitCode: options.onFailure !== 'ignore' && results.some(isFailure) ? 1 : 0, results };
}

/** Paths relative to the root; null for everything. */
async function requestedPaths(
  repo: Repo,
  given: readonly string[],
  context: Context,
): Promise<readonly string[] | null> {
  if (given.length === 0) return null;
  const real = realPaths(repo.root);
  const paths = given.map((path) => {
    const absolute = resolve(context.cwd, path);
    const inside = isWithin(absolute, repo.root) ? real(relativeTo(repo.root, absolute)) : null;
    if (inside !== null) return inside;
    throw new RepriseError('path-outside', `${path} does not belong to the dataset at ${repo.root}`, {
      data: { path },
    });
  });
  const gone = paths.filter((path) => path !== '' && !lstatOrNull(`${repo.root}/${path}`));
  const tracked = await trackedBelow(repo, gone);
  const unknown = gone.find((path) => !tracked.some((entry) => isWithin(entry.path, path)));
  if (unknown !== undefined)
    throw new RepriseError('path-missing', `${unknown} does not exist, and never did`, {
      hints: ['reprise status'],
      data: { path: unknown },
    });
  return paths.includes('') ? null : paths;
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
