/**
 * How many wait for a lock, so that each looks at it about as often as its turn may come.
 *
 * Those who wait leave a ticket beside the lock. Nobody is held up by one: whoever looks when the lock is free takes it. So a ticket
 * that a killed process leaves costs at most some time.
 */
import { closeSync, openSync, readdirSync, rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { partName } from './files.ts';
import { isPartOfGone, randomId } from './owner.ts';

/** The pause of who is next, and what is added for each one before: less than a landing takes. In milliseconds. */
const FIRST_PAUSE_MS = 5;
const EACH_MS = 15;
/** The longest pause between two looks: tickets may be of processes that are gone, on other hosts. */
const LONGEST_PAUSE_MS = 500;

export interface Turn {
  /** How long to wait before the next look, in milliseconds. */
  pause(): number;
  /** Takes the ticket back. */
  leave(): void;
}

/** Begins to wait for a lock; the ticket is made with the second pause, since most locks are held for a moment only. */
export function waitForTurn(lock: string): Turn {
  const name = `${basename(lock)}.wait-${Date.now().toString(36).padStart(9, '0')}-${randomId()}`;
  const ticket = partName(join(dirname(lock), name));
  let looks = 0;
  let ahead = 0;
  return {
    pause() {
      looks += 1;
      if (looks === 2) takeTicket(ticket);
      // Who is next looks at nothing but the lock.
      if (looks === 2 || ahead > 0) ahead = before(lock, ticket, looks === 2);
      return Math.min(FIRST_PAUSE_MS + ahead * EACH_MS, LONGEST_PAUSE_MS) * (0.5 + Math.random());
    },
    leave() {
      if (looks > 1) rmSync(ticket, { force: true });
    },
  };
}

function takeTicket(ticket: string): void {
  try {
    closeSync(openSync(ticket, 'wx'));
  } catch {
    // On a full disk one waits without.
  }
}

/** How many tickets are older than this one; those of processes that are gone are cleared away where asked. */
function before(lock: string, ticket: string, clear: boolean): number {
  const [folder, start] = [dirname(lock), `${basename(lock)}.wait-`];
  const older = readdirSync(folder).filter((name) => name.startsWith(start) && name < basename(ticket));
  if (!clear) return older.length;
  return older.filter((name) => {
    const path = join(folder, name);
    if (!isPartOfGone(path)) return true;
    try {
      rmSync(path, { force: true });
    } catch {
      // It is another user's.
    }
    return false;
  }).length;
}
