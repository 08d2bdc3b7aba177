/**
 * Replaying a run whose command committed itself, without leaving the branch behind.
 *
 * Such a command cannot be repeated on top of its own commits: it is executed on the commit that it was recorded on, with a detached HEAD. DataLad then
 * lets the branch follow, and what came later is no longer on it (its S-01). Here HEAD returns, and the replay is merged if it differs.
 */
import { RepriseError } from '../core/errors.ts';
import { correspondingBranch } from '../dataset/adjusted.ts';
import { readHead } from '../dataset/refs.ts';
import { fillPointers } from '../dataset/pointers.ts';
import { git, gitText, type Repo } from '../dataset/repo.ts';
import { changingLocked, checkout, isAncestor } from './git-steps.ts';
import type { PlanStep, ReplayPlan } from './replay-plan.gen.ts';

/** Whether a step is replayed beside the branch: nothing new was made so far that its command would have to see. */
export function needsDetour(plan: ReplayPlan, step: PlanStep, head: string): boolean {
  const { checkout: other, start, linear } = plan;
  const isPossible = other === null && !linear && head === start.commit && correspondingBranch(start.ref) === null;
  return isPossible && head !== step.parents[0] && step.action === 'run' && step.parents.length === 2;
}

/**
 * Returns to where the rerun began, and merges what a detour made where its files differ from the recorded ones. Does what is left of that after a
 * kill, and nothing where the user has merged it.
 *
 * Throws `replay-conflict` where what came later changed the same files; the replay is then kept under `refs/reprise/replayed/<commit>`.
 * @param base what the step was executed on
 */
export async function returnFromDetour(
  repo: Repo,
  plan: ReplayPlan,
  step: PlanStep,
  { base, made }: { readonly base: string; readonly made: string },
): Promise<void> {
  const { start } = plan;
  const { ref, commit } = await readHead(repo);
  if (ref !== start.ref || !(await isAncestor(repo, start.commit, commit as string))) {
    await checkout(repo, start.commit);
    if (start.ref !== null) await git(repo, ['symbolic-ref', '-m', 'rerun', 'HEAD', start.ref]);
  }
  const [recorded] = step.parents as [string];
  if (made === recorded || (await treeOf(repo, made)) === (await treeOf(repo, step.commit))) return;
  const ours = (await readHead(repo)).commit as string;
  if (await isAncestor(repo, made, ours)) return;
  // A command that changed nothing on top of somebody's commit: only that commit is new.
  await changingLocked(repo, () => join(repo, step, made === base ? recorded : step.commit, ours, made));
}

/** Three-way: what the replay changed against the recorded run is added to what is there now. */
async function join(repo: Repo, step: PlanStep, old: string, ours: string, made: string): Promise<void> {
  const merged = await git(repo, ['read-tree', '-m', '-u', '--aggressive', old, ours, made], { accept: [0, 128] });
  if (merged.code !== 0 || (await gitText(repo, ['ls-files', '--unmerged'])) !== '') {
    await git(repo, ['read-tree', '--reset', '-u', ours]);
    throw await conflict(repo, step, made);
  }
  const tree = await gitText(repo, ['write-tree']);
  const message = `Join the replay of ${step.commit.slice(0, 7)}\n`;
  const commit = await gitText(repo, ['commit-tree', tree, '-p', ours, '-p', made, '-F', '-'], { input: message });
  await git(repo, ['update-ref', '-m', 'rerun', 'HEAD', commit, ours]);
  await fillPointers(repo, ours, commit);
}

async function conflict(repo: Repo, step: PlanStep, made: string): Promise<RepriseError> {
  const ref = `refs/reprise/replayed/${step.commit}`;
  await git(repo, ['update-ref', ref, made]);
  return new RepriseError(
    'replay-conflict',
    `The replay of ${step.commit} changed files that later commits changed as well, so it was not merged; it is kept as ${ref}`,
    {
      hints: [`git merge ${ref}   # and once that is done: reprise rerun --continue`, 'reprise rerun --abort'],
      data: { commit: step.commit, ref },
    },
  );
}

async function treeOf(repo: Repo, commit: string): Promise<string> {
  return gitText(repo, ['rev-parse', `${commit}^{tree}`]);
}
