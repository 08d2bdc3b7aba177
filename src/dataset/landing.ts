/**
 * Landing a commit: refs and index change together, or not at all.
 *
 * While a commit lands we hold Git's own `index.lock`, so that no `git commit`, `git add` or DataLad works on an index that
 * does not know the new commit yet (it would revert it). The new index is prepared in a file of its own; then the refs move by
 * compare-and-swap; then the new index takes its place. A process killed in between leaves a marker in `index.lock`, from
 * which the next one of us completes or undoes the step (`settle`).
 */
import { constants, copyFileSync, linkSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { RepriseError } from '../core/errors.ts';
import { quoteWord } from '../core/quote.ts';
import { readOrNull, writeAtomic } from '../sys/files.ts';
import { isGone, type Owner, randomId, thisOwner } from '../sys/owner.ts';
import { git, type Repo } from './repo.ts';
import { readRef } from './refs.ts';

/** How long a foreign Git process may hold the index before we give up. */
const INDEX_PATIENCE_MS = 2 * 60 * 1000;

/** How long a foreign Git process may hold a ref: as a rule it takes milliseconds, but it may run a hook meanwhile. */
const REF_PATIENCE_MS = 10 * 1000;

export interface RefChange {
  /** Full name of a ref, or `HEAD` when it is detached. */
  readonly ref: string;
  /** Expected old value; null when the ref must not exist. */
  readonly from: string | null;
  /** New value; null deletes the ref. */
  readonly to: string | null;
}

export interface Landing {
  /** The index being prepared: give it to Git as GIT_INDEX_FILE. */
  readonly index: string;
  /** Moves the refs and puts the new index in place. False when a ref was moved by somebody else: prepare again. */
  commit(changes: readonly RefChange[], reason: string): Promise<boolean>;
  /** Takes over the prepared index although no ref moves. */
  keepIndex(): void;
  /** Ends the landing; after `commit` or `keepIndex` this changes nothing. */
  release(): void;
}

interface Marker {
  readonly reprise: 'landing';
  readonly owner: Owner;
  readonly next: string;
  /** The branch's change, once it is about to happen. */
  readonly change?: RefChange;
}

/** Takes the index of a repository for a landing; waits for other Git processes. Throws `lock-timeout`. */
export async function beginLanding(repo: Repo): Promise<Landing> {
  const lock = join(repo.gitDir, 'index.lock');
  const real = join(repo.gitDir, 'index');
  const next = join(repo.gitDir, `index.reprise-${randomId()}`);
  const marker: Marker = { reprise: 'landing', owner: thisOwner(), next };
  await takeIndexLock(repo, lock, marker);
  try {
    copyIndex(real, next);
  } catch (error) {
    rmSync(lock, { force: true });
    throw error;
  }
  const place = () => {
    if (statSync(next, { throwIfNoEntry: false })) renameSync(next, real);
  };
  return {
    index: next,
    async commit(changes, reason) {
      const change = changes[0];
      writeAtomic(lock, JSON.stringify(change ? { ...marker, change } : marker));
      if (!(await updateRefs(repo, changes, reason))) return false;
      place();
      return true;
    },
    keepIndex: place,
    release() {
      rmSync(next, { force: true });
      rmSync(`${next}.lock`, { force: true });
      rmSync(lock, { force: true });
    },
  };
}

/**
 * Copies an index with its modification time: Git takes a file for unchanged without reading it only if it is older than the index.
 *
 * The time is set a microsecond early, because rounding must not make it later.
 */
function copyIndex(from: string, to: string): void {
  const stat = statSync(from, { throwIfNoEntry: false });
  if (!stat) return;
  copyFileSync(from, to, constants.COPYFILE_FICLONE);
  const seconds = stat.mtimeMs / 1000 - 1e-6;
  utimesSync(to, seconds, seconds);
}

async function takeIndexLock(repo: Repo, lock: string, marker: Marker): Promise<void> {
  const deadline = Date.now() + INDEX_PATIENCE_MS;
  // Written first and linked then: a marker that is there is whole, whenever we are killed.
  const own = `${marker.next}.marker`;
  writeFileSync(own, JSON.stringify(marker));
  try {
    while (!tryLink(own, lock)) {
      if (await settle(repo)) continue;
      if (Date.now() > deadline) {
        throw new RepriseError('lock-timeout', `Another Git process has been holding ${lock} for too long`, {
          hints: [`rm ${quoteWord(lock)}   # only if no Git process is running`],
          data: { path: lock },
        });
      }
      await sleep(3 + Math.random() * 20);
    }
  } finally {
    rmSync(own, { force: true });
  }
}

function tryLink(from: string, to: string): boolean {
  try {
    linkSync(from, to);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

/** Completes or undoes a landing whose process is gone. True when there was one. The caller holds the save lock. */
export async function settle(repo: Repo): Promise<boolean> {
  const lock = join(repo.gitDir, 'index.lock');
  const marker = parseMarker(readOrNull(lock));
  if (!marker || !isGone(marker.owner)) return false;
  const next = marker.next;
  if (
    marker.change &&
    (await readRef(repo, marker.change.ref)) === marker.change.to &&
    statSync(next, { throwIfNoEntry: false })
  ) {
    renameSync(next, join(repo.gitDir, 'index'));
  }
  rmSync(next, { force: true });
  rmSync(`${next}.lock`, { force: true });
  rmSync(lock, { force: true });
  return true;
}

function parseMarker(bytes: Buffer | null): Marker | null {
  if (!bytes || bytes[0] !== 0x7b) return null;
  try {
    const value = JSON.parse(bytes.toString('utf8')) as Partial<Marker>;
    return value.reprise === 'landing' && value.owner && typeof value.next === 'string' ? (value as Marker) : null;
  } catch {
    return null;
  }
}

/** One transaction of compare-and-swap changes; false when an old value did not hold. Throws `lock-timeout`. */
export async function updateRefs(repo: Repo, changes: readonly RefChange[], reason: string): Promise<boolean> {
  const lines: string[] = [];
  for (const { ref, from, to } of changes) {
    if (ref === 'HEAD') lines.push('option no-deref');
    lines.push(
      to === null ? `delete ${ref} ${from}` : from === null ? `create ${ref} ${to}` : `update ${ref} ${to} ${from}`,
    );
  }
  lines.push('');
  // As Git's own commands do: whoever set GIT_REFLOG_ACTION wants to find these entries again.
  const action = repo.context.env['GIT_REFLOG_ACTION'];
  const firstLine = (action ? reason.replace(/^commit/, action) : reason).split('\n', 1)[0] ?? '';
  const deadline = Date.now() + REF_PATIENCE_MS;
  for (;;) {
    const { code, stderr } = await git(repo, ['update-ref', '-m', firstLine.slice(0, 500), '--stdin'], {
      input: lines.join('\n'),
      accept: [0, 128],
    });
    if (code === 0) return true;
    const [, held] = /Unable to create '(.+\.lock)': File exists/.exec(stderr) ?? [];
    if (held !== undefined) {
      if (Date.now() > deadline) throw refHeld(repo, held);
      await sleep(3 + Math.random() * 20);
      continue;
    }
    // "is at X but expected Y" and the like mean "look again".
    if (/but expected|already exists|unable to resolve reference|cannot lock ref/.test(stderr) && !isFull(stderr))
      return false;
    throw new RepriseError('git-failed', `git update-ref failed in ${repo.root}: ${stderr.trim()}`, {
      data: { stderr },
    });
  }
}

function isFull(stderr: string): boolean {
  return stderr.includes('No space left');
}

function refHeld(repo: Repo, lock: string): RepriseError {
  return new RepriseError('lock-timeout', `Another Git process has been holding ${lock} for too long`, {
    hints: [`rm ${quoteWord(resolve(repo.root, lock))}   # only if no Git process is running`],
    data: { path: lock },
  });
}
