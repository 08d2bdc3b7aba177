/** Refs that keep what a stopped rerun has left or made, so that nothing is lost when it goes on or is undone. */
import { freeRef } from '../dataset/refs.ts';
import { git, type Repo } from '../dataset/repo.ts';
import { keepAside } from '../run/unfinished.ts';

/** Keeps a commit under a name, or the next one that is free; returns the ref. */
export async function keepCommit(repo: Repo, name: string, commit: string): Promise<string> {
  const ref = await freeRef(repo, name);
  await git(repo, ['update-ref', '-m', 'rerun', ref, commit]);
  return ref;
}

/** Keeps the end of a side that a rerun has left behind; returns the ref, which is the same when it is kept once more after a kill. */
export async function keepSide(repo: Repo, id: string, commit: string): Promise<string> {
  const ref = `refs/reprise/unfinished/${id}-side-${commit.slice(0, 12)}`;
  await git(repo, ['update-ref', '-m', 'rerun', ref, commit]);
  return ref;
}

/** Keeps what differs from the last commit, and takes it out of the work tree; returns the ref, null where nothing differs. */
export async function keepFiles(repo: Repo, name: string, message: string): Promise<string | null> {
  return keepAside(repo, name, message, null);
}
