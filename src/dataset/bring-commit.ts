/** Fetching a commit that is needed and not here: one that a superdataset recorded after, or beside, what was cloned. */
import { hasCommit } from './refs.ts';
import { git, type Repo } from './repo.ts';

/**
 * Makes sure that a repository has a commit; false where it cannot be had. Neither branches nor the work tree are touched.
 *
 * What is on a branch of `origin` comes as by `git fetch`, with what git-annex knows of its content. Any other commit is kept by a ref under
 * `refs/reprise/fetched`: what nothing refers to, Git throws away in the end.
 * @param commit full name
 */
export async function bringCommit(repo: Repo, commit: string): Promise<boolean> {
  if (await hasCommit(repo, commit)) return true;
  const fetch = ['fetch', '--quiet', '--no-recurse-submodules', 'origin'];
  const accept = [0, 1, 128];
  await git(repo, fetch, { accept });
  if (await hasCommit(repo, commit)) return true;
  await git(repo, [...fetch, `${commit}:refs/reprise/fetched/${commit}`], { accept });
  return hasCommit(repo, commit);
}
