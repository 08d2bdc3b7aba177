/**
 * The journal of a run: written before anything happens, so that what was finished can be recorded after any crash.
 *
 * `<gitdir>/reprise/runs/<id>.json` is the plan and its phase. Beside it the command's supervisor leaves `<id>.pid` (of the command)
 * and `<id>.exit` (its exit code), also when the process that started it is gone.
 *
 *   intent    outputs are being prepared; nothing has run
 *   started   the command has been, or is about to be, started
 *   exited    the command has ended, its exit code is known
 */
import { mkdirSync, readdirSync, rmSync, statSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import type { RunRecord } from '../record/run-record.gen.ts';
import { readOrNull, writeAtomic } from '../sys/files.ts';
import type { ChangedInput } from './inputs.ts';
import { isGone, type Owner, ownerOf } from '../sys/owner.ts';

/** An output that was changed before the command started. */
export interface PreparedOutput {
  /** Relative to the dataset's root. */
  readonly path: string;
  /** The annex link that was there. */
  readonly target: string;
  /** `unlocked`: replaced by a writable copy. `removed`: its content is not here, so the link was taken away. */
  readonly how: 'unlocked' | 'removed';
  /** Identity of the writable copy (see `stat-id.ts`), empty for a removed one: tells whether it was touched. */
  readonly identity: string;
}

export interface Journal {
  readonly version: 1;
  readonly id: string;
  readonly phase: 'intent' | 'started' | 'exited';
  /** The process that writes the journal. */
  readonly owner: Owner;
  /** Where the run started from: branch (null if detached) and commit (null without one). */
  readonly base: { readonly ref: string | null; readonly commit: string | null };
  /** The commit of each installed subdataset, by path from the root. */
  readonly subHeads: readonly (readonly [path: string, commit: string | null])[];
  /** Folder the command runs in, relative to the root. */
  readonly pwd: string;
  /** The command as it is executed. */
  readonly expanded: string;
  /** The record but for what only the end tells. */
  readonly record: RunRecord;
  readonly message: string | null;
  readonly explicit: boolean;
  readonly sidecar: boolean;
  /** Whether our own block goes into the record. */
  readonly extension: boolean;
  readonly expandOutputs: boolean;
  readonly onCmdFailure: 'error' | 'save' | 'all';
  readonly strictIo: boolean;
  /** Exit code of the run that this one replays: no failure here either; absent for a first run. */
  readonly expectedExit?: number;
  /** Output patterns as matched in the folder, and the files they matched before the command. */
  readonly outputPatterns: readonly string[];
  readonly outputsBefore: readonly (readonly [path: string, identity: string])[];
  /** Files that were dirty before a nested run began, with their identity: not this run's changes. */
  readonly dirtyBefore: readonly (readonly [path: string, identity: string])[];
  readonly prepared: readonly PreparedOutput[];
  readonly log: 'out' | 'err' | 'both' | null;
  /** Folders outside the dataset that go when the run is over. */
  readonly scratch?: readonly string[];
  /** Commits with the record that were about to land: the last one of each dataset, by path from the top (empty for the top itself). */
  readonly landings?: readonly (readonly [path: string, commit: string])[];
  /** Known once the command has ended. */
  readonly changedInputs: readonly ChangedInput[];
  readonly exit?: CommandExit;
}

/** How a command ended. */
export interface CommandExit {
  /** Exit code; for a command that a signal ended, minus the signal's number, as DataLad records it. */
  readonly code: number;
  /** ISO 8601 UTC. */
  readonly ended: string;
  readonly userSeconds?: number;
  readonly systemSeconds?: number;
  /** Largest memory of any one process, in KiB. */
  readonly peakKb?: number;
}

/** Folder of the journals of a repository. */
export function journalDir(gitDir: string): string {
  return join(gitDir, 'reprise/runs');
}

/** Path of one of a run's files: `json`, `pid`, `exit`, `usage`, `sh`, `out`, `err`. */
export function journalFile(
  gitDir: string,
  id: string,
  kind: 'json' | 'pid' | 'exit' | 'usage' | 'sh' | 'out' | 'err',
): string {
  return join(journalDir(gitDir), `${id}.${kind}`);
}

/** Writes a journal; on the disk when this returns, but for the last phase, which the supervisor's note of the exit code stands for as well. */
export function writeJournal(gitDir: string, journal: Journal): Journal {
  mkdirSync(journalDir(gitDir), { recursive: true });
  writeAtomic(journalFile(gitDir, journal.id, 'json'), `${JSON.stringify(journal)}\n`, {
    durable: journal.phase !== 'exited',
  });
  return journal;
}

/** Forgets a run that is complete. The plan goes last: while it is there, nothing else may be missing. */
export function removeJournal(gitDir: string, id: string): void {
  for (const kind of ['pid', 'usage', 'sh', 'out', 'err', 'exit', 'json'] as const)
    rmSync(journalFile(gitDir, id, kind), { force: true });
}

/**
 * Journals of a repository that can be read, oldest first.
 *
 * @param most how many to look at; all when absent
 */
export function readJournals(gitDir: string, most?: number): readonly Journal[] {
  let names: string[];
  try {
    names = readdirSync(journalDir(gitDir));
  } catch {
    return [];
  }
  return names
    .filter((name) => name.endsWith('.json'))
    .slice(0, most)
    .map((name) => parseJournal(readOrNull(join(journalDir(gitDir), name))))
    .filter((journal) => journal !== null)
    .sort((a, b) => (a.record.reprise?.started ?? '').localeCompare(b.record.reprise?.started ?? ''));
}

function parseJournal(bytes: Buffer | null): Journal | null {
  if (!bytes) return null;
  try {
    const value = JSON.parse(bytes.toString('utf8')) as Journal;
    return value.version === 1 && typeof value.id === 'string' && typeof value.phase === 'string' ? value : null;
  } catch {
    return null;
  }
}

/** What a journal that is left over means. */
export type JournalState =
  /** Its process works on it. */
  | 'active'
  /** Only the command is left, and it goes on. */
  | 'running'
  /** Nothing was executed: prepared outputs can be put back. */
  | 'prepared'
  /** The command has ended: its results can be recorded. */
  | 'finished'
  /** The command was cut off. */
  | 'cut-off';

/** Decides the state of a journal from its files and from who is alive. */
export function journalState(gitDir: string, journal: Journal): JournalState {
  if (!isGone(journal.owner)) return 'active';
  if (journal.exit || readExit(gitDir, journal.id)) return 'finished';
  if (journal.phase === 'intent') return 'prepared';
  const command = readCommandOwner(gitDir, journal);
  if (command === null) return 'prepared';
  // Who has said that a run of another host is gone has said so of its command as well.
  return journal.owner.host !== hostname() || isGone(command) ? 'cut-off' : 'running';
}

/** The process that was the command; null when it was never started. */
function readCommandOwner(gitDir: string, journal: Journal): Owner | null {
  const pid = Number(readOrNull(journalFile(gitDir, journal.id, 'pid'))?.toString('latin1') ?? 'NaN');
  if (!Number.isInteger(pid) || pid <= 0) return null;
  const now = ownerOf(pid);
  // The supervisor does not note start times: a process that started after the pid was written is another one.
  return {
    ...now,
    boot: journal.owner.boot,
    host: journal.owner.host,
    start: startedBefore(gitDir, journal.id, pid) ? now.start : -1,
  };
}

function startedBefore(gitDir: string, id: string, pid: number): boolean {
  const noted = statSync(journalFile(gitDir, id, 'pid'), { throwIfNoEntry: false })?.mtimeMs;
  const proc = statSync(`/proc/${pid}`, { throwIfNoEntry: false });
  return noted !== undefined && proc !== undefined && proc.ctimeMs <= noted + 1000;
}

/** Reads what the supervisor left of a command's end; null while it has not ended. */
export function readExit(gitDir: string, id: string): CommandExit | null {
  const path = journalFile(gitDir, id, 'exit');
  const status = /^(\d+) *\n$/.exec(readOrNull(path)?.toString('latin1') ?? '')?.[1];
  if (status === undefined) return null;
  const usage = parseUsage(readOrNull(journalFile(gitDir, id, 'usage'))?.toString('utf8') ?? '');
  const { signal, ...measured } = usage;
  // Without GNU time only the shell's own way of telling is left, in which exit code 128 + N and signal N are one.
  const code =
    signal !== undefined
      ? -signal
      : usage.peakKb === undefined && Number(status) > 128 && Number(status) < 165
        ? 128 - Number(status)
        : Number(status);
  return { code, ended: new Date(statSync(path).mtimeMs).toISOString(), ...measured };
}

interface Usage {
  readonly userSeconds?: number;
  readonly systemSeconds?: number;
  readonly peakKb?: number;
  readonly signal?: number;
}

/** Reads the output of GNU time (`%U %S %M`, with its line about a signal), or of the shell's `times` (second line: children). */
function parseUsage(text: string): Usage {
  const signal = /^Command terminated by signal (\d+)$/m.exec(text)?.[1];
  const gnu = /^([\d.]+) ([\d.]+) (\d+)$/m.exec(text);
  const times = /^\S+ \S+\n(\d+)m([\d.]+)s (\d+)m([\d.]+)s\n$/.exec(text);
  const seconds = (minutes: unknown, rest: unknown) => Math.round((Number(minutes) * 60 + Number(rest)) * 1000) / 1000;
  return {
    ...(signal ? { signal: Number(signal) } : {}),
    ...(gnu ? { userSeconds: Number(gnu[1]), systemSeconds: Number(gnu[2]), peakKb: Number(gnu[3]) } : {}),
    ...(times ? { userSeconds: seconds(times[1], times[2]), systemSeconds: seconds(times[3], times[4]) } : {}),
  };
}
