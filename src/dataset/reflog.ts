/** Git's reflog of the branch that is checked out: which moves it made, and under what name. */
import { join } from 'node:path';
import { readOrNull } from '../sys/files.ts';
import { readHead } from './refs.ts';
import type { Repo } from './repo.ts';

export interface ReflogEntry {
  readonly from: string;
  readonly to: string;
  /** What Git calls the action, such as `commit: message`. */
  readonly message: string;
}

/** Reads the reflog, oldest first; empty where none is kept. Format: gitglossary(7) "reflog", one line `<old> <new> <who> <when>\t<message>`. */
export async function readReflog(repo: Repo): Promise<readonly ReflogEntry[]> {
  const { ref } = await readHead(repo);
  const path = ref === null ? join(repo.gitDir, 'logs/HEAD') : join(repo.commonDir, 'logs', ref);
  const text = readOrNull(path)?.toString('utf8') ?? '';
  return text
    .split('\n')
    .map((line) => /^([0-9a-f]+) ([0-9a-f]+) [^\t]*(?:\t(.*))?$/.exec(line))
    .filter((match) => match !== null)
    .map((match) => ({ from: match[1] as string, to: match[2] as string, message: match[3] ?? '' }));
}
