/**
 * Saving a dataset and the subdatasets below it, bottom-up, each in a commit of its own.
 *
 * The lock of the top dataset is held throughout, so that a superdataset records the state of a subdataset that belongs to it.
 */
import { join } from 'node:path';
import type { Config } from '../core/config.ts';
import type { Result } from '../core/result.ts';
import { RepriseError } from '../core/errors.ts';
import { quoteWord } from '../core/quote.ts';
import { commitChanges, commitJoin, type CommitRequest } from './commit.ts';
import { storeContent, type StorePlan } from './content-store.ts';
import { cleanMessage } from './commit-text.ts';
import { assertIdentity } from './fast-import.ts';
import { assertNothingHalfDone } from './half-done.ts';
import {
  entryResult,
  isOurs,
  isWanted,
  type Meanwhile,
  type SaveTreeRequest,
  toChange,
  wantedBelow,
} from './save-request.ts';
import { mountPoint, scanDataset } from './hierarchy.ts';
import { readHead } from './refs.ts';
import { activateSubdataset, describeSubdataset } from './register.ts';
import { readConfig } from './read-config.ts';
import { type Repo, repoAt } from './repo.ts';
import { takeSaveLock } from './save-lock.ts';
import { splitByPresence } from './staging.ts';
import { relativeTo } from './targets.ts';
import type { ScanEntry } from './worktree.ts';

export interface SaveTreeOutcome {
  /** New commit of the top dataset, or null when there was nothing to save. */
  readonly commit: string | null;
  readonly results: readonly Result[];
}

/**
 * Saves; every result is handed to `emit` as it comes. Throws what `commitChanges` throws.
 *
 * New content is stored before the lock is taken: hashing takes its time, and nobody has to wait for it.
 */
export async function saveTree(
  top: Repo,
  request: SaveTreeRequest,
  emit: (result: Result) => void,
): Promise<SaveTreeOutcome> {
  const results: Result[] = [];
  const report = (result: Result) => {
    results.push(result);
    emit(result);
  };
  const config = request.config ?? (await readConfig(top));
  const scanned = request.scanned ?? (await scanLevel(top, request));
  const stored = await storeAhead(top, config, request, scanned);
  const lock = await takeSaveLock(top);
  try {
    const { commit } = await saveLevel(top, top, { ...request, config, scanned }, report, stored);
    return { commit, results };
  } finally {
    lock.release();
  }
}

interface Level {
  readonly commit: string | null;
  /** Whether a merge commit was made here. */
  readonly joined: boolean;
  /** Whether anything here is ours: a commit made now, or by our command. */
  readonly touched: boolean;
}

function scanLevel(repo: Repo, request: SaveTreeRequest): Promise<readonly ScanEntry[]> {
  return scanDataset(repo, request.updatedOnly ? 'no' : 'all', request.paths);
}

/** Stores the content of what is to be saved, here and in the subdatasets that will be saved; says how it went for this level. */
async function storeAhead(
  repo: Repo,
  config: Config,
  request: SaveTreeRequest,
  scanned: readonly ScanEntry[],
): Promise<StorePlan> {
  assertNothingHalfDone(repo);
  const entries = scanned.filter((entry) => entry.kind !== 'unmerged' && !request.except?.(entry, repo));
  for (const { path, submodule } of entries) {
    const sub = submodule && isWanted(request, path) ? repoAt(join(repo.root, path), repo.context) : null;
    if (!sub || (await request.join?.landed(sub))) continue;
    const inner = { ...request, paths: wantedBelow(request, path) };
    await storeAhead(sub, await readConfig(sub), inner, await scanLevel(sub, inner));
  }
  if (entries.length > 0) await assertIdentity(repo, config);
  const files = entries
    .filter((entry) => !entry.submodule && !entry.path.endsWith('/'))
    .map((entry) => toChange(entry, request));
  return storeContent(repo, config, splitByPresence(repo, files).present, request.toGit ?? false);
}

