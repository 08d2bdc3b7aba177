/** Which dataset a path that the user typed belongs to. Purely by names and the `.git` entries on the way; no process is started. */
import { statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { compareCodePoints, fsPath } from '../core/bytes.ts';
import type { Context } from '../sys/context.ts';
import { lstatOrNull } from '../sys/files.ts';
import { realPaths } from './real-paths.ts';
import { findRepo, type Repo, repoAt, requireRepo } from './repo.ts';

/**
 * The dataset that a `--dataset` argument names: a path, `^` for the topmost superdataset, `^.` or nothing for the nearest one.
 *
 * Throws `no-dataset`.
 */
export function datasetOf(context: Context, dataset: string | undefined): Repo {
  if (dataset !== undefined && dataset !== '^' && dataset !== '^.') {
    return requireRepo(resolve(context.cwd, dataset), context, true);
  }
  const nearest = requireRepo(context.cwd, context, false);
  return dataset === '^' ? topmost(nearest) : nearest;
}

function topmost(repo: Repo): Repo {
  const above = parentRepo(repo);
  return above ? topmost(above) : repo;
}

/** The repository that surrounds a dataset, registered there or not. */
export function parentRepo(repo: Repo): Repo | null {
  const folder = dirname(repo.root);
  return folder === repo.root ? null : findRepo(folder, repo.context);
}

/** The repository on disk that holds an absolute path; a path that is a dataset's root belongs to that dataset. */
export function repoHolding(path: string, context: Context): Repo | null {
  if (lstatOrNull(path)?.isDirectory()) return findRepo(path, context);
  // A link is content of the dataset around it, unless it is itself how the dataset is reached.
  return findRepo(nearestFolder(dirname(path)), context) ?? repoAt(path, context);
}

function nearestFolder(path: string): string {
  let folder = path;
  while (folder !== dirname(folder) && !isFolder(folder)) folder = dirname(folder);
  return folder;
}

/** Whether a folder is there, links followed. */
export function isFolder(path: string): boolean {
  try {
    return statSync(fsPath(path)).isDirectory();
  } catch {
    return false;
  }
}

/** Whether `path` is `root` or lies below it, by name. */
export function isWithin(path: string, root: string): boolean {
  return path === root || path.startsWith(root.endsWith('/') ? root : `${root}/`);
}

/** A path below a dataset's root, relative to it; `` for the root itself. */
export function relativeTo(root: string, path: string): string {
  return path === root ? '' : path.slice(root.endsWith('/') ? root.length : root.length + 1);
}

export interface Target {
  /** Absolute. */
  readonly path: string;
  /** The user ended it with a slash: the inside of a dataset is meant rather than the dataset as a thing. */
  readonly inside: boolean;
}

/**
 * Makes absolute what the user typed; inside the reference dataset, links on the way are followed, as Git knows nothing behind them.
 *
 * @param outside what becomes of a path that does not lead into the dataset's content; stays as it is by name when absent
 */
export function resolveTargets(
  reference: Repo,
  context: Context,
  paths: readonly string[],
  outside: (path: string) => void = () => {},
): Target[] {
  const real = realPaths(reference.root);
  return paths.map((path) => {
    const absolute = resolve(context.cwd, path);
    const inside = isWithin(absolute, reference.root) ? real(relativeTo(reference.root, absolute)) : null;
    if (inside === null) outside(path);
    return { path: inside === null ? absolute : join(reference.root, inside), inside: path.endsWith('/') };
  });
}

export interface TargetGroup {
  readonly repo: Repo;
  /** Absolute paths in that dataset; null means the whole of it. */
  readonly paths: readonly string[] | null;
}

/**
 * Sorts targets into the datasets they belong to, below a reference dataset.
 *
 * @param asRecord whether the root of a subdataset, given without a slash, stands for its record in the superdataset
 */
export function groupTargets(
  reference: Repo,
  targets: readonly Target[],
  asRecord: boolean,
): { readonly groups: readonly TargetGroup[]; readonly outside: readonly string[] } {
  if (targets.length === 0) return { groups: [{ repo: reference, paths: null }], outside: [] };
  const groups = new Map<string, { repo: Repo; paths: string[] }>();
  const outside: string[] = [];
  for (const target of [...targets].sort((a, b) => compareCodePoints(a.path, b.path))) {
    const holder = isWithin(target.path, reference.root) ? repoHolding(target.path, reference.context) : null;
    if (!holder || !isWithin(holder.root, reference.root)) {
      outside.push(target.path);
      continue;
    }
    const isRoot = holder.root === target.path && holder.root !== reference.root;
    const repo = (isRoot && asRecord && !target.inside ? parentRepo(holder) : null) ?? holder;
    const group = groups.get(repo.root);
    if (group) group.paths.push(target.path);
    else groups.set(repo.root, { repo, paths: [target.path] });
  }
  return { groups: [...groups.values()], outside };
}
