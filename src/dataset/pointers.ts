/**
 * Unlocked annexed files that Git has written: they hold a pointer, until their content is put in its place.
 *
 * Git-annex's own hooks do that after a checkout and a merge, and nothing does after a cherry-pick; a command would read the pointer.
 */
import { join } from 'node:path';
import { joinNul } from '../core/bytes.ts';
import { lstatOrNull } from '../sys/files.ts';
import { MAX_POINTER, parsePointer } from './annex/keys.ts';
import { runAnnex } from './annex-batch.ts';
import { annexEnv } from './annex-env.ts';
import { git, type Repo } from './repo.ts';
import { diffTrees, type TreeEntry } from './tree-changes.ts';
import { readBlobs } from './worktree.ts';

/** Paths of unlocked annexed files among entries of a tree. */
export async function pointersAmong(repo: Repo, entries: ReadonlyMap<string, TreeEntry>): Promise<ReadonlySet<string>> {
  const files = [...entries].filter(([, { mode }]) => mode.startsWith('100'));
  const shas = files.map(([, { sha }]) => sha);
  const blobs = await readBlobs(repo, shas, MAX_POINTER);
  return new Set(files.flatMap(([path], at) => (blobs[at] && parsePointer(blobs[at]) !== null ? [path] : [])));
}

/**
 * Puts the content of unlocked annexed files in the place of their pointers, after Git has gone from one commit to another in the work tree.
 *
 * Content that is not here stays a pointer. Throws `annex-failed`.
 */
export async function fillPointers(repo: Repo, from: string, to: string): Promise<void> {
  if (from === to || !lstatOrNull(join(repo.commonDir, 'annex'))) return;
  const written = new Map<string, TreeEntry>();
  for (const [path, { after }] of await diffTrees(repo, from, to)) if (after) written.set(path, after);
  const pointers = await pointersAmong(repo, written);
  if (pointers.size === 0) return;
  await runAnnex(repo, ['smudge', '--update']);
  // The index has the sizes of pointers, by which Git takes their content for a change.
  await git(repo, ['-c', 'annex.largefiles=anything', 'update-index', '-z', '--stdin'], {
    input: joinNul([...pointers]),
    env: await annexEnv(repo),
  });
}
