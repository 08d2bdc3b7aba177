/** The keys that content really has, for holding them against those that it is stored under. */
import { decodeName, joinNul } from '../core/bytes.ts';
import { hashFile } from './annex/digest.ts';
import { BACKENDS, isNativeBackend, keyForDigest, parseKey } from './annex/keys.ts';
import { annexInstalled, annexMissing } from './annex-batch.ts';
import { gitEnv, type Repo } from './repo.ts';
import { execute } from '../sys/proc.ts';

/** A file, by its absolute path without links, and the key that it is stored under. */
export interface StoredFile {
  readonly file: string;
  readonly key: string;
}

/** Backends whose keys are digests; others (WORM, URL) say nothing that content could be held against. */
const DIGEST = /^(MD5|SHA|SKEIN|BLAKE)/;

/**
 * The key that each file's content has under the backend of its key, extensions left out; null where the backend has no digest, or the file
 * changed meanwhile.
 *
 * @throws `annex-missing` for backends that only git-annex computes
 */
export async function contentKeys(repo: Repo, stored: readonly StoredFile[]): Promise<readonly (string | null)[]> {
  const found = stored.map(({ file, key }) => nativeKey(file, key));
  const others = new Map<string, number[]>();
  for (const [at, { key }] of stored.entries()) {
    const backend = parseKey(key)?.backend ?? '';
    if (!isNativeBackend(backend) && DIGEST.test(backend)) others.set(backend, [...(others.get(backend) ?? []), at]);
  }
  for (const [backend, places] of others) {
    const keys = await askForKeys(
      repo,
      backend,
      places.map((at) => stored[at]?.file ?? ''),
    );
    for (const [nth, at] of places.entries()) found[at] = withoutExtension(keys[nth] ?? '') || null;
  }
  return found;
}

/** A key without the extensions that name no content. */
export function withoutExtension(key: string): string {
  const parsed = parseKey(key);
  const dot = parsed && DIGEST.test(parsed.backend) ? key.indexOf('.', key.indexOf('--')) : -1;
  return dot === -1 ? key : key.slice(0, dot);
}

function nativeKey(file: string, key: string): string | null {
  const backend = parseKey(key)?.backend ?? '';
  if (!isNativeBackend(backend)) return null;
  const digest = hashFile(file, BACKENDS[backend]);
  return digest && keyForDigest(backend, digest.size, digest.hex, '');
}

/** `git annex calckey`, which answers one line for each file. */
async function askForKeys(repo: Repo, backend: string, files: readonly string[]): Promise<readonly string[]> {
  if (!annexInstalled(repo.context.env)) throw annexMissing();
  const argv = ['xargs', '-0', 'git-annex', 'calckey', `--backend=${backend}`, '--'] as const;
  const asked = await execute(argv, { cwd: repo.root, env: gitEnv(repo.context), input: joinNul(files) });
  return decodeName(asked.stdout).split('\n').slice(0, files.length);
}
