/** Undoing a rerun that was stopped: everything is where it was, and what was made meanwhile is kept under refs. */
import { join, relative } from 'node:path';
import { type Head, readHead, readRef } from '../dataset/refs.ts';
import { git, type Repo, repoAt } from '../dataset/repo.ts';
import { recordAttestations } from './attestations.ts';
import { abandon, changing, isAncestor, resetTo, unfinished } from './git-steps.ts';
import { forget, type Kept } from './kept.ts';
import { keepCommit, keepFiles } from './kept-refs.ts';
import { leftBehind } from './left-behind.ts';
import { readJudgements } from './progress.ts';
import { clearChange, settle } from './resume.ts';

/** Puts everything back to where a rerun began, subdatasets included. Returns the exit code. Throws `replay-pending`, `recovery-failed`. */
export async function undo(repo: Repo, kept: Kept): Promise<number> {
  await settle(repo);
  await clearChange(repo, kept);
  const { start, checkout } = kept.plan;
  const made = checkout?.branch ? `refs/heads/${checkout.branch}` : null;
  const sides = await leftBehind(repo, kept, start.commit);
  const refs = await returnRepo(repo, repo, kept, start, [made, ...kept.refs.map(([ref]) => ref)], sides);
  for (const { path, ...head } of kept.subdatasets) {
    const sub = repoAt(join(repo.root, path), repo.context);
    if (sub !== null && head.commit !== null) refs.push(...(await returnRepo(repo, sub, kept, head, [], [])));
  }
  for (const [ref, commit] of kept.refs)
    await git(repo, ['update-ref', '-m', 'rerun --abort', ...(commit === null ? ['-d', ref] : [ref, commit])]);
  // It was made by this rerun; its commits are kept.
  const tip = made === null ? null : await readRef(repo, made);
  if (made !== null && tip !== null) await git(repo, ['update-ref', '-d', made, tip]);
  await recordAttestations(
    repo,
    readJudgements(repo.gitDir).map(({ attestation }) => attestation),
  );
  forget(repo.gitDir);
  const names = refs.map(({ ref, at }) => (at === repo ? ref : `${ref} of ${relative(repo.root, at.root)}`));
  const what = names.length === 0 ? '' : `; what it made is kept as ${names.join(' and ')}`;
  repo.context.emit({ kind: 'info', text: `the rerun is undone${what}` });
  return 0;
}

interface KeptRef {
  readonly ref: string;
  readonly at: Repo;
}

/**
 * Brings one repository back, after keeping what would be lost.
 *
 * @param others refs beside the branch of the start that the rerun has moved
 * @param sides commits that the rerun has made and left for another side of a fork
 */
async function returnRepo(
  top: Repo,
  repo: Repo,
  kept: Kept,
  start: Head,
  others: readonly (string | null)[],
  sides: readonly string[],
): Promise<KeptRef[]> {
  const half = unfinished(repo);
  if (half) await abandon(repo, half);
  const name = `refs/reprise/aborted/${kept.id}`;
  const files = kept.request.explicit
    ? null
    : await keepFiles(repo, `${name}-files`, 'What a stopped rerun left in the work tree\n');
  const refs = await keepCommits(repo, name, start, others, sides);
  // Now that all is kept, what a kill leaves of the way back is nobody's work.
  await changing(top, () => returnTo(repo, start));
  return [...refs, ...(files === null ? [] : [files])].map((ref) => ({ ref, at: repo }));
}

/** Keeps the commits that no branch holds once everything is back, whoever made them; returns the refs. */
async function keepCommits(
  repo: Repo,
  name: string,
  start: Head,
  others: readonly (string | null)[],
  sides: readonly string[],
): Promise<readonly string[]> {
  const head = await readHead(repo);
  const ours = [start.ref, ...others];
  // A branch that the user has checked out meanwhile stays what it is.
  const tips = head.ref === null || ours.includes(head.ref) ? [head.commit] : [];
  for (const ref of ours) tips.push(ref === null ? null : await readRef(repo, ref));
  tips.push(...sides);
  const held = [start.commit as string];
  const refs: string[] = [];
  for (const commit of tips) {
    if (commit === null) continue;
    const inside = await Promise.all(held.map((one) => isAncestor(repo, commit, one)));
    if (inside.some(Boolean)) continue;
    refs.push(await keepCommit(repo, name, commit));
    held.push(commit);
  }
  return refs;
}

async function returnTo(repo: Repo, { ref, commit }: Head): Promise<void> {
  const to = commit as string;
  if (ref === null) {
    await git(repo, ['checkout', '--quiet', '--no-recurse-submodules', '--detach', to, '--']);
    return;
  }
  if ((await readRef(repo, ref)) === null) await git(repo, ['update-ref', ref, to, '']);
  const { ref: now } = await readHead(repo);
  if (now !== ref)
    await git(repo, ['checkout', '--quiet', '--no-recurse-submodules', ref.replace('refs/heads/', ''), '--']);
  await resetTo(repo, to);
}
