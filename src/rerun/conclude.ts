/** The end of a rerun: what came out of all of it, in one line and in an exit code. */
import type { Result } from '../core/result.ts';
import type { Repo } from '../dataset/repo.ts';
import { type Judgement, summary } from './judge.ts';
import type { ReplayRequest } from './request.ts';

/** The result where all records of a range are another dataset's (DataLad's words). */
export function nothingOurs(repo: Repo, action: string): Result {
  const message = 'no run commit in the given revision range could be re-executed in this dataset';
  return { action, status: 'impossible', path: repo.root, type: 'dataset', message };
}

/**
 * Says what came out.
 *
 * @param foreign whether all records were another dataset's, so that none was executed
 * @returns the exit code: 1 for a command that failed although the rerun went on, for an output that differs where verification was asked for, or
 *   where nothing was executed
 */
export function conclude(
  repo: Repo,
  request: ReplayRequest,
  judgements: readonly Judgement[],
  foreign: boolean,
  report: (result: Result) => void,
): number {
  if (foreign) {
    report(nothingOurs(repo, 'run'));
    return request.onFailure === 'ignore' ? 0 : 1;
  }
  repo.context.emit({ kind: 'info', text: summary(judgements) });
  const failed = judgements.some((judgement) => judgement.failed);
  const different = request.verify === true && judgements.some(({ verdict }) => verdict !== 'identical');
  return (failed || different) && request.onFailure !== 'ignore' ? 1 : 0;
}
