import { type Command, verbCommand } from '../parameters.ts';
import { DATASET, ON_FAILURE, RECURSION_LIMIT, RECURSIVE } from '../shared-options.ts';
import type { StatusOptions } from '../../dataset/status-verb.ts';

export const STATUS: Command = verbCommand<StatusOptions>({
  name: 'status',
  summary: 'Show what differs from the last commit',
  description: [
    'Lists new, modified and deleted files, and subdatasets that differ from what is recorded, with a summary line.',
  ],
  examples: [
    { what: 'This dataset', line: 'reprise status' },
    { what: 'With all subdatasets', line: 'reprise status -r' },
    { what: 'With the sizes of annexed files, and which are here', line: 'reprise status --annex all' },
  ],
  parameters: {
    paths: {
      kind: 'operands',
      argument: 'PATH',
      completion: 'file',
      description: 'Only what is below these paths; a trailing / means what is inside a subdataset',
    },
    dataset: DATASET,
    annex: {
      kind: 'choice',
      long: '--annex',
      argument: 'MODE',
      choices: ['basic', 'availability', 'all'],
      bare: 'basic',
      origin: 'datalad',
      description:
        'Report key and size of annexed files (basic), and whether their content is here (availability, all)',
    },
    untracked: {
      kind: 'choice',
      long: '--untracked',
      argument: 'MODE',
      choices: ['no', 'normal', 'all'],
      origin: 'datalad',
      description: 'New files: none, folders as a whole (normal, the default), or each of them (all)',
    },
    recursive: RECURSIVE,
    recursionLimit: RECURSION_LIMIT,
    evalSubdatasetState: {
      kind: 'choice',
      short: '-e',
      long: '--eval-subdataset-state',
      argument: 'MODE',
      choices: ['no', 'commit', 'full'],
      origin: 'datalad',
      description:
        'How subdatasets are compared: not at all, by their commit, or by all that is in them (full, the default)',
    },
    reportFiletype: {
      kind: 'choice',
      short: '-t',
      long: '--report-filetype',
      argument: 'TYPE',
      choices: ['raw', 'eval'],
      origin: 'datalad',
      description: 'Without effect, as in DataLad',
    },
    // People are shown changes only; DataLad's result records include what is clean.
    clean: { kind: 'derived', from: (globals) => (globals['format'] ?? 'tailored') !== 'tailored' },
    onFailure: ON_FAILURE,
  },
  load: async () => (await import('../verbs.ts')).status,
});
