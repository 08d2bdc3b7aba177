/** Where paths of a dataset really lie: Git knows a file by one path only, and a symbolic link on the way to it by another. */
import { readlinkSync, realpathSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { decodeName, fsPath } from '../core/bytes.ts';
import { lstatOrNull } from '../sys/files.ts';

/** As many links in a row as Linux follows. */
const MOST_HOPS = 40;

/**
 * A function from a path to the one that Git knows it by, both relative to a root: folders on the way that are links are followed.
 *
 * A link at the path itself is content; it is followed only where a final slash asks for the folder behind it. The answer is null where links
 * lead out of the root, into a Git directory or in circles. Folders that were looked at are remembered: make a new one after each change.
 */
export function realPaths(root: string): (path: string) => string | null {
  const known = new Map<string, string | null>([['', '']]);
  let top: string | undefined;
  const folder = (path: string, hops: number): string | null => {
    const before = known.get(path);
    if (before !== undefined) return before;
    const [above, name] = split(path);
    const parent = folder(above, hops);
    const found = parent === null || name === '.git' ? null : follow(below(parent, name), hops);
    known.set(path, found);
    return found;
  };
  const follow = (path: string, hops: number): string | null => {
    const absolute = join(root, path);
    if (!lstatOrNull(absolute)?.isSymbolicLink()) return path;
    top ??= realOf(root);
    const target = targetOf(absolute);
    const inside = target === null ? null : relative(top, target);
    if (inside === null || inside === '..' || inside.startsWith('../') || hops > MOST_HOPS) return null;
    // What is there has been followed to its end, but may be in a Git directory; what is not there may lead on.
    return folder(inside, hops + 1);
  };
  return (path) => {
    if (path === '' || path.endsWith('/')) return folder(path.replace(/\/+$/, ''), 0);
    const [above, name] = split(path);
    const parent = folder(above, 0);
    return parent === null || name === '.git' ? null : below(parent, name);
  };
}

function split(path: string): readonly [string, string] {
  const at = path.lastIndexOf('/');
  return at === -1 ? ['', path] : [path.slice(0, at), path.slice(at + 1)];
}

function below(folder: string, name: string): string {
  return folder === '' ? name : `${folder}/${name}`;
}

function realOf(path: string): string {
  return decodeName(realpathSync(fsPath(path), 'buffer'));
}

/** Absolute path of what a link leads to, there or not; null for links in circles. */
function targetOf(link: string): string | null {
  try {
    return realOf(link);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') return null;
    return resolve(realOf(dirname(link)), decodeName(readlinkSync(fsPath(link), 'buffer')));
  }
}
