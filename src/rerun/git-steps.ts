/** What Git does for a replay in the work tree: moving HEAD, picking commits, merging. Each under the lock for saving. */
import { join } from 'node:path';
import { encodeName } from '../core/bytes.ts';
import { RepriseError } from '../core/errors.ts';
import { git, gitText, type Repo } from '../dataset/repo.ts';
import { halfDone } from '../dataset/half-done.ts';
import { fillPointers } from '../dataset/pointers.ts';
import { takeSaveLock } from '../dataset/save-lock.ts';
import { readHead, readRef } from '../dataset/refs.ts';
import { WITHOUT_HOOKS } from '../dataset/worktree.ts';
import { writeAtomic } from '../sys/files.ts';
import type { ProcResult } from '../sys/proc.ts';
import { rerunFolder } from './kept.ts';
import { noteChanging } from './progress.ts';

/** Lets Git move the work tree; unlocked files then have their content. */
async function filled<T>(repo: Repo, action: (before: string) => Promise<T>): Promise<T> {
  const before = (await readHead(repo)).commit as string;
  const result = await action(before);
  await fillPointers(repo, before, (await readHead(repo)).commit as string);
  return result;
}

/** As `filled`, under the lock for saving. */
function moving<T>(repo: Repo, action: (before: string) => Promise<T>): Promise<T> {
  return locked(repo, () => filled(repo, action));
}

async function locked<T>(repo: Repo, action: () => Promise<T>): Promise<T> {
  const lock = await takeSaveLock(repo);
  try {
    return await action();
  } finally {
    lock.release();
  }
}

/**
 * Lets Git change the work tree, which is clean: what a kill leaves of that is known to be nobody's work.
 *
 * @param place where HEAD is put by it
 */
export async function changing<T>(repo: Repo, action: () => Promise<T>, place?: string): Promise<T> {
  noteChanging(repo.gitDir, true, place);
  try {
    const result = await action();
    noteChanging(repo.gitDir, false, place);
    return result;
  } catch (error) {
    noteChanging(repo.gitDir, false);
    throw error;
  }
}

/** As `changing`, under the lock for saving; unlocked files then have their content. */
export function changingLocked<T>(repo: Repo, action: (before: string) => Promise<T>, place?: string): Promise<T> {
  return changing(repo, () => moving(repo, action), place);
}

/** Checks a commit out with a detached HEAD, or on a new branch; throws `git-failed` where unsaved changes are in the way. */
export async function checkout(repo: Repo, commit: string, branch: string | null = null): Promise<void> {
  // A kill may have come between the making of the branch and the checkout.
  const again = branch !== null && (await readRef(repo, `refs/heads/${branch}`)) === commit;
  const how = branch === null ? ['--detach'] : [again ? '-B' : '-b', branch];
  const args = ['checkout', '--quiet', '--no-recurse-submodules', ...how, commit, '--'];
  await changingLocked(repo, () => git(repo, [...WITHOUT_HOOKS, ...args]), commit);
}

/** Lets a branch take over the present commit and checks it out; throws `branch-moved` when it is not where it was. */
export async function attach(repo: Repo, ref: string, commit: string, expected: string): Promise<void> {
  await locked(repo, async () => {
    const moved = await git(repo, ['update-ref', '-m', 'rerun', ref, commit, expected], { accept: [0, 1, 128] });
    if (moved.code !== 0) {
      throw new RepriseError(
        'branch-moved',
        `${ref} was moved by somebody else, so the replayed history was not put on it`,
        {
          hints: [`git merge ${commit}`],
          data: { ref, commit, expected },
        },
      );
    }
    await git(repo, ['symbolic-ref', '-m', 'rerun', 'HEAD', ref]);
  });
}

export type Picked = 'picked' | 'empty';

/** Cherry-picks a commit, a merge against its first parent; `empty` when nothing was left of it. Throws `replay-conflict`. */
export async function pick(repo: Repo, commit: string, isMerge: boolean): Promise<Picked> {
  return changingLocked(repo, async () => {
    const args = ['--allow-empty', '--cleanup=verbatim', ...(isMerge ? ['-m', '1'] : [])];
    const result = await git(repo, [...WITHOUT_HOOKS, 'cherry-pick', ...args, commit], {
      accept: [0, 1, 128],
      env: { GIT_EDITOR: 'true' },
    });
    if (result.code === 0) return 'picked';
    if (unfinished(repo) !== 'cherry-pick') throw gitFailed(repo, 'cherry-pick', result);
    return completeHalf(repo, 'cherry-pick', commit);
  });
}

