/**
 * The state of one dataset's content, as DataLad sees it (its `GitRepo.diffstatus`): the last commit against the work tree, and
 * every file that did not change, too.
 */
import { lstatSync } from 'node:fs';
import { join } from 'node:path';
import { fsPath, splitNul } from '../core/bytes.ts';
import { lstatOrNull } from '../sys/files.ts';
import { correspondingBranch } from './adjusted.ts';
import { seeAllChanges } from './annex-env.ts';
import { readHead, readRef } from './refs.ts';
import { git, type Repo, repoAt } from './repo.ts';
import { isPassable, selectBelow } from './tracked.ts';
import { scanWorktree } from './worktree.ts';

export type State = 'clean' | 'untracked' | 'modified' | 'added' | 'deleted';
export type ItemType = 'file' | 'symlink' | 'dataset' | 'directory';

export interface StatusEntry {
  /** Relative to the root. */
  readonly path: string;
  /** Absent for a subdataset whose state was not looked at. */
  readonly state?: State;
  readonly type: ItemType;
  /** Object name in the index; of a subdataset, the commit it is at. */
  readonly gitshasum?: string;
  /** Object name in the last commit. */
  readonly prev_gitshasum?: string;
  /** Size of what Git stores, for files in Git that did not change. */
  readonly bytesize?: number;
}

export interface DatasetStatusOptions {
  /** Relative to the root; null for everything. */
  readonly paths: readonly string[] | null;
  readonly untracked: 'no' | 'normal' | 'all';
  readonly evalSubdatasetState: 'full' | 'commit' | 'no';
  /** Report unchanged content as well. */
  readonly clean: boolean;
}

interface Item {
  readonly type: ItemType;
  readonly sha: string | null;
  readonly size?: number;
}

/** Reports the state of everything at or below the given paths, in Git's order with untracked content first. */
export async function datasetStatus(repo: Repo, options: DatasetStatusOptions): Promise<StatusEntry[]> {
  const paths = options.paths?.includes('') ? null : options.paths;
  if (paths?.length === 0) return [];
  const head = (await readHead(repo)).commit;
  await seeAllChanges(repo);
  const [now, changed, before] = await Promise.all([
    listWorktree(repo, paths, options.untracked),
    listPaths(repo, ['ls-files', '-z', '-m', '-d'], paths),
    head === null ? new Map<string, Item>() : listCommit(repo, head, paths, options.clean),
  ]);
  const modified = new Set(changed);
  const entries: StatusEntry[] = [];
  for (const [path, item] of now) {
    const entry = compare(repo, path, before.get(path) ?? null, item, modified.has(path), options);
    const settled = entry.state === undefined ? await subdatasetState(repo, entry, options) : entry;
    if (options.clean || settled.state !== 'clean') entries.push(settled);
  }
  for (const [path, item] of before) {
    if (!now.has(path))
      entries.push({ path, state: 'deleted', type: item.type, ...(item.sha === null ? {} : { gitshasum: item.sha }) });
  }
  return entries;
}

function compare(
  repo: Repo,
  path: string,
  from: Item | null,
  to: Item,
  modified: boolean,
  options: DatasetStatusOptions,
): StatusEntry {
  const gitshasum = to.sha === null ? {} : { gitshasum: to.sha };
  if (from === null) {
    const state = to.sha === null ? 'untracked' : 'added';
    return { path, type: to.type, state, ...(state === 'added' ? gitshasum : {}) };
  }
  const previous = from.sha === null ? {} : { prev_gitshasum: from.sha };
  const same = to.sha === from.sha && !modified;
  const isDataset = to.type === 'dataset';
  if (isDataset && same && options.evalSubdatasetState !== 'commit')
    return { path, type: to.type, ...gitshasum, ...previous };
  // Git has told of every vanished file by now; looking again tells a deleted one from a changed one.
  if ((!same || isDataset) && lstatOrNull(join(repo.root, path)) === null)
    return { path, type: to.type, state: 'deleted', ...previous };
  if (isDataset && !same) return { path, type: to.type, ...gitshasum, ...previous };
  const bytesize = same && from.size !== undefined ? { bytesize: from.size } : {};
  return { path, type: to.type, state: same ? 'clean' : 'modified', ...gitshasum, ...previous, ...bytesize };
}

