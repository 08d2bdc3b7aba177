/**
 * Subdatasets: what `.gitmodules` says and the index confirms.
 *
 * `.gitmodules` is text of the dataset's author. A path or name from it is used only after it has been checked: it must be a
 * plain path below the root, not through `.git` and not through a symbolic link.
 */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { decodeName, fsPath } from '../core/bytes.ts';
import { lstatOrNull } from '../sys/files.ts';
import { git, type Repo, repoAt } from './repo.ts';
import { trackedBelow } from './tracked.ts';

export interface Subdataset {
  /** Name of its section in `.gitmodules`. */
  readonly name: string;
  /** Path relative to the root of the superdataset. */
  readonly path: string;
  /** The commit that the superdataset's index records. */
  readonly sha: string;
  /** Everything that `.gitmodules` says about it: `path`, `url`, `datalad-id`, `datalad-url`, ... */
  readonly properties: ReadonlyMap<string, string>;
}

/** The subdatasets of a dataset that are in its index, in the order of their paths; nested ones belong to their own superdataset. */
export async function readSubdatasets(repo: Repo): Promise<readonly Subdataset[]> {
  const file = join(repo.root, '.gitmodules');
  if (!lstatOrNull(file)?.isFile()) return [];
  const listed = await git(repo, ['config', '-z', '--no-includes', '-f', file, '--list']);
  const sections = parseModules(listed.stdout).filter((section) => isSafePath(section.properties.get('path') ?? ''));
  const byPath = new Map(sections.map((section) => [section.properties.get('path') as string, section]));
  const entries = await trackedBelow(repo, [...byPath.keys()]);
  return entries.flatMap(({ path, mode, sha }) => {
    const section = mode === '160000' ? byPath.get(path) : undefined;
    return section ? [{ ...section, path, sha }] : [];
  });
}

/** Parses `git config -z --list` of a `.gitmodules`; the last value of a key wins, as in Git. */
export function parseModules(
  output: Buffer,
): { readonly name: string; readonly properties: ReadonlyMap<string, string> }[] {
  const sections = new Map<string, Map<string, string>>();
  for (const entry of decodeName(output).split('\0')) {
    const end = entry.indexOf('\n');
    const key = end === -1 ? entry : entry.slice(0, end);
    const match = /^submodule\.([\s\S]+)\.([^.]+)$/.exec(key);
    if (!match) continue;
    const [, name = '', property = ''] = match;
    const section = sections.get(name) ?? new Map<string, string>();
    section.set(property, end === -1 ? 'true' : entry.slice(end + 1));
    sections.set(name, section);
  }
  return [...sections].map(([name, properties]) => ({ name, properties }));
}

/** Whether a path from `.gitmodules` is a plain relative path that stays below the root and outside `.git`. */
export function isSafePath(path: string): boolean {
  // Git passes over a path that looks like an option.
  if (path === '' || path.startsWith('/') || path.startsWith('-') || path.includes('\0')) return false;
  return path
    .split('/')
    .every(
      (part) =>
        part !== '' &&
        part !== '.' &&
        part !== '..' &&
        part.toLowerCase().replace(/[. ]+$/, '') !== '.git' &&
        part.toLowerCase() !== 'git~1',
    );
}

/** Whether a subdataset's name may become part of `.git/config` and of folder names, by Git's own rule. */
export function isSafeName(name: string): boolean {
  return name !== '' && !/[\0\n]/.test(name) && !name.split(/[/\\]/).includes('..');
}

/** The first folder on the way to a path (itself included) that is a symbolic link, or null. */
export function linkOnTheWay(repo: Repo, path: string): string | null {
  const parts = path.split('/');
  const folders = parts.map((_, index) => join(repo.root, ...parts.slice(0, index + 1)));
  return folders.find((folder) => lstatOrNull(folder)?.isSymbolicLink()) ?? null;
}

/** The installed repository of a subdataset, or null. */
export function installed(repo: Repo, subdataset: Pick<Subdataset, 'path'>): Repo | null {
  return repoAt(join(repo.root, subdataset.path), repo.context);
}

/** The subdataset at or above a path (relative to the root), or null. */
export function subdatasetOnPath(subdatasets: readonly Subdataset[], path: string): Subdataset | null {
  return subdatasets.find((sub) => path === sub.path || path.startsWith(`${sub.path}/`)) ?? null;
}

/** The subdatasets at or below a path (relative to the root; empty for all). */
export function subdatasetsBelow(subdatasets: readonly Subdataset[], path: string): readonly Subdataset[] {
  return path === '' ? subdatasets : subdatasets.filter((sub) => sub.path === path || sub.path.startsWith(`${path}/`));
}

/** All repositories below a dataset that the index names and that are on disk, registered in `.gitmodules` or not. */
export async function installedBelow(repo: Repo, paths: readonly string[] | null): Promise<readonly Repo[]> {
  const entries = await trackedBelow(repo, paths);
  return entries
    .filter((entry) => entry.mode === '160000' && linkOnTheWay(repo, entry.path) === null)
    .flatMap((entry) => repoAt(join(repo.root, entry.path), repo.context) ?? []);
}

/** Whether a mount point is free for a clone: absent, or an empty folder. */
export function isFree(path: string): boolean {
  const stat = lstatOrNull(path);
  return !stat || (stat.isDirectory() && readdirSync(fsPath(path)).length === 0);
}
