/**
 * Replayed commits that the history with which a rerun ends does not hold: results of one side of a fork whose merge did not take them along, since
 * somebody has given it up, say. They are on no branch, so refs keep them.
 */
import type { Repo } from '../dataset/repo.ts';
import { git } from '../dataset/repo.ts';
import type { Kept } from './kept.ts';
import { keepSide } from './kept-refs.ts';
import { readProgress } from './progress.ts';

/** The last of the commits that a rerun has made on each side that is reachable neither from a commit nor from where it began. */
export async function leftBehind(repo: Repo, kept: Kept, end: string): Promise<readonly string[]> {
  const { start, checkout, revision } = kept.plan;
  const made = new Set(readProgress(repo.gitDir, kept).replaced.values());
  const known = [start.commit, revision, end, ...(checkout ? [checkout.commit] : [])];
  const input = [...made, ...known.map((commit) => `^${commit}`)].map((commit) => `${commit}\n`).join('');
  const { stdout } = await git(repo, ['rev-list', '--topo-order', '--parents', '--stdin'], { input });
  const followed = new Set<string>();
  return stdout
    .toString('latin1')
    .split('\n')
    .flatMap((line) => {
      const [commit = '', ...parents] = line.split(' ');
      for (const parent of parents) followed.add(parent);
      // Children come before their parents.
      return commit === '' || followed.has(commit) ? [] : [commit];
    });
}

/** Keeps what a rerun has made and left behind under refs, and says so. */
export async function keepLeftBehind(repo: Repo, kept: Kept, end: string): Promise<void> {
  const refs: string[] = [];
  for (const commit of await leftBehind(repo, kept, end)) refs.push(await keepSide(repo, kept.id, commit));
  if (refs.length === 0) return;
  repo.context.emit({
    kind: 'warning',
    text: `replayed commits that the new history does not hold are kept as ${refs.join(' and ')}`,
    hints: refs.map((ref) => `git merge ${ref}`),
  });
}
