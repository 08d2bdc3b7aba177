/** Which repository of a hierarchy a path belongs to. */
import { join } from 'node:path';
import { lstatOrNull } from '../sys/files.ts';
import { type Repo, repoAt } from '../dataset/repo.ts';

export interface Located {
  readonly repo: Repo;
  /** Relative to that repository's root. */
  readonly path: string;
}

/** A function that finds the innermost installed dataset around a path relative to the top; remembers folders it has looked at. */
export function repoLocator(top: Repo): (path: string) => Located {
  const known = new Map<string, Repo>([['', top]]);
  const repoOf = (folder: string): Repo => {
    const before = known.get(folder);
    if (before) return before;
    const above = repoOf(folder.includes('/') ? folder.slice(0, folder.lastIndexOf('/')) : '');
    const absolute = join(top.root, folder);
    const found = lstatOrNull(absolute)?.isDirectory() ? (repoAt(absolute, top.context) ?? above) : above;
    known.set(folder, found);
    return found;
  };
  return (path) => {
    const folder = path.includes('/') ? path.slice(0, path.lastIndexOf('/')) : '';
    const repo = repoOf(folder);
    return { repo, path: join(top.root, path).slice(repo.root.length + 1) };
  };
}

/** Groups paths relative to the top by repository; each repository's own paths relative to it. */
export function groupByRepo(top: Repo, paths: readonly string[]): ReadonlyMap<Repo, readonly string[]> {
  const locate = repoLocator(top);
  const groups = new Map<Repo, string[]>();
  for (const one of paths) {
    const { repo, path } = locate(one);
    const known = groups.get(repo);
    if (known) known.push(path);
    else groups.set(repo, [path]);
  }
  return groups;
}
