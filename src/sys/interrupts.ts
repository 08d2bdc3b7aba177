/** Work that clears up after itself when the user interrupts it. */
import { constants } from 'node:os';
import { RepriseError } from '../core/errors.ts';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/**
 * Does the work; a signal to this process aborts what it is given, and is the error of whatever it throws after that.
 *
 * @throws `interrupted`
 */
export async function interruptible<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const abort = new AbortController();
  const onSignal = (signal: NodeJS.Signals) => abort.abort(interrupted(signal));
  for (const signal of SIGNALS) process.on(signal, onSignal);
  try {
    return await work(abort.signal);
  } catch (error) {
    throw abort.signal.aborted ? abort.signal.reason : error;
  } finally {
    for (const signal of SIGNALS) process.off(signal, onSignal);
  }
}

function interrupted(signal: NodeJS.Signals): RepriseError {
  return new RepriseError('interrupted', 'Interrupted; nothing was changed', {
    exitCode: 128 + constants.signals[signal],
  });
}
