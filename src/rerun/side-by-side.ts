/**
 * Several records at once: while one is executed in the work tree, later ones that do not depend on what is still to come are executed in
 * workspaces. Their results land in recorded order, so that the history is the same however many run at once.
 */
import { decodeName, joinNul } from '../core/bytes.ts';
import type { Config } from '../core/config.ts';
import type { Event, Result } from '../core/result.ts';
import { correspondingBranch } from '../dataset/adjusted.ts';
import { commitChanges } from '../dataset/commit.ts';
import { realPaths } from '../dataset/real-paths.ts';
import { fillPointers, pointersAmong } from '../dataset/pointers.ts';
import { readHead } from '../dataset/refs.ts';
import { readConfig } from '../dataset/read-config.ts';
import { git, type Repo } from '../dataset/repo.ts';
import { adoptCommit } from '../dataset/workspace-adopt.ts';
import { openWorkspace, type Workspace } from '../dataset/workspace.ts';
import { WITHOUT_HOOKS } from '../dataset/worktree.ts';
import { readChanges } from './changes.ts';
import { changing } from './git-steps.ts';
import { createClaims, type Footprint, footprintOf } from './independence.ts';
import type { PlanStep, ReplayPlan } from './replay-plan.gen.ts';
import { replayStep } from './replay-step.ts';
import type { ReplayRequest } from './request.ts';
import { relocated } from './relocated.ts';
import { createTurns, type Turns } from './turns.ts';

/** How far ahead of the present step another one is looked for. */
const HORIZON = 64;
/** How many workspaces there may be for each command that may be executed at once: those whose results wait for their turn hold theirs. */
const PLACES = 4;

/** A step that was executed ahead of its turn. */
interface Ahead {
  /** The commit that it was executed on. */
  readonly base: string;
  readonly workspace: Workspace;
  /** The commit with its results; the base where nothing changed. */
  readonly commit: string;
  readonly result: Result;
  /** What happened meanwhile, to be told in its turn. */
  readonly events: readonly Event[];
}

export interface SideBySide {
  /** Executes a step, or lands what was executed ahead; returns the result of the run. Throws what `run` throws. */
  execute(step: PlanStep, head: string): Promise<Result>;
  /** Ends what nobody waits for any more. */
  close(): Promise<void>;
}

/**
 * Executes steps with up to `jobs` commands at once.
 *
 * @param contained commits of the plan that the start holds already
 */
export function sideBySide(
  repo: Repo,
  config: Config,
  plan: ReplayPlan,
  request: ReplayRequest,
  contained: ReadonlySet<string>,
  report: (result: Result) => void,
): SideBySide {
  // On an adjusted branch the work tree has other files than the commits.
  const jobs = request.explicit || correspondingBranch(plan.start.ref) !== null ? 1 : (request.jobs ?? 1);
  const { steps } = plan;
  const footprints = new Map<number, Footprint>();
  const real = realPaths(repo.root);
  const footprint = (at: number): Footprint => {
    const known = footprints.get(at) ?? footprintOf(steps[at] as PlanStep, real, contained);
    footprints.set(at, known);
    return known;
  };
  const turns = createTurns(jobs);
  const started = new Map<number, { readonly base: string; readonly ahead: Promise<Ahead> }>();
  /** How many steps are being executed ahead, or made ready for it; of how many of those the workspace is not there yet. */
  let unfinished = 0;
  let opening = 0;
  let at = 0;
  let base = '';
  let open = true;

  /** Starts later steps that need nothing from the present one and those in between; none of them has landed. */
  const lookAhead = (): void => {
    const claims = createClaims();
    claims.add(footprint(at));
    for (let next = at + 1; next < Math.min(steps.length, at + HORIZON); next += 1) {
      if (!open || started.size >= PLACES * jobs) return;
      // While some are executed, as many are made ready, one by one: a command that ends makes room for one that can start at once.
      if (unfinished >= jobs && (opening > 0 || unfinished >= 2 * jobs)) return;
      if (!plan.linear && !follows(steps, next)) return;
      const own = footprint(next);
      if (own.isBarrier) return;
      if (steps[next]?.action === 'run' && !started.has(next) && !claims.concern(own)) begin(next);
      claims.add(own);
    }
  };

  const begin = (next: number): void => {
    unfinished += 1;
    opening += 1;
    const workspace = openWorkspace(repo, base, { subdatasets: 'recorded', content: 'present' });
    const ahead = workspace.then((place) =>
      executeAhead(repo, plan, request, steps[next] as PlanStep, base, place, turns),
    );
    // Failures are told when their turn comes.
    workspace
      .catch(() => {})
      .finally(() => {
        opening -= 1;
        lookAhead();
      });
    ahead
      .catch(() => {})
      .finally(() => {
        unfinished -= 1;
        lookAhead();
      });
    started.set(next, { base, ahead });
  };

  return {
    async execute(step, head) {
      at = steps.indexOf(step, at);
      base = head;
      for (const past of footprints.keys()) if (past < at) footprints.delete(past);
      if (jobs > 1) lookAhead();
      const begun = started.get(at);
      if (begun) {
        const between = await changedBetween(repo, begun.base, head);
        // What came in between was not foreseen: the step has seen another state, whatever became of it.
        const isOutdated = meets(footprint(at), between);
        const done = isOutdated ? await begun.ahead.catch(() => null) : await begun.ahead;
        started.delete(at);
        try {
          if (done && !isOutdated && (await land(repo, config, done, head, between))) {
            for (const event of done.events) {
              if (event.kind === 'result') report(event.result);
              else repo.context.emit(event);
            }
            return done.result;
          }
        } finally {
          await done?.workspace.close();
        }
      }
      const end = await turns.take(true);
      try {
        return await replayStep(repo, config, plan, request, step, report, repo.root);
      } finally {
        end();
      }
    },
    async close() {
      open = false;
      turns.close();
      const left = await Promise.allSettled([...started.values()].map(({ ahead }) => ahead));
      for (const one of left) if (one.status === 'fulfilled') await one.value.workspace.close();
    },
  };
}

