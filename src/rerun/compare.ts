/** The verdict on a replay, output by output: by the name of the blob or the annex key, by content only where keys cannot tell. */
import { encodeName } from '../core/bytes.ts';
import type { Config } from '../core/config.ts';
import { BACKENDS, isNativeBackend, parseKey } from '../dataset/annex/keys.ts';
import type { Repo } from '../dataset/repo.ts';
import { type ComparedStates, compareStates, type FileState } from '../dataset/tree-compare.ts';
import type { RunRecord } from '../record/run-record.gen.ts';
import { sidecarFolder } from '../run/artefacts.ts';
import { compareContent, keyOfFile } from './compare-content.ts';

export type Verdict = 'identical' | 'different' | 'missing' | 'unexpected' | 'unverifiable';

export interface OutputVerdict {
  /** Relative to the top dataset. */
  readonly path: string;
  readonly verdict: Verdict;
  /** `annex:KEY` or `git:SHA` (blob, or commit of a subdataset); null where there is nothing. */
  readonly recorded: string | null;
  readonly replayed: string | null;
}

/** A recorded commit and what it followed: full names. */
export interface RecordedState {
  readonly commit: string;
  /** First parent; null for a root commit. */
  readonly parent: string | null;
}

export interface CompareOptions {
  /** Paths, each relative to its own repository, that are no outputs (`bookkeeping`). */
  readonly except?: (own: string) => boolean;
  /** Paths, from the top, that are outputs although the recorded commit did not change them. */
  readonly declared?: (path: string) => boolean;
}

/**
 * Compares a commit made by a replay with the commit that was replayed.
 *
 * @param base the commit that the replay started from; equal to `replayed` where nothing was committed
 * @returns verdicts for what the recorded commit changed and what the replay wrote, in the byte order of paths
 */
export async function compareCommits(
  repo: Repo,
  recorded: RecordedState,
  replayed: string,
  base: string | null,
  options: CompareOptions = {},
): Promise<readonly OutputVerdict[]> {
  return judgeAll(repo, { parent: recorded.parent, recorded: recorded.commit, base, replayed, ...options });
}

/**
 * As `compareCommits`, for a replay whose results lie in the work tree: committed, not committed, or as they were.
 *
 * @param base the commit that the replay started from
 */
export async function compareWorkTree(
  repo: Repo,
  recorded: RecordedState,
  base: string | null,
  options: CompareOptions = {},
): Promise<readonly OutputVerdict[]> {
  return judgeAll(repo, { parent: recorded.parent, recorded: recorded.commit, base, replayed: null, ...options });
}

/** Which paths of a commit are no outputs: sidecars, and the logs that records name. */
export function bookkeeping(config: Config, records: readonly RunRecord[]): (own: string) => boolean {
  const folder = `${sidecarFolder(config).replace(/\/+$/, '')}/`;
  const logs = new Set(records.flatMap(({ reprise }) => [reprise?.log?.out, reprise?.log?.err]));
  return (own) => own.startsWith(folder) || logs.has(own);
}

async function judgeAll(top: Repo, states: ComparedStates): Promise<readonly OutputVerdict[]> {
  const verdicts: OutputVerdict[] = [];
  for (const { path, repo, own, isOutput, recorded, replayed: found } of await compareStates(top, states)) {
    // A file that nobody has saved is given the key that saving would give it, so that keys can be compared.
    const replayed = recorded?.kind === 'annex' && found?.kind === 'file' ? keyOfFile(own, found, recorded.key) : found;
    const first = judge(recorded, replayed);
    const verdict = first === 'undecided' ? await compareContent(repo, recorded, replayed) : first;
    // A file that only the replay wrote, and that is as recorded all the same, says nothing about the outputs.
    if (!isOutput && verdict === 'identical') continue;
    verdicts.push({ path, verdict, recorded: digestOf(recorded), replayed: digestOf(replayed) });
  }
  return verdicts.sort((a, b) => Buffer.compare(encodeName(a.path), encodeName(b.path)));
}

/** What names say about two states of a path; `undecided` where only their content can tell. */
export function judge(recorded: FileState | null, replayed: FileState | null): Verdict | 'undecided' {
  if (recorded === null) return replayed === null ? 'identical' : 'unexpected';
  if (replayed === null) return 'missing';
  if (recorded.kind === 'annex' && replayed.kind === 'annex') return judgeKeys(recorded.key, replayed.key);
  const kinds = new Set([recorded.kind, replayed.kind]);
  if (kinds.size === 1) return recorded.sha === replayed.sha ? 'identical' : 'different';
  // One in the annex, one in Git: the same bytes may have been stored in two ways.
  return kinds.has('annex') && kinds.has('file') ? 'undecided' : 'different';
}

function judgeKeys(a: string, b: string): Verdict | 'undecided' {
  if (a === b) return 'identical';
  const [one, other] = [parseKey(a), parseKey(b)];
  if (!one || !other) return 'undecided';
  if (one.size !== undefined && other.size !== undefined && one.size !== other.size) return 'different';
  const [x, y] = [hashOf(one), hashOf(other)];
  if (x === null || y === null || x.family !== y.family) return 'undecided';
  return x.digest === y.digest ? 'identical' : 'different';
}

/** The digest in a key and the function that made it; null for keys that are not made from content (WORM, URL). */
function hashOf(key: { readonly backend: string; readonly name: string }) {
  const family = isNativeBackend(key.backend)
    ? BACKENDS[key.backend]
    : /^((?:SHA|SKEIN|BLAKE)[0-9A-Z_]*?)E?$/.exec(key.backend)?.[1];
  // After the digest comes the extension that the file had, which says nothing about its content.
  return family === undefined ? null : { family, digest: key.name.replace(/\..*$/s, '') };
}

function digestOf(state: FileState | null): string | null {
  if (state === null) return null;
  return state.kind === 'annex' ? `annex:${state.key}` : `git:${state.sha}`;
}
