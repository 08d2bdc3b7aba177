/** Whether a commit that was about to land has landed: the process that would have known is gone, and the user may have gone on since. */
import { git, type Repo } from '../dataset/repo.ts';

export interface Landed {
  readonly commit: string;
  readonly isMerge: boolean;
  /** Whether it is in the history of HEAD. */
  readonly isPresent: boolean;
  /** Full names of other refs that hold it. */
  readonly refs: readonly string[];
}

/**
 * Looks for a commit in the history of HEAD, in that of any ref, and in what the reflogs say of the past: it may have been amended, rebased or reset
 * since. Null where no trace of it is anywhere: then it did not land.
 *
 * @param ref the branch that it was made for; null for a detached HEAD
 */
export async function findLanded(repo: Repo, ref: string | null, commit: string): Promise<Landed | null> {
  const found = await git(repo, ['rev-list', '--parents', '-n', '1', commit], { accept: [0, 128, 129] });
  if (found.code !== 0) return null;
  const isMerge = found.stdout.toString('latin1').trim().split(' ').length > 2;
  const inHead = await git(repo, ['merge-base', '--is-ancestor', commit, 'HEAD'], { accept: [0, 1, 128] });
  const isPresent = inHead.code === 0;
  const refs = isPresent ? [] : await refsWith(repo, commit);
  if (isPresent || refs.length > 0 || (await isInReflogs(repo, ref, commit)))
    return { commit, isMerge, isPresent, refs };
  return null;
}

async function refsWith(repo: Repo, commit: string): Promise<readonly string[]> {
  const listed = await git(repo, ['for-each-ref', '--format=%(refname)', `--contains=${commit}`]);
  // What a landing that was cut off has left is no trace of one that came to its end.
  const isTrace = (name: string) => name !== '' && !name.startsWith('refs/reprise/landing/');
  return listed.stdout.toString('utf8').split('\n').filter(isTrace);
}

async function isInReflogs(repo: Repo, ref: string | null, commit: string): Promise<boolean> {
  for (const name of new Set(['HEAD', ref ?? 'HEAD'])) {
    const log = await git(repo, ['reflog', 'show', '--format=%H', name, '--'], { accept: [0, 128] });
    if (log.stdout.toString('latin1').split('\n').includes(commit)) return true;
  }
  return false;
}
