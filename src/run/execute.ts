/**
 * Executing a command so that its end is known even if we are gone.
 *
 * A POSIX shell of its own supervises the command: it notes the command's process id, waits, and leaves the exit code in a file.
 * It ignores the signals that a terminal sends to everybody; the command gets them as ever. Standard streams are passed
 * through untouched. Where GNU time is installed it runs in between, for the peak of memory and for telling an exit code from a signal.
 */
import { closeSync, openSync, readSync, statSync, writeFileSync, writeSync } from 'node:fs';
import { constants } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { encodeName } from '../core/bytes.ts';
import { RepriseError } from '../core/errors.ts';
import type { Context } from '../sys/context.ts';
import { overridesAsEnv } from '../dataset/repo.ts';
import { readOrNull } from '../sys/files.ts';
import { start } from '../sys/proc.ts';
import type { Launched } from './options.ts';
import { type CommandExit, type Journal, journalFile, readExit } from './journal.ts';

/**
 * $1: path of the journal without its ending; $2: the command line, or empty when it is in the `.sh` file; $3: GNU time or empty; $4: `bound`
 * when the command and all below it have to end with the process that started us, which holds the other end of descriptor 3. The end that we
 * make of it is not its own: no exit code is noted then, unless it ended well all the same.
 */
const SUPERVISOR = `
trap : HUP INT QUIT TERM
cut=
trap 'cut=1' USR1
end_all() {
  for child in $(cat "/proc/$1/task/$1/children" 2>/dev/null); do end_all "$child" "$2"; done
  kill -"$2" "$1" 2>/dev/null
}
if [ -n "$4" ]; then
  {
    read -r word
    kill -USR1 "$$"
    # It may be about to start.
    until pid=$(cat "$1.pid") && [ -n "$pid" ]; do kill -0 "$$" || exit; sleep 0.1; done
    end_all "$pid" TERM; sleep 2; end_all "$pid" KILL
  } <&3 >/dev/null 2>&1 &
  watcher=$!
  exec 3<&-
fi
# Whoever has taken the journal away in the meantime took this for a run that would not start.
inner='[ -e "$1.json" ] || exit 125; printf %s "$$" >"$1.pid"; if [ -n "$2" ]; then exec /bin/sh -c "$2"; else exec /bin/sh "$1.sh"; fi'
if [ -n "$3" ]; then
  "$3" -f '%U %S %M' -o "$1.usage" /bin/sh -c "$inner" /bin/sh "$1" "$2"
else
  /bin/sh -c "$inner" /bin/sh "$1" "$2"
fi
code=$?
[ -z "$4" ] || kill -KILL "$watcher" 2>/dev/null
[ -e "$1.json" ] || { rm -f "$1.usage" "$1.pid"; exit "$code"; }
[ -n "$3" ] || times >"$1.usage"
[ -z "$cut" ] || [ "$code" = 0 ] || exit "$code"
printf '%-5s\\n' "$code" 1<>"$1.exit"
exit "$code"
`;

/** What stands where the exit code will be. */
const EXIT_PLACE = '     \n';

/** How much later than the command's end our own signal may come. */
const LATE_SIGNAL_MS = 100;

/** Linux takes at most 128 KiB in one argument; a longer command goes through a file. */
const LONGEST_ARGUMENT = 128 * 1024 - 1;

export interface Execution {
  readonly exit: CommandExit;
  /** Set when the user interrupted us meanwhile. */
  readonly interrupted: NodeJS.Signals | null;
}

/**
 * Runs a journal's command in a folder and waits for its end; throws `command-not-started`.
 *
 * @param env added to the context's environment
 * @param launched how it is executed, where that is not simply by the shell
 */
export async function executeCommand(
  context: Context,
  gitDir: string,
  journal: Journal,
  pwd: string,
  env: NodeJS.ProcessEnv,
  launched?: Pick<Launched, 'line' | 'bound'>,
): Promise<Execution> {
  const stem = journalFile(gitDir, journal.id, 'json').slice(0, -'.json'.length);
  const line = launched?.line ?? journal.expanded;
  const bytes = encodeName(line);
  const inFile = bytes.length > LONGEST_ARGUMENT || !line.isWellFormed() || line === '';
  if (inFile) writeFileSync(`${stem}.sh`, bytes);
  // The place for the exit code is taken now: on a disk that is full by then, it can still be noted.
  writeFileSync(`${stem}.exit`, EXIT_PLACE);
  const streams = openLogs(stem, journal.log);
  const argv = [
    '/bin/sh',
    '-c',
    SUPERVISOR,
    '/bin/sh',
    stem,
    inFile ? '' : line,
    gnuTime() ?? '',
    launched?.bound ? 'bound' : '',
  ] as const;
  const environment = { ...context.env, ...overridesAsEnv(context), ...env, PWD: pwd };
  const watcher = watchSignals(stem);
  try {
    const child = start(argv, {
      cwd: pwd,
      env: environment,
      // The fourth one closes when we are gone, and tells a bound command's supervisor.
      stdio: ['inherit', streams.out.target, streams.err.target, ...(launched?.bound ? ['pipe' as const] : [])],
    });
    const pumps = [streams.out, streams.err].map((stream) => stream.follow());
    const code = await new Promise<number | null>((resolve, reject) => {
      child.once('error', (cause) =>
        reject(
          new RepriseError('command-not-started', `The command could not be started: ${cause.message}`, { cause }),
        ),
      );
      child.once('exit', resolve);
    });
    for (const stop of pumps) stop();
    const exit = readExit(gitDir, journal.id);
    // Only a supervisor that was killed itself leaves no exit file.
    const end = exit ?? { code: code ?? -9, ended: new Date().toISOString() };
    return { exit: end, interrupted: await watcher.seen(end.code) };
  } finally {
    watcher.stop();
    streams.out.close();
    streams.err.close();
  }
}

