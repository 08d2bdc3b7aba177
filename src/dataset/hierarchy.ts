/** A dataset together with the subdatasets installed below it. */
import { join } from 'node:path';
import { lstatOrNull } from '../sys/files.ts';
import { type Head, readHead } from './refs.ts';
import { type Repo, repoAt } from './repo.ts';
import { installed, readSubdatasets } from './subdatasets.ts';
import { type ScanEntry, type ScanOptions, scanWorktree } from './worktree.ts';

/** The commit each installed subdataset is at, by path from the top; null for one without commits. Costs nothing where none is registered. */
export async function installedHeads(top: Repo): Promise<ReadonlyMap<string, string | null>> {
  return new Map((await subdatasetHeads(top)).map(({ path, commit }) => [path, commit]));
}

/** Where HEAD of each installed subdataset points, outer ones first, with paths from the top. */
export async function subdatasetHeads(top: Repo): Promise<readonly (Head & { readonly path: string })[]> {
  const heads: (Head & { readonly path: string })[] = [];
  await collectHeads(top, '', heads);
  return heads;
}

async function collectHeads(repo: Repo, prefix: string, heads: (Head & { readonly path: string })[]): Promise<void> {
  if (!lstatOrNull(join(repo.root, '.gitmodules'))) return;
  for (const sub of await readSubdatasets(repo)) {
    const inner = installed(repo, sub);
    if (!inner) continue;
    const path = `${prefix}${sub.path}`;
    heads.push({ path, ...(await readHead(inner)) });
    await collectHeads(inner, `${path}/`, heads);
  }
}

/** The outermost subdataset that a path lies in, or null: what the dataset itself knows of that path. */
export function mountPoint(repo: Repo, path: string): string | null {
  const parts = path.split('/');
  for (let size = 1; size < parts.length; size += 1) {
    const folder = parts.slice(0, size).join('/');
    if (repoAt(join(repo.root, folder), repo.context)) return folder;
  }
  return null;
}

/** Of paths relative to a dataset, those that concern a subdataset, relative to it; null when they cover all of it. */
export function pathsBelow(paths: readonly string[], sub: string): readonly string[] | null {
  if (paths.some((path) => path === '' || path === '.' || sub === path || sub.startsWith(`${path}/`))) return null;
  return paths.filter((path) => path.startsWith(`${sub}/`)).map((path) => path.slice(sub.length + 1));
}

/** As `scanWorktree`, for paths that may lie in subdatasets: of those the subdataset is listed. */
export async function scanDataset(
  repo: Repo,
  untracked: ScanOptions['untracked'],
  paths: readonly string[] | null,
): Promise<readonly ScanEntry[]> {
  if (paths === null) return scanWorktree(repo, { untracked });
  return scanWorktree(repo, { untracked, paths: paths.map((path) => mountPoint(repo, path) ?? path) });
}

/** Changed files of a dataset and of the subdatasets in it, relative to its root, from a scan of the dataset itself. */
export async function changedFiles(
  repo: Repo,
  entries: readonly ScanEntry[],
  paths: readonly string[] | null,
): Promise<readonly string[]> {
  const files: string[] = [];
  for (const entry of entries) {
    const path = entry.path.endsWith('/') ? entry.path.slice(0, -1) : entry.path;
    const sub = entry.submodule || path !== entry.path ? repoAt(join(repo.root, path), repo.context) : null;
    if (!sub) files.push(path);
    else {
      const inside = paths === null ? null : pathsBelow(paths, path);
      const below = await changedFiles(sub, await scanDataset(sub, 'all', inside), inside);
      files.push(...below.map((file) => `${path}/${file}`));
    }
  }
  return files;
}
