import { type Command, verbCommand } from '../parameters.ts';
import { DATASET } from '../shared-options.ts';
import type { RemoveOptions } from '../../images/remove.ts';

export const CONTAINERS_REMOVE: Command = verbCommand<RemoveOptions>({
  name: 'containers-remove',
  summary: 'Remove a container from a dataset',
  description: [
    'Removes a container from the committed configuration. The content of its image is kept in any case, because other commits need it; reprise drop drops it.',
  ],
  examples: [{ what: 'Remove a container and its image', line: 'reprise containers-remove -i old' }],
  parameters: {
    name: {
      kind: 'operand',
      argument: 'NAME',
      completion: 'none',
      required: true,
      description: 'The name of the container',
    },
    dataset: DATASET,
    removeImage: {
      kind: 'flag',
      short: '-i',
      long: '--remove-image',
      origin: 'datalad',
      description: 'Remove the image from the dataset, too',
    },
  },
  load: async () => (await import('../verbs.ts')).containersRemove,
});
