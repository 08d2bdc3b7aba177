/**
 * What the sides of a forked history have come to, for whoever builds on them.
 *
 * A commit of the old history is replaced where a step made something of it. Of one that was skipped, picked and found empty, or executed with the
 * same results, nothing was made: it only stands on what was made of the commits below. DataLad forgets that, so that what comes later on this side is built on
 * whatever HEAD is at, and a merge takes the old commit: what was replayed below is then left behind.
 */
import type { Repo } from '../dataset/repo.ts';
import { isAncestor } from './git-steps.ts';
import type { PlanStep, ReplayPlan } from './replay-plan.gen.ts';

export interface Sides {
  /** Commits of the old history -> those that took their place. */
  readonly replaced: ReadonlyMap<string, string>;
  /** Commits of the old history of which nothing was made -> the commit, made by the rerun, that they stand on. */
  readonly standing: ReadonlyMap<string, string>;
}

/** What each parent of a merge is now: null for one that is as it was, or of which all that was made is in another one. */
export async function newParents(
  repo: Repo,
  { parents }: PlanStep,
  { replaced, standing }: Sides,
): Promise<readonly (string | null)[]> {
  const found = parents.map((parent) => replaced.get(parent) ?? standing.get(parent) ?? null);
  const inAnother = async (own: string, at: number) => {
    for (const [position, other] of found.entries()) {
      // Of two that stand on the same, the first one counts.
      const counts = other !== own || position < at || replaced.has(parents[position] as string);
      if (other !== null && position !== at && counts && (await isAncestor(repo, own, other))) return true;
    }
    return false;
  };
  const kept: (string | null)[] = [];
  for (const [at, own] of found.entries()) {
    const isStanding = own !== null && !replaced.has(parents[at] as string);
    kept.push(isStanding && (await inAnother(own, at)) ? null : own);
  }
  return kept;
}

const known = new WeakMap<ReplayPlan, ReadonlySet<string>>();

/** Whether a commit, at which HEAD was while a plan was carried out, was made meanwhile. */
export function isNew(plan: ReplayPlan, commit: string): boolean {
  const { start, revision, checkout, steps } = plan;
  const old =
    known.get(plan) ??
    new Set([
      start.commit,
      revision,
      ...(checkout ? [checkout.commit] : []),
      ...steps.flatMap((step) => [step.commit, ...step.parents]),
    ]);
  known.set(plan, old);
  return !old.has(commit);
}

/** Whether something was made of a commit of the old history, or of one below that it stands on. */
export function isReplayed(plan: ReplayPlan, commit: string, { replaced, standing }: Sides): boolean {
  const now = replaced.get(commit) ?? standing.get(commit);
  return now !== undefined && isNew(plan, now);
}
