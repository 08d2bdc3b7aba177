import { type Command, verbCommand } from '../parameters.ts';
import { DATASET } from '../shared-options.ts';
import type { StaleOptions } from '../../rerun/stale-verb.ts';

export const STALE: Command = verbCommand<StaleOptions>({
  name: 'stale',
  summary: 'List results that no longer follow from their inputs',
  description: [
    'Compares, for each result of a recorded run that is in the last commit, what the run was made of then and now: its declared inputs, the container image, and the files that its command names. Only Git is asked: no content has to be here, and no times are looked at. Nothing is executed.',
    'A result is outdated when an input changed, came, or went, or is outdated itself; `reprise rerun --stale` runs exactly these again. Results that were only edited or removed by hand are listed, too, but not run again. A result that was replayed from the present inputs and came out identical is not stale.',
  ],
  examples: [
    { what: 'What is stale, and why', line: 'reprise stale' },
    { what: 'One folder of results', line: 'reprise stale figures' },
    { what: 'In a script or in CI', line: 'reprise stale --exit-code' },
  ],
  exitCodes: [['1', 'With --exit-code: at least one result is listed']],
  parameters: {
    paths: {
      kind: 'operands',
      argument: 'PATH',
      completion: 'file',
      description: 'Only results at or below these paths',
    },
    dataset: DATASET,
    exitCode: {
      kind: 'flag',
      long: '--exit-code',
      origin: 'reprise',
      description: 'Exit with 1 if any result is listed, as git diff does',
    },
  },
  load: async () => (await import('../verbs.ts')).stale,
});
