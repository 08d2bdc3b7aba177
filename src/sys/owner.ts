/** Who holds something: a process, told apart from a later one with the same number and from one of an earlier boot. */
import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { bootId, lstatOrNull, machineTag, readOrNull } from './files.ts';

export interface Owner {
  readonly host: string;
  /** Boot id of the kernel, or an empty string where the system does not tell it. */
  readonly boot: string;
  readonly pid: number;
  /** Start time of the process in clock ticks since boot; 0 where the system does not tell it. */
  readonly start: number;
}

/** This process as an owner. Kept in the Git directory only, never in a record. */
export function thisOwner(): Owner {
  return ownerOf(process.pid);
}

/** Any local process as an owner. */
export function ownerOf(pid: number): Owner {
  return { host: hostname(), boot: bootId(), pid, start: startTime(pid) ?? 0 };
}

/** Owners on other hosts of whom the user has said that they are gone. */
const saidGone: Owner[] = [];

/** Takes the user's word for it that an owner on another host is gone, as long as this process lives; one on this host is looked at as ever. */
export function takeForGone(owner: Owner): void {
  saidGone.push(owner);
}

/** Whether two mean the same process. */
export function isSameOwner(a: Owner, b: Owner): boolean {
  return a.pid === b.pid && a.start === b.start && a.boot === b.boot && a.host === b.host;
}

/** Whether an owner is certainly gone. An owner on another host is not, unless the user has said so. */
export function isGone(owner: Owner): boolean {
  if (owner.host !== hostname()) return saidGone.some((one) => isSameOwner(one, owner));
  if (owner.boot !== bootId()) return true;
  const start = startTime(owner.pid);
  if (start !== null) return owner.start !== 0 && start !== owner.start;
  return !signalReaches(owner.pid);
}

/** Field 22 of /proc/PID/stat (proc(5)); null where there is no such process or no /proc. A zombie has ended. */
function startTime(pid: number): number | null {
  const stat = readOrNull(`/proc/${pid}/stat`)?.toString('latin1');
  if (!stat) return null;
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return fields[0] === 'Z' || fields[0] === 'X' ? null : Number(fields[19]);
}

function signalReaches(pid: number): boolean {
  const stat = readOrNull(`/proc/${pid}/stat`);
  if (stat) return false;
  if (readOrNull('/proc/self/stat')) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** Whether a process of this number is on this machine now. */
function isRunning(pid: number): boolean {
  return startTime(pid) !== null || signalReaches(pid);
}

/** A file that another machine has not completed for so long will not be completed. */
const ABANDONED_MS = 7 * 24 * 3600 * 1000;

/** Whether a file has a `partName`, and the process that made it will not complete it. */
export function isPartOfGone(path: string): boolean {
  const [, machine, pid] = /\.([0-9a-f]{8})\.(\d+)\.part$/.exec(path) ?? [];
  if (machine === undefined) return false;
  if (machine === machineTag()) return !isRunning(Number(pid));
  const stats = lstatOrNull(path);
  return stats !== null && Date.now() - stats.ctimeMs > ABANDONED_MS;
}

/** A short random name. */
export function randomId(): string {
  return randomBytes(8).toString('hex');
}

/** Variable in the environment of our own helpers (never of a user's command) that says whose they are. */
export const HELPER_VARIABLE = 'REPRISE_HELPER_OF';

/** The value of `HELPER_VARIABLE` for an owner's helpers. */
export function helperTagOf({ pid, start }: Owner): string {
  return `${pid}.${start}`;
}

/** Helpers that go on although the process that started them is gone (proc(5), `environ`); none where the system does not tell. */
export function orphanedHelpers(): number[] {
  return namesIn('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      const tag = new RegExp(`(?:^|\0)${HELPER_VARIABLE}=(\\d+)\\.(\\d+)\0`).exec(environmentOf(pid));
      return tag !== null && startTime(Number(tag[1])) !== Number(tag[2]) && startTime(pid) !== null;
    });
}

function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

/** Empty for a process of another user, or one that has just ended. */
function environmentOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'latin1');
  } catch {
    return '';
  }
}
