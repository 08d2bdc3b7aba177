/** The tailored rendering of `doctor`: a line for each thing, what would help below it, and what follows from all of it. */
import type { Result } from '../core/result.ts';
import { printable } from './printable.ts';
import { genericLine } from './text.ts';

const MARKS: Readonly<Record<string, string>> = { ok: 'ok', impossible: 'no', error: 'ERROR' };

/** As wide as the longest name that is not somebody's own. */
const WIDTH = 'singularity'.length;

export function doctorLine(result: Result): string | undefined {
  if (result.action !== 'doctor') return genericLine(result);
  const { status, message = '', kind, hints, formats } = result;
  const name = String(result['name']);
  const label = kind === 'container' ? `container ${name}:` : name;
  const runs = status === 'ok' && Array.isArray(formats) ? ` [${formats.join(', ')}]` : '';
  const lines = [`${(MARKS[status] ?? status).padEnd(5)} ${label.padEnd(WIDTH)} ${message}${runs}`];
  for (const hint of Array.isArray(hints) ? hints : []) lines.push(`${''.padEnd(WIDTH + 7)}hint: ${hint}`);
  return lines.map(printable).join('\n');
}

/** The line at the end: what runs containers here, and what has to be mended. */
export function doctorSummary(results: readonly Result[]): string | undefined {
  const namesOf = (wanted: readonly Result[]) => wanted.map((result) => printable(String(result['name']))).join(', ');
  const runners = results.filter((result) => result['kind'] === 'runner' && result.status === 'ok');
  const broken = results.filter(({ status }) => status === 'error');
  return [
    runners.length === 0 ? 'no runner of containers works' : `runners that work: ${namesOf(runners)}`,
    ...(broken.length === 0 ? [] : [`to be mended: ${namesOf(broken)}`]),
  ].join('; ');
}
