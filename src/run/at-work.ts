/**
 * Who is at work in a work tree. A run or rerun without `--explicit` saves all that was changed: beside another one it would record what is not its own.
 *
 * Each side first makes known that it is there (a run by its journal, a rerun by its lock), and looks for the other then: of two that begin at the
 * same instant at least one sees the other.
 */
import { dirname, join } from 'node:path';
import { RepriseError } from '../core/errors.ts';
import { findRepo, type Repo } from '../dataset/repo.ts';
import { shortCommand } from '../record/message.ts';
import { readOwner } from '../sys/lock.ts';
import { isGone } from '../sys/owner.ts';
import { type Journal, journalState, readJournals } from './journal.ts';
import { isInside, parentRun } from './nesting.ts';

/** The lock of whoever works on a rerun in a work tree; its purpose is `explicit` where explicit runs may go on beside it. */
export function rerunLock(gitDir: string): string {
  return join(gitDir, 'reprise/rerun.lock');
}

/** Refuses a run while a rerun goes on here, or in a dataset around this one; `dataset-busy`. Runs inside a run are part of it. */
export function assertNoRerun(repo: Repo, explicit: boolean): void {
  const holder = readOwner(rerunLock(repo.gitDir));
  const isOther = holder !== null && !isGone(holder) && !isNested(repo);
  if (isOther && !(explicit && holder.purpose === 'explicit')) {
    throw new RepriseError(
      'dataset-busy',
      `A rerun is going on in ${repo.root}, so the changes of the command could not be told from its changes`,
      { data: { path: repo.root, holder } },
    );
  }
  const above = repo.root === '/' ? null : findRepo(dirname(repo.root), repo.context);
  if (above) assertNoRerun(above, explicit);
}

/** Refuses a rerun while a run goes on here; `dataset-busy`. */
export function assertNoRun(repo: Repo, explicit: boolean): void {
  const going = goingRuns(repo).find((journal) => !(explicit && journal.explicit));
  if (going === undefined || isNested(repo)) return;
  throw new RepriseError(
    'dataset-busy',
    `A command is going on in ${repo.root}, whose changes could not be told from those of the rerun: ${shortCommand(going.expanded)}`,
    { hints: ['reprise recover --list', 'reprise rerun --workspace ...'], data: { path: repo.root, run: going.id } },
  );
}

/** Runs whose command, or what comes after it, is not at its end. */
export function goingRuns(repo: Repo): readonly Journal[] {
  return readJournals(repo.gitDir).filter((journal) =>
    ['active', 'running'].includes(journalState(repo.gitDir, journal)),
  );
}

function isNested(repo: Repo): boolean {
  const parent = parentRun(repo.context.env);
  return parent !== null && isInside(repo, parent);
}
