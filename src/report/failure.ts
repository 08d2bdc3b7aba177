/** How a failure is told: one sentence, its code and what to type next; or, for a bug of ours, all that a report needs. */
import { RepriseError } from '../core/errors.ts';
import { printable, printableLines } from './printable.ts';

/** Exit status of a bug. */
export const BUG_STATUS = 255;

export interface FailureView {
  /** Print the chain of causes of an error too. */
  readonly verbose: boolean;
  /** Names and versions of what ran, for a bug report. */
  readonly versions: string;
}

/** The lines for stderr, without a final line end. */
export function failureText(error: unknown, view: FailureView): string {
  if (!(error instanceof RepriseError)) return bugText(error, view);
  const usage = error.code === 'usage' ? error.data['usage'] : undefined;
  return [
    `reprise: error: ${printable(error.message)} (${error.code})`,
    ...(view.verbose ? causes(error) : []),
    ...(typeof usage === 'string' ? [`usage: ${usage}`] : []),
    ...[...new Set(error.hints)].map((hint) => `hint: ${printable(hint)}`),
  ].join('\n');
}

function bugText(error: unknown, view: FailureView): string {
  const stack = error instanceof Error ? (error.stack ?? String(error)) : String(error);
  return [
    'reprise: internal error',
    printableLines(stack),
    ...causes(error),
    view.versions,
    'This is a bug in Reprise. Please report it with the lines above.',
  ].join('\n');
}

function causes(error: unknown): string[] {
  const lines: string[] = [];
  let cause = error instanceof Error ? error.cause : undefined;
  while (cause instanceof Error && lines.length < 10) {
    lines.push(`caused by: ${printable(`${cause.name}: ${cause.message}`)}`);
    cause = cause.cause;
  }
  return lines;
}

/** What DataLad calls impossible rather than an error: nothing was tried. */
const REFUSALS: ReadonlySet<string> = new Set([
  'dataset-dirty',
  'placeholder-unknown',
  'placeholder-invalid',
  'target-exists',
  'container-exists',
]);

/** A failure as an object of the result convention: `action`, `status` error, `path`, and what the error knows. */
export function failureResult(error: unknown, action: string, path: string): Record<string, unknown> {
  const base = { action, status: 'error', path };
  if (!(error instanceof RepriseError)) {
    return {
      ...base,
      message: String(error),
      error_code: 'internal-error',
      exit_code: BUG_STATUS,
      hints: [],
      data: {},
    };
  }
  const { message, code, exitCode, hints, data } = error;
  const status = REFUSALS.has(code) ? 'impossible' : 'error';
  return { ...base, status, type: 'dataset', message, error_code: code, exit_code: exitCode, hints, data };
}
