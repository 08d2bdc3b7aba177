import { type Command, verbCommand } from '../parameters.ts';
import { DATASET, JOBS, MESSAGE, ON_FAILURE, RECURSION_LIMIT, RECURSIVE } from '../shared-options.ts';
import type { SaveOptions } from '../../dataset/save.ts';

export const SAVE: Command = verbCommand<SaveOptions>({
  name: 'save',
  summary: 'Commit changes of a dataset',
  description: [
    'Commits new, changed and deleted files below the given paths, or all there are. Whether a file goes to Git or to the annex is decided by git-annex from the dataset’s attributes. Paths in subdatasets are saved there; what is around is saved as well up to the dataset that -d names.',
  ],
  examples: [
    { what: 'Save everything below the current folder', line: 'reprise save -m "raw data of May" .' },
    { what: 'Save this dataset and its subdatasets', line: 'reprise save -r' },
    {
      what: 'Save the changes of a command that failed, with its record',
      line: 'reprise save -d . -r -F .git/COMMIT_EDITMSG',
    },
  ],
  parameters: {
    paths: {
      kind: 'operands',
      argument: 'PATH',
      completion: 'file',
      description: 'What to save; by default all changes',
    },
    message: MESSAGE,
    dataset: DATASET,
    versionTag: {
      kind: 'text',
      short: '-t',
      long: '--version-tag',
      argument: 'ID',
      completion: 'none',
      origin: 'datalad',
      description: 'Tag the saved state, in every dataset that is touched',
    },
    recursive: RECURSIVE,
    recursionLimit: RECURSION_LIMIT,
    updated: {
      kind: 'flag',
      short: '-u',
      long: '--updated',
      origin: 'datalad',
      description: 'Save only what is tracked already; leave new files alone',
    },
    messageFile: {
      kind: 'text',
      short: '-F',
      long: '--message-file',
      argument: 'FILE',
      completion: 'file',
      origin: 'datalad',
      description: 'Take the commit message from a file',
    },
    toGit: {
      kind: 'flag',
      long: '--to-git',
      origin: 'datalad',
      description: 'Put file content into Git, whatever the attributes say',
    },
    jobs: JOBS,
    onFailure: ON_FAILURE,
    amend: {
      kind: 'flag',
      long: '--amend',
      origin: 'datalad',
      description: 'Add the changes to the last commit instead of making a new one',
    },
    since: {
      kind: 'text',
      long: '--since',
      argument: 'COMMIT',
      completion: 'none',
      origin: 'datalad',
      description: 'Wrap the commits made since this one, and what is not saved yet, in a merge commit',
    },
  },
  load: async () => (await import('../verbs.ts')).save,
});
