/** Signals to this process, handed on to a container, also those that come before there is one. */
import { constants } from 'node:os';

const HANDED_ON = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2'] as const;

export interface Signals {
  /** The first signal that came. */
  first(): NodeJS.Signals | null;
  /** Whether this signal came. */
  raised(signal: NodeJS.Signals): boolean;
  /** Hands a signal on as if it had come from outside. */
  raise(signal: NodeJS.Signals): void;
  /** From now on, signals go to what is given; those that came before go there now. */
  attach(send: (signal: NodeJS.Signals) => Promise<unknown>): void;
  stop(): void;
}

/** Takes the signals of this process over. */
export function handOnSignals(): Signals {
  const seen: NodeJS.Signals[] = [];
  let send: ((signal: NodeJS.Signals) => Promise<unknown>) | null = null;
  // A container that has ended meanwhile cannot be signalled, and need not.
  const deliver = (signal: NodeJS.Signals) => void send?.(signal).catch(() => {});
  const raise = (signal: NodeJS.Signals) => {
    seen.push(signal);
    deliver(signal);
  };
  for (const signal of HANDED_ON) process.on(signal, raise);
  return {
    first: () => seen[0] ?? null,
    raised: (signal) => seen.includes(signal),
    raise,
    attach(to) {
      send = to;
      seen.forEach(deliver);
    },
    stop() {
      for (const signal of HANDED_ON) process.off(signal, raise);
    },
  };
}

export function numberOf(signal: NodeJS.Signals): number {
  return constants.signals[signal];
}
