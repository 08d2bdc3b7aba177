/** Events in, text out: results on stdout in the chosen format, everything for people on stderr. */
import { encodeName } from '../core/bytes.ts';
import type { Emit, Event, Result } from '../core/result.ts';
import { containerLine } from './containers-text.ts';
import { doctorLine, doctorSummary } from './doctor-text.ts';
import { failureResult, failureText, type FailureView } from './failure.ts';
import type { Format } from './format.ts';
import { toJson } from './json.ts';
import { printable, visibleLines } from './printable.ts';
import { createProgress } from './progress.ts';
import { type DryRun, runText } from './run-text.ts';
import { statusLine, statusSummary } from './status-text.ts';
import { attestationLine, attestationSummary } from './attestations-text.ts';
import { staleSummary, staleText } from './stale-text.ts';
import { actionSummary, genericLine, NO_SUMMARY, type Summary, summaryOf } from './text.ts';

/** What is written to: a stream of the process, or a list in a test. */
export interface Sink {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(chunk: string | Uint8Array): unknown;
}

/** How much is said on stderr, least first. */
export const LOG_LEVELS = ['critical', 'error', 'warning', 'info', 'debug'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

export interface ReporterOptions {
  readonly format: Format;
  readonly stdout: Sink;
  readonly stderr: Sink;
  readonly level: LogLevel;
  /** The command whose results come: some have renderings of their own. */
  readonly command: string;
  readonly cwd: string;
  readonly datasetGiven: boolean;
  readonly dryRun: DryRun | undefined;
  /** Whether progress may be drawn at all; it is drawn on a terminal only. */
  readonly progress: boolean;
  /** Which results are printed; all of them count in summaries. */
  readonly keep: (result: Result) => boolean;
  readonly now: () => number;
  readonly versions: string;
}

export interface Reporter {
  readonly emit: Emit;
  /** Prints what comes after the last result. */
  finish(): void;
  /** Tells a failure on stderr, and with a JSON format as one more object on stdout. */
  fail(error: unknown): void;
}

/** Turns one result, and at the end all of them, into text. */
interface Renderer {
  readonly line: (result: Result) => string | undefined;
  readonly summary: Summary;
}

/** Makes a reporter for one invocation of one command. */
export function createReporter(options: ReporterOptions): Reporter {
  const { stdout, stderr, level } = options;
  const renderer = rendererFor(options);
  const says = (wanted: LogLevel): boolean => LOG_LEVELS.indexOf(wanted) <= LOG_LEVELS.indexOf(level);
  const drawn = options.progress && stderr.isTTY === true && says('info');
  const progress = createProgress({
    write: (text) => stderr.write(text),
    columns: stderr.columns ?? 80,
    now: options.now,
  });
  const toStdout = (text: string | undefined): void => {
    if (text === undefined) return;
    progress.clear();
    stdout.write(encodeName(`${text}\n`));
  };
  const toStderr = (text: string): void => {
    progress.clear();
    stderr.write(`${text}\n`);
  };

  const onResult = (result: Result): void => {
    renderer.summary.add(result);
    if (options.keep(result)) toStdout(renderer.line(result));
  };

  const emit = (event: Event): void => {
    if (event.kind === 'result') onResult(event.result);
    else if (event.kind === 'progress' || event.kind === 'progress-end') {
      if (drawn) progress.update(event);
    } else if (event.kind === 'text') {
      progress.clear();
      stdout.write(encodeName(options.stdout.isTTY ? visibleLines(event.text) : event.text));
    } else if (event.kind === 'info') {
      if (says('info')) toStderr(printable(event.text));
    } else if (says('warning')) {
      toStderr(
        [`warning: ${printable(event.text)}`, ...(event.hints ?? []).map((hint) => `hint: ${printable(hint)}`)].join(
          '\n',
        ),
      );
    }
  };

  return {
    emit,
    finish() {
      progress.clear();
      toStdout(renderer.summary.text());
    },
    fail(error) {
      const view: FailureView = { verbose: says('debug'), versions: options.versions };
      if (options.format === 'json' || options.format === 'json_pp') {
        toStdout(toJson(failureResult(error, options.command, options.cwd), options.format === 'json_pp'));
      }
      toStderr(failureText(error, view));
    },
  };
}

function rendererFor(options: ReporterOptions): Renderer {
  const { format, command } = options;
  // A file or a pipe gets the bytes as they are; a terminal must not be steered by somebody else's names.
  const safe = options.stdout.isTTY === true;
  if (typeof format === 'function') {
    return { line: (result) => format(result, safe ? printable : (text) => text), summary: NO_SUMMARY };
  }
  if (format === 'disabled') return { line: () => undefined, summary: NO_SUMMARY };
  if (format === 'json' || format === 'json_pp') {
    return { line: (result) => toJson(result, format === 'json_pp'), summary: NO_SUMMARY };
  }
  const tailored = format === 'tailored';
  if (command === 'status') {
    return {
      line: tailored ? (result) => statusLine(result, options) : genericLine,
      summary: summaryOf(statusSummary),
    };
  }
  if (command === 'containers-list' && tailored) return { line: containerLine, summary: NO_SUMMARY };
  if (['run', 'containers-run'].includes(command) && tailored) {
    const show = safe ? visibleLines : (text: string) => text;
    return { line: (result) => runText(result, options.dryRun, show), summary: NO_SUMMARY };
  }
  if (command === 'attestations' && tailored) return { line: attestationLine, summary: summaryOf(attestationSummary) };
  if (command === 'doctor' && tailored) return { line: doctorLine, summary: summaryOf(doctorSummary) };
  if (command === 'stale' && tailored) return { line: staleText, summary: summaryOf(staleSummary) };
  if (command === 'rerun' && tailored) return { line: staleText, summary: actionSummary() };
  return { line: genericLine, summary: actionSummary() };
}
