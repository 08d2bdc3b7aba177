/** The generic rendering of results, as DataLad's: `action(status): path (type) [message]`, and a count of actions at the end. */
import { posix } from 'node:path';
import type { Result } from '../core/result.ts';
import { printable } from './printable.ts';

/** One line for a result; undefined for `notneeded`, which is not worth a line. */
export function genericLine(result: Result): string | undefined {
  if (result.status === 'notneeded') return undefined;
  const path = result.refds === undefined ? result.path : posix.relative(result.refds, result.path) || '.';
  const type = result.type === undefined ? '' : ` (${printable(result.type)})`;
  const message = result.message ? ` [${printable(result.message)}]` : '';
  const detail = result['error_message'];
  const error = typeof detail === 'string' && detail && result.status !== 'ok' ? ` [${printable(detail)}]` : '';
  return `${printable(result.action)}(${result.status}):${path ? ` ${printable(path)}` : ''}${type}${message}${error}`;
}

/** What is said after the last result. */
export interface Summary {
  /** Takes notice of a result; all of them count, also those that are not printed. */
  add(result: Result): void;
  /** What there is to say, or undefined. */
  text(): string | undefined;
}

/** How often each action ended how; nothing when there was at most one result. Counts only: a long rerun has many results. */
export function actionSummary(): Summary {
  const counts = new Map<string, Map<string, number>>();
  let total = 0;
  return {
    add({ action, status }) {
      total += 1;
      const row = counts.get(action) ?? new Map<string, number>();
      counts.set(action, row.set(status, (row.get(status) ?? 0) + 1));
    },
    text() {
      if (total <= 1) return undefined;
      const rows = [...counts].sort(byName).map(([action, row]) => {
        const statuses = [...row].sort(byName).map(([status, count]) => `${status}: ${count}`);
        return `  ${printable(action)} (${statuses.join(', ')})`;
      });
      return ['action summary:', ...rows].join('\n');
    },
  };
}

/** A summary that is made from all results at once. */
export function summaryOf(render: (results: readonly Result[]) => string | undefined): Summary {
  const results: Result[] = [];
  return { add: (result) => void results.push(result), text: () => render(results) };
}

/** No summary. */
export const NO_SUMMARY: Summary = { add: () => {}, text: () => undefined };

function byName([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
