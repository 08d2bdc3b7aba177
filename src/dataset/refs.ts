/** Where HEAD points: read from Git's files when they say it plainly, asked from Git otherwise. */
import { join } from 'node:path';
import { RepriseError } from '../core/errors.ts';
import { quoteWord } from '../core/quote.ts';
import { readOrNull } from '../sys/files.ts';
import { git, reftableError, type Repo } from './repo.ts';

export interface Head {
  /** `refs/heads/NAME`, or null when HEAD is detached. */
  readonly ref: string | null;
  /** Full object name of the commit, or null on a branch without commits. */
  readonly commit: string | null;
}

/** Reads HEAD; throws `not-a-dataset` where it says nothing that Git understands. */
export async function readHead(repo: Repo): Promise<Head> {
  const head = readOrNull(join(repo.gitDir, 'HEAD'))?.toString('utf8').trim() ?? '';
  if (/^[0-9a-f]{40,64}$/.test(head)) return { ref: null, commit: head };
  const ref = /^ref: (refs\/\S.*)$/.exec(head)?.[1];
  if (ref === undefined) {
    throw new RepriseError('not-a-dataset', `HEAD of ${repo.root} is damaged`, {
      hints: [`git -C ${quoteWord(repo.root)} fsck`],
      data: { path: repo.root },
    });
  }
  if (ref === 'refs/heads/.invalid') throw reftableError(repo);
  return { ref, commit: await readRef(repo, ref) };
}

/** The commit a full ref name points to, or null. A loose ref is read as a file; packed refs, symbolic refs and reftables are left to Git. */
export async function readRef(repo: Repo, ref: string): Promise<string | null> {
  const loose = readOrNull(join(repo.commonDir, ref))?.toString('utf8').trim();
  if (loose && /^[0-9a-f]{40,64}$/.test(loose)) return loose;
  const result = await git(repo, ['rev-parse', '--verify', '--quiet', ref], { accept: [0, 1] });
  return result.code === 0 ? result.stdout.toString('utf8').trim() : null;
}

/** Whether a repository has a commit. @param commit full name */
export async function hasCommit(repo: Repo, commit: string): Promise<boolean> {
  return (await git(repo, ['cat-file', '-e', `${commit}^{commit}`], { accept: [0, 1, 128] })).code === 0;
}

/** A full ref name, or the first of `name-2`, `name-3` and so on that nothing has yet. */
export async function freeRef(repo: Repo, name: string): Promise<string> {
  for (let number = 1; ; number += 1) {
    const ref = number === 1 ? name : `${name}-${number}`;
    if ((await readRef(repo, ref)) === null) return ref;
  }
}
