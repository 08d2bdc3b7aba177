/**
 * One commit of exactly the given paths, made beside the shared index.
 *
 * Content goes into the annex first, outside any lock. Then, in order: our lock, Git's index lock, staging into a copy of the
 * index, a check of what was staged, the commit by fast-import, refs by compare-and-swap, the new index. Other entries of the
 * index, staged or not, stay as they are and are not committed.
 */
import { decodeText } from '../core/bytes.ts';
import type { Config } from '../core/config.ts';
import { RepriseError } from '../core/errors.ts';
import { randomId } from '../sys/owner.ts';
import { propagateAdjusted } from './adjusted.ts';
import { type Change, mergeStored, type StorePlan, storeContent } from './content-store.ts';
import { type FakeClock, fakeClock } from './fake-dates.ts';
import { type Identities, identities, type TreeChange, writeCommits } from './fast-import.ts';
import { assertNothingHalfDone } from './half-done.ts';
import { beginLanding, type Landing } from './landing.ts';
import { discard, type ForeseenLink, foreseeLinks, isForeseen, movesOf, writeLanding } from './landing-commits.ts';
import { readHead } from './refs.ts';
import { git, gitText, type Repo } from './repo.ts';
import { takeSaveLock } from './save-lock.ts';
import { type CommittedEntry, verifyStaged, withKeys } from './staged-entries.ts';
import { readStaged, splitByPresence, type StagedEntry, stageInto } from './staging.ts';

export interface CommitRequest {
  /** Paths relative to the root; what is on disk decides: present is staged, absent is deleted. */
  readonly changes: readonly Change[];
  readonly message: string;
  /** Never into the annex. */
  readonly toGit?: boolean;
  /** Content of some of the changes that was stored before. */
  readonly stored?: StorePlan;
  /** Commit although nothing changed. */
  readonly allowEmpty?: boolean;
  /** Replace the last commit instead of following it. */
  readonly amend?: boolean;
  /** What the reflog calls this, instead of `commit`. */
  readonly action?: string;
  /** Told of each commit that is about to land; the last one is it. */
  readonly landing?: (commit: string) => void;
  /** Set when the caller holds the save lock of this repository. */
  readonly locked?: boolean;
}

export interface CommitOutcome {
  /** Full name of the new commit, or null when there was nothing to commit. */
  readonly commit: string | null;
  readonly entries: readonly CommittedEntry[];
}

/** How often a commit is built anew when somebody who knows no lock moves the branch. */
const ATTEMPTS = 100;

/** Commits the given paths; throws `not-a-dataset` while Git has something half-done, `save-failed`, `annex-failed`, `stage-mismatch`, `lock-timeout`, `branch-moved`, `identity-missing`, `disk-full`. */
export async function commitChanges(repo: Repo, config: Config, request: CommitRequest): Promise<CommitOutcome> {
  assertNothingHalfDone(repo);
  if (request.changes.length === 0 && !request.allowEmpty && !request.amend) return { commit: null, entries: [] };
  const { present, absent } = splitByPresence(repo, request.changes);
  const whoCommits = identities(repo, config);
  const clock = fakeClock(repo, config);
  // Awaited only when there is something to commit; until then its failure is nobody's.
  whoCommits.catch(() => {});
  const store = await storeRest(repo, config, present, request);
  const deleted = absent.map((change) => change.path);
  const lock = request.locked ? null : await takeSaveLock(repo);
  try {
    const id = randomId();
    return await landUntilDone(repo, (landing) =>
      land(repo, landing, request, { ...store, deleted, id, whoCommits, clock }),
    );
  } finally {
    lock?.release();
  }
}

/** Stores what was not stored before. */
async function storeRest(
  repo: Repo,
  config: Config,
  present: readonly Change[],
  request: CommitRequest,
): Promise<StorePlan> {
  const { stored, toGit = false } = request;
  const left = stored ? present.filter((change) => !stored.present.has(change.path)) : present;
  const rest = await storeContent(repo, config, left, toGit);
  return stored ? mergeStored(stored, rest) : rest;
}

