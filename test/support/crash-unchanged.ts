/** What a dataset looks like from outside, to be held against what it looks like later. */
import { existsSync, readdirSync } from 'node:fs';
import { join, relative } from 'node:path';
import { expect } from 'vitest';
import { digestOf, linesOfTree } from './work-tree.ts';
import type { Outcome } from './world.ts';

export interface Looks {
  readonly head: string;
  readonly refs: string;
  readonly index: string;
  readonly tree: string;
}

/** Reads branch, refs, index and work tree without Git, so that a damaged repository has looks, too. */
export function looksOf(dataset: string): Looks {
  const gitDir = join(dataset, '.git');
  const refs = namesOfRefs(existsSync(gitDir) ? gitDir : dataset);
  return {
    head: digestOf(join(gitDir, 'HEAD')),
    refs: refs.map((path) => `${relative(dataset, path)} ${digestOf(path)}`).join('\n'),
    index: digestOf(join(gitDir, 'index')),
    tree: linesOfTree(dataset, { modes: true }).join('\n'),
  };
}

function namesOfRefs(gitDir: string): readonly string[] {
  const refs = join(gitDir, 'refs');
  const loose = existsSync(refs) ? readdirSync(refs, { recursive: true, withFileTypes: true }) : [];
  const files = loose.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  return [join(gitDir, 'packed-refs'), ...files.sort()];
}

/** One sentence with its code, hints and perhaps the usage line: no stack, no second sentence, and the exit code of the catalogue. */
export function expectSentence(ended: Pick<Outcome, 'code' | 'stderr'>, code: string | RegExp, exit: number): void {
  const wanted = typeof code === 'string' ? code : code.source;
  expect(ended.stderr).not.toMatch(/internal error|^ +at |node:internal|This is a bug/m);
  const sentences = ended.stderr.split('\n').filter((line) => line.startsWith('reprise: error:'));
  expect(sentences, ended.stderr).toHaveLength(1);
  expect(sentences[0]).toMatch(new RegExp(`^reprise: error: .{8,900} \\((?:${wanted})\\)$`));
  expect(ended.code, ended.stderr).toBe(exit);
}
