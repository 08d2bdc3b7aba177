import { type Command, verbCommand } from '../parameters.ts';
import { DATASET, RECURSION_LIMIT, RECURSIVE, ON_FAILURE } from '../shared-options.ts';
import type { UnlockOptions } from '../../dataset/unlock.ts';

export const UNLOCK: Command = verbCommand<UnlockOptions>({
  name: 'unlock',
  summary: 'Make annexed files writable',
  description: [
    'Replaces the links of annexed files by the files themselves, so that they can be edited. The next save locks them again.',
  ],
  examples: [
    { what: 'Unlock a file', line: 'reprise unlock table.csv' },
    { what: 'Unlock everything below the current folder', line: 'reprise unlock .' },
  ],
  parameters: {
    paths: { kind: 'operands', argument: 'PATH', completion: 'file', description: 'What to unlock' },
    dataset: DATASET,
    recursive: RECURSIVE,
    recursionLimit: RECURSION_LIMIT,
    onFailure: ON_FAILURE,
  },
  load: async () => (await import('../verbs.ts')).unlock,
});
