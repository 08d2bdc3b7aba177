/** What Git's index holds below some paths. */
import { decodeName } from '../core/bytes.ts';
import { git, type Repo } from './repo.ts';

export interface TrackedEntry {
  /** Relative to the root. */
  readonly path: string;
  /** Octal mode: 100644, 100755, 120000 (link) or 160000 (subdataset). */
  readonly mode: string;
  readonly sha: string;
}

/** Beyond this many bytes of paths it is cheaper, and safe, to list the whole index and select here. */
const MAX_ARGUMENT_BYTES = 100_000;

/** Index entries at or below the given paths (relative to the root); all of them for null. */
export async function trackedBelow(repo: Repo, paths: readonly string[] | null): Promise<TrackedEntry[]> {
  const wanted = paths === null || paths.includes('') ? null : paths;
  if (wanted?.length === 0) return [];
  const askGit = wanted !== null && isPassable(wanted);
  const listed = await git(repo, ['--literal-pathspecs', 'ls-files', '-z', '-s', ...(askGit ? ['--', ...wanted] : [])]);
  const entries = parseStage(listed.stdout);
  if (wanted === null || askGit) return entries;
  return selectBelow(entries, wanted);
}

/** Whether paths can be arguments of a process: names that are not UTF-8 cannot. */
export function isPassable(paths: readonly string[]): boolean {
  let size = 0;
  for (const path of paths) {
    if (!path.isWellFormed()) return false;
    size += Buffer.byteLength(path) + 1;
  }
  return size <= MAX_ARGUMENT_BYTES;
}

/** Keeps what is at or below one of the paths. */
export function selectBelow<T extends { readonly path: string }>(entries: readonly T[], paths: readonly string[]): T[] {
  const exact = new Set(paths);
  return entries.filter((entry) => {
    for (let at = entry.path.length; at > 0; at = entry.path.lastIndexOf('/', at - 1)) {
      if (exact.has(entry.path.slice(0, at))) return true;
    }
    return false;
  });
}

/** Parses `git ls-files -s -z`; of an unmerged path, the first stage. */
export function parseStage(output: Buffer): TrackedEntry[] {
  const entries: TrackedEntry[] = [];
  for (let from = 0; from < output.length; ) {
    const to = output.indexOf(0, from);
    const tab = output.indexOf(9, from);
    const [mode = '', sha = ''] = output.toString('latin1', from, tab).split(' ');
    const path = decodeName(output.subarray(tab + 1, to));
    if (entries.at(-1)?.path !== path) entries.push({ path, mode, sha });
    from = to + 1;
  }
  return entries;
}
