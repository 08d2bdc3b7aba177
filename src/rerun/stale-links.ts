/** Declared paths whose way leads through symbolic links: what a run depends on is what they lead to, and the links themselves. */
import { posix } from 'node:path';
import type { Spec } from './stale-specs.ts';
import type { Trees } from './stale-trees.ts';

/** As many links in a row as Linux follows. */
const MOST_HOPS = 40;

interface Followed {
  /** Components of the path that Git knows. */
  readonly parts: readonly string[];
  /** Paths of the links that were passed. */
  readonly links: readonly string[];
}

/**
 * A function that follows the links on the way of a spec, as one commit of a dataset has them.
 *
 * The answer is the spec with its real path, and one for each link that it passes; a link to a folder stands for itself and for the folder.
 * What leads out of the dataset or nowhere is left as it is. Only paths that Git cannot look up by name cost more than one question.
 */
export function linkFollower(trees: Trees, commit: string): (spec: Spec) => Promise<readonly Spec[]> {
  const known = new Map<string, Promise<Followed | null>>();
  const walk = (path: string): Promise<Followed | null> => {
    const before = known.get(path);
    if (before) return before;
    const found = follow(trees, commit, path.split('/'));
    known.set(path, found);
    return found;
  };
  return async (spec) => {
    const isPath = spec.literal === spec.parts.length;
    const literal = spec.parts.slice(0, spec.literal);
    const path = literal.join('/');
    if (path === '' || path.includes('\n')) return [spec];
    const entry = await trees.resolve(commit, path);
    if (entry?.mode === '40000') return [spec];
    if (isPath && entry !== null) {
      const behind = (await trees.leadsToFolder(commit, path)) ? await walk(path) : null;
      return behind === null ? [spec] : [spec, { ...spec, parts: behind.parts, literal: behind.parts.length }];
    }
    // A path may be gone, and its folder be reached through a link all the same.
    const folder = isPath ? literal.slice(0, -1) : literal;
    const followed = folder.length === 0 ? null : await walk(folder.join('/'));
    if (followed === null || followed.links.length === 0) return [spec];
    const parts = [...followed.parts, ...spec.parts.slice(folder.length)];
    const links = followed.links.map((link): Spec => {
      const own = link.split('/');
      return { role: spec.role, parts: own, literal: own.length };
    });
    return [{ ...spec, parts, literal: followed.parts.length + spec.literal - folder.length }, ...links];
  };
}

/** Where a path leads; null for nowhere, for a place outside, and for links in circles. */
async function follow(trees: Trees, commit: string, path: readonly string[]): Promise<Followed | null> {
  let todo = [...path];
  let done: string[] = [];
  const links: string[] = [];
  let tree = (await trees.resolve(commit, ''))?.sha;
  for (let part = todo.shift(); part !== undefined; part = todo.shift()) {
    const entry = tree === undefined ? undefined : (await trees.tree(tree)).get(part);
    if (entry?.mode === '120000') {
      const link = [...done, part].join('/');
      const target = await trees.text(entry.sha);
      const leads = target === null ? '..' : posix.normalize(posix.join(...done, target));
      if (target === null || target.startsWith('/') || leads === '..' || leads.startsWith('../')) return null;
      if (links.push(link) > MOST_HOPS) return null;
      todo = [...leads.split('/').filter((name) => name !== '' && name !== '.'), ...todo];
      done = [];
      tree = (await trees.resolve(commit, ''))?.sha;
      continue;
    }
    if (entry?.mode !== '40000') return null;
    done.push(part);
    tree = entry.sha;
  }
  return { parts: done, links };
}