/** A commit that no branch gets. */
export interface AsideRequest {
  /** Full name of the ref that keeps it. */
  readonly ref: string;
  readonly changes: readonly Change[];
  readonly message: string;
}

/** Commits the given paths on top of HEAD to a ref of their own; index and branch stay as they are. Errors as `commitChanges`. */
export async function commitAside(repo: Repo, config: Config, request: AsideRequest): Promise<string> {
  const { present, absent } = splitByPresence(repo, request.changes);
  const store = await storeContent(repo, config, present, false);
  const lock = await takeSaveLock(repo);
  const landing = await beginLanding(repo);
  try {
    const head = await readHead(repo);
    await stageInto(repo, landing.index, { ...store, deleted: absent.map((change) => change.path) });
    const staged = await readStaged(
      repo,
      landing.index,
      head.commit,
      new Set(request.changes.map((change) => change.path)),
    );
    verifyStaged(repo, store, staged);
    const who = (await identities(repo, config))(await fakeClock(repo, config)());
    const parents = head.commit ? [head.commit] : [];
    const [commit] = await writeCommits(repo, [
      { ref: request.ref, parents, message: request.message, changes: staged.map(toTreeChange), ...who },
    ]);
    return commit as string;
  } finally {
    landing.release();
    lock.release();
  }
}

/** A commit without changes of its own. */
export interface JoinRequest {
  /** Parents, first parent first; the last one's tree is the commit's tree. */
  readonly parents: readonly [string, ...string[]];
  readonly message: string;
  /** What the reflog calls this, instead of `commit (merge)`. */
  readonly action?: string;
  /** As for other commits. */
  readonly landing?: (commit: string) => void;
}

/** Commits a merge whose tree is that of its last parent; null where HEAD is not (any longer) that parent. The caller holds the save lock. */
export async function commitJoin(repo: Repo, config: Config, request: JoinRequest): Promise<string | null> {
  assertNothingHalfDone(repo);
  const id = randomId();
  const tip = request.parents.at(-1) as string;
  const outcome = await landUntilDone(repo, async (landing) => {
    const head = await readHead(repo);
    if (head.commit !== tip) return { commit: null, entries: [] };
    const who = (await identities(repo, config))(await fakeClock(repo, config)());
    const plan = {
      ref: `refs/reprise/landing/${id}`,
      parents: request.parents,
      tree: await treeOf(repo, tip),
      message: request.message,
      changes: [],
      ...who,
    };
    const [commit] = (await writeCommits(repo, [plan])) as [string];
    request.landing?.(commit);
    const moves = [
      { ref: head.ref ?? 'HEAD', from: tip, to: commit },
      { ref: plan.ref, from: commit, to: null },
    ];
    return (await landing.commit(moves, `${request.action ?? 'commit (merge)'}: ${request.message}`))
      ? { commit, entries: [] }
      : null;
  });
  return outcome.commit;
}

/** Builds and lands until nobody has moved a ref in between. */
async function landUntilDone(
  repo: Repo,
  build: (landing: Landing) => Promise<CommitOutcome | null>,
): Promise<CommitOutcome> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    const landing = await beginLanding(repo);
    let outcome: CommitOutcome | null;
    try {
      outcome = await build(landing);
    } finally {
      landing.release();
    }
    if (outcome)
      return outcome.commit ? { ...outcome, commit: await propagateAdjusted(repo, outcome.commit) } : outcome;
  }
  throw new RepriseError(
    'branch-moved',
    `The branch of ${repo.root} was moved by somebody else ${ATTEMPTS} times while a commit was landing`,
  );
}

/** A stored change on its way, with the name that its temporary refs keep over all attempts. */
interface LandingPlan extends StorePlan {
  readonly deleted: readonly string[];
  readonly id: string;
  readonly whoCommits: Promise<(fakeDate: number | null) => Identities>;
  readonly clock: FakeClock;
}

