/** Whether a runner really runs a container: the smallest there can be, on the way that every container of ours goes. */
import { accessSync, constants, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { engineSays } from '../containers/engine/connect.ts';
import { removeImage } from '../containers/engine/image.ts';
import { putOnLeash } from '../containers/engine/leash.ts';
import { type Removal, removeAbandoned } from '../containers/engine/remove.ts';
import { identifyImage, type ImageIdentity } from '../containers/identity.ts';
import { DATASET_PATH } from '../containers/plan.ts';
import { complaintsIn } from '../containers/said.ts';
import { fsPath } from '../core/bytes.ts';
import { RepriseError } from '../core/errors.ts';
import type { Repo } from '../dataset/repo.ts';
import type { Runner } from '../images/choose-runner.ts';
import { clientPath } from '../images/client-path.ts';
import { planContainer } from '../images/container-plan.ts';
import { startContainer } from '../images/launcher.ts';
import { withWorkFolder } from '../images/work-folder.ts';
import type { Context } from '../sys/context.ts';
import { interruptible } from '../sys/interrupts.ts';
import { execute } from '../sys/proc.ts';
import { PROBE_PATH, writeProbeImage } from './probe-image.ts';

/** A runner may have to set up its storage first. */
const LONGEST_MS = 60_000;

/** Where containers are tried out, and what ends that. */
export interface ProbePlace {
  readonly folder: string;
  readonly signal: AbortSignal;
}

/**
 * Gives a place for probes, and clears it away: in the Git directory of a dataset, because that is where runs see files, else below TMPDIR.
 *
 * @throws `interrupted`
 */
export async function withProbePlace<T>(
  repo: Repo | null,
  context: Context,
  work: (place: ProbePlace) => Promise<T>,
): Promise<T> {
  const inPlace = async (folder: string, signal: AbortSignal) => {
    const done = await work({ folder, signal });
    signal.throwIfAborted();
    return done;
  };
  if (repo && isWritable(repo.gitDir)) return withWorkFolder(repo, inPlace);
  return interruptible(async (signal) => {
    const folder = mkdtempSync(join(context.env['TMPDIR'] ?? tmpdir(), 'reprise-probe-'));
    try {
      return await inPlace(folder, signal);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
}

function isWritable(folder: string): boolean {
  try {
    accessSync(fsPath(folder), constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

/**
 * Runs a program in a container that sees a folder of this machine. The image is made here and put into the engine; container and image are gone
 * afterwards, also if this process is killed.
 *
 * @param program as `probeProgram` gives it
 * @throws `container-failed` with the runner's reason, and what the signal says
 */
export async function probe(runner: Runner, program: Buffer, context: Context, place: ProbePlace): Promise<void> {
  const work = join(place.folder, runner.name);
  const root = join(work, 'dataset');
  const imagePath = join(work, 'image');
  mkdirSync(root, { recursive: true });
  writeFileSync(join(root, 'seen'), '');
  writeProbeImage(imagePath, program);
  // What is made of the image for Apptainer goes there, too.
  const env = { ...context.env, XDG_CACHE_HOME: join(work, 'cache') };
  const repo: Repo = { root, gitDir: work, commonDir: work, context: { ...context, env, emit: () => {} } };
  const identity = await identifyImage(imagePath);
  try {
    await withoutTrace(runner, identity, env, () => runIn({ repo, imagePath }, runner, identity, place.signal));
  } catch (error) {
    if (place.signal.aborted) throw error;
    // An image that was made a moment ago is not what is wrong.
    const isAnswer =
      error instanceof RepriseError || typeof (error as { statusCode?: unknown }).statusCode === 'number';
    throw isAnswer ? failed(runner, engineSays(error)) : error;
  }
}

async function runIn(
  { repo, imagePath }: { readonly repo: Repo; readonly imagePath: string },
  runner: Runner,
  identity: ImageIdentity,
  signal: AbortSignal,
): Promise<void> {
  const plan = planContainer(
    { repo, pwd: '', name: null, options: {}, mountsFrom: repo.root },
    runner,
    'none',
    '',
    false,
  );
  const started = await startContainer({ repo, imagePath }, runner, { ...plan, stdin: false }, identity);
  try {
    const limit = AbortSignal.timeout(LONGEST_MS);
    const done = await execute(['/bin/sh', '-c', `exec ${started.words} ${PROBE_PATH} ${DATASET_PATH}/seen`], {
      cwd: repo.root,
      env: { ...repo.context.env, ...started.env },
      signal: AbortSignal.any([signal, limit]),
    });
    signal.throwIfAborted();
    if (done.code === 0) return;
    throw new RepriseError('container-failed', limit.aborted ? 'it does not end' : reasonOf(done.code, done.stderr));
  } finally {
    started.clear();
  }
}

/** Takes the image out of the engine again, whatever becomes of us. */
async function withoutTrace(
  runner: Runner,
  { config }: ImageIdentity,
  env: NodeJS.ProcessEnv,
  work: () => Promise<void>,
): Promise<void> {
  if (!('engine' in runner)) return work();
  const { api, endpoint } = runner.engine;
  const removal: Removal = { endpoint, what: 'image', name: String(config) };
  const leash = putOnLeash([process.execPath, clientPath(), 'remove', JSON.stringify(removal)], env);
  try {
    await work();
  } finally {
    // It may still be in use by the container that is being removed.
    await removeImage(api, removal.name, env).catch(() => removeAbandoned(removal, env));
    leash.release();
  }
}

/** The program says nothing: with a code of its own, it was started and did not find the file. */
function reasonOf(code: number | null, stderr: string): string {
  const said = complaintsIn(stderr).map((line) => line.replace(/ \(container-failed\)$/, ''));
  return said.join('; ') || `it does not see the files of this machine (${code})`;
}

function failed(runner: Runner, reason: string): RepriseError {
  return new RepriseError('container-failed', `${runner.name} answers, but its container does not run: ${reason}`, {
    hints: hintsFor(runner),
    data: { runner: runner.name },
  });
}

/** As root, or with its setuid part, Apptainer takes rights that root may not have: in a container, say. */
function hintsFor(runner: Runner): readonly string[] {
  if ('engine' in runner) return [`${runner.name} info`];
  return [`export ${runner.host.flavour.toUpperCase()}_USERNS=1`];
}
