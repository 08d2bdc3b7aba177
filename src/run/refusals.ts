/** Reasons to record nothing although a command has ended: history it rewrote, files it put where no dataset keeps them, broken promises. */
import { join } from 'node:path';
import { RepriseError } from '../core/errors.ts';
import { quoteWord } from '../core/quote.ts';
import { git, gitText } from '../dataset/repo.ts';
import { type DeclaredVersusActual, writtenMountPoints } from './effects.ts';
import type { FinishRequest } from './finish-request.ts';
import type { CommitsMeanwhile } from './nesting.ts';

/**
 * A command that left the branch, or rewrote what it started from, cannot be joined to it.
 *
 * @param isAhead whether it is known that the commit follows the one that the run started from
 */
export async function historyProblem(
  request: FinishRequest,
  ref: string | null,
  commit: string,
  isAhead: boolean,
): Promise<RepriseError | null> {
  const { subject, journal } = request;
  const { base } = journal;
  if (base.ref !== null && ref !== base.ref) {
    const name = (full: string | null) => full?.replace('refs/heads/', '') ?? 'a detached HEAD';
    return new RepriseError(
      'branch-switched',
      `The command switched the active branch from ${name(base.ref)} to ${name(ref)}, so its commits cannot be joined to the run`,
      {
        hints: [
          `reprise save -d ${quoteWord(subject.repo.root)} --since ${base.commit} -F ${quoteWord(join(subject.repo.gitDir, 'COMMIT_EDITMSG'))}`,
        ],
        data: { from: base.ref, to: ref },
      },
    );
  }
  if (isAhead) return null;
  const ancestor = await git(subject.repo, ['merge-base', '--is-ancestor', base.commit as string, commit], {
    accept: [0, 1],
  });
  if (ancestor.code === 0) return null;
  return new RepriseError(
    'history-rewritten',
    `History was rewritten since the run began: ${base.commit?.slice(0, 8)}, where it started, is not an ancestor of ${commit.slice(0, 8)}, where it ended`,
    {
      hints: [`reprise save -r -F ${quoteWord(join(subject.repo.gitDir, 'COMMIT_EDITMSG'))}`],
      data: { before: base.commit, after: commit },
    },
  );
}

/** Reasons to save nothing, although the command itself may have been fine. */
export async function refusalOf(
  request: FinishRequest,
  meanwhile: CommitsMeanwhile,
  declared: DeclaredVersusActual,
  paths: readonly string[],
): Promise<RepriseError | null> {
  const { subject, journal } = request;
  const mounts = await writtenMountPoints(subject.repo);
  if (mounts.length > 0) {
    return new RepriseError(
      'uninstalled-subdataset-written',
      `Files were written to ${mounts.join(', ')}, where a subdataset belongs that is not installed`,
      {
        hints: [
          `mv ${quoteWord(mounts[0] as string)} ${quoteWord(`${mounts[0]}.results`)} && reprise get -n ${quoteWord(mounts[0] as string)}`,
        ],
        data: { paths: mounts },
      },
    );
  }
  const differs = [...declared.undeclared, ...declared.untouched, ...declared.ignored];
  if (journal.strictIo && differs.length > 0) {
    return new RepriseError(
      'strict-io',
      `Declared and actual outputs differ: ${differs.slice(0, 5).join(', ')}${differs.length > 5 ? ', ...' : ''}`,
      {
        hints: ['git status', `reprise save -r -F ${quoteWord(join(subject.repo.gitDir, 'COMMIT_EDITMSG'))}`],
        data: { ...declared },
      },
    );
  }
  if (!journal.explicit || journal.outputPatterns.length === 0 || meanwhile.plain.length === 0) return null;
  if ((request.config.get('datalad.run.dirty-committed') ?? 'error') !== 'error') return null;
  const committed = await gitText(subject.repo, [
    'show',
    '--format=',
    '--name-only',
    '-z',
    '--no-renames',
    ...meanwhile.plain,
  ]);
  const known = new Set(paths);
  const undeclared = [...new Set(committed.split(/[\0\n]/))].filter((path) => path !== '' && !known.has(path)).sort();
  if (undeclared.length === 0) return null;
  return new RepriseError(
    'undeclared-committed',
    `The command created commits that include files not declared as outputs: ${undeclared.join(', ')}`,
    {
      hints: ['git config datalad.run.dirty-committed ignore'],
      data: { paths: undeclared },
    },
  );
}
