import { type Command, verbCommand } from '../parameters.ts';
import { DATASET, ON_FAILURE, RECURSIVE } from '../shared-options.ts';
import type { ListOptions } from '../../images/list.ts';

export const CONTAINERS_LIST: Command = verbCommand<ListOptions>({
  name: 'containers-list',
  summary: 'List the containers of a dataset',
  description: [
    'Lists the name and the image of each container. Those of subdatasets have the names of the subdatasets before their own.',
  ],
  examples: [
    { what: 'List the containers here and in installed subdatasets', line: 'reprise containers-list -r' },
    { what: 'Show what the images are', line: 'reprise containers-list --details' },
  ],
  parameters: {
    dataset: DATASET,
    contains: {
      kind: 'list',
      long: '--contains',
      argument: 'PATH',
      completion: 'file',
      origin: 'datalad',
      description:
        'With -r: go only into the subdatasets that contain this path, relative to the dataset’s root; its own containers are always listed',
    },
    recursive: RECURSIVE,
    details: {
      kind: 'flag',
      long: '--details',
      origin: 'reprise',
      description: 'Also show format, digest, architecture and size of each image, and whether its content is here',
    },
    onFailure: ON_FAILURE,
  },
  load: async () => (await import('../verbs.ts')).containersList,
});
