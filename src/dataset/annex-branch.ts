/** The `git-annex` branch: which repositories hold which keys. */
import { join } from 'node:path';
import { encodeName } from '../core/bytes.ts';
import { lstatOrNull } from '../sys/files.ts';
import { objectPath } from './annex/keys.ts';
import { addPresence, journalName, logPath } from './annex/location-log.ts';
import type { TreeChange } from './fast-import.ts';
import { type ObjectReader, withObjects } from './object-reader.ts';
import { readRef } from './refs.ts';
import type { Repo } from './repo.ts';

const ANNEX_BRANCH = 'refs/heads/git-annex';

/** Location logs of keys as one commit of the `git-annex` branch has them. */
export interface LocationLogs {
  /** Identifier of this repository's annex. */
  readonly uuid: string;
  /** The commit of the branch that was read. */
  readonly commit: string;
  /** Log by key; null for a key that the branch does not know. */
  readonly texts: ReadonlyMap<string, string | null>;
}

/** Reads the logs of keys; null where there is no `git-annex` branch. */
export async function readLocationLogs(
  repo: Repo,
  uuid: string,
  keys: readonly string[],
  objects: ObjectReader,
): Promise<LocationLogs | null> {
  const commit = await readRef(repo, ANNEX_BRANCH);
  if (commit === null) return null;
  const wanted = [...new Set(keys)];
  if (wanted.length === 0) return { uuid, commit, texts: new Map() };
  const names = wanted.map((key) => Buffer.concat([Buffer.from(`${commit}:`), encodeName(logPath(key))]));
  const contents = await objects.read(names);
  return { uuid, commit, texts: new Map(wanted.map((key, index) => [key, contents[index]?.toString('utf8') ?? null])) };
}

export interface PresencePlan {
  readonly ref: string;
  readonly from: string;
  readonly plan: {
    readonly parents: readonly string[];
    readonly message: string;
    readonly changes: readonly TreeChange[];
  };
}

/**
 * What has to change in the `git-annex` branch so that it knows these keys to be here; null for nothing.
 *
 * @param date of the new entries, in seconds since 1970; null for now
 *
 * A key that git-annex has a pending note for in its journal is left to git-annex: the journal would win.
 */
export async function planPresence(
  repo: Repo,
  known: LocationLogs | null,
  keys: readonly string[],
  date: number | null,
): Promise<PresencePlan | null> {
  if (known === null || keys.length === 0) return null;
  const from = await readRef(repo, ANNEX_BRANCH);
  // A key that was not asked about must not be taken for one without a log: its other holders would be forgotten.
  const isKnown = from === known.commit && keys.every((key) => known.texts.has(key));
  const logs = isKnown
    ? known
    : await withObjects(repo, (objects) => readLocationLogs(repo, known.uuid, keys, objects));
  if (logs === null) return null;
  const now = date ?? Date.now() / 1000;
  const changes = [...new Set(keys)]
    .filter((key) => lstatOrNull(join(repo.root, objectPath(key))) !== null && !isJournalled(repo, key))
    .flatMap((key): TreeChange[] => {
      const before = logs.texts.get(key) ?? null;
      const after = addPresence(before, logs.uuid, now);
      return after === before ? [] : [{ path: logPath(key), mode: '100644', content: Buffer.from(after, 'utf8') }];
    });
  return changes.length === 0
    ? null
    : { ref: ANNEX_BRANCH, from: logs.commit, plan: { parents: [logs.commit], message: 'update\n', changes } };
}

function isJournalled(repo: Repo, key: string): boolean {
  return lstatOrNull(join(repo.commonDir, 'annex/journal', journalName(logPath(key)))) !== null;
}
