import { type Command, verbCommand } from '../parameters.ts';
import { DATASET } from '../shared-options.ts';
import type { AttestationsOptions } from '../../rerun/attestations-verb.ts';

export const ATTESTATIONS: Command = verbCommand<AttestationsOptions>({
  name: 'attestations',
  summary: 'List what replays of recorded runs gave',
  description: [
    'Every rerun keeps its verdict, also when nothing changed and nothing was committed: an attestation names the commit of the run, when it was replayed, for each output whether it came out identical, and the kind of machine. It names no person and no host. The newest come first; those that were not made in this copy of the dataset are marked: they are somebody’s claim.',
    'Attestations are on the ref refs/reprise/attestations, which no ordinary push or fetch takes along. --fetch and --push do, and join what both sides have. With either and no REVISION nothing is listed.',
  ],
  examples: [
    { what: 'All replays of a run', line: 'reprise attestations 3f1d6c0b' },
    { what: 'All replays of the runs since a tag', line: 'reprise attestations v1.0..HEAD' },
    { what: 'Take over what others have attested', line: 'reprise attestations --fetch origin' },
  ],
  parameters: {
    revisions: {
      kind: 'operands',
      argument: 'REVISION',
      completion: 'none',
      description: 'Only attestations of these commits, or of those in a range A..B',
    },
    dataset: DATASET,
    fetch: {
      kind: 'text',
      long: '--fetch',
      argument: 'REMOTE',
      completion: 'none',
      origin: 'reprise',
      description: 'Fetch the attestations of a remote, and join them with those that are here',
    },
    push: {
      kind: 'text',
      long: '--push',
      argument: 'REMOTE',
      completion: 'none',
      origin: 'reprise',
      description: 'Push all attestations to a remote, joined with those that it has',
    },
  },
  load: async () => (await import('../verbs.ts')).attestations,
});
