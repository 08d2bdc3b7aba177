/** Options that several commands have. */
import type { ChoiceOption, Derived, FlagOption, IntegerOption, LevelsOption, TextOption } from './parameters.ts';

export const DATASET = {
  kind: 'text',
  short: '-d',
  long: '--dataset',
  argument: 'DATASET',
  completion: 'directory',
  origin: 'datalad',
  description: 'The dataset to work in. By default the one that the current folder belongs to',
} as const satisfies TextOption;

export const RECURSIVE = {
  kind: 'flag',
  short: '-r',
  long: '--recursive',
  origin: 'datalad',
  description: 'Go into subdatasets',
} as const satisfies FlagOption;

export const RECURSION_LIMIT = {
  kind: 'integer',
  short: '-R',
  long: '--recursion-limit',
  argument: 'LEVELS',
  least: 0,
  origin: 'datalad',
  description: 'Go into subdatasets at most this many levels deep',
} as const satisfies IntegerOption;

export const JOBS = {
  kind: 'integer',
  short: '-J',
  long: '--jobs',
  argument: 'NJOBS',
  least: 1,
  unset: ['auto'],
  origin: 'datalad',
  description: 'How many transfers at once where possible: a number, or auto',
} as const satisfies IntegerOption;

export const MESSAGE = {
  kind: 'text',
  short: '-m',
  long: '--message',
  argument: 'MESSAGE',
  origin: 'datalad',
  description: 'The commit message',
} as const satisfies TextOption;

export const JOBS_OR_AUTO = { ...JOBS, kind: 'levels', words: ['auto'] } as const satisfies LevelsOption<'auto'>;

/** `--on-failure` is a global option. */
export const ON_FAILURE: Derived = { kind: 'derived', from: (globals) => globals['onFailure'] };

/** Of `run` and what executes records again. */
export const ASSUME_READY = {
  kind: 'choice',
  long: '--assume-ready',
  argument: 'WHICH',
  choices: ['inputs', 'outputs', 'both'],
  origin: 'datalad',
  description: 'Do not fetch inputs, or do not unlock outputs: they are known to be ready',
} as const satisfies ChoiceOption<'inputs' | 'outputs' | 'both'>;

export const ON_CMD_FAILURE = {
  kind: 'choice',
  long: '--on-cmd-failure',
  argument: 'WHAT',
  choices: ['error', 'save', 'all'],
  origin: 'datalad',
  description:
    'When the command fails: pass its exit code on and save nothing (error, the default), save and exit 0 (save), or save and pass its exit code on (all)',
} as const satisfies ChoiceOption<'error' | 'save' | 'all'>;

/** Of what executes containers. */
export const RUNNER = {
  kind: 'choice',
  long: '--runner',
  argument: 'RUNNER',
  choices: ['docker', 'podman', 'apptainer', 'singularity'],
  origin: 'reprise',
  description: 'What runs containers; by default the first that is here and can run the image',
} as const satisfies ChoiceOption<'docker' | 'podman' | 'apptainer' | 'singularity'>;
