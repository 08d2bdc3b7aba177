import { type Command, verbCommand } from '../parameters.ts';
import { DATASET } from '../shared-options.ts';
import type { RecoverOptions } from '../../run/recover.ts';

export const RECOVER: Command = verbCommand<RecoverOptions>({
  name: 'recover',
  summary: 'Complete or undo runs that were interrupted',
  description: [
    'Completes what a finished command still lacks, its commit and its record, without running anything again. Puts back what was only prepared. What a command that was cut off left behind is kept under refs/reprise/unfinished/ID, and the files are restored as they were before it.',
  ],
  examples: [
    { what: 'See what there is to recover', line: 'reprise recover --list' },
    { what: 'Recover everything', line: 'reprise recover' },
    { what: 'Recover a job that was killed on another host', line: 'reprise recover --assume-gone 0123456789abcdef' },
  ],
  parameters: {
    ids: { kind: 'operands', argument: 'ID', completion: 'none', description: 'Only these runs; by default all' },
    dataset: DATASET,
    list: { kind: 'flag', long: '--list', origin: 'reprise', description: 'Only list them' },
    assumeGone: {
      kind: 'flag',
      long: '--assume-gone',
      origin: 'reprise',
      description: 'Take runs of other hosts for gone: that cannot be told from here, so make sure of it',
    },
  },
  load: async () => (await import('../verbs.ts')).recover,
});
