/** Turns at something that only so many may do at once. */

export interface Turns {
  /**
   * Waits for a turn; resolves with what ends it. Rejects once nobody gets one any more.
   *
   * @param urgent before all others that wait
   */
  take(urgent?: boolean): Promise<() => void>;
  /** Turns away whoever waits, and whoever comes. */
  close(): void;
}

/** Makes turns for `atOnce` at a time. */
export function createTurns(atOnce: number): Turns {
  const waiting: { readonly go: (end: () => void) => void; readonly refuse: (error: Error) => void }[] = [];
  let free = atOnce;
  let open = true;
  const next = (): void => {
    if (free === 0) return;
    const first = waiting.shift();
    if (!first) return;
    free -= 1;
    first.go(() => {
      free += 1;
      next();
    });
  };
  return {
    take: (urgent = false) =>
      new Promise((go, refuse) => {
        if (!open) return refuse(turnedAway());
        if (urgent) waiting.unshift({ go, refuse });
        else waiting.push({ go, refuse });
        next();
      }),
    close() {
      open = false;
      for (const { refuse } of waiting.splice(0)) refuse(turnedAway());
    },
  };
}

function turnedAway(): Error {
  return new Error('it is too late for another turn');
}
