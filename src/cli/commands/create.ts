import { type Command, verbCommand } from '../parameters.ts';
import { DATASET, MESSAGE } from '../shared-options.ts';
import type { CreateOptions } from '../../dataset/create.ts';

export const CREATE: Command = verbCommand<CreateOptions>({
  name: 'create',
  summary: 'Create a dataset',
  description: [
    'Makes a new dataset: a Git repository with a git-annex for large files. Content that is already there is left alone; save it afterwards.',
    'Words after the path are handed to git init.',
  ],
  examples: [
    { what: 'Create a dataset whose text files go to Git', line: 'reprise create -c text2git study' },
    { what: 'Create a subdataset of the dataset here', line: 'reprise create -d . raw' },
    { what: 'Make the current, non-empty folder a dataset', line: 'reprise create --force .' },
    { what: 'Create a dataset without an annex', line: 'reprise create --no-annex notes' },
  ],
  parameters: {
    words: {
      kind: 'remainder',
      usage: '[PATH [INIT-OPTION...]]',
      keepTerminator: false,
      argument: 'PATH',
      completion: 'directory',
      description: 'Where to create it, by default here; after it, options for git init',
    },
    force: {
      kind: 'flag',
      short: '-f',
      long: '--force',
      origin: 'datalad',
      description: 'Also in a folder that is not empty',
    },
    description: {
      kind: 'text',
      short: '-D',
      long: '--description',
      argument: 'DESCRIPTION',
      completion: 'none',
      origin: 'datalad',
      description: 'What git-annex calls this copy of the dataset',
    },
    dataset: {
      ...DATASET,
      description: 'The dataset to make the new one a subdataset of; without a path, where to create it',
    },
    noAnnex: { kind: 'flag', long: '--no-annex', origin: 'datalad', description: 'Only a Git repository' },
    fakeDates: {
      kind: 'flag',
      long: '--fake-dates',
      origin: 'datalad',
      description: 'Give every commit made here an artificial date, one second after the one before',
    },
    procedures: {
      kind: 'list',
      short: '-c',
      long: '--cfg-proc',
      argument: 'PROC',
      completion: 'none',
      origin: 'datalad',
      description: 'Apply a configuration: text2git, yoda or noannex',
    },
    message: { ...MESSAGE, description: 'The message of the commit in the superdataset' },
  },
  load: async () => (await import('../verbs.ts')).create,
});
