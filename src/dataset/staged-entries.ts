/** What was staged, looked at before it is committed: is it what was stored, and which keys are in it. */
import { RepriseError } from '../core/errors.ts';
import { lstatOrNull } from '../sys/files.ts';
import { MAX_POINTER, parsePointer } from './annex/keys.ts';
import type { StorePlan } from './content-store.ts';
import { contentAt } from './presence.ts';
import type { Repo } from './repo.ts';
import type { StagedEntry } from './staging.ts';
import { readBlobs } from './worktree.ts';

export interface CommittedEntry extends StagedEntry {
  /** Key of an annexed file, else null. */
  readonly key: string | null;
}

/** Adds the keys of annexed files: of links by what was stored, of pointers by what they say. */
export async function withKeys(
  repo: Repo,
  store: StorePlan,
  staged: readonly StagedEntry[],
): Promise<readonly CommittedEntry[]> {
  const left = new Set([...store.viaAnnex, ...store.filtered]);
  const pointers = staged.filter((entry) => left.has(entry.path) && entry.mode.startsWith('100'));
  const blobs = await readBlobs(
    repo,
    pointers.map((entry) => entry.sha),
    MAX_POINTER,
  );
  const keys = new Map(pointers.map((entry, index) => [entry.path, blobs[index] ? parsePointer(blobs[index]) : null]));
  return staged.map((entry) => ({
    ...entry,
    key:
      entry.mode === '120000'
        ? (store.keys.get(entry.path) ?? keyOfLink(repo, entry.path))
        : (keys.get(entry.path) ?? null),
  }));
}

/** Key of a link that git-annex made while it was staged. */
function keyOfLink(repo: Repo, path: string): string | null {
  const content = contentAt(repo, path);
  return content.kind === 'annexed' ? content.key : null;
}

/** What was staged must be what was stored: the promise that git-annex's exit status does not keep. */
export function verifyStaged(repo: Repo, store: StorePlan, staged: readonly StagedEntry[]): void {
  const known = new Set(staged.map((entry) => entry.path));
  const wrong = staged.find((entry) => {
    const expected = store.linkShas.get(entry.path);
    const isOther = expected !== undefined && (entry.mode !== '120000' || entry.sha !== expected);
    return isOther || (entry.status === 'deleted' && store.present.has(entry.path));
  })?.path;
  // What git-annex added is a link or a pointer; a plain file that nothing was staged for was passed over.
  const missed = store.viaAnnex.find(
    (path) =>
      !known.has(path) &&
      lstatOrNull(`${repo.root}/${path}`)?.isFile() === true &&
      contentAt(repo, path).kind === 'plain',
  );
  const path = wrong ?? missed;
  if (path !== undefined)
    throw new RepriseError('stage-mismatch', `What was staged for ${path} is not its content`, { data: { path } });
}