/** Merges others into HEAD with a given message; throws `replay-conflict`. */
export async function merge(repo: Repo, commit: string, others: readonly string[], message: string): Promise<void> {
  // In a file: an argument is limited in length.
  const file = mergeMessage(repo);
  writeAtomic(file, encodeName(message));
  await changingLocked(repo, async () => {
    const args = ['--quiet', '--no-ff', '--no-edit', '--allow-unrelated-histories', '--cleanup=verbatim', '-F', file];
    const result = await git(repo, [...WITHOUT_HOOKS, 'merge', ...args, ...others], { accept: [0, 1, 2, 128] });
    if (result.code === 0) return;
    if (unfinished(repo) === 'merge') {
      await completeHalf(repo, 'merge', commit);
      return;
    }
    // Git gives up on a merge of several at once as soon as two of them touch the same lines.
    if (others.length > 1 && result.code === 2) {
      const each = others.map((other) => `git merge ${other.slice(0, 12)}`).join(' && ');
      throw conflict(repo, commit, 'merged', `${each}   # resolve, commit, and then: reprise rerun --continue`);
    }
    throw gitFailed(repo, 'merge', result);
  });
}

function gitFailed(repo: Repo, verb: string, { code, stderr }: ProcResult): RepriseError {
  const words = stderr.trim().replaceAll(/\s+/g, ' ');
  return new RepriseError('git-failed', `git ${verb} exited ${code} in ${repo.root}: ${words}`, {
    hints: ['git status', 'reprise rerun --abort'],
    data: { stderr },
  });
}

function mergeMessage(repo: Repo): string {
  return join(rerunFolder(repo.gitDir), 'message');
}

async function hasConflict(repo: Repo): Promise<boolean> {
  return (await gitText(repo, ['ls-files', '--unmerged'])) !== '';
}

function conflict(repo: Repo, commit: string, how: string, remedy?: string): RepriseError {
  return new RepriseError('replay-conflict', `${commit} could not be ${how} without a conflict in ${repo.root}`, {
    hints: [
      remedy ?? 'reprise rerun --continue   # once `git status` shows no more conflicts',
      'reprise rerun --abort',
    ],
    data: { commit },
  });
}

/** What Git itself has left half-done of what a rerun does. */
export function unfinished(repo: Repo): 'cherry-pick' | 'merge' | null {
  const half = halfDone(repo);
  return half === 'merge' || half === 'cherry-pick' ? half : null;
}

/** Completes a pick or a merge whose conflicts were resolved; `empty` when nothing was left of a pick. Throws `replay-conflict` while some are left. */
export async function complete(repo: Repo, what: 'cherry-pick' | 'merge', commit: string): Promise<Picked> {
  return moving(repo, () => completeHalf(repo, what, commit));
}

/** As `complete`, also for what Git has resolved itself by what it remembers (git-rerere(1)). The caller holds the lock. */
async function completeHalf(repo: Repo, what: 'cherry-pick' | 'merge', commit: string): Promise<Picked> {
  if (await hasConflict(repo)) throw conflict(repo, commit, what === 'merge' ? 'merged' : 'cherry-picked');
  const staged = await git(repo, ['diff-index', '--cached', '--quiet', 'HEAD', '--'], { accept: [0, 1] });
  const isEmpty = what === 'cherry-pick' && staged.code === 0;
  // The message is the old one: what Git proposes has comments in it, and is tidied in a way that can damage a record.
  const message = what === 'merge' ? ['-F', mergeMessage(repo)] : ['-C', commit];
  const commands = isEmpty ? [what, '--skip'] : ['commit', '--quiet', '--no-verify', '--cleanup=verbatim', ...message];
  await git(repo, [...WITHOUT_HOOKS, ...commands]);
  return isEmpty ? 'empty' : 'picked';
}

/** Undoes what Git has left half-done. */
export async function abandon(repo: Repo, what: 'cherry-pick' | 'merge'): Promise<void> {
  await moving(repo, () => git(repo, [...WITHOUT_HOOKS, what, '--abort']));
}

/** Takes HEAD, index and work tree back to a commit; what is not saved stays. */
export async function resetTo(repo: Repo, commit: string): Promise<void> {
  // Links that were put back are as they were, but newer than the index knows.
  await git(repo, ['update-index', '-q', '--refresh'], { accept: [0, 1] });
  await filled(repo, () => git(repo, ['reset', '--quiet', '--keep', commit, '--']));
}

/** Whether one commit is reachable from another. */
export async function isAncestor(repo: Repo, commit: string, of: string): Promise<boolean> {
  if (commit === of) return true;
  return (await git(repo, ['merge-base', '--is-ancestor', commit, of], { accept: [0, 1] })).code === 0;
}
