/** The state of a dataset: whether Git and git-annex can work in it, and what waits there for its user. Executes nothing of the dataset's. */
import type { Config } from '../core/config.ts';
import { RepriseError } from '../core/errors.ts';
import { quoteWord, quoteWords } from '../core/quote.ts';
import type { Result } from '../core/result.ts';
import { hasAnnex } from '../dataset/presence.ts';
import { readConfig } from '../dataset/read-config.ts';
import { git, type Repo } from '../dataset/repo.ts';
import { assertNoneStopped } from '../rerun/kept.ts';
import { rerunLock } from '../run/at-work.ts';
import { journalState } from '../run/journal.ts';
import { waitingRuns } from '../run/pending.ts';
import { readOwner } from '../sys/lock.ts';
import { isGone } from '../sys/owner.ts';
import { examine, type Look } from './finding.ts';

export interface DatasetState {
  readonly results: readonly Result[];
  /** Null where Git does not work in it. */
  readonly config: Config | null;
  readonly usesAnnex: boolean;
}

export async function lookAtDataset(repo: Repo): Promise<DatasetState> {
  const subject = { kind: 'dataset', path: repo.root } as const;
  let config: Config | null = null;
  let usesAnnex = false;
  const first = await examine({ ...subject, name: 'dataset', essential: true }, async () => {
    try {
      // Other commands pass over a repository that Git does not trust.
      await git(repo, ['rev-parse', '--git-dir']);
      config = await readConfig(repo);
      usesAnnex = await hasAnnex(repo);
    } catch (error) {
      throw explained(error, repo);
    }
    return datasetFacts(repo, config, usesAnnex);
  });
  const results = [
    first,
    await examine({ ...subject, name: 'runs' }, () => runsFacts(repo)),
    await examine({ ...subject, name: 'rerun' }, () => {
      const holder = readOwner(rerunLock(repo.gitDir));
      if (holder !== null && !isGone(holder)) return { message: 'A rerun is going on' };
      assertNoneStopped(repo.gitDir);
      return { message: 'No rerun was stopped half-way' };
    }),
  ];
  return { results: results.map((result) => ({ ...result, type: 'dataset', refds: repo.root })), config, usesAnnex };
}

/** What Git says about itself, with what would help or show more. */
function explained(error: unknown, { root }: Repo): unknown {
  if (!(error instanceof RepriseError) || error.code !== 'git-failed') return error;
  if (/dubious ownership/.test(String(error.data['stderr']))) {
    return new RepriseError('not-a-dataset', `Git does not trust ${root}, which belongs to somebody else`, {
      cause: error,
      hints: [`git config --global --add safe.directory ${quoteWord(root)}`],
    });
  }
  const [program = '', ...args] = error.data['argv'] as readonly string[];
  return new RepriseError('git-failed', error.message, {
    cause: error,
    hints: [quoteWords([program, '-C', root, ...args])],
  });
}

function datasetFacts({ root }: Repo, config: Config, usesAnnex: boolean): Look {
  const id = config.get('datalad.dataset.id');
  const annex = !usesAnnex ? 'none' : config.get('annex.uuid') === undefined ? 'uninitialised' : 'initialised';
  const what = id === undefined ? 'A Git repository' : 'A dataset';
  const how = {
    none: 'without an annex',
    initialised: 'with an annex',
    uninitialised: 'with an annex, which is not initialised here',
  };
  return {
    message: `${what} ${how[annex]}: ${root}`,
    ...(id === undefined ? {} : { dataset_id: id }),
    annex,
    ...(annex === 'uninitialised' ? { hints: ['git annex init'] } : {}),
  };
}

function runsFacts(repo: Repo): Look {
  const waiting = waitingRuns(repo).map((journal) => ({ run: journal.id, state: journalState(repo.gitDir, journal) }));
  if (waiting.length === 0) return { message: 'No run waits to be recovered', waiting };
  return {
    status: 'impossible',
    message: `${waiting.length === 1 ? 'A run was interrupted and waits' : `${waiting.length} runs were interrupted and wait`} to be recovered`,
    waiting,
    hints: ['reprise recover --list', 'reprise recover'],
  };
}
