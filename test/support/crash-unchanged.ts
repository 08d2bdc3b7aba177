/** What a dataset looks like from outside, to be held against what it looks like later. */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import type { Outcome, World } from './world.ts';

export interface Looks {
  readonly head: string;
  readonly refs: string;
  readonly index: string;
  readonly tree: string;
}

/** Reads branch, refs, index and work tree without Git, so that a damaged repository has looks, too. */
export function looksOf(world: World, dataset: string): Looks {
  const digest = (path: string) =>
    existsSync(path) ? createHash('sha256').update(readFileSync(path)).digest('hex') : 'none';
  const list = (line: string) => world.ok(['/bin/sh', '-c', line], { cwd: dataset });
  return {
    head: digest(join(dataset, '.git/HEAD')),
    refs: list('cd .git 2>/dev/null || cd .; find refs packed-refs -type f 2>/dev/null | sort | xargs -r sha256sum'),
    index: digest(join(dataset, '.git/index')),
    tree: list(
      'find . -name .git -prune -o \\( -type l -o -type d \\) -printf "%y %m %p %l\\n" -o -type f -printf "%y %m %s %p\\n" | sort; ' +
        'find . -name .git -prune -o -type f -print0 | sort -z | xargs -0r sha256sum',
    ),
  };
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
