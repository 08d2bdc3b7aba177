/**
 * The rerun that goes on in a work tree, or was stopped there: what it was asked for, and who works on it.
 *
 * `<gitdir>/reprise/rerun/request.json` holds the plan and the options, written once. Whoever works on it holds `<gitdir>/reprise/rerun.lock` from
 * before the plan is made to the end: of several that begin, continue or undo at once one does so, and the lock of one that was killed is taken over.
 */
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { RepriseError } from '../core/errors.ts';
import { quoteWord } from '../core/quote.ts';
import type { Head } from '../dataset/refs.ts';
import type { Repo } from '../dataset/repo.ts';
import { rerunLock } from '../run/at-work.ts';
import { readOrNull, removeIfThere, writeAtomic } from '../sys/files.ts';
import { type Lock, readOwner, tryTakeLock } from '../sys/lock.ts';
import type { ReplayPlan } from './replay-plan.gen.ts';
import type { ReplayRequest } from './request.ts';

export interface Kept {
  readonly version: 1;
  readonly id: string;
  readonly plan: ReplayPlan;
  /** Refs that git-annex moves along with an adjusted branch, and where they were: null for one that was not there. The branch that it was made from comes first. */
  readonly refs: readonly (readonly [ref: string, commit: string | null])[];
  /** Where each installed subdataset was. */
  readonly subdatasets: readonly (Head & { readonly path: string })[];
  /** What `git rev-list` is asked for the commits of the plan. */
  readonly range: readonly string[];
  readonly request: ReplayRequest;
}

/** Where all that is known of a rerun lies. */
export function rerunFolder(gitDir: string): string {
  return join(gitDir, 'reprise/rerun');
}

function requestFile(gitDir: string): string {
  return join(rerunFolder(gitDir), 'request.json');
}

/**
 * Makes this process the one that works on a rerun in a work tree; throws `replay-pending` where another one does.
 *
 * @param explicit whether explicit runs may go on beside it
 */
export function startWork(repo: Repo, explicit: boolean): Lock {
  const path = rerunLock(repo.gitDir);
  mkdirSync(join(repo.gitDir, 'reprise'), { recursive: true });
  const lock = tryTakeLock(path, explicit ? 'explicit' : undefined);
  if (lock !== null) return lock;
  const holder = readOwner(path);
  throw new RepriseError('replay-pending', `Another rerun is going on in ${repo.root}`, {
    hints: holder ? [`rm ${quoteWord(path)}   # only if process ${holder.pid} on ${holder.host} is gone`] : [],
    data: { path, holder },
  });
}

/** Begins to keep a rerun. */
export function keepRequest(gitDir: string, request: Omit<Kept, 'version'>): Kept {
  const kept: Kept = { version: 1, ...request };
  rmSync(rerunFolder(gitDir), { recursive: true, force: true });
  writeAtomic(requestFile(gitDir), `${JSON.stringify(kept)}\n`, { durable: true });
  return kept;
}

/** The rerun that was stopped half-way, or goes on, in a repository. */
export function readKept(gitDir: string): Kept | null {
  const bytes = readOrNull(requestFile(gitDir));
  if (bytes === null) return null;
  try {
    const kept = JSON.parse(bytes.toString('utf8')) as Kept;
    return kept.version === 1 ? kept : null;
  } catch {
    return null;
  }
}

/** Refuses to begin a rerun while a stopped one is not done; `replay-pending`. */
export function assertNoneStopped(gitDir: string): void {
  if (readKept(gitDir) === null) return;
  throw new RepriseError('replay-pending', 'A rerun was stopped half-way in this dataset', {
    hints: ['reprise rerun --continue', 'reprise rerun --abort'],
  });
}

/** Forgets a rerun that is complete or undone, or what a kill has left of one that was about to begin. */
export function forget(gitDir: string): void {
  // First, so that a kill leaves no request without its progress, which would begin anew.
  removeIfThere(requestFile(gitDir));
  rmSync(rerunFolder(gitDir), { recursive: true, force: true });
}
