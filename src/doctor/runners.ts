/** Which runners work here, what they can run, and why not. Told by the code that chooses one for a run. */
import { addressText } from '../containers/engine/connect.ts';
import { hostArchitecture, type ImageFormat } from '../containers/formats/image.ts';
import type { RunnerName } from '../containers/plan.ts';
import type { Result } from '../core/result.ts';
import { findRunner, type Runner, runnersFor } from '../images/choose-runner.ts';
import type { Context } from '../sys/context.ts';
import { examine, type Look, PATIENCE_MS, refusal } from './finding.ts';
import { probe, type ProbePlace } from './probe.ts';
import { probeProgram } from './probe-image.ts';

const FORMATS = ['sif', 'simg', 'docker-archive', 'oci'] as const satisfies readonly ImageFormat[];

export interface RunnerQuestion {
  readonly names: readonly RunnerName[];
  /** Whether they have to work. */
  readonly required: boolean;
  /** Where a container is run under each; null for none. */
  readonly place: ProbePlace | null;
}

/** Looks at all runners at once. */
export function lookAtRunners(question: RunnerQuestion, context: Context): Promise<readonly Result[]> {
  const { names, required: essential } = question;
  return Promise.all(
    names.map((name) =>
      examine({ kind: 'runner', name, path: context.cwd, essential }, () => lookAtRunner(name, question, context)),
    ),
  );
}

async function lookAtRunner(name: RunnerName, { required, place }: RunnerQuestion, context: Context): Promise<Look> {
  const runner = await findRunner(name, context.env, PATIENCE_MS);
  const formats = FORMATS.filter((format) => runnersFor(format).includes(name));
  const facts = { ...factsOf(runner), formats };
  if (place === null) return facts;
  const program = probeProgram();
  if (program === null) {
    return { ...facts, message: `${facts.message}; there is no probe for ${hostArchitecture()}`, probed: false };
  }
  try {
    await probe(runner, program, context, place);
    return { ...facts, message: `${facts.message}; it has run a container`, probed: true };
  } catch (error) {
    return { ...facts, ...refusal(error, required), probed: true };
  }
}

function factsOf(runner: Runner): Look {
  return 'engine' in runner ? engineFacts(runner.engine) : apptainerFacts(runner);
}

function engineFacts({
  endpoint,
  kind,
  rootless,
  version,
}: Extract<Runner, { readonly engine: unknown }>['engine']): Look {
  const what = [kind === 'docker' ? 'Docker' : 'Podman', ...(version === undefined ? [] : [version])].join(' ');
  const source = endpoint.from === null ? '' : ` (from ${endpoint.from})`;
  const where = endpoint.via === 'command' ? 'through its command line' : `at ${addressText(endpoint)}${source}`;
  return {
    message: `${what} ${where}${rootless ? ', without root' : ''}`,
    ...(endpoint.via === 'socket' ? { path: endpoint.path } : {}),
    engine: kind,
    ...(version === undefined ? {} : { version }),
    endpoint: endpoint.via === 'command' ? null : addressText(endpoint),
    rootless,
  };
}

function apptainerFacts({ name, host }: Extract<Runner, { readonly host: unknown }>): Look {
  const version = host.version.join('.');
  const what = `${host.flavour === 'apptainer' ? 'Apptainer' : 'Singularity'} ${version}`;
  const alias = name === host.flavour ? '' : ` under the name of ${name}`;
  const how = host.mountsSif
    ? 'mounts SIF files'
    : 'unpacks a SIF file for every run, because it may not use /dev/fuse';
  return {
    message: `${what}${alias}, which ${how}`,
    path: host.program,
    type: 'file',
    engine: host.flavour,
    version,
    mounts_sif: host.mountsSif,
    rootless: process.getuid?.() !== 0,
  };
}