async function land(
  repo: Repo,
  landing: Landing,
  request: CommitRequest,
  plan: LandingPlan,
): Promise<CommitOutcome | null> {
  const head = await readHead(repo);
  // git-annex, should it add files, gives its own commit this date, too.
  const annexDate = await plan.clock();
  const write = async (changes: readonly TreeChange[], keys: readonly string[]) => {
    const stamp = await plan.whoCommits;
    return writeLanding(repo, plan, changes, keys, {
      ref: `refs/reprise/landing/${plan.id}`,
      change: async (withPresence) => ({
        parents: head.commit ? [head.commit] : [],
        message: request.message,
        ...stamp(withPresence && annexDate !== null ? annexDate + 1 : await plan.clock()),
        ...(request.amend && head.commit ? await replacedCommit(repo, head.commit) : null),
      }),
      annex: stamp(annexDate),
      annexDate,
    });
  };
  const foreseen = request.allowEmpty || request.amend ? null : foreseeLinks(repo, plan, plan.deleted);
  const early = foreseen && write(foreseen.map(toLink), keysAt(plan, foreseen));
  // Its failure counts once it is needed.
  early?.catch(() => {});
  let staged: readonly StagedEntry[];
  try {
    await stageInto(repo, landing.index, plan);
    const paths = new Set(request.changes.map((change) => change.path));
    staged = await readStaged(repo, landing.index, head.commit, paths);
    verifyStaged(repo, plan, staged);
  } catch (error) {
    await early?.then((written) => discard(repo, written)).catch(() => {});
    throw error;
  }
  const entries = await withKeys(repo, plan, staged);
  const isKept = foreseen !== null && isForeseen(foreseen, staged);
  if (early && !isKept) await discard(repo, await early);
  if (staged.length === 0 && !request.allowEmpty && !request.amend) {
    landing.keepIndex();
    return { commit: null, entries };
  }
  const written = await (early && isKept
    ? early
    : write(
        staged.map(toTreeChange),
        entries.flatMap((entry) => entry.key ?? []),
      ));
  const commit = written.commits[0] as string;
  request.landing?.(commit);
  const moves = movesOf(written, head.ref ?? 'HEAD', head.commit);
  if (!(await landing.commit(moves, `${request.action ?? 'commit'}: ${request.message}`))) {
    // The next attempt may need fewer of them.
    await discard(repo, written);
    return null;
  }
  return { commit, entries };
}

function keysAt({ keys }: StorePlan, links: readonly ForeseenLink[]): readonly string[] {
  return links.flatMap(({ path }) => keys.get(path) ?? []);
}

function toLink({ path, content }: ForeseenLink): TreeChange {
  return { path, mode: '120000', content };
}

/** What an amended commit keeps of the one that it replaces: its place, its tree to start from, and its author with the author's date. */
async function replacedCommit(repo: Repo, commit: string) {
  const bytes = (await git(repo, ['cat-file', 'commit', commit])).stdout;
  const encoding = /^encoding (.+)$/m.exec(bytes.toString('latin1', 0, bytes.indexOf('\n\n')))?.[1] ?? '';
  const header = decodeText(bytes.subarray(0, bytes.indexOf('\n\n')), encoding).split('\n');
  const values = (field: string) =>
    header.flatMap((line) => (line.startsWith(`${field} `) ? line.slice(field.length + 1) : []));
  const [[tree], parents, [author]] = [values('tree'), values('parent'), values('author')];
  return { parents, ...(tree === undefined ? {} : { tree }), ...(author === undefined ? {} : { author }) };
}

async function treeOf(repo: Repo, commit: string): Promise<string> {
  return gitText(repo, ['rev-parse', `${commit}^{tree}`]);
}

function toTreeChange(entry: StagedEntry): TreeChange {
  return entry.status === 'deleted'
    ? { path: entry.path, deleted: true }
    : { path: entry.path, mode: entry.mode, sha: entry.sha };
}
