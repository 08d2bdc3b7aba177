/** What the last commit has in the place of files that have changed: which of them were annexed. */
import { decodeName } from '../core/bytes.ts';
import { MAX_POINTER, keyFromLink, parsePointer } from './annex/keys.ts';
import type { Change } from './content-store.ts';
import type { ObjectReader } from './object-reader.ts';
import type { Repo } from './repo.ts';
import { readBlobs } from './worktree.ts';

export type OldState =
  | { readonly kind: 'link'; readonly key: string; readonly target: string }
  | { readonly kind: 'pointer'; readonly key: string };

/** The annexed ones among these files, by path. */
export async function oldKeys(
  repo: Repo,
  changes: readonly Change[],
  objects: ObjectReader,
): Promise<ReadonlyMap<string, OldState>> {
  const ofMode = (start: string) =>
    changes.flatMap(({ path, headMode, headSha }) => (headMode?.startsWith(start) && headSha ? { path, headSha } : []));
  const [links, files] = [ofMode('120'), ofMode('100')];
  const [targets, blobs] = await Promise.all([
    objects.read(links.map(({ headSha }) => headSha)),
    // A file may be of any size, so that is asked first.
    readBlobs(
      repo,
      files.map(({ headSha }) => headSha),
      MAX_POINTER,
    ),
  ]);
  const states = new Map<string, OldState>();
  for (const [index, { path }] of links.entries()) {
    const target = decodeName(targets[index] ?? Buffer.alloc(0));
    const key = keyFromLink(target);
    if (key !== null) states.set(path, { kind: 'link', key, target });
  }
  for (const [index, { path }] of files.entries()) {
    const blob = blobs[index];
    const key = blob ? parsePointer(blob) : null;
    if (key !== null) states.set(path, { kind: 'pointer', key });
  }
  return states;
}
