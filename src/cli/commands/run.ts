import { type Command, type ParametersOf, verbCommand } from '../parameters.ts';
import { ASSUME_READY, DATASET, JOBS, MESSAGE, ON_CMD_FAILURE, ON_FAILURE } from '../shared-options.ts';
import type { RunOptions } from '../../run/options.ts';

/** The options of `run`, which every kind of run has. */
export const RUN_PARAMETERS = {
  cmd: {
    kind: 'remainder',
    usage: '[--] COMMAND...',
    keepTerminator: true,
    argument: 'COMMAND',
    completion: 'command',
    description: 'The command, with its own options',
  },
  dataset: {
    ...DATASET,
    description:
      'The dataset to record in. By default the one that the current folder belongs to. The command runs in the current folder in any case',
  },
  inputs: {
    kind: 'list',
    short: '-i',
    long: '--input',
    argument: 'PATH',
    completion: 'file',
    origin: 'datalad',
    description: 'A file, folder or glob pattern that the command needs; its content is fetched first',
  },
  outputs: {
    kind: 'list',
    short: '-o',
    long: '--output',
    argument: 'PATH',
    completion: 'file',
    origin: 'datalad',
    description:
      'A file, folder or glob pattern that the command writes; it is unlocked first, or removed if its content is not here',
  },
  // DataLad's `run` has no such option, either: programs set it.
  extraInputs: { kind: 'derived', from: () => undefined },
  inputFrom: {
    kind: 'list',
    long: '--input-from',
    argument: 'FILE',
    completion: 'file',
    origin: 'reprise',
    description: 'Take inputs from a list, one per line or separated by NUL characters',
  },
  outputFrom: {
    kind: 'list',
    long: '--output-from',
    argument: 'FILE',
    completion: 'file',
    origin: 'reprise',
    description: 'Take outputs from a list, one per line or separated by NUL characters',
  },
  expand: {
    kind: 'choice',
    long: '--expand',
    argument: 'WHICH',
    choices: ['inputs', 'outputs', 'both'],
    origin: 'datalad',
    description: 'Record the files that patterns matched, not the patterns',
  },
  assumeReady: ASSUME_READY,
  explicit: {
    kind: 'flag',
    long: '--explicit',
    origin: 'datalad',
    description: 'Save only the declared outputs, and do not ask for a dataset without unsaved changes',
  },
  message: { ...MESSAGE, description: 'What the commit says; by default the command, shortened' },
  sidecar: {
    kind: 'yes-no',
    long: '--sidecar',
    argument: 'yes|no',
    origin: 'datalad',
    description:
      'Put the record in a file of its own below .datalad/runinfo; by default as the setting datalad.run.record-sidecar says',
  },
  dryRun: {
    kind: 'choice',
    long: '--dry-run',
    argument: 'MODE',
    choices: ['basic', 'command'],
    origin: 'datalad',
    description: 'Do not run anything; show what would be run (basic), or only the expanded command (command)',
  },
  onCmdFailure: ON_CMD_FAILURE,
  jobs: JOBS,
  onFailure: ON_FAILURE,
  allowDirtyInput: {
    kind: 'flag',
    long: '--allow-dirty-input',
    origin: 'reprise',
    description: 'With --explicit: accept inputs that differ from the last commit, and record their digests',
  },
  strictIo: {
    kind: 'flag',
    long: '--strict-io',
    origin: 'reprise',
    description: 'Commit nothing, and fail, if the declared outputs are not exactly what was written',
  },
  log: {
    kind: 'choice',
    long: '--log',
    argument: 'STREAMS',
    choices: ['out', 'err', 'both'],
    origin: 'reprise',
    description: 'Keep what the command prints as a file that is saved with the run',
  },
  noPlaceholders: {
    kind: 'flag',
    long: '--no-placeholders',
    origin: 'reprise',
    description: 'Take braces in the command and in paths literally',
  },
} as const satisfies ParametersOf<RunOptions>;

export const RUN: Command = verbCommand<RunOptions>({
  name: 'run',
  summary: 'Run a command and record what it did',
  description: [
    'Runs a command in the current folder and commits what it changed, with a record of the command, its inputs and its outputs from which it can be run again. Nothing is recorded if nothing changed.',
    'The first word that is not an option begins the command: all that follows is its own. A single word is a line for the shell; several words are quoted and joined. A leading -- is dropped.',
    'In the command, {inputs} and {outputs} stand for the files that -i and -o name ({inputs[0]} for the first), {pwd} for the current folder, {dspath} for the dataset, {tmpdir} for a new temporary folder, and {name} for the setting datalad.run.substitutions.name. {{ and }} are literal braces.',
  ],
  examples: [
    {
      what: 'Run a script and record its effect',
      line: "reprise run -m 'plot the results' -i 'raw/*.tsv' -o figures -- python3 code/plot.py",
    },
    {
      what: 'A line for the shell, quoted as one word',
      line: "reprise run -i table.csv -o sorted.csv 'sort {inputs} > {outputs}'",
    },
    {
      what: 'Commit only what is declared, while other files are being worked on',
      line: 'reprise run --explicit -o model.bin make model.bin',
    },
    { what: 'See what would happen', line: "reprise run --dry-run basic -i 'data/**/*.dat' 'wc -l {inputs}'" },
  ],
  exitCodes: [['the command’s', 'The command failed: its own exit code; 128 + N if signal N ended it']],
  parameters: RUN_PARAMETERS,
  load: async () => (await import('../../run/run.ts')).run,
});
