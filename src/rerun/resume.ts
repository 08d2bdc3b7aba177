/** Going on with a rerun that was stopped: by a failed command, a conflict, or a kill at any moment. */
import { RepriseError } from '../core/errors.ts';
import { quoteWord } from '../core/quote.ts';
import type { Result } from '../core/result.ts';
import { clearGitLocks, clearLeftovers } from '../dataset/leftovers.ts';
import { readHead } from '../dataset/refs.ts';
import { readConfig } from '../dataset/read-config.ts';
import { git, type Repo } from '../dataset/repo.ts';
import { shortCommand } from '../record/message.ts';
import { goingRuns } from '../run/at-work.ts';
import { recover } from '../run/recover.ts';
import { logicalHead } from './apply.ts';
import { carryOut } from './carry-out.ts';
import { forget, type Kept, readKept } from './kept.ts';
import { keepFiles } from './kept-refs.ts';
import { cutHalfLines, noteChanging, readProgress } from './progress.ts';
import { takeUp } from './take-up.ts';

/**
 * Goes on where a rerun has stopped; returns the exit code.
 *
 * Throws `replay-missing`, `replay-pending`, `dataset-dirty`, `branch-switched`, `history-rewritten`, and what `rerun` throws.
 */
export async function resume(repo: Repo, kept: Kept, report: (result: Result) => void): Promise<number> {
  await assertOnBranch(repo, kept);
  const killed = await settle(repo);
  await clearChange(repo, kept);
  const config = await readConfig(repo);
  const from = await takeUp(repo, config, kept, readProgress(repo.gitDir, kept), killed, report);
  return carryOut(repo, config, kept, from, report);
}

/** The rerun that was stopped in a work tree; throws `replay-missing`. The caller is the one who works on it. */
export async function stoppedRerun(repo: Repo): Promise<Kept> {
  const kept = readKept(repo.gitDir);
  if (kept !== null) {
    cutHalfLines(repo.gitDir);
    return kept;
  }
  forget(repo.gitDir);
  await clearLeftovers(repo);
  throw new RepriseError('replay-missing', `No rerun was stopped in ${repo.root}`, {
    hints: ['reprise rerun --report'],
  });
}

/** Refuses to go on where another branch is checked out than the one on which the rerun has stopped; `branch-switched`. */
async function assertOnBranch(repo: Repo, kept: Kept): Promise<void> {
  const { ref } = await readHead(repo);
  const { start, checkout } = kept.plan;
  const { at, begun, place } = readProgress(repo.gitDir, kept);
  const made = checkout?.branch ? `refs/heads/${checkout.branch}` : null;
  const isBefore = at === 0 && !begun;
  const branch = checkout ? made : start.ref;
  if (ref === null || ref === branch || (isBefore && ref === start.ref)) return;
  const name = (full: string) => full.replace('refs/heads/', '');
  const there = branch === null ? `--detach ${place}` : quoteWord(name(branch));
  throw new RepriseError(
    'branch-switched',
    `Branch '${name(ref)}' is checked out, but the rerun has stopped on ${branch === null ? 'a detached HEAD' : `'${name(branch)}'`} in ${repo.root}`,
    { hints: [`git checkout ${there}`, 'reprise rerun --abort'], data: { ref, expected: branch } },
  );
}

/** Lets what a killed rerun has started come to its end: the run it was in, and Git's own files. Returns whether there was such a run. */
export async function settle(repo: Repo): Promise<boolean> {
  assertNoneGoing(repo);
  // Nobody is left who could hold them, and while a rerun is not done nobody else should work here.
  await clearGitLocks(repo);
  await clearLeftovers(repo);
  const { results } = await recover({ dataset: repo.root }, { ...repo.context, emit: () => {} });
  const failed = results.find(({ status }) => status === 'error');
  if (failed) {
    throw new RepriseError('recovery-failed', `The run that was cut off could not be recovered: ${failed.message}`, {
      hints: ['reprise recover'],
    });
  }
  assertNoneGoing(repo);
  return results.length > 0;
}

function assertNoneGoing(repo: Repo): void {
  const [going] = goingRuns(repo);
  if (!going) return;
  throw new RepriseError(
    'replay-pending',
    `A command is still going on in ${repo.root}: ${shortCommand(going.expanded)}`,
    {
      hints: ['reprise recover --list'],
    },
  );
}

/** Takes away what Git has left of a change that was cut off: the work tree was clean before it, so that nothing of that is the user's. */
export async function clearChange(repo: Repo, kept: Kept): Promise<void> {
  const { changing, heading } = readProgress(repo.gitDir, kept);
  if (!changing || kept.request.explicit) return;
  // Also what Git knows of a pick or merge that is under way.
  await git(repo, ['reset', '--quiet', '--']);
  const ref = await keepFiles(
    repo,
    `refs/reprise/unfinished/${kept.id}`,
    'What was about to be put into the work tree\n',
  );
  const isThere = heading !== null && (await logicalHead(repo)) === heading;
  noteChanging(repo.gitDir, false, ...(isThere ? [heading] : []));
  if (ref) repo.context.emit({ kind: 'info', text: `what was about to be put into the work tree is kept as ${ref}` });
}
