/** What is done for a container before its command is known: its image checked, a runner chosen, and the image given to that runner. */
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sifOf } from '../containers/apptainer/convert.ts';
import { type EngineCall, engineCalls } from '../containers/command-lines.ts';
import { ensureImage } from '../containers/engine/image.ts';
import { engineImage } from '../containers/engine/parts.ts';
import { requireSameImage } from '../containers/identity-match.ts';
import type { ImageIdentity } from '../containers/identity.ts';
import type { RunnerName } from '../containers/plan.ts';
import { RepriseError } from '../core/errors.ts';
import { quoteWord } from '../core/quote.ts';
import type { Context } from '../sys/context.ts';
import { type CheckedImage, checkImage } from './check-image.ts';
import { chooseRunner, isPacked, type Runner } from './choose-runner.ts';
import { selectionOf } from './container-line.ts';
import { type ContainerCase, placeOf } from './container-case.ts';

/**
 * Identifies the image of a container, and holds it against what an earlier run recorded of it.
 *
 * @param call the engine's call in the line, which may select one of several images
 * @throws `image-missing`, `image-invalid`, `image-mismatch`, `content-unavailable`
 */
export async function checkedImage(given: ContainerCase, call: EngineCall | undefined): Promise<CheckedImage> {
  const checked = await checkImage(given.owner, placeOf(given), selectionOf(call));
  if (given.expected) requireSameImage(given.imagePath, given.expected, checked.identity);
  return checked;
}

/** What will run a container: as the user says, else what ran it before if that is here, else the first that can. Throws as `chooseRunner`. */
export async function runnerFor(given: ContainerCase, { format }: Pick<ImageIdentity, 'format'>): Promise<Runner> {
  const { options, preferred, recordedPath, repo } = given;
  return chooseRunner(recordedPath, format, { asked: options.runner, preferred }, repo.context.env);
}

/** An image that a runner can start at once. */
export interface ReadyImage {
  /** The runner's own name for it: an engine's id, or the path of a file. */
  readonly name: string;
  /** Whether it had to be loaded or converted. */
  readonly made: boolean;
}

/**
 * Makes an image ready for a runner: loads it into the engine, or converts it to a file that Apptainer runs, unless that has been done before.
 *
 * @throws `image-invalid`, `image-mismatch`, `image-unusable`, `runner-unreachable`, `lock-timeout`
 */
export async function readyImage(
  runner: Runner,
  path: string,
  identity: ImageIdentity,
  context: Context,
): Promise<ReadyImage> {
  if (!('engine' in runner)) return sifFor(path, identity, runner.host, context);
  const label = 'load image';
  const { id, loaded } = await ensureImage(runner.engine, engineImage(path, identity), {
    env: context.env,
    progress: (done, total) => context.emit({ kind: 'progress', label, done, total, unit: 'bytes' }),
  });
  if (loaded) context.emit({ kind: 'progress-end', label });
  return { name: id, made: loaded };
}

/** What a container's first run need not wait for any more. */
export type Readiness =
  /** The runner has the image: since now, or it had it before. */
  | { readonly how: 'made' | 'ready'; readonly runner: RunnerName }
  /** Nothing is put around it: it is a program of its own, or started by exactly its own line. */
  | { readonly how: 'checked' }
  /** Nothing here can run it. */
  | { readonly how: 'no-runner'; readonly reason: string };

/**
 * Does for a container all that can be done before it is run.
 *
 * @param line the line that is going to start it
 * @throws what `checkedImage` and `readyImage` throw; `runner-missing`, `runner-unreachable`, `runner-permission` for a runner that was asked for
 */
export async function makeReady(given: ContainerCase, line: string): Promise<Readiness> {
  const { verbatim, images, imagePath, options, repo } = given;
  const { identity } = await checkedImage(given, verbatim ? undefined : engineCalls(line, images)[0]);
  if (verbatim || (identity.format === 'other' && options.runner === undefined)) return { how: 'checked' };
  let runner: Runner;
  try {
    runner = await runnerFor(given, identity);
  } catch (error) {
    if (options.runner !== undefined || !(error instanceof RepriseError) || error.code !== 'runner-missing')
      throw error;
    return { how: 'no-runner', reason: error.message };
  }
  const { made } = await readyImage(runner, imagePath, identity, repo.context);
  return { how: made ? 'made' : 'ready', runner: runner.name };
}

/** The image as a file that Apptainer runs: itself, or made of its layers once. */
async function sifFor(
  path: string,
  identity: ImageIdentity,
  host: Parameters<typeof sifOf>[1],
  { env }: Context,
): Promise<ReadyImage> {
  const { format, config, layers, places } = identity;
  if (format === 'sif' || format === 'simg') return { name: path, made: false };
  if (config === undefined || !layers || !places || isPacked(identity)) {
    throw new RepriseError(
      'image-unusable',
      `The image ${path} is stored as ${format} in one file, which Apptainer does not run`,
      {
        hints: [`reprise containers-add NAME --update --url ${quoteWord(path)}`],
      },
    );
  }
  const cache = join(env['XDG_CACHE_HOME'] ?? join(env['HOME'] ?? tmpdir(), '.cache'), 'reprise/sif');
  const stored = layers.map(({ digest, size }, at) => ({ path: places.layers[at]?.path ?? '', digest, size }));
  const image = {
    config: { path: places.config.path, digest: config, size: places.config.size },
    layers: stored,
  };
  const { file, made } = await sifOf(image, host, cache, env);
  return { name: file, made };
}
