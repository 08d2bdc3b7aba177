/** Runs inside runs: how each knows the others, and which commits made meanwhile are whose. */
import { dirname } from 'node:path';
import { findRepo, git, type Repo } from '../dataset/repo.ts';
import { type ReflogEntry, readMoves, readReflog } from '../dataset/reflog.ts';
import { parseMessage } from '../record/message.ts';
import { readJournals } from './journal.ts';

/** Environment variable that tells a command which run it belongs to; a run inside it takes it for its parent. */
const RUN_VARIABLE = 'REPRISE_RUN';

/** The run that this process is part of, if any. */
export function parentRun(env: NodeJS.ProcessEnv): string | null {
  const value = env[RUN_VARIABLE];
  return value !== undefined && /^[0-9a-f]{16}$/.test(value) ? value : null;
}

/** What a run adds to its command's environment: its id, and the word by which Git's reflog tells commits of this command from others. */
export function runVariables(id: string, env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const outer = runsOfAction(env['GIT_REFLOG_ACTION'] ?? '');
  return { [RUN_VARIABLE]: id, GIT_REFLOG_ACTION: `run ${[...outer, id].join('/')}` };
}

/** The words for the reflog by which a run's own commits are found again: the one with the record, and that of what was left over. */
export function reflogActions(
  id: string,
  env: NodeJS.ProcessEnv,
): { readonly record: string; readonly remainder: string } {
  const outer = runsOfAction(env['GIT_REFLOG_ACTION'] ?? '');
  // A command may have given the variable another value, as `git rebase` does for what it calls.
  const parent = parentRun(env);
  const runs = [...outer, ...(parent === null || outer.includes(parent) ? [] : [parent]), id].join('/');
  return { record: `record ${runs}`, remainder: `run ${runs}` };
}

/** The ids that a reflog action names, outermost first. */
function runsOfAction(action: string): readonly string[] {
  return /^(?:run|record) ([0-9a-f]{16}(?:\/[0-9a-f]{16})*)(?::|$)/.exec(action)?.[1]?.split('/') ?? [];
}

/** Whether it was the command of a run, or somebody else, that has checked out what is checked out: by the last such entry in the reflog of HEAD. */
export async function hasSwitched(repo: Repo, id: string): Promise<boolean> {
  const log = await git(repo, ['reflog', 'show', '--format=%gs', 'HEAD', '--'], { accept: [0, 128] });
  // Where an action was given, Git writes that and nothing else.
  const last = log.stdout
    .toString('utf8')
    .split('\n')
    .find((line) => /^(?:checkout: moving from |run [0-9a-f/]+$)/.test(line));
  return last !== undefined && runsOfAction(last).includes(id);
}

/** Whether the given run is going on in this dataset or in one around it. */
export function isInside(repo: Repo, run: string): boolean {
  if (readJournals(repo.gitDir).some((journal) => journal.id === run)) return true;
  const above = repo.root === '/' ? null : findRepo(dirname(repo.root), repo.context);
  return above !== null && isInside(above, run);
}

/** A run, as far as telling its commits from others needs it. */
export interface RunFamily {
  readonly id: string;
  /** Whether other processes are expected to commit meanwhile: then what nothing connects with this run is not its own. */
  readonly shared: boolean;
}

export interface CommitsMeanwhile {
  /** Commits that belong to our command: made by it, or by runs inside it. */
  readonly own: readonly string[];
  /** Those of them that hold no record of a run. */
  readonly plain: readonly string[];
  /** Ids of runs directly inside ours. */
  readonly children: readonly string[];
  /** Commits that others made meanwhile. */
  readonly foreign: readonly string[];
  /** A commit that carries this run's record already, as a landed one does that was amended or rebased since; not among the others. */
  readonly recorded: { readonly commit: string; readonly isMerge: boolean } | null;
}

export const NOTHING_MEANWHILE: CommitsMeanwhile = { own: [], plain: [], children: [], foreign: [], recorded: null };

/**
 * Sorts the commits made since the run began.
 *
 * A record names its run and its parent. For the rest the reflog tells: Git notes GIT_REFLOG_ACTION, which our command inherits. What has no
 * such trace is the command's in a dataset that was clean, where nobody else is expected; in a shared one it is somebody else's.
 */