/** Whether a step is built on what the one before it in the plan leaves. */
function follows(steps: readonly PlanStep[], at: number): boolean {
  const step = steps[at];
  return step !== undefined && step.parents.length === 1 && step.parents[0] === steps[at - 1]?.commit;
}

/** Paths that differ between two commits. */
async function changedBetween(repo: Repo, from: string, to: string): Promise<ReadonlySet<string>> {
  const changes = from === to ? [] : ((await readChanges(repo, [{ commit: to, parents: [from] }])).get(to) ?? []);
  return new Set(changes.map(({ path }) => path));
}

/** Whether a step reads or writes what is, or lies in or around, one of some paths. */
function meets(step: Footprint, paths: ReadonlySet<string>): boolean {
  const claims = createClaims();
  claims.add({ reads: [], writes: [...paths], isBarrier: false });
  return claims.concern(step);
}

async function executeAhead(
  repo: Repo,
  plan: ReplayPlan,
  request: ReplayRequest,
  step: PlanStep,
  base: string,
  workspace: Workspace,
  turns: Turns,
): Promise<Ahead> {
  const events: Event[] = [];
  try {
    const context = { ...workspace.repo.context, emit: (event: Event) => void events.push(event) };
    const inside = { ...workspace.repo, context };
    const config = await readConfig(inside);
    const tell = (one: Result) =>
      void events.push({ kind: 'result', result: relocated(one, workspace.root, repo.root) });
    const end = await turns.take();
    let result: Result;
    try {
      result = await replayStep(inside, config, plan, request, step, tell, repo.root);
    } finally {
      end();
    }
    const { commit } = await readHead(inside);
    return { base, workspace, commit: commit as string, result: relocated(result, workspace.root, repo.root), events };
  } catch (error) {
    await workspace.close();
    throw error;
  }
}

/**
 * Takes over what a step committed in its workspace, on top of what has landed since it began.
 *
 * Returns false, with nothing changed, where that cannot be done as if it had been executed now: it made commits of its own, changed
 * subdatasets, or both it and somebody in between wrote the same file without saying so.
 */
async function land(
  repo: Repo,
  config: Config,
  ahead: Ahead,
  head: string,
  between: ReadonlySet<string>,
): Promise<boolean> {
  const { base, commit, workspace } = ahead;
  if (commit === base) return true;
  const parents = (await git(workspace.repo, ['rev-list', '--parents', '-n', '1', commit])).stdout
    .toString('latin1')
    .trim()
    .split(' ')
    .slice(1);
  const changes = (await readChanges(workspace.repo, [{ commit, parents: [base] }])).get(commit) ?? [];
  if (
    parents.length !== 1 ||
    parents[0] !== base ||
    changes.some(({ newMode, oldMode }) => [newMode, oldMode].includes('160000'))
  )
    return false;
  if (changes.some(({ path }) => between.has(path))) return false;
  const written = new Map(changes.map(({ path, newMode, newSha }) => [path, { mode: newMode, sha: newSha }]));
  const pointers = await pointersAmong(workspace.repo, written);
  // What was unlocked stays so; whether a new file is to be is git-annex's to say, where the file is.
  if (changes.some(({ path, oldMode }) => pointers.has(path) && !oldMode.startsWith('100'))) return false;
  const message = (await git(workspace.repo, ['cat-file', 'commit', commit])).stdout;
  await adoptCommit(workspace.repo, commit);
  // Until the commit has landed, what is put into the work tree is known to be ours.
  await changing(repo, async () => {
    const args = ['restore', '--worktree', `--source=${commit}`, '--pathspec-from-file=-', '--pathspec-file-nul'];
    await git(repo, [...WITHOUT_HOOKS, '--literal-pathspecs', ...args], {
      input: joinNul(changes.map(({ path }) => path)),
    });
    const landed = await commitChanges(repo, config, {
      // What is in Git there is in Git here, a sidecar above all.
      changes: changes.map(({ path, newMode }) => ({ path, inGit: newMode.startsWith('100') && !pointers.has(path) })),
      message: decodeName(message.subarray(message.indexOf('\n\n') + 2)),
    });
    if (landed.commit) await fillPointers(repo, head, landed.commit);
  });
  return true;
}
