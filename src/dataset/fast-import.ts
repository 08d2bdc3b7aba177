/** Commits written by `git fast-import`: at a cost that follows the change, not the size of the repository. */
import { encodeName } from '../core/bytes.ts';
import type { Config } from '../core/config.ts';
import { RepriseError } from '../core/errors.ts';
import { fakeClock } from './fake-dates.ts';
import { plainIdentity } from './plain-identity.ts';
import { git, gitText, type Place, type Repo } from './repo.ts';

/** One changed path of a commit. Blobs are in the object store already, or given as content. */
export type TreeChange =
  | { readonly path: string; readonly mode: string; readonly sha: string }
  | { readonly path: string; readonly mode: string; readonly content: Buffer }
  | { readonly path: string; readonly deleted: true };

export interface CommitPlan {
  /** Ref that keeps the commit alive until it lands; below `refs/reprise/landing/`. */
  readonly ref: string;
  /** Parents, first parent first; none for a root commit. The tree starts from the first. */
  readonly parents: readonly string[];
  /** Start from this tree object instead of the first parent's tree. */
  readonly tree?: string;
  readonly message: string;
  readonly changes: readonly TreeChange[];
  /** Raw identities as `git var` prints them. */
  readonly author: string;
  readonly committer: string;
}

/**
 * Writes commits and returns their names, in order. No hook runs and no clean-up touches the message.
 *
 * The stream is that of git-fast-import(1).
 */
export async function writeCommits(repo: Repo, plans: readonly CommitPlan[]): Promise<readonly string[]> {
  const asks = plans.map((_, index) => `get-mark :${index + 1}\n`).join('');
  const parts = [
    Buffer.from('feature done\n'),
    ...plans.flatMap((plan, index) => renderCommit(plan, index + 1)),
    Buffer.from(`${asks}done\n`),
  ];
  const { stdout } = await git(repo, ['fast-import', '--quiet', '--force', '--date-format=raw'], {
    input: Buffer.concat(parts),
  });
  const names = stdout.toString('latin1').trim().split('\n');
  if (names.length !== plans.length || !names.every((name) => /^[0-9a-f]{40,64}$/.test(name))) {
    throw new RepriseError('save-failed', `git fast-import did not write a commit in ${repo.root}`);
  }
  return names;
}

function renderCommit(plan: CommitPlan, mark: number): Buffer[] {
  const message = Buffer.from(plan.message, 'utf8');
  const parts: Buffer[] = [
    Buffer.from(
      `reset ${plan.ref}\ncommit ${plan.ref}\nmark :${mark}\nauthor ${plan.author}\ncommitter ${plan.committer}\ndata ${message.length}\n`,
    ),
    message,
    Buffer.from('\n'),
  ];
  const [first, ...others] = plan.parents;
  if (first) parts.push(Buffer.from(`from ${first}\n`));
  for (const parent of others) parts.push(Buffer.from(`merge ${parent}\n`));
  if (plan.tree) parts.push(Buffer.from(`M 040000 ${plan.tree} \n`));
  // Deletions first: a file may have become a folder of the same name.
  for (const change of plan.changes) {
    if ('deleted' in change) parts.push(Buffer.from('D '), quotePath(change.path), Buffer.from('\n'));
  }
  for (const change of plan.changes) {
    if ('sha' in change)
      parts.push(Buffer.from(`M ${change.mode} ${change.sha} `), quotePath(change.path), Buffer.from('\n'));
    if ('content' in change) {
      parts.push(
        Buffer.from(`M ${change.mode} inline `),
        quotePath(change.path),
        Buffer.from(`\ndata ${change.content.length}\n`),
        change.content,
        Buffer.from('\n'),
      );
    }
  }
  return parts;
}

