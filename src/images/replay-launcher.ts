/** The container of a recorded run, for its replay: from our own description of it, or from the line that DataLad recorded. */
import { isAbsolute, join, posix, resolve } from 'node:path';
import { type EngineCall, engineCalls } from '../containers/command-lines.ts';
import { onPath } from '../containers/engine/endpoint.ts';
import { DATASET_PATH, type RunnerName } from '../containers/plan.ts';
import { RepriseError } from '../core/errors.ts';
import type { Repo } from '../dataset/repo.ts';
import { isWithin, relativeTo } from '../dataset/targets.ts';
import type { RecordedContainer, RunRecord } from '../record/run-record.gen.ts';
import type { Launcher } from '../run/options.ts';
import { configuredName } from './configured-name.ts';
import { isOnPath, isVerbatim } from './container-line.ts';
import type { ContainerCase } from './container-case.ts';
import { containerLauncher } from './launcher.ts';
import { knownIdentity } from './recorded-container.ts';
import { linesFor, type RecordedImage, recordedImage, type StartedBy } from './recorded-image.ts';

/** A record that is about to be executed again. */
export interface RecordedCommand {
  readonly repo: Repo;
  /** Root of the dataset that the user has, which is another one where `repo` is a workspace. */
  readonly home: string;
  readonly record: RunRecord;
  /** The commit that the run was recorded in: its image is the one that counts. */
  readonly commit: string;
  /** What runs the container; by default what ran it then, or what is here. */
  readonly runner: RunnerName | undefined;
}

/** What the record itself says of a container; the rest is told by the image. */
type Described = Omit<ContainerCase, 'repo' | 'pwd' | 'name' | 'owner' | 'imagePath'> &
  StartedBy & {
    readonly name?: string;
    /** What the container sees of this machine besides the dataset, in words. */
    readonly sees: readonly string[];
  };

/** Where DataLad's docker adapter lets a command find the folder that it was started in, and nothing else of the dataset. */
const ADAPTER_PATH = '/tmp';

/**
 * A launcher for a record that went through a container; undefined for one that did not. It says what the record lets the container see besides the
 * dataset, before it starts. Throws `record-invalid`.
 */
export function replayLauncher(given: RecordedCommand): Launcher | undefined {
  const described = describe(given);
  return described && launcherOf(given, described);
}

/**
 * The container that a record went through, with the image that was recorded, which is fetched if it is not here; undefined for a record without one.
 * Throws `record-invalid`, `image-missing`, `content-unavailable`.
 */
export async function containerOf(given: RecordedCommand): Promise<ContainerCase | undefined> {
  const described = describe(given);
  return described && caseOf(given, described, await recordedImage(given.repo, given.commit, described.recordedPath));
}

function describe(given: RecordedCommand): Described | undefined {
  const { container } = given.record.reprise ?? {};
  return container ? fromDescription(given, container) : fromLine(given);
}

/**
 * Which image it is, is told once the run's extra inputs are here: the image may lie in a subdataset that is still to be installed.
 *
 * The launcher throws what `containerLauncher` says, `image-missing`, and `image-mismatch` for a line that cannot be given the recorded image.
 */
function launcherOf(given: RecordedCommand, described: Described): Launcher {
  const { images, verbatim, program, sees } = described;
  return {
    root: verbatim ? null : DATASET_PATH,
    async launch(lines) {
      const image = await recordedImage(given.repo, given.commit, described.recordedPath);
      const adapted = await linesFor(image, { images, verbatim, ...(program === undefined ? {} : { program }) }, lines);
      const launcher = containerLauncher(await caseOf(given, described, image));
      if (!verbatim) announce(given, sees);
      return launcher.launch(adapted);
    },
  };
}

async function caseOf(
  { repo, record, commit }: RecordedCommand,
  { name, program: _p, sees: _s, ...described }: Described,
  image: RecordedImage,
): Promise<ContainerCase> {
  return {
    ...described,
    repo,
    pwd: record.pwd,
    name: name ?? (await configuredName(repo, described.recordedPath, commit)),
    owner: image.owner,
    imagePath: image.path,
    images: [...described.images, image.path],
  };
}

/** A record may be a stranger's: nobody is to find out afterwards what it was shown. */
function announce({ repo, record, commit }: RecordedCommand, sees: readonly string[]): void {
  if (sees.length === 0) return;
  const [kind, how] = record.reprise?.container
    ? (['warning', 'recorded'] as const)
    : (['info', 'DataLad starts it'] as const);
  const text = `the container of ${commit.slice(0, 7)} sees more than the dataset, as ${how}: ${sees.join('; ')}`;
  repo.context.emit({ kind, text });
}

