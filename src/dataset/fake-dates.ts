/**
 * DataLad's fake dates: every commit of a dataset that asks for them is dated one second after the newest commit of its local branches,
 * so that dates say in which order things were made, and not when.
 *
 * The rule is that of DataLad's `add_fake_dates_to_env` (`datalad/dataset/gitrepo.py`).
 */
import { type Config, parseBoolean } from '../core/config.ts';
import { RepriseError } from '../core/errors.ts';
import { readConfig } from './read-config.ts';
import { gitText, type Repo } from './repo.ts';

/** Gives the date that is next, in seconds since 1970; null where dates are not faked. */
export type FakeClock = () => Promise<number | null>;

const START = 'datalad.fake-dates-start';

/** DataLad's own start: the day of the first commit of Git. */
const DEFAULT_START = '1112911993';

/** The clock of a repository (settings `datalad.fake-dates` and `datalad.fake-dates-start`). Throws `config-invalid` when asked for a date. */
export function fakeClock(repo: Repo, config: Config): FakeClock {
  if (parseBoolean(config.get('datalad.fake-dates') ?? '') !== true) return async () => null;
  return async () => {
    const newest = await gitText(repo, [
      'for-each-ref',
      '--sort=-committerdate',
      '--count=1',
      '--format=%(committerdate:raw)',
      'refs/heads',
    ]);
    const last = newest === '' ? (config.get(START) ?? DEFAULT_START) : (newest.split(' ')[0] ?? '');
    if (!/^\d{1,12}$/.test(last)) {
      throw new RepriseError('config-invalid', `${START} is not a number of seconds since 1970: ${last}`, {
        hints: [`git config ${START} ${DEFAULT_START}`],
      });
    }
    return Number(last) + 1;
  };
}

/** What has to be in the environment of a git-annex process, so that its commits and log entries have the repository's next date. */
export async function annexDates(repo: Repo): Promise<NodeJS.ProcessEnv> {
  const seconds = await fakeClock(repo, await readConfig(repo))();
  if (seconds === null) return {};
  const date = `@${seconds} +0000`;
  return { GIT_AUTHOR_DATE: date, GIT_COMMITTER_DATE: date, GIT_ANNEX_VECTOR_CLOCK: String(seconds) };
}
