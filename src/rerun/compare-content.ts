/** Comparing content, for the few outputs whose names cannot be compared: keys of other kinds, or one file in Git and one in the annex. */
import { createHash } from 'node:crypto';
import { hashFile } from '../dataset/annex/digest.ts';
import { type Algorithm, BACKENDS, isNativeBackend, keyForDigest, parseKey } from '../dataset/annex/keys.ts';
import type { Repo } from '../dataset/repo.ts';
import type { FileState } from '../dataset/tree-compare.ts';
import { contentFile } from '../dataset/workspace-content.ts';
import { readBlobs } from '../dataset/worktree.ts';

/** Files in Git are small by intention; a larger one is not read into memory to compare it. */
const LARGEST_BLOB = 256 * 2 ** 20;

/**
 * Compares what two states stand for. The content of a key with a known digest is not needed; where a content that is needed is not here, the
 * answer is `unverifiable`.
 */
export async function compareContent(
  repo: Repo,
  a: FileState | null,
  b: FileState | null,
): Promise<'identical' | 'different' | 'unverifiable'> {
  for (const [known, other] of [
    [a, b],
    [b, a],
  ] as const) {
    const key = known?.kind === 'annex' ? parseKey(known.key) : null;
    if (!key || !isNativeBackend(key.backend)) continue;
    const hex = await digestOf(repo, other, BACKENDS[key.backend]);
    if (hex !== null) return key.name.replace(/\..*$/s, '') === hex ? 'identical' : 'different';
  }
  const [x, y] = [await digestOf(repo, a, 'sha256'), await digestOf(repo, b, 'sha256')];
  if (x === null || y === null) return 'unverifiable';
  return x === y ? 'identical' : 'different';
}

/** The digest of a state's content; null where it is not here. */
async function digestOf(repo: Repo, state: FileState | null, algorithm: Algorithm): Promise<string | null> {
  if (state?.kind !== 'annex' && state?.kind !== 'file') return null;
  const file = state.kind === 'annex' ? contentFile(repo, state.key) : state.path;
  if (file) return hashFile(file, algorithm)?.hex ?? null;
  if (state.kind === 'annex') return null;
  const [blob] = await readBlobs(repo, [state.sha], LARGEST_BLOB);
  return blob ? createHash(algorithm).update(blob).digest('hex') : null;
}

/** A file of the work tree under the key that the backend of a recorded key gives it; as it is where that backend is not known. */
export function keyOfFile(own: string, state: Extract<FileState, { kind: 'file' }>, recorded: string): FileState {
  const key = parseKey(recorded);
  if (!key || !isNativeBackend(key.backend) || state.path === undefined) return state;
  const digest = hashFile(state.path, BACKENDS[key.backend]);
  if (digest === null) return state;
  // The same bytes are the same key, whatever extension the name has.
  if (digest.hex === key.name.replace(/\..*$/s, '') && digest.size === (key.size ?? digest.size))
    return { kind: 'annex', key: recorded, sha: '' };
  return { kind: 'annex', key: keyForDigest(key.backend, digest.size, digest.hex, own), sha: '' };
}
