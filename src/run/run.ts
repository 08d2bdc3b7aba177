/** `run`: executes a command and records what it did to the dataset. */
import type { Config } from '../core/config.ts';
import { RepriseError } from '../core/errors.ts';
import type { Result, VerbOutcome } from '../core/result.ts';
import { readConfig } from '../dataset/read-config.ts';
import { type ScanEntry, scanWorktree } from '../dataset/worktree.ts';
import type { Context } from '../sys/context.ts';
import type { Launcher, RunOptions } from './options.ts';
import type { Prepared } from './prepare.ts';
import { resolveSubject } from './subject.ts';

export type { RunOptions } from './options.ts';

/**
 * Runs a command in the current folder and saves its results with a record of how they came to be.
 *
 * A launcher is how `containers-run` puts a container around the command; it has read the configuration of the dataset before.
 *
 * Returns DataLad's results; the exit code is that of the command (128 + N for signal N), or 1 when something else failed.
 * Throws `no-dataset`, `not-a-dataset` while Git has something half-done, `dataset-dirty`, `dataset-busy`, `input-missing`, `input-dirty`, `input-unavailable`, `placeholder-unknown`, `placeholder-invalid`,
 * `path-outside`, `branch-switched`, `history-rewritten`, `undeclared-committed`, `strict-io`, `uninstalled-subdataset-written`,
 * `annex-missing`, `annex-failed`, `save-failed` (the results are kept for `recover`), `interrupted`.
 */
export async function run(
  options: RunOptions,
  context: Context,
  launcher?: Launcher,
  known?: Config,
): Promise<VerbOutcome> {
  if (options.cmd.length === 0) {
    context.emit({ kind: 'warning', text: 'No command given' });
    return { exitCode: 0, results: [] };
  }
  const subject = resolveSubject(options.dataset, context);
  const results: Result[] = [];
  const report = (result: Result) => {
    results.push(result);
    context.emit({ kind: 'result', result });
  };
  // Git is asked first: while it answers, the larger part of the program is loaded.
  const asked = Promise.all([
    known ?? readConfig(subject.repo),
    options.explicit ? [] : scanWorktree(subject.repo, { untracked: 'normal' }),
    options.dryRun ? undefined : launcher?.begin?.(),
  ]);
  const loaded = import('./stages.ts');
  const [before, dirty] = await asked;
  const {
    announcePending,
    assertAlone,
    assertNoRerun,
    assertNothingHalfDone,
    dryRunResult,
    isInside,
    openJournal,
    parentRun,
    performRun,
    prepare,
    withAnnex,
  } = await loaded;
  announcePending(subject.repo);
  if (!options.dryRun) {
    assertNoRerun(subject.repo, options.explicit ?? false);
    assertAlone(subject.repo, options.explicit ?? false, null);
    assertNothingHalfDone(subject.repo);
  }
  const parent = parentRun(context.env);
  const nested = parent !== null && isInside(subject.repo, parent);
  if (dirty.length > 0 && !nested) throw dirtyDataset(subject.repo.root, dirty);
  // Before the command: what it writes could not be stored otherwise.
  const config = options.dryRun ? before : await withAnnex(subject.repo, before);

  const prepared = await prepare(subject, options, config, report, launcher ? { launcher } : {});
  if (options.dryRun) {
    report(dryRunResult(subject, prepared));
    return { exitCode: 0, results };
  }
  const journal = await openJournal(subject, options, config, prepared, parent, nested ? dirty : []);
  const result = await performRun(subject, options, config, prepared, journal, report);
  return { exitCode: exitStatus(result, options, prepared), results };
}

function exitStatus(result: Result, options: RunOptions, prepared: Prepared): number {
  if (options.onFailure === 'ignore') return 0;
  return exitCodeOf(result) || (prepared.missed ? 1 : 0);
}

/** The command's own exit code for a failed run, as a shell gives it: 128 + N for signal N; 0 for one that did not fail. */
export function exitCodeOf(result: Result): number {
  const code = Number(result['exit_code']);
  if (result.status !== 'error') return 0;
  return code < 0 ? 128 - code : code;
}

/** The error for unsaved changes that stand in the way; `otherwise` is a line that does without a clean dataset. */
export function dirtyDataset(
  root: string,
  entries: readonly ScanEntry[],
  otherwise = 'reprise run --explicit -o OUTPUT ...',
): RepriseError {
  const names =
    entries
      .slice(0, 3)
      .map((entry) => entry.path)
      .join(', ') + (entries.length > 3 ? `, and ${entries.length - 3} more` : '');
  // Without -r a subdataset is saved as the commit that it is at.
  const isInside = entries.some(({ submodule }) => submodule?.modified || submodule?.untracked);
  return new RepriseError(
    'dataset-dirty',
    `The dataset at ${root} has unsaved changes (${names}), so the changes of the command could not be told apart`,
    {
      hints: [isInside ? 'reprise save -r' : 'reprise save', otherwise],
      data: { paths: entries.map((entry) => entry.path) },
    },
  );
}
