/** Adjusted branches of git-annex: a commit there belongs on the branch they were made from. */
import { RepriseError } from '../core/errors.ts';
import { execute } from '../sys/proc.ts';
import { annexEnv } from './annex-env.ts';
import { readHead } from './refs.ts';
import { gitEnv, type Repo } from './repo.ts';

/** `refs/heads/adjusted/main(unlocked)` -> `refs/heads/main`; null for an ordinary branch. */
export function correspondingBranch(ref: string | null): string | null {
  const match = /^refs\/heads\/adjusted\/(.+)\([^()]+\)$/.exec(ref ?? '');
  return match ? `refs/heads/${match[1]}` : null;
}

/**
 * After a commit on an adjusted branch, lets git-annex carry it over to the corresponding branch; it rewrites the commit on the way.
 *
 * Returns the commit that HEAD is at afterwards. Throws `annex-failed`.
 */
export async function propagateAdjusted(repo: Repo, commit: string): Promise<string> {
  const { ref } = await readHead(repo);
  if (correspondingBranch(ref) === null) return commit;
  const args = ['git-annex', 'sync', '--quiet', '--no-commit', '--no-pull', '--no-push', '--no-content'] as const;
  const result = await execute(args, { cwd: repo.root, env: gitEnv(repo.context, await annexEnv(repo)) });
  if (result.code !== 0) {
    throw new RepriseError(
      'annex-failed',
      `git-annex could not carry the commit over to ${correspondingBranch(ref)}: ${result.stderr.trim()}`,
      {
        hints: ['git annex sync --no-pull --no-push --no-content'],
      },
    );
  }
  return (await readHead(repo)).commit ?? commit;
}
