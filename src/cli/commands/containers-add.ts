import { type Command, verbCommand } from '../parameters.ts';
import { DATASET } from '../shared-options.ts';
import type { AddOptions } from '../../images/add.ts';

export const CONTAINERS_ADD: Command = verbCommand<AddOptions>({
  name: 'containers-add',
  summary: 'Add a container image to a dataset, or change one',
  description: [
    'The image becomes content of the dataset, and DataLad’s configuration says how a command is executed in it. Until the image is complete nothing changes; after that, image and configuration are one commit.',
    'The URL may be a file (a SIF, an archive of docker save or of OCI, a script), a folder with an unpacked docker save or an OCI layout, or: docker://IMAGE (or oci://IMAGE), built into a SIF by Apptainer, or else pulled and saved by Docker or Podman; dhub://IMAGE, pulled and saved; docker-daemon:IMAGE, which Docker or else Podman has already, and podman:IMAGE; oci:FOLDER:TAG; library:// and oras://, built by Apptainer. Anything else is downloaded by git-annex.',
    'Without --call-fmt the format of the image decides: a SIF is executed by Singularity or Apptainer, a saved Docker image or OCI layout by DataLad’s docker adapter or any runner of Reprise, and anything else is its own program.',
    'With --update the old image stays in history and in the annex, and a rerun uses the one that was recorded.',
  ],
  examples: [
    { what: 'Add an image from a registry', line: 'reprise containers-add r-base -u docker://r-base:4.4.1' },
    { what: 'Add an image that Docker has built', line: 'reprise containers-add mine -u docker-daemon:mine:latest' },
    { what: 'Add a file', line: 'reprise containers-add fmriprep -u fmriprep-24.1.sif' },
    { what: 'Use a newer image under the same name', line: 'reprise containers-add mine --update -u dhub://mine:2' },
  ],
  parameters: {
    name: {
      kind: 'operand',
      argument: 'NAME',
      completion: 'none',
      required: true,
      description: 'The name of the container: letters, digits and hyphens',
    },
    url: {
      kind: 'text',
      short: '-u',
      long: '--url',
      argument: 'URL',
      completion: 'file',
      origin: 'datalad',
      description: 'Where to get the image from',
    },
    dataset: DATASET,
    callFormat: {
      kind: 'text',
      long: '--call-fmt',
      argument: 'FORMAT',
      completion: 'none',
      origin: 'datalad',
      description:
        'How a command is executed in the container: a line with {img} and {cmd}, and perhaps {img_dspath} and {img_dirpath} (the folders of the image’s dataset and of the image) or {python}',
    },
    extraInputs: {
      kind: 'list',
      long: '--extra-input',
      argument: 'FILE',
      completion: 'file',
      origin: 'datalad',
      description:
        'A file that the container needs besides the image; {img_dspath} and {img_dirpath} may be used. With --update those that are given replace those that were',
    },
    image: {
      kind: 'text',
      short: '-i',
      long: '--image',
      argument: 'IMAGE',
      completion: 'file',
      origin: 'datalad',
      description:
        'Where the image is, or will be, relative to the dataset’s root; by default .datalad/environments/NAME/image',
    },
    update: {
      kind: 'flag',
      long: '--update',
      origin: 'datalad',
      description: 'Change a container that is configured already',
    },
  },
  load: async () => (await import('../verbs.ts')).containersAdd,
});
