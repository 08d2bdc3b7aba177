/** What the annex knows about files, from their links and pointers and the object store alone: the fields of `git annex find --json`. */
import { readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { decodeName, fsPath } from '../core/bytes.ts';
import { lstatOrNull } from '../sys/files.ts';
import { hashDirLower, hashDirMixed, keyFromLink, MAX_POINTER, parseKey, parsePointer } from './annex/keys.ts';
import { objectFile } from './presence.ts';
import type { Repo } from './repo.ts';
import type { StatusEntry } from './status.ts';
import { readBlobs } from './worktree.ts';

export interface AnnexFacts {
  readonly type: 'file' | 'symlink';
  readonly key: string;
  readonly backend: string;
  readonly keyname: string;
  readonly bytesize?: number;
  readonly humansize: string;
  readonly mtime: string;
  readonly hashdirlower?: string;
  readonly hashdirmixed?: string;
  /** Absolute path of the content. */
  readonly objloc?: string;
  readonly has_content?: boolean;
}

/** The facts about those entries that are annexed files in the index, by path. */
export async function annexFacts(
  repo: Repo,
  entries: readonly StatusEntry[],
  availability: boolean,
): Promise<ReadonlyMap<string, AnnexFacts>> {
  const facts = new Map<string, AnnexFacts>();
  // Unlocked files, and links that something else has replaced in the work tree: Git knows what they are.
  const inGit: StatusEntry[] = [];
  for (const entry of entries) {
    if (entry.gitshasum === undefined || entry.state === 'deleted' || entry.type === 'dataset') continue;
    const key = entry.type === 'symlink' ? linkKey(join(repo.root, entry.path)) : null;
    if (key !== null) facts.set(entry.path, describe(repo, key, availability));
    else if (entry.type === 'file' || entry.state !== 'clean') inGit.push(entry);
  }
  const small = inGit.filter((entry) => entry.bytesize === undefined || entry.bytesize <= MAX_POINTER);
  const blobs = await readBlobs(
    repo,
    small.map((entry) => entry.gitshasum as string),
    MAX_POINTER,
  );
  for (const [index, entry] of small.entries()) {
    const blob = blobs[index];
    if (!blob) continue;
    const key = entry.type === 'file' ? parsePointer(blob) : keyFromLink(decodeName(blob));
    if (key !== null) facts.set(entry.path, describe(repo, key, availability));
  }
  return facts;
}

function linkKey(path: string): string | null {
  if (!lstatOrNull(path)?.isSymbolicLink()) return null;
  return keyFromLink(decodeName(readlinkSync(fsPath(path), 'buffer')));
}

function describe(repo: Repo, key: string, availability: boolean): AnnexFacts {
  const parts = parseKey(key);
  const object = availability ? objectFile(repo, key) : null;
  return {
    type: 'file',
    key,
    backend: parts?.backend ?? '',
    keyname: parts?.name ?? '',
    ...(parts?.size === undefined ? {} : { bytesize: parts.size }),
    humansize: parts?.size === undefined ? 'unknown' : humanSize(parts.size),
    mtime: parts?.mtime === undefined ? 'unknown' : String(parts.mtime),
    ...(object === null
      ? { hashdirlower: `${hashDirLower(key)}/`, hashdirmixed: `${hashDirMixed(key)}/` }
      : { objloc: object }),
    ...(availability ? { has_content: object !== null } : {}),
  };
}

const UNITS = [
  [1e24, 'YB'],
  [1e21, 'ZB'],
  [1e18, 'EB'],
  [1e15, 'PB'],
  [1e12, 'TB'],
  [1e9, 'GB'],
  [1e6, 'MB'],
  [1e3, 'kB'],
  [1, 'B'],
] as const;

/** A size as git-annex writes it (its `Utility/DataUnits.hs`): up to two decimals below 100, powers of ten. */
export function humanSize(bytes: number): string {
  const [factor, unit] = UNITS.find(([factor]) => bytes >= factor) ?? [1, 'B'];
  return `${roundedShort(bytes / factor)} ${unit}`;
}

function roundedShort(value: number): string {
  const text = value.toFixed(2);
  return text.replace(/\.?0+$/, '');
}
