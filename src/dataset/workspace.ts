/**
 * Workspaces: throw-away checkouts of a commit, every installed subdataset at its recorded commit, with the content of the source.
 *
 * Each is a dataset of its own: its own index, HEAD, refs, configuration and annex identifier. Objects of Git are borrowed from the
 * source, annexed content is shared (`workspace-content.ts`). Nothing of the source is written but a registration.
 */
import { accessSync, constants, mkdirSync, realpathSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { decodeName, fsPath } from '../core/bytes.ts';
import { randomId } from '../sys/owner.ts';
import { hasCommit } from './refs.ts';
import type { Repo } from './repo.ts';
import { installed, linkOnTheWay, readSubdatasets } from './subdatasets.ts';
import { shareEverything } from './workspace-content.ts';
import {
  clearWorkspaces,
  discardWorkspace,
  registerWorkspace,
  workspaceName,
  workspacesFolder,
} from './workspace-registry.ts';
import { fullCommit, makeWorkspaceRepo } from './workspace-repo.ts';

export interface WorkspaceOptions {
  /**
   * Folder to make the workspace in. By default the temporary folder if it is on the file system of the source, else the source's Git
   * directory: content can be shared without copying within one file system only.
   */
  readonly parent?: string;
  /** Which commit of each subdataset: the one that its superdataset's commit records. */
  readonly subdatasets: 'recorded';
  /** Which content is here from the start: none, so that `fetchEach` provides what is asked for (default), or all that the source has. */
  readonly content?: 'on-demand' | 'present';
}

export interface Workspace {
  /** The dataset in the workspace; its context has the root as the current folder. */
  readonly repo: Repo;
  readonly root: string;
  /** The commit that was checked out: full name. */
  readonly commit: string;
  /** Paths, from the top, of subdatasets whose recorded commit the source does not have. They can be installed where a place is known. */
  readonly absent: readonly string[];
  /** Removes the workspace with all that is in it. Closing it again does nothing. */
  close(): Promise<void>;
}

/**
 * Opens a workspace of a dataset at a commit. Workspaces of processes that are gone are removed first.
 *
 * @param commit any name of a commit that the source has
 * @throws `git-failed`, `disk-full`, `permission-denied`; nothing is left behind then
 */
export async function openWorkspace(source: Repo, commit: string, options: WorkspaceOptions): Promise<Workspace> {
  clearWorkspaces(source);
  const full = await fullCommit(source, commit);
  const id = randomId();
  const folder = join(parentFolder(source, options.parent), workspaceName(id));
  registerWorkspace(source, id, folder);
  try {
    mkdirSync(fsPath(folder), { recursive: true, mode: 0o700 });
    const absent: string[] = [];
    const repo = await makeLevel(source, folder, full, '', options, absent);
    let open = true;
    return {
      repo,
      root: folder,
      commit: full,
      absent,
      async close() {
        if (open) discardWorkspace(source, id, folder);
        open = false;
      },
    };
  } catch (error) {
    discardWorkspace(source, id, folder);
    throw error;
  }
}

function parentFolder(source: Repo, given: string | undefined): string {
  if (given !== undefined) return given;
  const temporary = decodeName(realpathSync.native(fsPath(source.context.env['TMPDIR'] || tmpdir()), 'buffer'));
  return deviceOf(temporary) === deviceOf(source.commonDir) || !isWritable(source.commonDir)
    ? temporary
    : workspacesFolder(source);
}

function deviceOf(folder: string): number {
  return statSync(fsPath(folder)).dev;
}

function isWritable(folder: string): boolean {
  try {
    accessSync(fsPath(folder), constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

/** Makes one repository, and then those of its subdatasets. */
async function makeLevel(
  source: Repo,
  root: string,
  commit: string,
  prefix: string,
  options: WorkspaceOptions,
  absent: string[],
): Promise<Repo> {
  const repo = await makeWorkspaceRepo(source, root, commit);
  if (options.content === 'present') await shareEverything(repo);
  for (const sub of await readSubdatasets(repo)) {
    // The source's work tree may be at another commit, where this path leads elsewhere.
    const inner = linkOnTheWay(source, sub.path) === null ? installed(source, sub) : null;
    const path = `${prefix}${sub.path}`;
    if (inner && (await hasCommit(inner, sub.sha)))
      await makeLevel(inner, join(root, sub.path), sub.sha, `${path}/`, options, absent);
    else absent.push(path);
  }
  return repo;
}
