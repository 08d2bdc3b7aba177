/** Turns the results a verb produces one by one into its outcome: each is emitted as it happens, and failures decide the exit status. */
import type { RepriseError } from '../core/errors.ts';
import type { Result, VerbOutcome } from '../core/result.ts';
import type { Context } from '../sys/context.ts';

/** DataLad's `on_failure`: report only; report and go on, exit 1; stop at the first failure, exit 1. */
export type OnFailure = 'ignore' | 'continue' | 'stop';

/** Whether a result counts as a failure. */
export function isFailure(result: Result): boolean {
  return result.status === 'error' || result.status === 'impossible';
}

/** Errors about the machine or its user rather than about one of several things: no other one would fare better. */
const FATAL: ReadonlySet<string> = new Set([
  'disk-full',
  'git-missing',
  'annex-missing',
  'identity-missing',
  'interrupted',
]);

/** Whether an error ends a verb that goes on after things that fail. */
export function isFatal({ code }: RepriseError): boolean {
  return FATAL.has(code);
}

/** Runs a verb's generator to its end, or to the first failure under `stop`; emits and collects all results. */
export async function collectResults(
  context: Context,
  onFailure: OnFailure,
  produced: AsyncIterable<Result>,
): Promise<VerbOutcome> {
  const results: Result[] = [];
  let exitCode = 0;
  for await (const result of produced) {
    results.push(result);
    context.emit({ kind: 'result', result });
    if (onFailure === 'ignore' || !isFailure(result)) continue;
    exitCode = 1;
    if (onFailure === 'stop') break;
  }
  return { exitCode, results };
}
