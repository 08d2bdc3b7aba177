/** Reading and extending `.gitattributes` the way DataLad does, to the byte. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { splitNul } from '../core/bytes.ts';
import { readOrNull } from '../sys/files.ts';
import { git, type Repo } from './repo.ts';

/** The values of attributes for paths (relative to the root), as `path NUL attribute` -> value; unspecified ones are left out. */
export async function readAttributes(
  repo: Repo,
  attributes: readonly string[],
  paths: readonly string[],
): Promise<(path: string, attribute: string) => string | undefined> {
  const words = splitNul((await git(repo, ['check-attr', '-z', ...attributes, '--', ...paths])).stdout);
  const values = new Map<string, string>();
  for (let at = 0; at + 2 < words.length; at += 3) {
    if (words[at + 2] !== 'unspecified') values.set(`${words[at]}\0${words[at + 1]}`, words[at + 2] as string);
  }
  return (path, attribute) => values.get(`${path}\0${attribute}`);
}

/** Appends lines to an attributes file (relative to the root), which need not exist. */
export function appendAttributes(repo: Repo, file: string, lines: readonly string[]): void {
  const path = join(repo.root, file);
  const before = readOrNull(path) ?? Buffer.alloc(0);
  const joint = before.length > 0 && before.at(-1) !== 0x0a ? '\n' : '';
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, Buffer.concat([before, Buffer.from(`${joint}${lines.join('\n')}\n`)]));
}
