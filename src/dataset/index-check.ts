/** Whether a repository's index is whole: Git reads a damaged one without a word, and takes what it finds for the truth. */
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { RepriseError } from '../core/errors.ts';
import { quoteWord } from '../core/quote.ts';
import { readOrNull } from '../sys/files.ts';
import type { Repo } from './repo.ts';

/** Refuses a damaged index; `not-a-dataset`. Format: gitformat-index(5), whose last bytes are the checksum of the others. */
export function assertIndex(repo: Repo): void {
  const index = readOrNull(join(repo.gitDir, 'index'));
  if (index === null) return;
  const sums = [20, 32].map((size) => ({ size, algorithm: size === 20 ? 'sha1' : 'sha256' }));
  const isWhole = sums.some(({ size, algorithm }) => {
    const sum = index.subarray(-size);
    // index.skipHash leaves zeros.
    return (
      sum.every((byte) => byte === 0) || createHash(algorithm).update(index.subarray(0, -size)).digest().equals(sum)
    );
  });
  if (index.subarray(0, 4).toString('latin1') === 'DIRC' && isWhole) return;
  throw new RepriseError('not-a-dataset', `The index of ${repo.root} is damaged`, {
    hints: [`rm ${quoteWord(join(repo.gitDir, 'index'))} && git -C ${quoteWord(repo.root)} reset`],
    data: { path: repo.root },
  });
}
