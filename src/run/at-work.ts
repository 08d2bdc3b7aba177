/**
 * Who is at work in a work tree. A run or rerun without `--explicit` saves all that was changed: beside another one it would record what is not its own.
 *
 * Each side first makes known that it is there (a run by its journal, a rerun by its lock), and looks for the other then: of two that begin at the
 * same instant at least one sees the other.
 */
import { hostname } from 'node:os';
import { dirname, join } from 'node:path';
import { RepriseError } from '../core/errors.ts';
import { findRepo, type Repo, repoAt } from '../dataset/repo.ts';
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

/**
 * Refuses a run without `--explicit` while another run goes on here, in a subdataset, or, likewise without it, in a dataset around this one;
 * `dataset-busy`. Runs inside a run are part of it. Whether one of another host is gone cannot be told from here: that is a warning.
 *
 * @param own the run itself, once others can see it
 */
export function assertAlone(repo: Repo, explicit: boolean, own: Journal | null): void {
  if (explicit || isNested(repo)) return;
  const others = runsAround(repo, own);
  const here = others.find(({ owner }) => owner.host === hostname());
  if (here) {
    throw new RepriseError(
      'dataset-busy',
      `Another command is going on in ${repo.root}, so whose changes are whose could not be told: ${shortCommand(here.expanded)}`,
      { hints: ['reprise run --explicit -o OUTPUT ...'], data: { path: repo.root, run: here.id } },
    );
  }
  const [elsewhere] = others;
  if (elsewhere && own === null) {
    const text = `a run on ${elsewhere.owner.host} may be going on: what it writes meanwhile is taken for changes of this command`;
    repo.context.emit({
      kind: 'warning',
      text,
      hints: [`reprise recover --assume-gone ${elsewhere.id}   # if it is gone`],
    });
  }
}

/** Runs whose changes a run without `--explicit` would save, and those that would save its changes. */
function runsAround(repo: Repo, own: Journal | null): readonly Journal[] {
  const below = (own?.subHeads ?? []).flatMap(([path]) => repoAt(join(repo.root, path), repo.context) ?? []);
  const around: Journal[] = [];
  for (let at: Repo | null = repo; at && at.root !== '/'; ) {
    at = findRepo(dirname(at.root), repo.context);
    if (at) around.push(...goingRuns(at).filter((journal) => !journal.explicit));
  }
  // The run that this one is called from may be one below.
  const family = [own?.id, parentRun(repo.context.env)];
  return [repo, ...below]
    .flatMap(goingRuns)
    .concat(around)
    .filter(({ id }) => !family.includes(id));
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
