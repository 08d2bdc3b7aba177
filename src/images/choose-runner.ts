/** What runs a container: what the user says, else the first that is here and can run an image of its format. */
import { type Apptainer, findApptainer } from '../containers/apptainer/presence.ts';
import { connect, type Engine, type EngineFacts } from '../containers/engine/connect.ts';
import type { ImageFormat } from '../containers/formats/image.ts';
import type { ImageIdentity } from '../containers/identity.ts';
import type { RunnerName } from '../containers/plan.ts';
import { RepriseError } from '../core/errors.ts';
import { RUNNERS } from './container-options.ts';

export interface EngineRunner {
  readonly name: 'docker' | 'podman';
  readonly engine: Engine | (EngineFacts & { readonly api: null });
}

export interface ApptainerRunner {
  readonly name: 'apptainer' | 'singularity';
  readonly host: Apptainer;
}

export type Runner = EngineRunner | ApptainerRunner;

/** Which runners can run an image of a format, in order of preference; none for an image that is a program itself. */
export function runnersFor(format: ImageFormat): readonly RunnerName[] {
  if (format === 'sif' || format === 'simg') return ['apptainer', 'singularity'];
  return format === 'other' ? [] : RUNNERS;
}

/** Whether an image is stored as a tar file, which Docker and Podman take as it is, and Apptainer does not. */
export function isPacked({ format, storage }: Pick<ImageIdentity, 'format' | 'storage'>): boolean {
  return storage === 'file' && (format === 'docker-archive' || format === 'oci');
}

/**
 * Finds one runner; throws why it cannot be used (`runner-missing`, `runner-unreachable`, `runner-permission`, `config-invalid`).
 *
 * @param answerMs how long it may take to answer, if not as long as usual
 */
export async function findRunner(name: RunnerName, env: NodeJS.ProcessEnv, answerMs?: number): Promise<Runner> {
  if (name === 'docker' || name === 'podman') return { name, engine: await connect(name, env, answerMs) };
  const presence = await findApptainer([name], env, answerMs);
  if (presence.found) return { name, host: presence.found };
  throw new RepriseError('runner-missing', `${name} cannot be used: ${presence.reason}`, {
    hints: [presence.hint],
    data: { runner: name },
  });
}

/**
 * Chooses what runs an image.
 *
 * @param image where it is, for messages
 * @param wish what the user asked for; what ran it before, and is taken if it can be used
 * @throws what `findRunner` throws for the one that was asked for; `runner-missing` where none can be used, with all reasons
 */
export async function chooseRunner(
  image: string,
  format: ImageFormat,
  { asked, preferred }: { readonly asked: RunnerName | undefined; readonly preferred: RunnerName | undefined },
  env: NodeJS.ProcessEnv,
): Promise<Runner> {
  const able = [...runnersFor(format)].sort((a, b) => Number(b === preferred) - Number(a === preferred));
  if (asked !== undefined) {
    if (able.includes(asked)) return findRunner(asked, env);
    throw new RepriseError('runner-missing', `${asked} cannot run ${image}, which is stored as ${format}`, {
      hints: able.slice(0, 1).map((name) => `reprise containers-run --runner ${name} ...`),
      data: { runner: asked, image, format },
    });
  }
  const reasons: string[] = [];
  for (const name of able) {
    try {
      return await findRunner(name, env);
    } catch (error) {
      if (!(error instanceof RepriseError)) throw error;
      reasons.push(`${name}: ${error.message}`);
    }
  }
  throw new RepriseError('runner-missing', `Nothing here can run ${image} (${reasons.join('; ')})`, {
    data: { image, format, reasons },
  });
}
