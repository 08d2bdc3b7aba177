/** Is the content of an annexed file here? Answered by the file system alone. */
import { readFileSync, readlinkSync, type Stats, statSync } from 'node:fs';
import { join } from 'node:path';
import { decodeName, fsPath } from '../core/bytes.ts';
import { lstatOrNull } from '../sys/files.ts';
import { hashDirLower, hashDirMixed, keyFileName, keyFromLink, parsePointer } from './annex/keys.ts';
import { git, type Repo } from './repo.ts';

export type Content =
  | { readonly kind: 'missing' }
  | { readonly kind: 'folder' }
  /** A locked annexed file, or an unlocked one whose content is absent. */
  | { readonly kind: 'annexed'; readonly key: string; readonly present: boolean; readonly locked: boolean }
  /** A file whose bytes are here: in Git, or unlocked with its content. */
  | { readonly kind: 'plain' };

/** Git-annex's limit for pointer files. */
const MAX_POINTER = 32768;

/** What lies at a path (relative to the root). */
export function contentAt(repo: Repo, path: string): Content {
  const absolute = join(repo.root, path);
  const stat = lstatOrNull(absolute);
  if (!stat) return { kind: 'missing' };
  if (stat.isDirectory()) return { kind: 'folder' };
  if (stat.isSymbolicLink()) {
    const key = keyFromLink(decodeName(readlinkSync(fsPath(absolute), 'buffer')));
    if (key === null) return { kind: 'plain' };
    // In a submodule or linked work tree whose `.git` is still a file, the link dangles although the object is there.
    return { kind: 'annexed', key, locked: true, present: isThere(absolute) || objectFile(repo, key) !== null };
  }
  const key = pointerKey(absolute, stat);
  return key === null ? { kind: 'plain' } : { kind: 'annexed', key, locked: false, present: false };
}

/** Whether something at a path certainly needs no fetching. Two system calls for a link: inputs come by ten thousands. */
export function isHere(repo: Repo, path: string): boolean {
  const absolute = join(repo.root, path);
  const stat = lstatOrNull(absolute);
  return (
    stat === null ||
    stat.isDirectory() ||
    (stat.isSymbolicLink() ? isThere(absolute) : pointerKey(absolute, stat) === null)
  );
}

function pointerKey(path: string, stat: Stats): string | null {
  if (!stat.isFile() || stat.size > MAX_POINTER || stat.size < '/annex/objects/'.length) return null;
  try {
    return parsePointer(readFileSync(fsPath(path)));
  } catch (error) {
    // A file that this user may not read cannot be judged; whoever needs it will say so.
    if ((error as NodeJS.ErrnoException).code === 'EACCES') return null;
    throw error;
  }
}

/** Absolute path of a key's object file in this repository's annex, or null. */
export function objectFile(repo: Repo, key: string): string | null {
  const name = keyFileName(key);
  const store = join(repo.commonDir, 'annex/objects');
  const candidates = [hashDirMixed(key), hashDirLower(key)].map((hash) => join(store, hash, name, name));
  return candidates.find(isThere) ?? null;
}

function isThere(path: string): boolean {
  try {
    return statSync(fsPath(path), { throwIfNoEntry: false }) !== undefined;
  } catch {
    return false;
  }
}

/** Whether a repository has an annex, or is a clone of one that has not been initialised yet. */
export async function hasAnnex(repo: Repo): Promise<boolean> {
  return isThere(join(repo.commonDir, 'annex')) || hasAnnexBranch(repo);
}

/** Whether there is a `git-annex` branch, here or as a remote had it: then git-annex takes a repository for its own. */
export async function hasAnnexBranch(repo: Repo): Promise<boolean> {
  const refs = await git(repo, [
    'for-each-ref',
    '--count=1',
    '--format=%(refname)',
    'refs/heads/git-annex',
    'refs/remotes/**/git-annex',
  ]);
  return refs.stdout.length > 0;
}
