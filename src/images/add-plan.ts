/** What `containers-add` is to do, decided from its options and the configuration: no file is written, no engine asked. */
import type { Config } from '../core/config.ts';
import { formatCall, formatExtraInputs } from '../containers/call-format.ts';
import type { ImageFormat } from '../containers/formats/image.ts';
import { RepriseError } from '../core/errors.ts';
import { assertContainerName, type Container } from './config.ts';
import { defaultImagePath, imagePathIn } from './image-path.ts';

export interface AddOptions {
  readonly name: string;
  readonly url?: string;
  readonly dataset?: string;
  readonly callFormat?: string;
  readonly extraInputs?: readonly string[];
  readonly image?: string;
  readonly update?: boolean;
}

export interface AddPlan {
  readonly name: string;
  /** Relative to the root. */
  readonly image: string;
  /** Where to get the image from; null for one that is in the dataset. */
  readonly url: string | null;
  /** Whether an image that is there may be replaced. */
  readonly update: boolean;
  /** What the user or the configuration says; absent if neither does. */
  readonly callFormat?: string;
  /** Whether the call format is one that was chosen by the format of the image, and may be again. */
  readonly isDefaultFormat: boolean;
  /** Absent to keep what is configured. */
  readonly extraInputs?: readonly string[];
}

const SINGULARITY = 'singularity exec {img} {cmd}';
const DOCKER_ADAPTER = '{python} -m datalad_container.adapters.docker run {img} {cmd}';
/** What datalad-container 1.1 wrote. */
const OLD_DOCKER_ADAPTER = 'python3 -m datalad_container.adapters.docker run {img} {cmd}';

/**
 * @param existing the container as it is configured, or undefined
 * @throws `usage`, `container-exists`, `placeholder-unknown` for an extra input, `path-outside`
 */
export function planAdd(root: string, config: Config, existing: Container | undefined, options: AddOptions): AddPlan {
  const { name, update = false } = options;
  assertContainerName(name);
  if (existing && !update) {
    throw new RepriseError(
      'container-exists',
      `Container named '${name}' already exists. Use --update to reconfigure.`,
      {
        hints: [`reprise containers-add ${name} --update --url URL`],
        data: { name, image: existing.image },
      },
    );
  }
  const extraInputs = options.extraInputs?.length ? options.extraInputs : undefined;
  formatExtraInputs(extraInputs ?? [], { image: 'image', imageDataset: '.' });
  const nothing = !options.url && !options.image && !options.callFormat && extraInputs === undefined;
  const url = options.url || (existing && nothing ? existing.updateUrl : undefined);
  if (existing && nothing && url === undefined) {
    throw new RepriseError('usage', 'No values to update specified', {
      hints: [`reprise containers-add ${name} --update --url URL`],
      data: { name },
    });
  }
  // An empty call format asks for none, and DataLad takes the known one for it.
  const callFormat = options.callFormat || existing?.cmdexec || options.callFormat;
  const place = options.image ?? existing?.image ?? defaultImagePath(config.get('datalad.containers.location'), name);
  return {
    name,
    image: imagePathIn(root, place),
    url: url ?? null,
    update,
    ...(callFormat === undefined ? {} : { callFormat }),
    isDefaultFormat:
      !options.callFormat && [SINGULARITY, DOCKER_ADAPTER, OLD_DOCKER_ADAPTER].includes(callFormat ?? ''),
    ...(extraInputs === undefined ? {} : { extraInputs }),
  };
}

/**
 * The call format to configure for an image of some format; undefined for none.
 *
 * DataLad chooses by the URL. The image decides here, so that one which was built elsewhere gets what one from a registry gets; a SIF file is
 * not left to be its own program, because it is not executable any more in a clone of the dataset.
 *
 * @param format null for an image whose content is not here
 */
export function callFormatFor(plan: AddPlan, format: ImageFormat | null): string | undefined {
  if (plan.callFormat !== undefined && !plan.isDefaultFormat) return plan.callFormat || undefined;
  if (format === 'docker-archive' || format === 'oci') {
    return plan.callFormat === OLD_DOCKER_ADAPTER ? OLD_DOCKER_ADAPTER : DOCKER_ADAPTER;
  }
  if (format === 'sif' || format === 'simg') return SINGULARITY;
  return plan.callFormat;
}

/** What is wrong with a call format, in a sentence; null if nothing is. It is told, and not refused: DataLad configures it, too. */
export function callFormatProblem(callFormat: string): string | null {
  try {
    formatCall(callFormat, { image: 'image', imageDataset: '.', command: 'command' });
    return null;
  } catch (error) {
    if (error instanceof RepriseError) return error.message;
    throw error;
  }
}
