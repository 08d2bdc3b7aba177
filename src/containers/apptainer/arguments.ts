/**
 * The command line of `apptainer exec` or `singularity exec` for a container that sees the dataset and nothing else of this machine.
 *
 * Sources: `apptainer exec --help` and the changelogs of Apptainer 1.0 to 1.4 and SingularityCE 3.8 to 4; measured with Apptainer 1.4.5.
 */
import { RepriseError } from '../../core/errors.ts';
import { type ContainerPlan, HOME_PATH, type Mount } from '../plan.ts';
import { supports, type Apptainer } from './presence.ts';

export interface Invocation {
  readonly argv: readonly [string, ...string[]];
  /** What changes in the environment of the engine: undefined removes a variable. */
  readonly env: NodeJS.ProcessEnv;
}

/** Settings of the engine by environment that do not change what a command sees. */
const KEPT_SETTINGS = /^(APPTAINER|SINGULARITY)_(CACHEDIR|CONFIGDIR|CONFIG_FILE|DISABLE_CACHE|UNSQUASH|USERNS)$/;

/** Folders that are private anyway. */
const ALWAYS_PRIVATE = ['/tmp', '/var/tmp'];

/** Separators in `--bind`, and what its parser takes for escapes. */
const BIND_SYNTAX = /[:,\\"]/;

/**
 * What to start, and with which environment, for one container.
 *
 * The root file system is read-only, the environment clean, processes and network are those of the container, and its private folders
 * lie below `scratch`: in memory, where they would be otherwise, an installation may allow no more than 64 MiB. Values of the environment
 * are handed over by environment, because a command line can be read by every user of the machine. The standard streams are those of
 * the engine's process: who wants no standard input gives it none.
 *
 * @param host the engine, as `findApptainer` describes it
 * @param scratch absolute path of an existing private folder that holds an empty folder `home`; whoever made it removes it afterwards
 * @param hostEnv the environment that the engine would inherit
 * @throws `config-invalid` for what this version of the engine cannot be told
 */
export function apptainerInvocation(
  plan: ContainerPlan,
  host: Apptainer,
  scratch: string,
  hostEnv: NodeJS.ProcessEnv,
): Invocation {
  const { HOME: home = HOME_PATH, ...fixed } = plan.env;
  const taken = plan.passEnv.flatMap((name) => (hostEnv[name] === undefined ? [] : [[name, hostEnv[name]] as const]));
  const { HOME: _, ...passedOn } = Object.fromEntries(taken);
  const env = { ...passedOn, ...fixed, ...gpuEnvironment(plan.gpus) };
  const scratchFolders = plan.tmpfs.filter((folder) => folder !== home && !ALWAYS_PRIVATE.includes(folder));
  const options = [
    '--cleanenv',
    '--containall',
    ...(supports(host, 'no-eval') ? ['--no-eval'] : []),
    ...(supports(host, 'no-bind-paths') ? ['--no-mount', 'bind-paths,hostfs'] : []),
    ...(plan.network ? [] : ['--net', '--network', 'none']),
    ...(host.mountsSif || !supports(host, 'unsquash') ? [] : ['--unsquash']),
    ...(plan.writableRoot ? ['--writable-tmpfs'] : []),
    ...(plan.gpus === null ? [] : plan.gpus === 'all' ? ['--nv', '--rocm'] : ['--nv']),
    '--workdir',
    scratch,
    '--home',
    `${plainPath(`${scratch}/home`)}:${plainPath(home)}`,
    ...scratchFolders.flatMap((folder) => ['--scratch', plainPath(folder)]),
    ...plan.mounts.flatMap((mount) => mountOption(mount, host)),
    '--pwd',
    plan.workdir,
  ];
  // An image whose name looks like an option or like `oci:...` is still a file.
  const image = plan.image.startsWith('/') ? plan.image : `./${plan.image}`;
  const verb = plan.entrypoint === 'image' ? 'run' : 'exec';
  return {
    argv: [host.program, '--silent', verb, ...options, image, ...plan.command],
    // An image that has to be unpacked for this run lies there as well, and is removed with it.
    env: { ...withoutSettings(hostEnv), ...passed(env, host), APPTAINER_TMPDIR: scratch, SINGULARITY_TMPDIR: scratch },
  };
}

/** Removes the user's own settings of the engine: mounts and variables that no record would name. */
function withoutSettings(hostEnv: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const names = Object.keys(hostEnv).filter((name) => /^(APPTAINER|SINGULARITY)(_|ENV_)/.test(name));
  return Object.fromEntries(names.filter((name) => !KEPT_SETTINGS.test(name)).map((name) => [name, undefined]));
}

function passed(env: Readonly<Record<string, string>>, host: Apptainer): NodeJS.ProcessEnv {
  const prefix = host.flavour === 'apptainer' ? 'APPTAINERENV_' : 'SINGULARITYENV_';
  return Object.fromEntries(
    Object.entries(env).map(([name, value]) => {
      if (!supports(host, 'no-eval') && /[$`"\\]/.test(value)) {
        throw cannot(host, `pass on the variable ${name}, because its value would be expanded by a shell`);
      }
      return [`${prefix}${name}`, value];
    }),
  );
}

function gpuEnvironment(gpus: string | null): Readonly<Record<string, string>> {
  return gpus === null || gpus === 'all' ? {} : { CUDA_VISIBLE_DEVICES: gpus };
}

function mountOption({ source, target, readonly }: Mount, host: Apptainer): readonly string[] {
  if (!BIND_SYNTAX.test(source + target)) return ['--bind', `${source}:${target}${readonly ? ':ro' : ''}`];
  if (!supports(host, 'mount'))
    throw cannot(host, `mount ${source}, whose path holds a colon, comma, quote or backslash`);
  const fields = ['type=bind', csv(`source=${source}`), csv(`destination=${target}`), ...(readonly ? ['ro'] : [])];
  return ['--mount', fields.join(',')];
}

/** One field of a line of CSV (RFC 4180). */
function csv(field: string): string {
  return `"${field.replaceAll('"', '""')}"`;
}

function plainPath(path: string): string {
  if (!BIND_SYNTAX.test(path)) return path;
  throw new RepriseError(
    'config-invalid',
    `${JSON.stringify(path)} cannot be a private folder of a container, because it has a colon, comma, quote or backslash`,
  );
}

function cannot(host: Apptainer, what: string): RepriseError {
  return new RepriseError('config-invalid', `${host.flavour} ${host.version.join('.')} cannot ${what}`, {
    hints: ['Install Apptainer 1.2 or newer'],
  });
}
