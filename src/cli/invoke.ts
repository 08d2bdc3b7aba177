/** One invocation: parse, call the verb, report, and say how it ended. */
import { release } from 'node:os';
import { RepriseError } from '../core/errors.ts';
import { explainSystemError } from '../core/system-errors.ts';
import { BUG_STATUS } from '../report/failure.ts';
import { parseFormat } from '../report/format.ts';
import { createReporter, type ReporterOptions, type Sink } from '../report/reporter.ts';
import { configOverrides, resultFilter, workingFolder } from './invocation.ts';
import { type Globals, TABLE } from './options.ts';
import type { Command, Values } from './parameters.ts';
import { parseCommandLine, withUsage } from './parser.ts';
import { VERSION } from '../core/version.ts';

export interface Surroundings {
  readonly cwd: string;
  readonly env: NodeJS.ProcessEnv;
  readonly stdout: Sink;
  readonly stderr: Sink;
}

/** Runs one command line and returns its exit status; never throws. */
export async function invoke(argv: readonly string[], around: Surroundings): Promise<number> {
  const { stdout, env } = around;
  let command: Command | undefined;
  let reporter = createReporter({ ...defaults(around), format: formatWanted(argv) });
  try {
    const parsed = parseCommandLine(TABLE, argv, stdout.columns ?? (Number(env['COLUMNS']) || 80));
    if (parsed.kind !== 'command') {
      stdout.write(parsed.kind === 'help' ? parsed.text : `reprise ${VERSION}\n`);
      return 0;
    }
    const { values, globals } = parsed;
    command = parsed.command;
    const cwd = workingFolder(around.cwd, globals.directories ?? []);
    reporter = createReporter({ ...defaults(around), ...reporting(globals, values), command: command.name, cwd });
    const overrides = configOverrides(globals.config ?? []);
    const outcome = await command.start(values, { cwd, env, overrides, emit: reporter.emit });
    if (typeof outcome === 'string') {
      stdout.write(outcome);
      return 0;
    }
    reporter.finish();
    return outcome.exitCode;
  } catch (thrown) {
    const error = explainSystemError(thrown);
    reporter.fail(error instanceof RepriseError ? withUsage(error, command) : error);
    return error instanceof RepriseError ? error.exitCode : BUG_STATUS;
  }
}

/** What is reported with until the command line is understood. */
function defaults({ cwd, env, stdout, stderr }: Surroundings): ReporterOptions {
  return {
    format: 'tailored',
    stdout,
    stderr,
    cwd,
    level: 'info',
    command: 'reprise',
    datasetGiven: false,
    dryRun: undefined,
    progress: !env['CI'] && env['TERM'] !== 'dumb' && env['DATALAD_UI_PROGRESSBAR'] !== 'none',
    keep: () => true,
    now: () => performance.now(),
    versions: versions(),
  };
}

/** Names and versions of what runs, for a bug report. */
export function versions(): string {
  return `Reprise ${VERSION}, Node ${process.version}, ${process.platform} ${release()} ${process.arch}`;
}

function reporting(globals: Globals, values: Values): Partial<ReporterOptions> {
  return {
    format: globals.format === undefined ? 'tailored' : parseFormat(globals.format),
    level: globals.level ?? (globals.verbose ? 'debug' : 'info'),
    datasetGiven: values['dataset'] !== undefined,
    dryRun: values['dryRun'] as ReporterOptions['dryRun'],
    keep: resultFilter(globals),
  };
}

/** The format of a command line that may not be understood: who asked for JSON gets errors as JSON, too. */
function formatWanted(argv: readonly string[]): 'tailored' | 'json' | 'json_pp' {
  const match = /(?:^|\0)(?:-f\0?|--output-format[=\0])(json|json_pp)(?:\0|$)/.exec(argv.join('\0'));
  return (match?.[1] as 'json' | 'json_pp' | undefined) ?? 'tailored';
}
