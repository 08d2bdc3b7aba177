import { type Command, verbCommand } from '../parameters.ts';
import { DATASET, JOBS_OR_AUTO, RECURSION_LIMIT, RECURSIVE, ON_FAILURE } from '../shared-options.ts';
import type { DropOptions } from '../../dataset/drop.ts';

export const DROP: Command = verbCommand<DropOptions>({
  name: 'drop',
  summary: 'Drop content that is available elsewhere',
  description: [
    'Removes the content of annexed files from this copy of the dataset, after making sure that enough other copies exist.',
  ],
  examples: [
    { what: 'Drop the content of a folder', line: 'reprise drop raw' },
    { what: 'Drop it without asking other copies', line: 'reprise drop --reckless availability raw' },
  ],
  parameters: {
    paths: {
      kind: 'operands',
      argument: 'PATH',
      completion: 'file',
      description: 'What to drop; by default all content of the dataset',
    },
    what: {
      kind: 'choice',
      long: '--what',
      argument: 'WHAT',
      choices: ['filecontent', 'allkeys', 'datasets', 'all'],
      origin: 'datalad',
      description:
        'Content of the files (filecontent, the default), of every version of them (allkeys), whole subdatasets, or all',
    },
    reckless: {
      kind: 'choice',
      long: '--reckless',
      argument: 'MODE',
      choices: ['modification', 'availability', 'undead', 'kill'],
      origin: 'datalad',
      description: 'Skip a safety check, or all of them (kill)',
    },
    nocheck: {
      kind: 'flag',
      long: '--nocheck',
      origin: 'datalad',
      description: 'Deprecated: the same as --reckless availability',
    },
    ifDirty: {
      kind: 'text',
      long: '--if-dirty',
      argument: 'IF-DIRTY',
      completion: 'none',
      origin: 'datalad',
      description: 'Deprecated, without effect: see --reckless',
    },
    dataset: DATASET,
    recursive: RECURSIVE,
    recursionLimit: RECURSION_LIMIT,
    jobs: JOBS_OR_AUTO,
    onFailure: ON_FAILURE,
  },
  load: async () => (await import('../verbs.ts')).drop,
});
