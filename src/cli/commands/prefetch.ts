import type { PrefetchOptions } from '../../rerun/prefetch.ts';
import { type Command, verbCommand } from '../parameters.ts';
import { DATASET, JOBS, ON_FAILURE, RUNNER } from '../shared-options.ts';

export const PREFETCH: Command = verbCommand<PrefetchOptions>({
  name: 'prefetch',
  summary: 'Fetch what reruns, containers and inputs need, for machines without network',
  description: [
    'Brings everything here that a later run or rerun would have to get from elsewhere, while there is a network. Nothing of a record is executed.',
    'Of the named commits (as for rerun: by default the last one) that is: the inputs of their records, container images, records in sidecars, and the subdatasets in which all this lies; for reruns on the present state, and for reruns in workspaces, with inputs, images and subdatasets as they were when the run was recorded.',
    'With -n and -i, containers and inputs are fetched for runs that are still to come; commits are then looked at only if they are named as well.',
    'Images are also checked and made ready for what will run them here: loaded into Docker or Podman, or converted to a SIF file for Apptainer.',
  ],
  examples: [
    { what: 'What the rerun of the last commit needs', line: 'reprise prefetch' },
    { what: 'What reruns of all of the history need', line: 'reprise prefetch --since=' },
    { what: 'See first what that would be', line: 'reprise prefetch --dry-run --since=' },
    { what: 'A container and inputs, for runs to come', line: "reprise prefetch -n fsl -i 'sub-*/anat/*.nii.gz'" },
  ],
  exitCodes: [['1', 'Something could not be fetched, or an image not be made ready; everything else was']],
  parameters: {
    revision: {
      kind: 'operand',
      argument: 'REVISION',
      completion: 'none',
      description: 'The commit that is to be rerun, or the last one with --since; by default the active branch',
    },
    since: {
      kind: 'text',
      long: '--since',
      argument: 'SINCE',
      completion: 'none',
      origin: 'reprise',
      description: 'All commits after this one, up to REVISION; all of the history if it is blank',
    },
    dataset: DATASET,
    containers: {
      kind: 'list',
      short: '-n',
      long: '--container-name',
      argument: 'NAME',
      completion: 'none',
      origin: 'reprise',
      description: 'A container: its name, SUBDATASET/NAME, or the path of its image',
    },
    inputs: {
      kind: 'list',
      short: '-i',
      long: '--input',
      argument: 'PATH',
      completion: 'file',
      origin: 'reprise',
      description: 'A file, folder or glob pattern, as an input of run',
    },
    runner: { ...RUNNER, description: 'What images are made ready for; by default what would run them here' },
    jobs: JOBS,
    dryRun: {
      kind: 'flag',
      long: '--dry-run',
      origin: 'reprise',
      description: 'Fetch nothing, but show what would be fetched',
    },
    onFailure: ON_FAILURE,
  },
  load: async () => (await import('../verbs.ts')).prefetch,
});
