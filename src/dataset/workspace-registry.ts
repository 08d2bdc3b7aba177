/**
 * Which workspaces a dataset has, so that one whose process was killed is found and removed.
 *
 * `<gitdir>/reprise/workspaces/<id>` names the folder and the process that uses it.
 */
import { chmodSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { decodeName, encodeName, fsPath } from '../core/bytes.ts';
import { lstatOrNull, readOrNull, writeAtomic } from '../sys/files.ts';
import { isGone, type Owner, thisOwner } from '../sys/owner.ts';
import { frozenMode } from './annex/object-store.ts';
import { removeTree } from './remove-tree.ts';
import type { Repo } from './repo.ts';
import { stateDir } from './save-lock.ts';

interface Registration {
  readonly folder: string;
  readonly owner: Owner;
}

/** Folder of the registrations; a workspace may lie in it as well. */
export function workspacesFolder(repo: Repo): string {
  return join(stateDir(repo), 'workspaces');
}

/** The name of a workspace's folder. Only folders of such a name are ever removed. */
export function workspaceName(id: string): string {
  return `reprise-workspace-${id}`;
}

/**
 * Notes a workspace before its folder is made.
 *
 * A source that may only be read cannot know its workspaces: one left by a kill is then the temporary folder's to clear.
 */
export function registerWorkspace(repo: Repo, id: string, folder: string): void {
  const registration = { folder: encodeName(folder).toString('latin1'), owner: thisOwner() };
  try {
    mkdirSync(fsPath(workspacesFolder(repo)), { recursive: true });
    writeAtomic(join(workspacesFolder(repo), id), JSON.stringify(registration), { durable: true });
  } catch (error) {
    if (!['EACCES', 'EPERM', 'EROFS'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
  }
}

/** Removes a workspace's folder, and then its registration. */
export function discardWorkspace(repo: Repo, id: string, folder: string): void {
  if (lstatOrNull(folder)?.isDirectory()) {
    protectShared(folder);
    removeTree(folder);
  }
  rmSync(fsPath(join(workspacesFolder(repo), id)), { force: true });
}

/** Removes the workspaces of processes that are gone; returns how many. One that cannot be removed now stays registered. */
export function clearWorkspaces(repo: Repo): number {
  const left = namesIn(workspacesFolder(repo)).filter((id) => /^[0-9a-f]{16}$/.test(id));
  let cleared = 0;
  for (const id of left) {
    const registration = readRegistration(join(workspacesFolder(repo), id));
    if (!registration || !isGone(registration.owner)) continue;
    const { folder } = registration;
    // The registration is text that may have come with a copied Git directory: it must not name anything but a workspace of this id.
    if (!folder.startsWith('/') || basename(folder) !== workspaceName(id)) continue;
    try {
      discardWorkspace(repo, id, folder);
      cleared += 1;
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      repo.context.emit({
        kind: 'warning',
        text: `The workspace ${folder} of an earlier run could not be removed: ${reason}`,
      });
    }
  }
  return cleared;
}

function readRegistration(path: string): Registration | null {
  try {
    const value = JSON.parse(readOrNull(path)?.toString('utf8') ?? '') as Partial<Registration> | null;
    const { folder, owner } = value ?? {};
    if (typeof folder !== 'string' || typeof owner?.pid !== 'number' || typeof owner.host !== 'string') return null;
    return { folder: decodeName(Buffer.from(folder, 'latin1')), owner };
  } catch {
    return null;
  }
}

/**
 * Write-protects objects that a command made writable although they are the source's as well: a hard link shares the mode.
 *
 * Only names with another name elsewhere are touched, and only inside object stores.
 */
function protectShared(folder: string, inStore = false): void {
  for (const entry of readdirSync(fsPath(folder), { withFileTypes: true, encoding: 'buffer' })) {
    const path = join(folder, decodeName(entry.name));
    if (entry.isDirectory()) {
      // A folder that its owner may not list would keep us from removing it.
      chmodSync(fsPath(path), 0o700);
      protectShared(path, inStore || path.endsWith('/.git/annex/objects'));
    } else if (inStore && entry.isFile()) {
      const stat = lstatOrNull(path);
      if (stat && stat.nlink > 1 && (stat.mode & 0o222) !== 0) chmodSync(fsPath(path), frozenMode(stat.mode));
    }
  }
}

function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(fsPath(folder), 'utf8');
  } catch {
    return [];
  }
}
