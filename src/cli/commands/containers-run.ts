import type { ContainersRunOptions } from '../../images/containers-run.ts';
import { type Command, verbCommand } from '../parameters.ts';
import { RUNNER } from '../shared-options.ts';
import { RUN_PARAMETERS } from './run.ts';

export const CONTAINERS_RUN: Command = verbCommand<ContainersRunOptions>({
  name: 'containers-run',
  summary: 'Run a command in a container and record what it did',
  description: [
    'Does what run does, with the command executed in a container whose image the dataset tracks (containers-add). All options of run are here, too.',
    'In the container, the root of the dataset is /dataset, and the command starts in the folder that it was called in. It sees nothing else of this machine: a home folder and /tmp of its own, a clean environment, no network. Options open it where that is needed, and are recorded.',
    'A container with a call format other than DataLad’s own ones is started by exactly that line, unless there is --runner. The record always holds a line that DataLad can execute with the same image.',
  ],
  examples: [
    {
      what: 'Run a script in the only container of the dataset',
      line: "reprise containers-run -i 'raw/*.tsv' -o figures -- python3 code/plot.py",
    },
    {
      what: 'Choose a container, and what runs it',
      line: 'reprise containers-run -n fsl --runner apptainer bet in.nii out.nii',
    },
    {
      what: 'Let it see a folder outside the dataset, and the network',
      line: 'reprise containers-run --mount /data/atlas:/atlas --network ./fetch-and-register.sh',
    },
  ],
  exitCodes: [['the command’s', 'The command failed: its own exit code; 125 if the container could not be started']],
  parameters: {
    ...RUN_PARAMETERS,
    containerName: {
      kind: 'text',
      short: '-n',
      long: '--container-name',
      argument: 'NAME',
      completion: 'none',
      origin: 'datalad',
      description:
        'The container: its name, SUBDATASET/NAME, or the path of its image. It may be left out if the dataset has only one',
    },
    runner: RUNNER,
    network: {
      kind: 'flag',
      long: '--network',
      origin: 'reprise',
      description: 'Let the command reach the network',
    },
    env: {
      kind: 'list',
      long: '--env',
      argument: 'NAME',
      completion: 'none',
      origin: 'reprise',
      description: 'Pass this environment variable on; its name is recorded, its value is not',
    },
    mounts: {
      kind: 'list',
      long: '--mount',
      argument: 'SOURCE[:TARGET][:rw]',
      completion: 'directory',
      origin: 'reprise',
      description: 'Let the command see a file or folder outside the dataset; read-only unless it ends in :rw',
    },
    gpus: {
      kind: 'text',
      long: '--gpus',
      argument: 'WHICH',
      completion: 'none',
      origin: 'reprise',
      description: 'Let the command use graphics processors: all, or identifiers separated by commas',
    },
    writableRoot: {
      kind: 'flag',
      long: '--writable-root',
      origin: 'reprise',
      description: 'Let the command write to the file system of the image, in a layer that is thrown away',
    },
  },
  load: async () => (await import('../verbs.ts')).containersRun,
});
