/** What was found out about one thing, as a result: `ok`, `impossible` (not to be had here), or `error` (has to be mended). */
import { RepriseError } from '../core/errors.ts';
import type { Result } from '../core/result.ts';
import { explainSystemError } from '../core/system-errors.ts';

/** How long a program or an engine is waited for. */
export const PATIENCE_MS = 5000;

export interface Subject {
  readonly kind: 'machine' | 'runner' | 'dataset' | 'container';
  readonly name: string;
  /** Absolute path of the thing, or of the folder that was asked about. */
  readonly path: string;
  /** Whether nothing works without it, or it was asked for. */
  readonly essential?: boolean;
}

/** What a look at a thing gives: at least a sentence, and whatever of the result is to be different. */
export type Look = Partial<Result> & { readonly message: string; readonly hints?: readonly string[] };

/** Looks at one thing; a refusal is the answer, too. */
export async function examine(subject: Subject, look: () => Look | Promise<Look>): Promise<Result> {
  const { kind, name, path, essential = false } = subject;
  const result: Result = { action: 'doctor', status: 'ok', path, kind, name };
  try {
    return { ...result, ...(await look()) };
  } catch (error) {
    return { ...result, ...refusal(error, essential) };
  }
}

/** What an error says about a thing, if a user can cause it or the system refused something; anything else is a bug, and thrown again. */
export function refusal(thrown: unknown, essential: boolean): Look {
  const error = explainSystemError(thrown);
  if (!(error instanceof RepriseError)) throw error;
  const { message, code, hints } = error;
  return { status: essential ? 'error' : 'impossible', message, error_code: code, hints };
}
