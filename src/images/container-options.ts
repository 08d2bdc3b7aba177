/** What a user can ask of a container: what it is run by, and what it may see beyond the dataset. */
import { isAbsolute, posix, resolve } from 'node:path';
import { DATASET_PATH, type Mount, type RunnerName } from '../containers/plan.ts';
import { RepriseError } from '../core/errors.ts';
import { quoteWord } from '../core/quote.ts';
import { lstatOrNull } from '../sys/files.ts';

export interface ContainerOptions {
  /** What runs the container; by default what is here and fits the image. */
  readonly runner?: RunnerName;
  /** Let the command reach the network. */
  readonly network?: boolean;
  /** Names of environment variables that are passed in. */
  readonly env?: readonly string[];
  /** `SOURCE[:TARGET][:ro|:rw]` each: what is seen besides the dataset, read-only unless it says otherwise. */
  readonly mounts?: readonly string[];
  /** Graphics processors: `all`, or identifiers separated by commas. */
  readonly gpus?: string;
  /** Let the command write to the image's file system, in a layer that is thrown away. */
  readonly writableRoot?: boolean;
}

export const RUNNERS = ['docker', 'podman', 'apptainer', 'singularity'] as const satisfies readonly RunnerName[];

/** Reads a mount as it was typed; `usage` for one that cannot be meant, `path-missing` where there is no such source. */
export function readMount(text: string, cwd: string): Mount {
  const parts = text.split(':');
  const mode = ['ro', 'rw'].includes(parts.at(-1) ?? '') && parts.length > 1 ? parts.pop() : 'ro';
  const [from = '', to, ...rest] = parts;
  const source = resolve(cwd, from);
  const target = posix.resolve('/', to ?? source);
  if (from === '' || rest.length > 0 || !isAbsolute(to ?? source)) {
    throw new RepriseError('usage', `--mount takes SOURCE[:TARGET][:ro|:rw] with an absolute TARGET, not '${text}'`, {
      hints: ['--mount /data/reference:/reference:ro'],
    });
  }
  if (`${DATASET_PATH}/`.startsWith(target === '/' ? target : `${target}/`)) {
    throw new RepriseError('usage', `--mount cannot take the place of ${DATASET_PATH}, where the dataset is`, {
      hints: [`--mount ${quoteWord(from)}:/mnt`],
    });
  }
  if (!lstatOrNull(source)) {
    throw new RepriseError('path-missing', `There is nothing at ${source}, which is to be mounted`, {
      data: { path: source },
    });
  }
  return { source, target, readonly: mode === 'ro' };
}

/** Checks names of variables; `usage`. */
export function assertVariables(names: readonly string[]): void {
  const wrong = names.find((name) => !/^[A-Za-z_][A-Za-z0-9_]*$/.test(name));
  if (wrong === undefined) return;
  throw new RepriseError('usage', `--env takes the name of a variable, not '${wrong}'`, {
    hints: [`${wrong.split('=')[0]}=... reprise containers-run --env ${wrong.split('=')[0]} ...`],
  });
}
