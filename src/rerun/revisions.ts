/** Which commits a rerun is about: what the user names, as DataLad understands it. */
import { RepriseError } from '../core/errors.ts';
import { correspondingBranch } from '../dataset/adjusted.ts';
import type { Head } from '../dataset/refs.ts';
import { git, type Repo } from '../dataset/repo.ts';

export interface Range {
  /** Full name of the last commit. */
  readonly tip: string;
  /** What `git rev-list` is asked, with full names. */
  readonly arguments: readonly string[];
  /** The same in the user's words, for messages. */
  readonly text: string;
  /** Whether commits without a record that come before the first run belong to it: only where the user named the start. */
  readonly keepsLeading: boolean;
  /** Whether only one commit was asked for. */
  readonly single: boolean;
}

/** The commit of a head; throws `no-run-commits` where there is none yet. */
export function requireCommit(repo: Repo, { commit }: Head): string {
  if (commit !== null) return commit;
  throw new RepriseError('no-run-commits', `Nothing is recorded in ${repo.root}: it has no commits`, {
    hints: ['reprise run COMMAND'],
  });
}

/**
 * Resolves REVISION and `--since`.
 *
 * Without `--since` it is the one commit; with an empty one all of its history; otherwise what follows that commit. A range `A..B` may
 * be given as REVISION. Throws `revision-unknown`.
 */
export async function resolveRange(
  repo: Repo,
  head: Head,
  revision: string | undefined,
  since: string | undefined,
): Promise<Range> {
  const name = revision ?? defaultRevision(head);
  const dots = /^(.*?)\.\.\.?(.*)$/.exec(name);
  if (dots && since === undefined) {
    const [from, tip] = await resolveAll(repo, [dots[1] || 'HEAD', dots[2] || 'HEAD']);
    return { tip: tip as string, arguments: [`${from}..${tip}`], text: name, keepsLeading: false, single: false };
  }
  const known = name === head.ref ? head.commit : null;
  const tip = known ?? ((await resolveAll(repo, [name]))[0] as string);
  const hasParent = (await parseRevision(repo, `${tip}^`)) !== null;
  if (since === undefined || !hasParent) {
    return {
      tip,
      arguments: hasParent ? [`${tip}^!`] : [tip],
      text: hasParent ? `${name}^..${name}` : name,
      keepsLeading: false,
      single: true,
    };
  }
  if (since.trim() === '') return { tip, arguments: [tip], text: name, keepsLeading: false, single: false };
  const [from] = (await resolveAll(repo, [since])) as [string];
  return { tip, arguments: [`${from}..${tip}`], text: `${since}..${name}`, keepsLeading: true, single: false };
}

/** The range of a commit, given by its full name, with all that came before it. */
export function allOf(commit: string): Range {
  return { tip: commit, arguments: [commit], text: 'HEAD', keepsLeading: false, single: false };
}

/** The range of what follows one commit up to another, given by their full names. */
export function between(from: string, to: string): Range {
  return { tip: to, arguments: [`${from}..${to}`], text: `${from}..${to}`, keepsLeading: false, single: false };
}

function defaultRevision({ ref }: Head): string {
  return correspondingBranch(ref) ?? ref ?? 'HEAD';
}

async function resolveAll(repo: Repo, names: readonly string[]): Promise<readonly string[]> {
  return Promise.all(
    names.map(async (name) => {
      const commit = await resolveCommit(repo, name);
      if (commit !== null) return commit;
      throw new RepriseError('revision-unknown', `${name} names no commit of the dataset at ${repo.root}`, {
        hints: ['git log --oneline --all'],
        data: { revision: name },
      });
    }),
  );
}

/** Full name of the commit that a revision names, or null. A file of the same name does not matter. */
export async function resolveCommit(repo: Repo, name: string): Promise<string | null> {
  if (name === '' || name.startsWith('-')) return null;
  // In two steps: what follows `:/` belongs to the text that is looked for.
  const found = await parseRevision(repo, name);
  return found === null ? null : parseRevision(repo, `${found}^{commit}`);
}

async function parseRevision(repo: Repo, name: string): Promise<string | null> {
  const result = await git(repo, ['rev-parse', '--verify', '--quiet', '--end-of-options', name], {
    accept: [0, 1, 128],
  });
  return result.code === 0 ? result.stdout.toString('latin1').trim() : null;
}
