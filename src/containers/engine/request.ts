/**
 * A plan as a request to create a container: Docker Engine API 1.40, `POST /containers/create`, which Podman serves, too.
 *
 * A pure function, so that tests and `--dry-run` show exactly what an engine would be asked.
 */
import { RepriseError } from '../../core/errors.ts';
import type { ContainerPlan, Mount } from '../plan.ts';
import type { EngineFacts } from './connect.ts';

export interface CreateRequest {
  readonly Image: string;
  readonly [key: string]: unknown;
}

/** A folder in memory from which programs may be started, as from any folder. */
export const TMPFS_OPTIONS = 'rw,exec,nosuid,nodev,mode=1777';

/** Not the container's random id, which would end up in results. */
export const HOSTNAME = 'reprise';

/** Whom the container runs as, so that what it writes belongs to the caller; pure. */
export function identityOf(
  plan: ContainerPlan,
  engine: Pick<EngineFacts, 'kind' | 'rootless'>,
): { readonly user: string; readonly userns: string | null; readonly groups: readonly string[] } {
  const { uid, gid, groups } = plan.user;
  if (!engine.rootless) return { user: `${uid}:${gid}`, userns: null, groups: groups.map(String) };
  // A rootless engine cannot give groups that it has not got. Docker's root is the caller; Podman can keep the caller's number.
  if (engine.kind === 'docker') return { user: '0:0', userns: null, groups: [] };
  return { user: `${uid}:${gid}`, userns: 'keep-id', groups: [] };
}

/** What executes: the program and its arguments; `program` null leaves the image's own entry point in place. */
export function commandOf(plan: ContainerPlan): { readonly program: string | null; readonly args: readonly string[] } {
  const [program, ...args] = plan.command;
  return plan.entrypoint === 'image' ? { program: null, args: plan.command } : { program, args };
}

/**
 * The request for a plan.
 *
 * @param environment values for `plan.passEnv`
 * @param init whether a small init process in the container passes signals on and tells an exit by signal
 * @throws `path-encoding` for a text that JSON cannot carry, `container-failed` for a path that Podman cannot mount
 */
export function createRequest(
  plan: ContainerPlan,
  engine: Pick<EngineFacts, 'kind' | 'rootless'>,
  environment: NodeJS.ProcessEnv,
  { init, labels }: { readonly init: boolean; readonly labels: Readonly<Record<string, string>> },
): CreateRequest {
  const { user, userns, groups } = identityOf(plan, engine);
  const { program, args } = commandOf(plan);
  const request: CreateRequest = {
    Image: plan.image,
    ...(program === null ? {} : { Entrypoint: [program] }),
    Cmd: args,
    Env: environmentOf(plan, environment),
    User: user,
    WorkingDir: plan.workdir,
    Hostname: HOSTNAME,
    Labels: labels,
    Tty: false,
    AttachStdin: plan.stdin,
    AttachStdout: true,
    AttachStderr: true,
    OpenStdin: plan.stdin,
    StdinOnce: plan.stdin,
    Healthcheck: { Test: ['NONE'] },
    HostConfig: {
      Init: init,
      ...(plan.network ? {} : { NetworkMode: 'none' }),
      ...(userns === null ? {} : { UsernsMode: userns }),
      ...(groups.length > 0 ? { GroupAdd: groups } : {}),
      ReadonlyRootfs: !plan.writableRoot,
      ...mountsOf(plan.mounts, engine.kind),
      Tmpfs: Object.fromEntries(plan.tmpfs.map((path) => [path, TMPFS_OPTIONS])),
      // What the streams carry is ours to keep; the engine would write all of it to its disk.
      LogConfig: { Type: 'none', Config: {} },
      // A set-user-id program in an image must not make files of root's in the dataset; SELinux must not hide the dataset.
      SecurityOpt: ['no-new-privileges', 'label=disable'],
      ...(plan.gpus === null ? {} : { DeviceRequests: [gpuRequest(plan.gpus)] }),
    },
  };
  const odd = oddText(request);
  if (odd === null) return request;
  throw new RepriseError(
    'path-encoding',
    `A container engine cannot be told ${JSON.stringify(odd)}, which is not UTF-8`,
    {
      data: { text: odd },
    },
  );
}

/** `NAME=value`, sorted; fixed values win over passed ones. */
export function environmentOf(plan: ContainerPlan, environment: NodeJS.ProcessEnv): readonly string[] {
  const passed = plan.passEnv.flatMap((name) => (environment[name] === undefined ? [] : [[name, environment[name]]]));
  const all: Readonly<Record<string, string>> = { ...Object.fromEntries(passed), ...plan.env };
  return Object.keys(all)
    .sort()
    .map((name) => `${name}=${all[name]}`);
}

/**
 * Podman makes a line of CSV of each of `Mounts` without quoting, so that a comma in a path would start another option, and of `Binds`
 * it takes everything up to a colon. A path is given in the form that is safe for it.
 */
function mountsOf(mounts: readonly Mount[], kind: EngineFacts['kind']): object {
  const bind = ({ source, target, readonly }: Mount) => ({
    Type: 'bind',
    Source: source,
    Target: target,
    ReadOnly: readonly,
  });
  if (kind === 'docker') return { Mounts: mounts.map(bind) };
  const isPlain = ({ source, target }: Mount) => !`${source}${target}`.includes(':');
  const withColon = mounts.filter((mount) => !isPlain(mount));
  const impossible = withColon.find(({ source, target }) => /[,"\r\n]/.test(`${source}${target}`));
  if (impossible) {
    throw new RepriseError(
      'container-failed',
      `Podman’s socket cannot be told to mount ${JSON.stringify(impossible.source)}: it has a colon besides a comma, a quote or a line end`,
      { data: { path: impossible.source } },
    );
  }
  return {
    Binds: mounts
      .filter(isPlain)
      .map(({ source, target, readonly }) => `${source}:${target}:${readonly ? 'ro' : 'rw'},rbind`),
    Mounts: withColon.map(bind),
  };
}

function gpuRequest(gpus: string): object {
  return gpus === 'all'
    ? { Count: -1, Capabilities: [['gpu']] }
    : { DeviceIDs: gpus.split(','), Capabilities: [['gpu']] };
}

/** The first text in a value that is not well-formed Unicode. */
function oddText(value: unknown): string | null {
  if (typeof value === 'string') return value.isWellFormed() ? null : value;
  if (typeof value !== 'object' || value === null) return null;
  for (const [key, item] of Object.entries(value)) {
    const odd = oddText(key) ?? oddText(item);
    if (odd !== null) return odd;
  }
  return null;
}
