/**
 * The `git-annex` branch's record of which repositories hold a key: its path and its text.
 *
 * Format (git-annex's `Logs/Presence/Pure.hs`): one line `<seconds since 1970>s <1|0|X> <uuid>` per repository, sorted by uuid; of several lines for
 * one repository, as a union merge leaves them, the newest counts.
 */
import { hashDirLower, keyFileName } from './keys.ts';

/** Path of a key's location log in the `git-annex` branch. */
export function logPath(key: string): string {
  return `${hashDirLower(key)}/${keyFileName(key)}.log`;
}

/** Name of the file in `.git/annex/journal` that holds a newer version of a path of the `git-annex` branch, while there is one. */
export function journalName(path: string): string {
  return path.replaceAll('_', '__').replaceAll('/', '_');
}

interface LogLine {
  readonly text: string;
  readonly picoseconds: bigint;
  readonly status: string;
  readonly uuid: string;
}

const LINE = /^(\d+)(?:\.(\d{1,12}))?s ([01X]) (.+)$/;

/**
 * The log after a repository got the content of a key.
 *
 * Where the repository is already recorded as having it, the same text comes back: git-annex does not touch such a log either.
 * @param existing text of the log, or null where the key has none
 * @param seconds time of the change in seconds since 1970; moved on where the repository's own last line is not older
 */
export function addPresence(existing: string | null, uuid: string, seconds: number): string {
  const { newest, unknown } = readLog(existing ?? '');
  const last = newest.get(uuid);
  if (existing !== null && last?.status === '1') return existing;
  newest.set(uuid, presenceLine(uuid, seconds, last));
  const lines = [...newest.values()].sort((a, b) => Buffer.compare(Buffer.from(a.uuid), Buffer.from(b.uuid)));
  return [...lines.map((line) => line.text), ...unknown].map((text) => `${text}\n`).join('');
}

/** The newest line of each repository, and lines of no known form, which are kept. */
function readLog(log: string): { readonly newest: Map<string, LogLine>; readonly unknown: readonly string[] } {
  const newest = new Map<string, LogLine>();
  const unknown: string[] = [];
  for (const text of log.split('\n').reverse()) {
    const line = parseLine(text);
    if (line) {
      const known = newest.get(line.uuid);
      if (!known || known.picoseconds <= line.picoseconds) newest.set(line.uuid, line);
    } else if (text !== '') {
      unknown.unshift(text);
    }
  }
  return { newest, unknown };
}

/** git-annex moves a clock that stands still or went back to one second after the last entry. */
function presenceLine(uuid: string, seconds: number, last: LogLine | undefined): LogLine {
  let picoseconds = BigInt(Math.round(seconds * 1e6)) * 1_000_000n;
  if (last && last.picoseconds >= picoseconds) picoseconds = last.picoseconds + 1_000_000_000_000n;
  return { text: `${formatTime(picoseconds)} 1 ${uuid}`, picoseconds, status: '1', uuid };
}

function formatTime(picoseconds: bigint): string {
  const whole = picoseconds / 1_000_000_000_000n;
  const fraction = (picoseconds % 1_000_000_000_000n).toString().padStart(12, '0').replace(/0+$/, '');
  return `${whole}${fraction === '' ? '' : `.${fraction}`}s`;
}

function parseLine(text: string): LogLine | null {
  const found = LINE.exec(text);
  if (!found) return null;
  const [, whole = '', fraction = '', status = '', uuid = ''] = found;
  return { text, picoseconds: BigInt(whole + fraction.padEnd(12, '0')), status, uuid };
}