async function saveLevel(
  top: Repo,
  repo: Repo,
  request: SaveTreeRequest,
  report: (result: Result) => void,
  stored?: StorePlan,
): Promise<Level> {
  const landed = await request.join?.landed(repo);
  if (landed) return { commit: landed.commit, joined: landed.isMerge, touched: true };
  const scanned = request.scanned ?? (await scanLevel(repo, request));
  const entries = scanned.filter((entry) => entry.kind !== 'unmerged' && !request.except?.(entry, repo));
  const unmerged = scanned.find((entry) => entry.kind === 'unmerged');
  if (unmerged) {
    throw new RepriseError('not-a-dataset', `${unmerged.path} has an unresolved merge conflict in ${repo.root}`, {
      hints: ['git status', 'git merge --abort'],
    });
  }
  const wanted = entries.filter((entry) => entry.submodule && isWanted(request, entry.path)).map((entry) => entry.path);
  const saved = new Map<string, Level>();
  for (const path of new Set([...wanted, ...(await movedBelow(top, repo, request))])) {
    saved.set(path, await saveSubdataset(top, repo, path, request, report));
  }
  const joinedBelow = [...saved.values()].some((level) => level.joined);
  const added = await addRepositories(top, repo, entries, request, report);
  const from = request.join?.from ?? null;
  const head = (await readHead(repo)).commit;
  const since: Meanwhile =
    request.join && from !== null && head !== null && head !== from
      ? await request.join.meanwhile(repo, from, head)
      : { own: 0, foreign: 0 };
  if (since.recorded) return { commit: since.recorded.commit, joined: since.recorded.isMerge, touched: true };
  const joining = from !== null && since.foreign === 0 && (since.own > 0 || joinedBelow);
  const actions = request.join?.actions;
  const noting = request.join ? { landing: (commit: string) => request.join?.landing(repo, commit) } : {};
  const config = repo === top && request.config ? request.config : await readConfig(repo);
  const outcome = await commitChanges(repo, config, {
    changes: [
      ...entries
        .filter((entry) => isOurs(request, entry, saved.get(entry.path)?.touched === true))
        .map((entry) => toChange(entry, request)),
      ...[...saved]
        .filter(([path, level]) => level.touched && !entries.some((entry) => entry.path === path))
        .map(([path]) => ({ path })),
      ...(added.length > 0 ? [{ path: '.gitmodules', inGit: true }] : []),
    ],
    message: joining ? `${request.join?.remainder}\n` : cleanMessage(request.message),
    locked: true,
    ...(stored ? { stored } : {}),
    ...(request.toGit === undefined ? {} : { toGit: request.toGit }),
    ...(request.amend === undefined || repo !== top ? {} : { amend: request.amend }),
    allowEmpty: !joining && since.own > 0,
    ...(actions ? { action: joining ? actions.remainder : actions.record } : {}),
    ...(joining ? {} : noting),
  });
  for (const path of added) await activateSubdataset(repo, path);
  for (const entry of outcome.entries) report(entryResult(repo, entry));
  // DataLad reports `.gitmodules` whenever the record of a subdataset changes.
  if (
    outcome.entries.some((entry) => entry.mode === '160000') &&
    !outcome.entries.some((entry) => entry.path === '.gitmodules')
  ) {
    report({
      action: 'add',
      status: 'ok',
      path: join(repo.root, '.gitmodules'),
      type: 'file',
      key: null,
      refds: repo.root,
    });
  }
  let commit = outcome.commit;
  if (commit === null && !joining && repo === top && (await request.worthEmpty?.())) {
    const named = actions ? { action: actions.record } : {};
    ({ commit } = await commitChanges(repo, config, {
      changes: [],
      message: cleanMessage(request.message),
      allowEmpty: true,
      locked: true,
      ...named,
      ...noting,
    }));
  }
  if (joining) {
    const named = actions ? { action: actions.record, ...noting } : noting;
    commit = await joinHistory(repo, config, from, request.message, named);
  }
  report({ action: 'save', status: commit ? 'ok' : 'notneeded', path: repo.root, type: 'dataset', refds: top.root });
  return { commit, joined: joining, touched: commit !== null || since.own > 0 };
}

