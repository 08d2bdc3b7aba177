/**
 * Which Apptainer or Singularity there is, what it can do here, and why not.
 *
 * Source: the admin guide of Apptainer 1.4, "User namespaces and fakeroot" and "Installed files"; the changelogs of both projects.
 */
import { accessSync, closeSync, constants, openSync, statSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { execute } from '../../sys/proc.ts';
import { lastWords } from '../said.ts';
import { userNamespaceRefusal } from '../user-namespaces.ts';

export type Flavour = 'apptainer' | 'singularity';

export interface Apptainer {
  /** Absolute path. */
  readonly program: string;
  /** Whose it is, by what it says itself: `singularity` may be a link to `apptainer`. */
  readonly flavour: Flavour;
  readonly version: readonly [number, number, number];
  /** Whether it can mount a SIF file, rather than unpack it for every run. */
  readonly mountsSif: boolean;
}

export type Presence =
  | { readonly found: Apptainer; readonly reason: null }
  | { readonly found: null; readonly reason: string; readonly hint: string };

/** How long it may take to say its version, from a file system that has to be woken up perhaps. */
const ANSWER_MS = 20_000;

/** Needs no rights: most of those who miss it are no administrators. */
const INSTALL = 'conda install --channel conda-forge apptainer';

/** Oldest versions that have a feature: of Apptainer, and of Singularity and SingularityCE. Null: none has. */
const SINCE = {
  'no-eval': [
    [1, 1, 0],
    [3, 10, 0],
  ],
  'no-bind-paths': [
    [1, 2, 0],
    [3, 11, 0],
  ],
  mount: [
    [1, 0, 0],
    [3, 9, 0],
  ],
  unsquash: [[1, 1, 0], null],
  'mksquashfs-args': [[1, 4, 0], null],
} as const satisfies Record<string, readonly [readonly number[], readonly number[] | null]>;

export function supports(host: Pick<Apptainer, 'flavour' | 'version'>, feature: keyof typeof SINCE): boolean {
  const since = SINCE[feature][host.flavour === 'apptainer' ? 0 : 1];
  if (since === null) return false;
  const differs = since.findIndex((part, at) => part !== host.version[at]);
  return differs === -1 || (host.version[differs] as number) > (since[differs] as number);
}

/**
 * Looks for the engine on the PATH, and asks it to start nothing but itself.
 *
 * @param names in order of preference
 * @param answerMs how long it may take to say its version
 * @param env the environment that it will run in; `APPTAINER_USERNS=1` in it means that a setuid installation is not to be used as such
 */
export async function findApptainer(
  names: readonly Flavour[],
  env: NodeJS.ProcessEnv,
  answerMs = ANSWER_MS,
): Promise<Presence> {
  const program = names.map((name) => onPath(name, env)).find((path) => path !== null);
  if (program === undefined) {
    return absent(`there is no ${names.join(' and no ')} on the PATH`, INSTALL);
  }
  const asked = await execute([program, '--version'], { cwd: '/', env, signal: AbortSignal.timeout(answerMs) });
  const text = asked.stdout.toString('utf8').trim();
  // Singularity 2 says its version and nothing else: `2.6.1-dist`.
  const match = /^(?:(apptainer|singularity)(?:-ce|-pro)?(?: version)? )?v?(\d+)\.(\d+)(?:\.(\d+))?/.exec(text);
  const version = [Number(match?.[2]), Number(match?.[3]), Number(match?.[4] ?? 0)] as const;
  if (asked.code === 0 && match && match[1] !== 'apptainer' && version[0] < 3) {
    return absent(`${program} is of version ${version.join('.')}, which cannot read SIF files`, INSTALL);
  }
  const flavour = match?.[1] as Flavour | undefined;
  if (asked.code !== 0 || flavour === undefined) {
    const said = asked.signal === null ? lastWords(asked.stderr) : 'it does not answer';
    return absent(`${program} does not say its version${said === '' ? '' : `: ${said}`}`, `${program} --version`);
  }
  const privileged = !isSet(env, 'USERNS') && (isSetuid(program) || process.geteuid?.() === 0);
  if (!privileged && process.geteuid?.() !== 0) {
    const refusal = userNamespaceRefusal();
    if (refusal !== null) return absent(refusal.reason, refusal.hint);
  }
  return { found: { program, flavour, version, mountsSif: privileged || canUseFuse() }, reason: null };
}

function absent(reason: string, hint: string): Presence {
  return { found: null, reason, hint };
}

function isSet(env: NodeJS.ProcessEnv, name: string): boolean {
  return [env[`APPTAINER_${name}`], env[`SINGULARITY_${name}`]].some((value) => value !== undefined && value !== '');
}

function onPath(name: string, env: NodeJS.ProcessEnv): string | null {
  for (const folder of (env['PATH'] ?? '').split(delimiter)) {
    const path = join(folder, name);
    if (folder.startsWith('/') && isProgram(path)) return path;
  }
  return null;
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

/** Whether the installation has its setuid part. Like root, it mounts with the kernel's own file systems. */
function isSetuid(program: string): boolean {
  const prefix = dirname(dirname(program));
  const places = ['libexec', 'lib', `lib/${process.arch === 'x64' ? 'x86_64' : 'aarch64'}-linux-gnu`];
  return places
    .flatMap((place) => ['apptainer', 'singularity'].map((name) => join(prefix, place, name, 'bin/starter-suid')))
    .some((path) => ((statSync(path, { throwIfNoEntry: false })?.mode ?? 0) & 0o4000) !== 0);
}

function canUseFuse(): boolean {
  try {
    closeSync(openSync('/dev/fuse', 'r+'));
    return true;
  } catch {
    return false;
  }
}
