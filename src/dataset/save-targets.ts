/** Which datasets a `save` of some paths is about, and what of each: DataLad's rules. */
import { join } from 'node:path';
import { RepriseError } from '../core/errors.ts';
import { lstatOrNull } from '../sys/files.ts';
import { git, type Repo } from './repo.ts';
import { groupTargets, isWithin, relativeTo, resolveTargets, type TargetGroup } from './targets.ts';
import { trackedBelow } from './tracked.ts';

/** A dataset that nothing is saved around, and what is to be saved in it and below. */
export interface SaveRoot {
  readonly repo: Repo;
  /** Relative to it; empty for all of the dataset itself, with a final slash for all of a subdataset; null for everything. */
  readonly paths: readonly string[] | null;
}

/**
 * Sorts paths into the datasets that hold them.
 *
 * Only with a reference dataset that was asked for, what is around is saved as well, up to that one, and a subdataset's own path means what is recorded
 * of it rather than what is in it.
 *
 * @param given as the user wrote them, from the current folder
 * @param asked whether the reference dataset was named
 * @throws `path-missing`, `path-outside`
 */
export async function saveRoots(
  reference: Repo,
  given: readonly string[],
  asked: boolean,
): Promise<readonly SaveRoot[]> {
  if (given.length === 0) return [{ repo: reference, paths: null }];
  const targets = resolveTargets(reference, reference.context, given, (path) => {
    throw new RepriseError('path-outside', `${path} does not belong to the dataset at ${reference.root}`, {
      data: { path },
    });
  });
  const { groups } = groupTargets(reference, targets, asked);
  for (const group of groups) await assertKnown(reference, group);
  const repos = groups.map(({ repo }) => repo);
  const isTop = (repo: Repo) => !repos.some(({ root }) => root !== repo.root && isWithin(repo.root, root));
  return (asked ? [reference] : repos.filter(isTop)).map((repo) => {
    const paths = groups
      .filter((group) => isWithin(group.repo.root, repo.root))
      .flatMap((group) => within(repo, group));
    return { repo, paths: paths.length === 1 && paths[0] === '' ? null : paths };
  });
}

function within(top: Repo, { repo, paths }: TargetGroup): readonly string[] {
  return (paths ?? [repo.root]).map((path) => {
    const relative = relativeTo(top.root, path);
    return path === repo.root && relative !== '' ? `${relative}/` : relative;
  });
}

/** Throws `path-missing` for what is not there, and is neither in the index nor in the last commit. */
async function assertKnown(reference: Repo, { repo, paths }: TargetGroup): Promise<void> {
  const gone = (paths ?? []).filter((path) => !lstatOrNull(path)).map((path) => relativeTo(repo.root, path));
  const tracked = await trackedBelow(repo, gone);
  for (const path of gone) {
    if (tracked.some((entry) => isWithin(entry.path, path)) || (await wasCommitted(repo, path))) continue;
    const unknown = relativeTo(reference.root, join(repo.root, path));
    throw new RepriseError('path-missing', `${unknown} does not exist, and never did`, {
      hints: ['reprise status'],
      data: { path: unknown },
    });
  }
}

async function wasCommitted(repo: Repo, path: string): Promise<boolean> {
  if (!path.isWellFormed()) return false;
  const args = ['--literal-pathspecs', 'ls-tree', '-z', '--name-only', 'HEAD', '--', path];
  const { code, stdout } = await git(repo, args, { accept: [0, 128] });
  return code === 0 && stdout.length > 0;
}