/** Joins what was made since a state to it; where somebody else has committed in the meantime, the message goes on top. */
async function joinHistory(
  repo: Repo,
  config: Config,
  from: string,
  message: string,
  named: Pick<CommitRequest, 'action' | 'landing'>,
): Promise<string> {
  const tip = (await readHead(repo)).commit as string;
  const merge = await commitJoin(repo, config, { parents: [from, tip], message, ...named });
  return (
    merge ??
    ((await commitChanges(repo, config, { changes: [], message, allowEmpty: true, locked: true, ...named }))
      .commit as string)
  );
}

/**
 * Describes repositories that are new in a dataset as its subdatasets; returns their paths.
 *
 * What they hold is saved first when subdatasets are saved as well, so that the dataset does not end with unsaved changes. Throws `not-a-dataset` for
 * one without commits, before anything is described.
 */
async function addRepositories(
  top: Repo,
  repo: Repo,
  entries: readonly ScanEntry[],
  request: SaveTreeRequest,
  report: (result: Result) => void,
): Promise<readonly string[]> {
  const added = new Map<string, Repo>();
  for (const entry of entries) {
    if (entry.kind !== 'untracked' || !entry.path.endsWith('/')) continue;
    const path = entry.path.slice(0, -1);
    const sub = repoAt(join(repo.root, path), repo.context);
    if (!sub) continue;
    const { scanned: _, join: __, amend: ___, ...rest } = request;
    if (isWanted(request, path)) await saveLevel(top, sub, { ...rest, paths: null }, report);
    if ((await readHead(sub)).commit === null) throw withoutCommits(sub);
    added.set(path, sub);
  }
  for (const [path, sub] of added) await describeSubdataset(repo, path, sub);
  return [...added.keys()];
}

function withoutCommits({ root }: Repo): RepriseError {
  return new RepriseError('not-a-dataset', `${root} is a repository without commits, so no dataset can record it`, {
    hints: [`git -C ${quoteWord(root)} commit --allow-empty -m start`],
    data: { path: root },
  });
}

/** Subdatasets directly below that are no longer at the commit they were at before, relative to the repository. */
async function movedBelow(top: Repo, repo: Repo, request: SaveTreeRequest): Promise<readonly string[]> {
  const prefix = repo === top ? '' : `${relativeTo(top.root, repo.root)}/`;
  const moved: string[] = [];
  for (const [path, before] of request.join?.subHeads ?? []) {
    if (!path.startsWith(prefix)) continue;
    const own = path.slice(prefix.length);
    const sub = mountPoint(repo, `${own}/`) === own ? repoAt(join(repo.root, own), repo.context) : null;
    if (sub && (await readHead(sub)).commit !== before) moved.push(own);
  }
  return moved;
}

/** Saves one subdataset. */
async function saveSubdataset(
  top: Repo,
  above: Repo,
  path: string,
  request: SaveTreeRequest,
  report: (result: Result) => void,
): Promise<Level> {
  const sub = repoAt(join(above.root, path), above.context);
  if (!sub) return { commit: null, joined: false, touched: false };
  const paths = wantedBelow(request, path);
  const { depth, amend: _, worthEmpty: __, scanned: ___, join: plan, ...rest } = request;
  const inner: SaveTreeRequest = {
    ...rest,
    paths,
    ...(depth === undefined ? {} : { depth: depth - 1 }),
    ...(plan ? { join: { ...plan, from: plan.subHeads.get(relativeTo(top.root, sub.root)) ?? null } } : {}),
  };
  const lock = await takeSaveLock(sub);
  try {
    return await saveLevel(top, sub, inner, report);
  } finally {
    lock.release();
  }
}