/** A path in C-style quotes, as fast-import reads it: any byte but NUL is possible. */
function quotePath(path: string): Buffer {
  const bytes = encodeName(path);
  const out: number[] = [0x22];
  for (const byte of bytes) {
    if (byte === 0x22 || byte === 0x5c) out.push(0x5c, byte);
    else if (byte === 0x0a) out.push(0x5c, 0x6e);
    else out.push(byte);
  }
  out.push(0x22);
  return Buffer.from(out);
}

export interface Identities {
  readonly author: string;
  readonly committer: string;
}

/**
 * Author and committer as Git would use them; throws `identity-missing`.
 *
 * Returns a function that stamps them with a date (`fakeClock`), or with the time at which it is called for null: they are looked up
 * before a lock is taken, and used under it.
 */
export async function identities(repo: Repo, config: Config): Promise<(fakeDate: number | null) => Identities> {
  const isOne = !mayDiffer(repo, config);
  const plain = isOne ? plainIdentity(config, repo.context.env) : null;
  const committer = plain ?? (await identity(repo, 'GIT_COMMITTER_IDENT'));
  const author = isOne ? committer : await identity(repo, 'GIT_AUTHOR_IDENT');
  const { GIT_AUTHOR_DATE: authorDate, GIT_COMMITTER_DATE: committerDate } = repo.context.env;
  const stamp = (who: string, fixed: string | undefined) =>
    fixed ? who : who.replace(/\d+( [+-]\d{4})$/, `${Math.floor(Date.now() / 1000)}$1`);
  return (fakeDate) =>
    fakeDate === null
      ? { author: stamp(author, authorDate), committer: stamp(committer, committerDate) }
      : { author: dated(author, fakeDate), committer: dated(committer, fakeDate) };
}

function dated(who: string, seconds: number): string {
  return who.replace(/\d+ [+-]\d{4}$/, `${seconds} +0000`);
}

/**
 * Makes sure that a commit will have an author and a date, before anything is done that needs one; throws `identity-missing`, `config-invalid`.
 *
 * Git is asked only where more than a name and an address in its configuration decides.
 */
export async function assertIdentity(repo: Repo, config: Config): Promise<void> {
  await fakeClock(repo, config)();
  const isPlain = ['user.name', 'user.email'].every((key) => isWord(config.get(key) ?? ''));
  if (!isPlain || mayDiffer(repo, config)) await identities(repo, config);
}

/** Git takes no name of blanks and punctuation only. */
function isWord(text: string): boolean {
  return /[\p{L}\p{N}]/u.test(text);
}

/** Name, address and time as Git puts them into a commit that is made now; throws `identity-missing`, `config-invalid` for a date, `git-missing`. */
export async function identity(repo: Place, which: 'GIT_AUTHOR_IDENT' | 'GIT_COMMITTER_IDENT'): Promise<string> {
  try {
    return await gitText(repo, ['var', which]);
  } catch (cause) {
    if (cause instanceof RepriseError && !['git-failed', 'identity-missing'].includes(cause.code)) throw cause;
    const variable = (what: string) => which.replace('IDENT', what);
    const date = /invalid date format: (.*)/.exec(String(cause))?.[1];
    if (date !== undefined) {
      throw new RepriseError('config-invalid', `${variable('DATE')} is not a date that Git understands: ${date}`, {
        cause,
        hints: [`unset ${variable('DATE')}`],
      });
    }
    const blank = [variable('NAME'), variable('EMAIL')].filter((name) => !isWord(repo.context.env[name] ?? 'unset'));
    throw new RepriseError('identity-missing', 'Git does not know who commits', {
      cause,
      hints: [
        blank.length > 0
          ? `unset ${blank.join(' ')}`
          : "git config --global user.name 'Your Name' && git config --global user.email you@example.org",
      ],
    });
  }
}

/** Author and committer are the same person at the same time, unless variables or settings of either say otherwise. */
function mayDiffer(repo: Repo, config: Config): boolean {
  const named = Object.keys(repo.context.env).some((name) => /^GIT_(AUTHOR|COMMITTER)_/.test(name));
  return named || config.section('author').size > 0 || config.section('committer').size > 0;
}
