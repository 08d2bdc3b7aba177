/** What must not be lost when a dataset is dropped: unsaved changes, history nobody else has, an annex others still count on. */
import { join } from 'node:path';
import { correspondingBranch } from './adjusted.ts';
import { git, gitText, type Repo } from './repo.ts';
import { datasetStatus } from './status.ts';
import { relativeTo } from './targets.ts';

/** Local branches, a stash and a detached HEAD whose commits are on no remote branch as far as this repository knows. */
export async function uniqueBranches(repo: Repo, annex: boolean): Promise<string[]> {
  const listed = await gitText(repo, ['for-each-ref', '--format=%(refname)', 'refs/heads', 'refs/stash']);
  const local = listed.split('\n').filter((name) => name !== '' && !isManaged(name, annex));
  const head = await git(repo, ['symbolic-ref', '--quiet', 'HEAD'], { accept: [0, 1] });
  if (head.code === 1) local.push('HEAD');
  const unique: string[] = [];
  for (const name of local) {
    const left = await gitText(repo, ['rev-list', '--count', '--max-count=1', name, '--not', '--remotes']);
    if (left !== '0') unique.push(name.replace(/^refs\/heads\//, ''));
  }
  return unique;
}

/** Branches that git-annex keeps for itself: its own, synced ones, and adjusted ones, whose commits live on another branch. */
function isManaged(ref: string, annex: boolean): boolean {
  return (
    annex &&
    (ref === 'refs/heads/git-annex' || ref.startsWith('refs/heads/synced/') || correspondingBranch(ref) !== null)
  );
}

/** Remotes whose `git-annex` branch, as last fetched, counts this repository's annex among the living. */
export async function annexKnownAt(repo: Repo): Promise<string[]> {
  const configured = await git(repo, ['config', '--local', 'annex.uuid'], { accept: [0, 1] });
  const uuid = configured.stdout.toString('utf8').trim();
  if (uuid === '') return [];
  const remotes = (await gitText(repo, ['remote'])).split('\n').filter((name) => name !== '');
  const knowing: string[] = [];
  for (const remote of remotes) {
    const uuids = await logOf(repo, remote, 'uuid.log');
    if (!uuids.some((line) => line.startsWith(uuid))) continue;
    const trust = (await logOf(repo, remote, 'trust.log')).find((line) => line.startsWith(`${uuid} `));
    // `X` is git-annex's mark for dead.
    if (trust?.split(' ')[1] !== 'X') knowing.push(remote);
  }
  return knowing;
}

async function logOf(repo: Repo, remote: string, name: string): Promise<string[]> {
  const log = await git(repo, ['cat-file', 'blob', `refs/remotes/${remote}/git-annex:${name}`], { accept: [0, 128] });
  return log.stdout.toString('utf8').split('\n');
}

/** Modified and untracked content at or below the given absolute paths, or anywhere for null. */
export async function unsavedIn(repo: Repo, paths: readonly string[] | null, evalCommits: boolean) {
  const entries = await datasetStatus(repo, {
    paths: paths?.map((path) => relativeTo(repo.root, path)) ?? null,
    untracked: 'normal',
    evalSubdatasetState: evalCommits ? 'commit' : 'no',
    clean: false,
  });
  return entries.flatMap(({ path, state, ...facts }) =>
    state === 'modified' || state === 'untracked'
      ? [{ ...facts, path: join(repo.root, path), parentds: repo.root, state }]
      : [],
  );
}
