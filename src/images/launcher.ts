/** Putting a container around the command of a run: from a tracked image and what the user asked for to the line that is executed. */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { apptainerInvocation } from '../containers/apptainer/arguments.ts';
import { hasTerminal } from '../containers/apptainer/piped.ts';
import { endOrphanedMounts } from '../containers/apptainer/leftovers.ts';
import { engineCalls } from '../containers/command-lines.ts';
import { engineJob } from '../containers/engine/job.ts';
import type { ImageFormat } from '../containers/formats/image.ts';
import type { ImageIdentity } from '../containers/identity.ts';
import { type ContainerPlan, DATASET_PATH } from '../containers/plan.ts';
import { fsPath } from '../core/bytes.ts';
import { RepriseError } from '../core/errors.ts';
import { quoteWord, quoteWords } from '../core/quote.ts';
import type { Repo } from '../dataset/repo.ts';
import type { CommandLines, Launched, Launcher } from '../run/options.ts';
import { partName, writeAtomic } from '../sys/files.ts';
import { randomId, thisOwner } from '../sys/owner.ts';
import { knownImage } from './check-image.ts';
import { type ApptainerRunner, type EngineRunner, type Runner, runnersFor } from './choose-runner.ts';
import { clientPath } from './client-path.ts';
import { type ContainerCase, placeOf } from './container-case.ts';
import { chooseLine, rewriteLine } from './container-line.ts';
import { planContainer } from './container-plan.ts';
import { makeProgram } from './make-program.ts';
import { checkedImage, readyImage, runnerFor } from './ready-image.ts';
import { recordedContainer } from './recorded-container.ts';

/** A launcher for `run`. It throws what finding a runner throws, `image-mismatch`, `image-invalid`, `content-unavailable`, `path-missing`. */
export function containerLauncher(given: ContainerCase): Launcher {
  if (given.verbatim) return { root: null, launch: (lines) => launchVerbatim(given, lines) };
  let foreseen: Foreseen | null = null;
  return {
    root: DATASET_PATH,
    begin: async () => {
      foreseen = foresee(given);
    },
    launch: (lines) => launchContainer(given, lines, foreseen),
  };
}

/** A runner that is being looked for. */
interface Foreseen {
  readonly format: ImageFormat;
  readonly runner: Promise<Runner>;
}

/** Begins to look for a runner, where the image is known from before. */
function foresee(given: ContainerCase): Foreseen | null {
  const format = knownImage(given.owner, placeOf(given))?.identity.format;
  if (format === undefined || format === 'other') return null;
  const runner = runnerFor(given, { format });
  // That there is none matters once a container is to be started.
  runner.catch(() => {});
  return { format, runner };
}

async function launchVerbatim(given: ContainerCase, { host }: CommandLines): Promise<Launched> {
  const { identity, content } = await checkedImage(given, undefined);
  refuseOptions(given, identity, engineCalls(host, given.images).length > 0);
  if (engineCalls(host, given.images).some(({ kind }) => kind === 'direct')) makeProgram(given.imagePath);
  return {
    line: host,
    env: containerName(given),
    container: recordedContainer(given, { identity, content, runner: null, plan: null }),
    bound: true,
    scratch: [],
    clear: () => {},
  };
}

/** What cannot be done is not recorded as if it had been. */
function refuseOptions(
  { onlyWithRunner, recordedPath }: ContainerCase,
  { format }: ImageIdentity,
  isUnderstood: boolean,
): void {
  const [option] = onlyWithRunner;
  if (option === undefined) return;
  const isProgram = format === 'other';
  const why = isProgram ? 'is a program of its own' : 'is started by a call format of its own';
  throw new RepriseError('usage', `${option} has no effect on ${recordedPath}, which ${why}`, {
    hints: isProgram || !isUnderstood ? [] : [`reprise containers-run --runner ${runnersFor(format)[0]} ${option} ...`],
    data: { option, image: recordedPath },
  });
}