export async function commitsMeanwhile(
  repo: Repo,
  family: RunFamily,
  from: string,
  to: string,
): Promise<CommitsMeanwhile> {
  const others = family.shared ? await recordedByOthers(repo, family.id, from, to) : null;
  if (others) return { ...NOTHING_MEANWHILE, foreign: others };
  const commits = await readCommits(repo, from, to);
  const members = new Set([family.id]);
  // A grandchild's commit may come before its parent's: repeat until nothing is added.
  for (let size = 0; size !== members.size; ) {
    size = members.size;
    for (const { extension } of commits)
      if (extension?.parent && members.has(extension.parent)) members.add(extension.run);
  }
  const traces = traceCommits(
    await readReflog(repo),
    commits.map(({ commit }) => commit),
  );
  const recorded = commits.find(({ extension }) => extension?.run === family.id) ?? null;
  const isOwn = ({ commit, extension }: CommitFacts): boolean => {
    if (extension) return members.has(extension.run);
    const action = traces.get(commit);
    if (action !== undefined && runsOfAction(action).includes(family.id)) return true;
    return !family.shared && (action === undefined || !/^(run|record)\b/.test(action));
  };
  const rest = commits.filter((facts) => facts !== recorded);
  const own = rest.filter(isOwn);
  return {
    own: own.map(({ commit }) => commit),
    plain: own.filter(({ isRun }) => !isRun).map(({ commit }) => commit),
    children: [...new Set(own.flatMap(({ extension }) => (extension?.parent === family.id ? [extension.run] : [])))],
    foreign: rest.filter((facts) => !isOwn(facts)).map(({ commit }) => commit),
    recorded,
  };
}

/**
 * The commits that led from one commit to another, where each was recorded by a run that has nothing to do with the given one; null where that is not
 * certain. It is told by the reflog alone: of many runs at once, none reads the records of all others.
 */
export async function recordedByOthers(
  repo: Repo,
  id: string,
  from: string,
  to: string,
): Promise<readonly string[] | null> {
  const moves = await readMoves(repo, from, to);
  const isOthers = ({ message }: ReflogEntry) => {
    const runs = message.startsWith('record ') ? runsOfAction(message) : [];
    return runs.length > 0 && !runs.includes(id);
  };
  return moves?.every(isOthers) ? moves.map((move) => move.to) : null;
}

/** Whether all that was committed after one commit and up to another was made by commands whose runs are not recorded there: they failed, or were cut off. */
export async function leftByCommands(repo: Repo, from: string, to: string): Promise<boolean> {
  const commits = await readCommits(repo, from, to);
  const traces = traceCommits(
    await readReflog(repo),
    commits.map(({ commit }) => commit),
  );
  const actions = commits.map(({ commit }) => traces.get(commit) ?? '');
  const recorded = new Set([
    ...commits.map(({ extension }) => extension?.run),
    ...actions.map((action) => (action.startsWith('record ') ? runsOfAction(action).at(-1) : undefined)),
  ]);
  const around = runsOfAction(repo.context.env['GIT_REFLOG_ACTION'] ?? '').length;
  const outermost = actions.map((action) => runsOfAction(action)[around]);
  return outermost.every((run) => run !== undefined && !recorded.has(run));
}

interface CommitFacts {
  readonly commit: string;
  readonly isMerge: boolean;
  readonly isRun: boolean;
  readonly extension: { readonly run: string; readonly parent?: string } | undefined;
}

async function readCommits(repo: Repo, from: string, to: string): Promise<readonly CommitFacts[]> {
  const output = await git(repo, ['log', '-z', '--reverse', '--topo-order', '--format=%H %P%n%B', `${from}..${to}`]);
  return output.stdout
    .toString('utf8')
    .split('\0')
    .filter((entry) => entry !== '')
    .map((entry) => {
      const [names = '', ...rest] = entry.split('\n');
      const [commit = '', ...parents] = names.trim().split(' ');
      const parsed = parseMessage(rest.join('\n'), { commit });
      const extension = parsed.kind === 'record' ? parsed.record.reprise : undefined;
      return {
        commit,
        isMerge: parents.length > 1,
        isRun: parsed.kind === 'record' || parsed.kind === 'sidecar',
        extension,
      };
    });
}

/** The reflog action by which each commit came to the branch; one entry may bring several, as a merge or a pull does. */
function traceCommits(reflog: readonly ReflogEntry[], commits: readonly string[]): ReadonlyMap<string, string> {
  const traces = new Map<string, string>();
  let waiting: string[] = [];
  const byTip = new Map(reflog.map((entry) => [entry.to, entry.message]));
  for (const commit of commits) {
    waiting.push(commit);
    const message = byTip.get(commit);
    if (message === undefined) continue;
    for (const one of waiting) traces.set(one, message);
    waiting = [];
  }
  return traces;
}
