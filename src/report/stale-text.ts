/** The tailored rendering of `stale`: each run with its results, and below it why they are stale. */
import type { Result } from '../core/result.ts';
import { printable } from './printable.ts';
import { genericLine } from './text.ts';

interface Cause {
  readonly kind: string;
  readonly path: string;
  readonly was: string | null;
  readonly now: string | null;
  readonly by?: string;
}

const WHAT: Readonly<Record<string, string>> = {
  'input-changed': 'changed',
  'input-added': 'is a new input',
  'input-removed': 'is gone',
  'image-changed': 'is part of the image, and changed',
  'code-changed': 'is code, and changed',
  'upstream-stale': 'is stale itself, made by',
  'output-edited': 'is a result, and was edited since',
  'output-missing': 'is a result, and was removed since',
};

/** How many files and causes are shown of one result. */
const SHOWN = 8;

/** A block of lines for one result. */
export function staleText(result: Result): string | undefined {
  if (result.action !== 'stale') return genericLine(result);
  const outputs = result['outputs'] as readonly string[];
  const causes = result['causes'] as readonly Cause[];
  const head = `${String(result['commit']).slice(0, 8)} ${list(outputs)}`;
  const note = result['outdated'] === true ? [] : ['edited by hand, not outdated'];
  const rest = causes.length - SHOWN;
  return [
    [head, ...note].join('  # '),
    ...causes.slice(0, SHOWN).map(causeLine),
    ...(rest > 0 ? [`  and ${rest}${result['more_causes'] === true ? ' or more' : ''} other causes`] : []),
  ]
    .map(printable)
    .join('\n');
}

function list(paths: readonly string[]): string {
  const shown = paths.slice(0, 3).join(', ');
  return paths.length > 3 ? `${shown} and ${paths.length - 3} more` : shown;
}

function causeLine({ kind, path, was, now, by }: Cause): string {
  const change = was !== null && now !== null ? ` (${short(was)} -> ${short(now)})` : '';
  return `  ${path} ${WHAT[kind] ?? kind}${by === undefined ? '' : ` ${by.slice(0, 8)}`}${change}`;
}

/** The digest part of a key or the start of an object name. */
function short(digest: string): string {
  const name = digest.replace(/^annex:.*?--/s, '').replace(/^(?:annex|git):/, '');
  return name.slice(0, 8);
}

/** The line after the list. */
export function staleSummary(results: readonly Result[]): string | undefined {
  const stale = results.filter((result) => result.action === 'stale');
  if (stale.length === 0) return 'nothing is stale';
  const outdated = stale.filter((result) => result['outdated'] === true).length;
  const edited = stale.length - outdated;
  return `${outdated} outdated${edited === 0 ? '' : `, ${edited} edited by hand`}`;
}
