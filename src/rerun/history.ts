/** Reading a range of history: one `git log` for any number of commits, and the records of the runs among them. */
import { decodeName } from '../core/bytes.ts';
import type { Config } from '../core/config.ts';
import { RepriseError } from '../core/errors.ts';
import { parseMessage } from '../record/message.ts';
import { streamGit } from '../dataset/git-stream.ts';
import type { Repo } from '../dataset/repo.ts';
import type { HistoryCommit, RecordedRun } from './history-types.ts';
import type { Range } from './revisions.ts';
import { type FetchSidecars, readSidecars } from './sidecars.ts';

const FORMAT = '%H%n%P%n%an%n%aI%n%B';
/** Stands in every message that holds a record; looking for bytes is cheaper than decoding a hundred thousand messages. */
const MARK = Buffer.from('=== Do not change lines below ===');

/**
 * Reads the commits of a range, oldest first, parents before children; records in sidecars are read from the commits that name them.
 *
 * @param fetch how sidecars are fetched whose content is not here; by default without a word
 * @throws `record-invalid` for a message that DataLad takes for a record but that is none; `record-sidecar-missing`, `content-unavailable`
 */
export async function readHistory(
  repo: Repo,
  config: Config,
  range: Range,
  fetch?: FetchSidecars,
): Promise<readonly HistoryCommit[]> {
  const commits: HistoryCommit[] = [];
  const authors = new Map<string, string>();
  const sidecars: {
    readonly at: number;
    readonly id: string;
    readonly found: Omit<RecordedRun, 'record' | 'oddities'>;
  }[] = [];
  const args = ['-c', 'log.showSignature=false', 'log', '-z', '--no-color', '--reverse', '--topo-order'];
  await streamGit(repo, [...args, `--format=${FORMAT}`, ...range.arguments, '--'], (entry) => {
    const { commit, parents, author, date, message } = splitEntry(entry, authors);
    const parsed = message === null ? null : parseMessage(message, { commit });
    let run: RecordedRun | null = null;
    let problem: string | null = null;
    if (parsed?.kind === 'record') {
      const { record, message: text, oddities, how } = parsed;
      run = { record, message: text, oddities, how, sidecar: null };
    } else if (parsed?.kind === 'sidecar') {
      sidecars.push({
        at: commits.length,
        id: parsed.id,
        found: { message: parsed.message, how: parsed.how, sidecar: parsed.id },
      });
    } else if (parsed?.kind === 'invalid') problem = parsed.reason;
    commits.push({ commit, parents, author, date, run, problem });
  });
  const wanted = sidecars.map(({ at, id }) => ({ commit: (commits[at] as HistoryCommit).commit, id }));
  const records = await readSidecars(repo, config, wanted, fetch);
  for (const [index, { at, found }] of sidecars.entries()) {
    const read = records[index];
    if (read === undefined) continue;
    const before = commits[at] as HistoryCommit;
    commits[at] =
      read instanceof RepriseError
        ? { ...before, problem: read.message, unread: read.code === 'content-unavailable' }
        : { ...before, run: { ...found, record: read.record, oddities: read.oddities } };
  }
  return commits;
}

interface Entry {
  readonly commit: string;
  readonly parents: readonly string[];
  readonly author: string;
  readonly date: string;
  /** Only of a message that may hold a record. */
  readonly message: string | null;
}

/** @param authors bytes of a name -> the name: of many commits there are few authors */
function splitEntry(entry: Buffer, authors: Map<string, string>): Entry {
  const ends: number[] = [];
  for (let at = -1; ends.length < 4; ends.push(at)) at = entry.indexOf(10, at + 1);
  const [first = 0, second = 0, third = 0, fourth = 0] = ends;
  const parents = entry.toString('latin1', first + 1, second);
  const bytes = entry.toString('latin1', second + 1, third);
  const author = authors.get(bytes) ?? decodeName(entry.subarray(second + 1, third));
  authors.set(bytes, author);
  return {
    commit: entry.toString('latin1', 0, first),
    parents: parents === '' ? [] : parents.split(' '),
    author,
    date: entry.toString('latin1', third + 1, fourth),
    message: entry.includes(MARK, fourth + 1) ? decodeName(entry.subarray(fourth + 1)) : null,
  };
}
