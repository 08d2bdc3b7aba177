/** What commits changed, for any number of commits by one Git process. */
import { join } from 'node:path';
import { decodeName } from '../core/bytes.ts';
import { RepriseError } from '../core/errors.ts';
import { streamGit } from '../dataset/git-stream.ts';
import { type Repo, repoAt } from '../dataset/repo.ts';
import type { Change } from './history-types.ts';

const DIFF_TREE = [
  '--literal-pathspecs',
  'diff-tree',
  '-r',
  '-z',
  '--no-renames',
  '--no-ext-diff',
  '--ignore-submodules=none',
] as const;

/**
 * The changes of commits against their first parents (git-diff-tree(1), "Raw output format").
 *
 * @param paths literal paths, relative to the root, to which they are limited; all where empty
 * @returns by commit; a commit that changed nothing has no entry. A commit without a parent is compared with nothing
 */
export async function readChanges(
  repo: Repo,
  commits: readonly { readonly commit: string; readonly parents: readonly string[] }[],
  paths: readonly string[] = [],
): Promise<ReadonlyMap<string, readonly Change[]>> {
  const changes = new Map<string, Change[]>();
  if (commits.length === 0) return changes;
  let current: Change[] = [];
  let head: string | null = null;
  const lines = commits.map(({ commit, parents }) => `${commit}${parents[0] === undefined ? '' : ` ${parents[0]}`}\n`);
  await streamGit(
    repo,
    [...DIFF_TREE, '--stdin', '--root', '--', ...paths],
    (record) => {
      if (head !== null) {
        const [oldMode = '', newMode = '', oldSha = '', newSha = ''] = head.slice(1).split(' ');
        current.push({ path: decodeName(record), oldMode, newMode, oldSha, newSha });
        head = null;
      } else if (record[0] === 58) head = record.toString('latin1');
      else {
        current = [];
        changes.set(record.toString('latin1').split(' ')[0] as string, current);
      }
    },
    lines,
  );
  return changes;
}

/** As `readChanges`, with the changes inside of subdatasets, as far as these are here, in addition to the subdataset itself. */
export async function readDeepChanges(
  repo: Repo,
  commits: readonly { readonly commit: string; readonly parents: readonly string[] }[],
): Promise<ReadonlyMap<string, readonly Change[]>> {
  const changes = new Map(await readChanges(repo, commits));
  for (const [commit, list] of changes) {
    const links = list.filter(({ oldMode, newMode }) => newMode === GITLINK || oldMode === GITLINK);
    if (links.length === 0) continue;
    const below = await Promise.all(links.map((link) => changesInside(repo, link)));
    changes.set(commit, [...list, ...below.flat()]);
  }
  return changes;
}

const GITLINK = '160000';

/** What a move of a subdataset from one commit to another changed in it; nothing where it is not here, or lacks one of the two. */
async function changesInside(
  repo: Repo,
  { path, newMode, oldMode, oldSha, newSha }: Change,
): Promise<readonly Change[]> {
  const sub = newMode === GITLINK ? repoAt(join(repo.root, path), repo.context) : null;
  if (!sub) return [];
  const parents = oldMode === GITLINK ? [oldSha] : [];
  try {
    const inner = (await readDeepChanges(sub, [{ commit: newSha, parents }])).get(newSha) ?? [];
    return inner.map((change) => ({ ...change, path: `${path}/${change.path}` }));
  } catch (error) {
    if (error instanceof RepriseError && error.code === 'git-failed') return [];
    throw error;
  }
}
