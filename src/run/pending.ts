/** Telling the user about runs that wait to be recovered. */
import { resolve } from 'node:path';
import { findRepo, type Repo } from '../dataset/repo.ts';
import type { Context } from '../sys/context.ts';
import { type Journal, journalState, readJournals } from './journal.ts';

/** A run must not cost more the more others go on beside it; where there are more than these, the notice may wait until there are fewer. */
const LOOKED_AT = 200;

/** The journals of interrupted runs, which nobody works on. Looks at one folder; starts no process. */
export function waitingRuns({ gitDir }: Repo, most?: number): readonly Journal[] {
  return readJournals(gitDir, most).filter((journal) =>
    ['prepared', 'finished', 'cut-off'].includes(journalState(gitDir, journal)),
  );
}

/** Emits a warning when a run in this repository was interrupted. */
export function announcePending(repo: Repo): void {
  if (waitingRuns(repo, LOOKED_AT).length === 0) return;
  const waiting = waitingRuns(repo);
  const what =
    waiting.length === 1 ? 'a run was interrupted and waits' : `${waiting.length} runs were interrupted and wait`;
  repo.context.emit({
    kind: 'warning',
    text: `${what} to be recovered`,
    hints: ['reprise recover --list', 'reprise recover'],
  });
}

/** As `announcePending`, for the dataset at or above a folder, if there is one. */
export function announcePendingAt(context: Context, folder: string | undefined): void {
  const repo = findRepo(
    folder === undefined || folder.startsWith('^') ? context.cwd : resolve(context.cwd, folder),
    context,
  );
  if (repo) announcePending(repo);
}