/** Absolute path of GNU time, which measures memory and tells an exit code from a signal; null where it is not installed. */
export function gnuTime(): string | null {
  return statSync('/usr/bin/time', { throwIfNoEntry: false })?.isFile() ? '/usr/bin/time' : null;
}

/** While a command runs, Ctrl-C is its business: a terminal tells all its processes. Signals to us alone are handed on to all of them. */
function watchSignals(stem: string): { seen(code: number): Promise<NodeJS.Signals | null>; stop(): void } {
  let seen: NodeJS.Signals | null = null;
  let tell = () => {};
  const told = new Promise<void>((resolve) => (tell = resolve));
  const note = (signal: NodeJS.Signals) => {
    seen = signal;
    tell();
    if (signal === 'SIGINT' && isForeground()) return;
    const pid = Number(readOrNull(`${stem}.pid`)?.toString('latin1') ?? 'NaN');
    if (Number.isInteger(pid) && pid > 1) for (const one of family(pid)) tryKill(one, signal);
  };
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  for (const signal of signals) process.on(signal, note);
  const ends = signals.flatMap((signal) => [-constants.signals[signal], 128 + constants.signals[signal]]);
  return {
    // The end of a command may be heard of before the signal that was sent to both: on a busy machine, different threads take the two.
    async seen(code) {
      if (seen === null && ends.includes(code)) await Promise.race([told, sleep(LATE_SIGNAL_MS)]);
      return seen;
    },
    stop() {
      for (const signal of signals) process.off(signal, note);
    },
  };
}

/** Whether a terminal sends its Ctrl-C to our whole process group, the command included (proc(5), `tty_nr` and `tpgid`). */
function isForeground(): boolean {
  const stat = readOrNull('/proc/self/stat')?.toString('latin1');
  if (!stat) return process.stdin.isTTY;
  const [, , group, , terminal, foreground] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return terminal !== '0' && group === foreground;
}

/**
 * A process and all below it, outermost first: a shell must not go on after its child was told to end. What has a session of its own is
 * somebody's service, such as the file system of a container's image, and goes when it is not needed any more.
 */
function family(pid: number, session = sessionOf(pid)): number[] {
  if (sessionOf(pid) !== session) return [];
  const text = readOrNull(`/proc/${pid}/task/${pid}/children`)?.toString('latin1') ?? '';
  const children = text
    .split(' ')
    .filter((word) => word !== '')
    .map(Number);
  return [pid, ...children.flatMap((child) => family(child, session))];
}

/** proc(5), field 6 of `stat`; empty where the system does not tell. */
function sessionOf(pid: number): string {
  const stat = readOrNull(`/proc/${pid}/stat`)?.toString('latin1') ?? '';
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[3] ?? '';
}

function tryKill(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It ended in the meantime.
  }
}

interface Stream {
  readonly target: number;
  /** Copies what the command writes to our own stream; returns what ends that, after a last copy. */
  follow(): () => void;
  close(): void;
}

function openLogs(stem: string, log: Journal['log']): { readonly out: Stream; readonly err: Stream } {
  return {
    out: log === 'out' || log === 'both' ? loggedStream(`${stem}.out`, 1) : passedStream(1),
    err: log === 'err' || log === 'both' ? loggedStream(`${stem}.err`, 2) : passedStream(2),
  };
}

function passedStream(fd: number): Stream {
  return { target: fd, follow: () => () => {}, close: () => {} };
}

/** The command writes into a file, not into a pipe of ours: it must not break when we are gone. */
function loggedStream(path: string, fd: number): Stream {
  const target = openSync(path, 'a');
  const source = openSync(path, 'r');
  const buffer = Buffer.alloc(64 * 1024);
  const copy = () => {
    for (let size = readSync(source, buffer); size > 0; size = readSync(source, buffer))
      writeAll(fd, buffer.subarray(0, size));
  };
  return {
    target,
    follow() {
      const timer = setInterval(copy, 50);
      return () => {
        clearInterval(timer);
        copy();
      };
    },
    close() {
      closeSync(target);
      closeSync(source);
    },
  };
}

function writeAll(fd: number, bytes: Buffer): void {
  for (let at = 0; at < bytes.length; ) {
    try {
      at += writeSync(fd, bytes, at);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EAGAIN') continue;
      // Nobody reads our copy any more; the file still gets all of it.
      if ((error as NodeJS.ErrnoException).code === 'EPIPE') return;
      throw error;
    }
  }
}
