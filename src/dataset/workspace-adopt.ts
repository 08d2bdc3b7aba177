/** Bringing what was committed in a workspace into its source: Git's objects, and the content of annexed files. No ref is moved. */
import { join } from 'node:path';
import { decodeName } from '../core/bytes.ts';
import { RepriseError } from '../core/errors.ts';
import { lstatOrNull } from '../sys/files.ts';
import { MAX_POINTER, keyFromLink, parsePointer } from './annex/keys.ts';
import { objectFile } from './presence.ts';
import { git, type Repo, repoAt } from './repo.ts';
import { diffTrees, type TreeDifference } from './tree-changes.ts';
import { objectOf, readOrigin, shareObject } from './workspace-content.ts';
import { readBlobs } from './worktree.ts';

/** What one repository of the source was given. */
export interface Adopted {
  /** The source's repository. */
  readonly repo: Repo;
  readonly commit: string;
  /** Keys whose content was new to the source; `git-annex` does not know yet that it is there. */
  readonly keys: readonly string[];
}

/**
 * Gives a commit of a workspace, and the commits of subdatasets that it records, to the source; subdatasets first.
 *
 * Nothing refers to the commits then: the caller moves a ref before two weeks are over (git-gc(1)), and records the keys.
 * Throws `not-a-dataset` for a repository that is no workspace, `git-failed`, `disk-full`, `permission-denied`.
 */
export async function adoptCommit(workspace: Repo, commit: string): Promise<readonly Adopted[]> {
  const origin = readOrigin(workspace);
  const source = origin === null ? null : repoAt(origin.root, workspace.context);
  if (origin === null || source === null) {
    throw new RepriseError('not-a-dataset', `${workspace.root} is not a workspace of a dataset that is still there`);
  }
  const changes = await diffTrees(workspace, origin.commit, commit);
  const adopted: Adopted[] = [];
  for (const [path, { after }] of changes) {
    const sub = after?.mode === '160000' ? repoAt(join(workspace.root, path), workspace.context) : null;
    if (sub && after && readOrigin(sub) !== null) adopted.push(...(await adoptCommit(sub, after.sha)));
  }
  const keys = await newKeys(workspace, changes);
  const moved = keys.filter((key) => giveContent(workspace, source, key));
  // `file` is allowed for this one transfer whatever the user's setting: both ends are ours.
  const quiet = ['-c', 'protocol.file.allow=always', '-c', 'fetch.recurseSubmodules=false'];
  const without = ['--no-tags', '--no-write-fetch-head', '--no-auto-maintenance', '--no-recurse-submodules'];
  if (commit !== origin.commit)
    await git(source, [...quiet, 'fetch', '--quiet', ...without, '--', workspace.root, commit], {
      env: { GIT_ALLOW_PROTOCOL: 'file' },
    });
  adopted.push({ repo: source, commit, keys: moved });
  return adopted;
}

/** Keys of annexed files that the changes brought. */
async function newKeys(repo: Repo, changes: ReadonlyMap<string, TreeDifference>): Promise<readonly string[]> {
  const files = [...changes.values()].flatMap(({ after }) => (after && after.mode !== '160000' ? [after] : []));
  const blobs = await readBlobs(
    repo,
    files.map((file) => file.sha),
    MAX_POINTER,
  );
  const keys = files.flatMap(({ mode }, index) => {
    const blob = blobs[index];
    return (blob && (mode === '120000' ? keyFromLink(decodeName(blob)) : parsePointer(blob))) || [];
  });
  return [...new Set(keys)];
}

/** True where the source had not got the content, and has it now. */
function giveContent(workspace: Repo, source: Repo, key: string): boolean {
  const from = objectFile(workspace, key);
  const stat = from === null ? null : lstatOrNull(from);
  if (from === null || !stat?.isFile() || objectFile(source, key) !== null) return false;
  shareObject(from, stat, objectOf(source.commonDir, key), { durable: true });
  return true;
}
