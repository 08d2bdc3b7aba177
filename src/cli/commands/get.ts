import { type Command, verbCommand } from '../parameters.ts';
import { DATASET, JOBS_OR_AUTO, RECURSION_LIMIT, RECURSIVE, ON_FAILURE } from '../shared-options.ts';
import type { GetOptions } from '../../dataset/get.ts';

/** What `git init --shared` takes: words, and modes by which the owner may read and write. */
const SHARED = [
  'shared-false',
  'shared-true',
  'shared-umask',
  'shared-group',
  'shared-all',
  'shared-world',
  'shared-everybody',
  'shared-0600',
  'shared-0640',
  'shared-0644',
  'shared-0660',
  'shared-0664',
  'shared-0666',
] as const;

export const GET: Command = verbCommand<GetOptions>({
  name: 'get',
  summary: 'Get the content of files, and subdatasets',
  description: [
    'Installs the subdatasets on the way to the given paths, and fetches the content of annexed files below them.',
  ],
  examples: [
    { what: 'Get a file', line: 'reprise get raw/sub-01.nii.gz' },
    { what: 'Get all content of this dataset and its subdatasets', line: 'reprise get -r .' },
    { what: 'Install a subdataset without its content', line: 'reprise get -n code/toolbox' },
  ],
  parameters: {
    paths: { kind: 'operands', argument: 'PATH', completion: 'file', description: 'What to get' },
    source: {
      kind: 'text',
      short: '-s',
      long: '--source',
      argument: 'LABEL',
      completion: 'none',
      origin: 'datalad',
      description: 'The sibling or special remote to get content from',
    },
    dataset: DATASET,
    recursive: RECURSIVE,
    recursionLimit: {
      ...RECURSION_LIMIT,
      kind: 'levels',
      words: ['existing'],
      description: 'Go into subdatasets at most this many levels deep; existing: install none',
    },
    noData: {
      kind: 'flag',
      short: '-n',
      long: '--no-data',
      origin: 'datalad',
      description: 'Only install subdatasets; fetch no content',
    },
    data: {
      kind: 'choice',
      long: '--data',
      argument: 'WHICH',
      choices: ['anything', 'nothing', 'auto', 'auto-if-wanted'],
      origin: 'datalad',
      description:
        'Fetch all content that is asked for (anything), none (nothing), what git-annex’s rules want here (auto), or the latter only where there is a rule (auto-if-wanted, the default)',
    },
    procedures: {
      kind: 'list',
      short: '-c',
      long: '--cfg-proc',
      argument: 'PROC',
      completion: 'none',
      origin: 'datalad',
      description: 'Apply a configuration to subdatasets that are installed: text2git, yoda or noannex',
    },
    reckless: {
      kind: 'choice',
      long: '--reckless',
      argument: 'auto|ephemeral|shared-...',
      choices: ['auto', 'ephemeral', ...SHARED],
      bare: 'auto',
      origin: 'datalad',
      description:
        'Install subdatasets that share content with a local source by hard links (auto), that use its annex as their own (ephemeral), or that other users may write to (shared-, and what git init --shared takes, such as shared-group); by default as their superdataset was installed',
    },
    description: {
      kind: 'text',
      short: '-D',
      long: '--description',
      argument: 'TEXT',
      completion: 'none',
      origin: 'datalad',
      description: 'What git-annex calls the copies in subdatasets that are installed',
    },
    jobs: JOBS_OR_AUTO,
    onFailure: ON_FAILURE,
  },
  load: async () => (await import('../verbs.ts')).get,
});
