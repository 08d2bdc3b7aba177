/** The tailored rendering of `status`: a line per change, sizes of annexed files, and how many changes there are. */
import { posix } from 'node:path';
import type { Result } from '../core/result.ts';
import { printable } from './printable.ts';
import { humanSize } from './size.ts';
import { genericLine } from './text.ts';

/** The order in which the summary counts; DataLad's words. */
const CHANGES = ['modified', 'added', 'deleted', 'untracked'] as const;
const WIDTH = 'untracked'.length;

/** Where paths are printed relative to: the dataset if it was named, else the current folder when it lies in the dataset. */
export interface StatusView {
  readonly cwd: string;
  readonly datasetGiven: boolean;
}

/** ` modified: path (type)`; nothing for what is clean, the generic line for what is not about a state. */
export function statusLine(result: Result, view: StatusView): string | undefined {
  if (result.status !== 'ok' || result.action !== 'status') return genericLine(result);
  const state = stateOf(result);
  if (state === 'clean') return undefined;
  return `${printable(state).padStart(WIDTH)}: ${printable(shownPath(result, view))} (${printable(result.type ?? '')})`;
}

function stateOf(result: Result): string {
  return typeof result['state'] === 'string' ? result['state'] : 'unknown';
}

function shownPath({ path, refds }: Result, { cwd, datasetGiven }: StatusView): string {
  if (refds === undefined) return path;
  if (datasetGiven) return posix.relative(refds, path) || '.';
  return cwd === refds || cwd.startsWith(`${refds}/`) ? posix.relative(cwd, path) || '.' : path;
}

/** The lines after the list. */
export function statusSummary(results: readonly Result[]): string | undefined {
  const states = results.filter((result) => result.action === 'status');
  const lines = annexLine(states.filter((result) => 'key' in result));
  if (states.length === results.length && states.every((result) => stateOf(result) === 'clean')) {
    lines.push('nothing to save, working tree clean');
  } else {
    const counts = CHANGES.map((change) => {
      const count = states.filter((result) => stateOf(result) === change).length;
      return count === 0 ? [] : [`${count} ${change}`];
    }).flat();
    if (counts.length > 0) lines.push(counts.join(', '));
  }
  return lines.length === 0 ? undefined : lines.join('\n');
}

function annexLine(annexed: readonly Result[]): string[] {
  if (annexed.length === 0) return [];
  const size = (results: readonly Result[]) =>
    humanSize(results.reduce((sum, one) => sum + Number(one['bytesize'] ?? 0), 0));
  const files = `${annexed.length} annex'd ${annexed.length === 1 ? 'file' : 'files'}`;
  const present = annexed.filter((result) => result['has_content'] === true);
  return annexed.some((result) => typeof result['has_content'] === 'boolean')
    ? [`${files} (${size(present)}/${size(annexed)} present/total size)`]
    : [`${files} (${size(annexed)} recorded total size)`];
}
