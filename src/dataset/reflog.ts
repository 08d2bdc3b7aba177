/** Git's reflog of the branch that is checked out: which moves it made, and under what name. */
import { closeSync, openSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { lstatOrNull, readOrNull } from '../sys/files.ts';
import { readHead } from './refs.ts';
import type { Repo } from './repo.ts';

export interface ReflogEntry {
  readonly from: string;
  readonly to: string;
  /** What Git calls the action, such as `commit: message`. */
  readonly message: string;
}

/** Reads the reflog, oldest first; empty where none is kept. */
export async function readReflog(repo: Repo): Promise<readonly ReflogEntry[]> {
  return parseReflog(readOrNull(await reflogFile(repo))?.toString('utf8') ?? '');
}

/** The moves that led from one commit to another, each going on from where the one before ended; null where the reflog does not show that. */
export async function readMoves(repo: Repo, from: string, to: string): Promise<readonly ReflogEntry[] | null> {
  const file = await reflogFile(repo);
  // A long history is not read for a few moves at its end.
  for (let length = 16 * 1024; ; length *= 4) {
    const { text, isWhole } = readEnd(file, length);
    const moves = movesBetween(parseReflog(isWhole ? text : text.slice(text.indexOf('\n') + 1)), from, to);
    if (moves !== 'begins earlier') return moves;
    if (isWhole) return null;
  }
}

function movesBetween(
  entries: readonly ReflogEntry[],
  from: string,
  to: string,
): readonly ReflogEntry[] | null | 'begins earlier' {
  const last = entries.findLastIndex((entry) => entry.to === to);
  if (last === -1) return 'begins earlier';
  for (let at = last; at >= 0; at -= 1) {
    const entry = entries[at] as ReflogEntry;
    if (entry.from === from) return entries.slice(at, last + 1);
    const before = entries[at - 1];
    if (before !== undefined && before.to !== entry.from) return null;
  }
  return 'begins earlier';
}

async function reflogFile(repo: Repo): Promise<string> {
  const { ref } = await readHead(repo);
  return ref === null ? join(repo.gitDir, 'logs/HEAD') : join(repo.commonDir, 'logs', ref);
}

/** The last bytes of a file as text; nothing where there is no file. */
function readEnd(file: string, length: number): { readonly text: string; readonly isWhole: boolean } {
  const size = lstatOrNull(file)?.size ?? 0;
  if (size <= length) return { text: readOrNull(file)?.toString('utf8') ?? '', isWhole: true };
  const buffer = Buffer.alloc(length);
  const fd = openSync(file, 'r');
  try {
    const filled = readSync(fd, buffer, 0, length, size - length);
    return { text: buffer.toString('utf8', 0, filled), isWhole: false };
  } finally {
    closeSync(fd);
  }
}

/** Format: gitglossary(7) "reflog", one line `<old> <new> <who> <when>\t<message>`. */
function parseReflog(text: string): readonly ReflogEntry[] {
  return text
    .split('\n')
    .map((line) => /^([0-9a-f]+) ([0-9a-f]+) [^\t]*(?:\t(.*))?$/.exec(line))
    .filter((match) => match !== null)
    .map((match) => ({ from: match[1] as string, to: match[2] as string, message: match[3] ?? '' }));
}
