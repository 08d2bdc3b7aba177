/** The one table of commands and options. */
import { FORMATS } from '../report/format.ts';
import { LOG_LEVELS } from '../report/reporter.ts';
import { ATTESTATIONS } from './commands/attestations.ts';
import { completionCommand } from './commands/completion.ts';
import { CONTAINERS_ADD } from './commands/containers-add.ts';
import { CONTAINERS_LIST } from './commands/containers-list.ts';
import { CONTAINERS_REMOVE } from './commands/containers-remove.ts';
import { CONTAINERS_RUN } from './commands/containers-run.ts';
import { CREATE } from './commands/create.ts';
import { DOCTOR } from './commands/doctor.ts';
import { DROP } from './commands/drop.ts';
import { GET } from './commands/get.ts';
import { PREFETCH } from './commands/prefetch.ts';
import { RECOVER } from './commands/recover.ts';
import { RERUN } from './commands/rerun.ts';
import { RUN } from './commands/run.ts';
import { SAVE } from './commands/save.ts';
import { STALE } from './commands/stale.ts';
import { STATUS } from './commands/status.ts';
import { UNLOCK } from './commands/unlock.ts';
import type { ParametersOf, Table } from './parameters.ts';
import type { LogLevel } from '../report/reporter.ts';

/** The values of the global options. */
export interface Globals {
  /** `-c`: as given, in order. */
  readonly config?: readonly string[];
  /** `-C`: as given, in order. */
  readonly directories?: readonly string[];
  readonly format?: string;
  readonly onFailure?: 'ignore' | 'continue' | 'stop';
  readonly reportStatus?: 'success' | 'failure' | 'ok' | 'notneeded' | 'impossible' | 'error';
  readonly reportType?: readonly string[];
  readonly level?: LogLevel;
  readonly verbose?: boolean;
  readonly version?: boolean;
}

const GLOBALS = {
  config: {
    kind: 'list',
    short: '-c',
    argument: 'KEY=VALUE',
    completion: 'none',
    origin: 'datalad',
    description: 'Set a configuration value for this invocation and what it starts; :KEY unsets one',
  },
  directories: {
    kind: 'list',
    short: '-C',
    argument: 'PATH',
    completion: 'directory',
    origin: 'datalad',
    description: 'Work as if started in this folder; a further -C is relative to the one before',
  },
  format: {
    kind: 'text',
    short: '-f',
    long: '--output-format',
    argument: 'FORMAT',
    completion: 'none',
    origin: 'datalad',
    description: `How results are printed: ${FORMATS.join(', ')}, or a template such as '{action}|{status}|{path}'`,
  },
  onFailure: {
    kind: 'choice',
    long: '--on-failure',
    argument: 'WHAT',
    choices: ['ignore', 'continue', 'stop'],
    origin: 'datalad',
    description:
      'When a result is a failure: go on and exit 0 (ignore), go on and fail at the end (continue), or stop there (stop)',
  },
  reportStatus: {
    kind: 'choice',
    long: '--report-status',
    argument: 'STATUS',
    choices: ['success', 'failure', 'ok', 'notneeded', 'impossible', 'error'],
    origin: 'datalad',
    description: 'Print only results with this status; success is ok or notneeded, failure is impossible or error',
  },
  reportType: {
    kind: 'list',
    long: '--report-type',
    argument: 'TYPE',
    completion: 'none',
    origin: 'datalad',
    description: 'Print only results about things of this type: dataset, file, directory, symlink',
  },
  level: {
    kind: 'choice',
    short: '-l',
    long: '--log-level',
    argument: 'LEVEL',
    choices: LOG_LEVELS,
    origin: 'datalad',
    description: `How much is said on stderr: ${LOG_LEVELS.join(', ')}`,
  },
  verbose: {
    kind: 'flag',
    short: '-v',
    long: '--verbose',
    origin: 'reprise',
    description: 'Say more on stderr: the same as -l debug',
  },
  version: { kind: 'flag', long: '--version', origin: 'datalad', description: 'Print the version' },
} as const satisfies ParametersOf<Globals>;

export const TABLE: Table = {
  commands: [
    RUN,
    CONTAINERS_RUN,
    RERUN,
    PREFETCH,
    CREATE,
    SAVE,
    STATUS,
    GET,
    DROP,
    UNLOCK,
    CONTAINERS_ADD,
    CONTAINERS_LIST,
    CONTAINERS_REMOVE,
    RECOVER,
    STALE,
    ATTESTATIONS,
    DOCTOR,
    completionCommand(() => TABLE),
  ],
  globals: GLOBALS,
  exitCodes: [
    ['0', 'Everything that was asked for is done'],
    ['1', 'Something failed; what and why is on stderr or in the results'],
    ['2', 'The command line is not understood, or there is no dataset'],
    ['130', 'Interrupted by the user'],
    ['255', 'A bug in Reprise'],
  ],
};