/** Decides whether a subdataset is clean: at the recorded commit, and with `full` without changes of its own. */
async function subdatasetState(repo: Repo, entry: StatusEntry, options: DatasetStatusOptions): Promise<StatusEntry> {
  if (options.evalSubdatasetState === 'no') return entry;
  const sub = repoAt(join(repo.root, entry.path), repo.context);
  if (!sub) return { ...entry, state: 'clean' };
  const head = await readHead(sub);
  const original = correspondingBranch(head.ref);
  const commit = (original === null ? null : await readRef(sub, original)) ?? head.commit;
  const at = { ...entry, ...(commit === null ? {} : { gitshasum: commit }) };
  if (entry.prev_gitshasum !== commit && entry.prev_gitshasum !== head.commit) return { ...at, state: 'modified' };
  if (options.evalSubdatasetState === 'commit') return { ...at, state: 'clean' };
  const changes = await scanWorktree(sub, { untracked: options.untracked });
  return { ...at, state: changes.length === 0 ? 'clean' : 'modified' };
}

const TYPES: Readonly<Record<string, ItemType>> = {
  '100644': 'file',
  '100755': 'file',
  '120000': 'symlink',
  '160000': 'dataset',
};

const UNTRACKED = {
  no: [],
  normal: ['--exclude-standard', '-o', '--directory', '--no-empty-directory'],
  all: ['--exclude-standard', '-o'],
} as const;

async function listWorktree(
  repo: Repo,
  paths: readonly string[] | null,
  untracked: 'no' | 'normal' | 'all',
): Promise<Map<string, Item>> {
  const items = new Map<string, Item>();
  for (const line of await listLines(
    repo,
    ['ls-files', '--stage', '-z', ...UNTRACKED[untracked]],
    paths,
    pathOfStage,
  )) {
    const match = /^(\d{6}) ([0-9a-f]+) \d\t([\s\S]*)$/.exec(line);
    if (match) {
      const [, mode = '', sha = '', path = ''] = match;
      items.set(path, { type: TYPES[mode] ?? 'file', sha });
    } else {
      const path = line.replace(/\/$/, '');
      const stat = lstatSync(fsPath(join(repo.root, path)), { throwIfNoEntry: false });
      items.set(path, {
        type: stat?.isSymbolicLink() ? 'symlink' : stat?.isDirectory() ? 'directory' : 'file',
        sha: null,
      });
    }
  }
  return items;
}

function pathOfStage(line: string): string {
  return (/^\d{6} [0-9a-f]+ \d\t([\s\S]*)$/.exec(line)?.[1] ?? line).replace(/\/$/, '');
}

async function listCommit(
  repo: Repo,
  commit: string,
  paths: readonly string[] | null,
  sizes: boolean,
): Promise<Map<string, Item>> {
  // Asking for sizes makes Git open every object.
  const args = ['ls-tree', '-z', '-r', '--full-tree', ...(sizes ? ['-l'] : []), commit];
  const pattern = sizes ? /^(\d{6}) \w+ ([0-9a-f]+) +(\d+|-)\t([\s\S]*)$/ : /^(\d{6}) \w+ ([0-9a-f]+)()\t([\s\S]*)$/;
  const items = new Map<string, Item>();
  for (const line of await listLines(repo, args, paths, (text) => text.slice(text.indexOf('\t') + 1))) {
    const [, mode = '', sha = '', size = '', path = ''] = pattern.exec(line) ?? [];
    const type = TYPES[mode] ?? 'file';
    items.set(path, { type, sha, ...(type === 'file' && /^\d+$/.test(size) ? { size: Number(size) } : {}) });
  }
  return items;
}

function listPaths(repo: Repo, args: readonly string[], paths: readonly string[] | null): Promise<string[]> {
  return listLines(repo, args, paths, (line) => line);
}

/** Runs a listing command for the given paths; Git selects where it can be told them, we do otherwise. */
async function listLines(
  repo: Repo,
  args: readonly string[],
  paths: readonly string[] | null,
  pathOf: (line: string) => string,
): Promise<string[]> {
  const askGit = paths !== null && isPassable(paths);
  const output = await git(repo, ['--literal-pathspecs', ...args, ...(askGit ? ['--', ...paths] : [])]);
  const lines = splitNul(output.stdout);
  if (paths === null || askGit) return lines;
  return selectBelow(
    lines.map((line) => ({ path: pathOf(line), line })),
    paths,
  ).map(({ line }) => line);
}