async function launchContainer(
  given: ContainerCase,
  lines: CommandLines,
  foreseen: Foreseen | null,
): Promise<Launched> {
  if (/^\.\.(\/|$)/.test(given.pwd)) throw unseen(given);
  const choice = chooseLine(lines, given.images);
  const [call] = engineCalls(choice.line, given.images);
  const { identity, content } = await checkedImage(given, call);
  // A script, or a program of its own: there is nothing that could be put around it.
  if (identity.format === 'other' && given.options.runner === undefined) return launchVerbatim(given, lines);
  const isForeseen = foreseen?.format === identity.format;
  const runner = await (isForeseen ? foreseen.runner : runnerFor(given, identity));
  const entrypoint = call?.kind === 'singularity' && call.verb === 'exec' ? 'none' : 'image';
  const plan = planContainer(given, runner, entrypoint, lines.tmpdir, choice.hasHostPaths);
  const started = await startContainer(given, runner, plan, identity);
  const line = rewriteLine(choice.line, given.images, started.words);
  if (line === null) {
    started.clear();
    throw new RepriseError(
      'container-failed',
      `The command line does not start the container ${given.recordedPath}: ${choice.line}`,
    );
  }
  return {
    line,
    env: { ...containerName(given), ...started.env },
    container: recordedContainer(given, { identity, content, runner, plan }),
    bound: true,
    scratch: started.scratch,
    clear: started.clear,
  };
}

function unseen({ repo, pwd }: ContainerCase): RepriseError {
  const folder = join(repo.root, pwd);
  return new RepriseError(
    'path-outside',
    `The command would run in ${folder}, which is outside the dataset, so that its container does not see it`,
    { hints: [`cd ${quoteWord(repo.root)}`], data: { path: folder, dataset: repo.root } },
  );
}

function containerName({ name }: ContainerCase): NodeJS.ProcessEnv {
  return name === null ? {} : { DATALAD_CONTAINER_NAME: name };
}

/** How the shell starts a container. */
export interface Started {
  /** Shell words that take the place of the engine's. */
  readonly words: string;
  readonly env: NodeJS.ProcessEnv;
  readonly scratch: readonly string[];
  readonly clear: () => void;
}

/** The image and where it is used. */
export type ImageInUse = Pick<ContainerCase, 'repo' | 'imagePath'>;

/** Gets a runner ready to execute a plan in an image that was identified. */
export async function startContainer(
  { repo, imagePath }: ImageInUse,
  runner: Runner,
  plan: ContainerPlan,
  identity: ImageIdentity,
): Promise<Started> {
  const { name } = await readyImage(runner, imagePath, identity, repo.context);
  const ready = { ...plan, image: name };
  return 'engine' in runner
    ? startEngine(repo, runner.engine, ready)
    : startApptainer(repo.context.env, runner.host, ready);
}

/** Docker and Podman: a client process of ours takes the place of the engine's program. */
function startEngine({ gitDir }: Repo, engine: EngineRunner['engine'], plan: ContainerPlan): Started {
  // A name by which it is known for a leftover once we are gone.
  const file = partName(join(gitDir, 'reprise/containers', `${randomId()}.json`));
  writeAtomic(file, JSON.stringify(engineJob(engine, plan, thisOwner())), { mode: 0o600 });
  return {
    words: quoteWords([process.execPath, clientPath(), 'run', file]),
    env: {},
    scratch: [],
    clear: () => rmSync(fsPath(file), { force: true }),
  };
}

function startApptainer(env: NodeJS.ProcessEnv, host: ApptainerRunner['host'], plan: ContainerPlan): Started {
  const scratch = mkdtempSync(join(env['TMPDIR'] ?? tmpdir(), 'reprise-container-'));
  mkdirSync(join(scratch, 'home'));
  const invocation = apptainerInvocation(plan, host, scratch, env);
  // The command itself stays where it stands in the line.
  const words = invocation.argv.slice(0, -plan.command.length);
  return {
    words: quoteWords(hasTerminal() ? [process.execPath, clientPath(), 'pipe', ...words] : words),
    env: invocation.env,
    scratch: [scratch],
    clear: () => {
      endOrphanedMounts(plan.image);
      rmSync(scratch, { recursive: true, force: true });
    },
  };
}
