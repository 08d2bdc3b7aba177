/** What Git has begun in a work tree and not committed yet: a commit of ours in between would lose a parent of it, or take its place. */
import { join } from 'node:path';
import { RepriseError } from '../core/errors.ts';
import { quoteWord } from '../core/quote.ts';
import { lstatOrNull } from '../sys/files.ts';
import type { Repo } from './repo.ts';

export type HalfDone = 'rebase' | 'cherry-pick' | 'merge' | 'revert';

/** What Git itself has left half-done, or null. Where a rebase stops for an edit or a command, commits are welcome. */
export function halfDone(repo: Repo): HalfDone | null {
  const has = (name: string) => lstatOrNull(join(repo.gitDir, name)) !== null;
  if (has('REBASE_HEAD') && (has('rebase-merge') || has('rebase-apply')) && !has('rebase-merge/amend')) return 'rebase';
  if (has('CHERRY_PICK_HEAD')) return 'cherry-pick';
  if (has('MERGE_HEAD')) return 'merge';
  return has('REVERT_HEAD') ? 'revert' : null;
}

/** Refuses to commit while Git has something half-done, as `git commit PATH` does of a merge; `not-a-dataset`. */
export function assertNothingHalfDone(repo: Repo): void {
  const what = halfDone(repo);
  if (what === null) return;
  const inside = `git -C ${quoteWord(repo.root)}`;
  throw new RepriseError(
    'not-a-dataset',
    `A ${what} is not concluded in ${repo.root}, so nothing else can be committed there`,
    {
      hints: [`${inside} ${what === 'rebase' ? 'rebase --continue' : 'commit'}`, `${inside} ${what} --abort`],
      data: { path: repo.root, unfinished: what },
    },
  );
}