function fromDescription({ home, record, commit, runner }: RecordedCommand, container: RecordedContainer): Described {
  const mountsFrom = join(home, record.pwd);
  const mounts = container.mounts?.map((mount) => mountText(mount, commit));
  const isOwnLine = container.runner === undefined;
  return {
    ...(container.name === undefined ? {} : { name: container.name }),
    recordedPath: container.image,
    images: [posix.relative(record.pwd, container.image)],
    command: container.command,
    callFormat: container.call_format,
    verbatim: runner === undefined && isOwnLine,
    mountsFrom,
    onlyWithRunner: [],
    sees: openings(container, mountsFrom),
    expected: knownIdentity(container),
    ...(container.workdir === undefined ? {} : { workdir: container.workdir }),
    ...(container.runner === undefined ? {} : { preferred: container.runner }),
    options: {
      ...(runner === undefined ? {} : { runner }),
      ...(container.network === undefined ? {} : { network: container.network }),
      ...(container.env === undefined ? {} : { env: container.env }),
      ...(mounts === undefined ? {} : { mounts }),
      ...(container.gpus === undefined ? {} : { gpus: container.gpus }),
      ...(container.writable_root === undefined ? {} : { writableRoot: container.writable_root }),
    },
  };
}

type RecordedMount = NonNullable<RecordedContainer['mounts']>[number];

/** A recorded mount as it is typed; a record of ours has none that cannot be. */
function mountText({ source, target, writable }: RecordedMount, commit: string): string {
  if (source !== '' && isAbsolute(target) && !`${source}${target}`.includes(':'))
    return `${source}:${target}:${writable ? 'rw' : 'ro'}`;
  throw new RepriseError(
    'record-invalid',
    `The run record of commit ${commit} asks for a mount that cannot be made: ${JSON.stringify(`${source}:${target}`)}`,
    { hints: [`git show -s ${commit}`], data: { commit, source, target } },
  );
}

/** What a record lets a container see of this machine besides the dataset, in words. */
function openings({ network, mounts, env, gpus }: RecordedContainer, mountsFrom: string): readonly string[] {
  return [
    ...(network ? ['the network'] : []),
    ...(mounts ?? []).map(
      ({ source, target, writable }) =>
        `${resolve(mountsFrom, source)} at ${target}${writable ? ', which it may change' : ''}`,
    ),
    ...(env ?? []).map((name) => `the variable ${name}`),
    ...(gpus === undefined ? [] : [`graphics processors (${gpus})`]),
  ];
}

/** DataLad's lines: `singularity exec <image> ...`, its docker adapter, or the image itself. */
function fromLine({ repo, record, runner }: RecordedCommand): Described | undefined {
  const calls = record.extra_inputs.length === 0 ? [] : engineCalls(record.cmd, record.extra_inputs);
  const [call] = calls;
  if (!call) return undefined;
  const image = pathInDataset(repo, record, call);
  if (image === null) return undefined;
  const isAdapter = call.kind === 'docker-adapter';
  const isHere = isOnPath(call, repo.context.env);
  const program = isHere ? undefined : otherProgram(call, repo.context.env);
  return {
    recordedPath: image,
    images: [call.image],
    command: call.commandText,
    callFormat: undefined,
    verbatim: runner === undefined && isVerbatim(calls) && (isHere || program !== undefined),
    // The adapter's own mount is the folder that the command runs in, wherever that is checked out.
    mountsFrom: join(repo.root, record.pwd),
    onlyWithRunner: [],
    sees: ['the network'],
    ...(program === undefined ? {} : { program }),
    ...(isAdapter ? { workdir: ADAPTER_PATH } : {}),
    options: {
      ...(runner === undefined ? {} : { runner }),
      // As DataLad's own lines start it.
      network: true,
      ...(isAdapter ? { writableRoot: true, mounts: [`.:${ADAPTER_PATH}:rw`] } : {}),
    },
  };
}

/** The image of a line relative to the dataset's root; an absolute path may be one of another place that the dataset has been at. */
function pathInDataset({ root }: Repo, { pwd, extra_inputs }: RunRecord, { image }: EngineCall): string | null {
  const places = [image, ...extra_inputs.filter((input) => image.endsWith(`/${input.replace(/^(\.\.\/)+/, '')}`))];
  const inside = places.map((place) => posix.resolve(root, pwd, place)).find((path) => isWithin(path, root));
  return inside === undefined ? null : relativeTo(root, inside);
}

/** Apptainer goes by both names, and takes the same options under both. */
function otherProgram({ kind, program }: EngineCall, env: NodeJS.ProcessEnv): string | undefined {
  const names = ['apptainer', 'singularity'];
  if (kind !== 'singularity' || !names.includes(posix.basename(program))) return undefined;
  return names.find((name) => onPath(name, env));
}
