/** Results for what was asked for by name and about which git-annex had nothing to say (DataLad's `results_from_annex_noinfo`). */
import type { Result } from '../core/result.ts';
import { lstatOrNull } from '../sys/files.ts';
import { isWithin } from './targets.ts';

/** Wording of DataLad's `results_from_annex_noinfo` for one verb. */
export interface Silence {
  readonly action: string;
  readonly failed: (folder: string, failures: readonly string[]) => string;
  readonly nothing: (folder: string) => string;
  readonly file: string;
}

/** Python's `str` of a list of strings, as DataLad's messages show it. */
export function pythonList(items: readonly string[]): string {
  return `[${items.map((item) => (item.includes("'") && !item.includes('"') ? `"${item}"` : `'${item.replaceAll("'", "\\'")}'`)).join(', ')}]`;
}

/** The results for what was asked for by name and got no result of its own: folders, and files that needed nothing. */
export function* summarise(
  paths: readonly string[],
  outcomes: readonly Result[],
  refds: string,
  words: Silence,
): Generator<Result> {
  const reported = new Set(outcomes.map((result) => result.path));
  for (const path of paths) {
    if (reported.has(path)) continue;
    const common = { action: words.action, path, refds };
    if (!isRealFolder(path)) {
      yield { ...common, status: 'notneeded', type: 'file', message: words.file };
      continue;
    }
    const below = outcomes.filter((result) => isWithin(result.path, path));
    const failures = below.filter((result) => result.status === 'error').map((result) => result.path);
    if (failures.length > 0)
      yield { ...common, status: 'impossible', type: 'directory', message: words.failed(path, failures) };
    else if (below.length > 0) yield { ...common, status: 'ok', type: 'directory' };
    else yield { ...common, status: 'notneeded', type: 'directory', message: words.nothing(path) };
  }
}

/** Whether a folder itself, not a link to one, is at a path. */
export function isRealFolder(path: string): boolean {
  return lstatOrNull(path)?.isDirectory() === true;
}
