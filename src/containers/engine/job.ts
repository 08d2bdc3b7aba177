/** What the client process is given: a plan, the engine that executes it, and for whom. A plain value, in a file of its own. */
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { fsPath } from '../../core/bytes.ts';
import { RepriseError } from '../../core/errors.ts';
import type { Owner } from '../../sys/owner.ts';
import type { ContainerPlan } from '../plan.ts';
import type { EngineFacts } from './connect.ts';

export interface EngineJob {
  readonly engine: EngineFacts;
  readonly plan: ContainerPlan;
  /** The container's name: chosen by us, so that it can be removed even if the answer with its id never arrived. */
  readonly name: string;
  /** The process that waits for the result: when it is gone, the container goes, too. */
  readonly owner: Owner;
}

/** A job for a plan, with a new name. */
export function engineJob(engine: EngineFacts, plan: ContainerPlan, owner: Owner): EngineJob {
  const { endpoint, kind, rootless } = engine;
  return { engine: { endpoint, kind, rootless }, plan, name: `reprise-${randomBytes(8).toString('hex')}`, owner };
}

/** Labels of every container of ours, by which it can be told whose it is. */
export function labelsOf(job: EngineJob): Readonly<Record<string, string>> {
  return { 'reprise.owner': JSON.stringify(job.owner) };
}

/** Exit code of `docker run` where the engine failed, not the command. */
export const ENGINE_FAILED = 125;

/** A container that could not run to its end, with the exit code for it. */
export function failed(job: EngineJob, message: string, exitCode: number, cause?: unknown): RepriseError {
  const { engine, plan } = job;
  return new RepriseError('container-failed', message, {
    exitCode,
    cause,
    data: { runner: engine.endpoint.engine, image: plan.image, exit: exitCode },
  });
}

/** Podman would make a folder that is missing. @throws `container-failed` */
export function checkMounts(job: EngineJob): void {
  // An engine on another machine mounts that machine's folders.
  if (job.engine.endpoint.via === 'tcp') return;
  const missing = job.plan.mounts.find(({ source }) => !existsSync(fsPath(source)));
  if (missing) throw failed(job, `There is nothing at ${missing.source}, which is to be mounted`, ENGINE_FAILED);
}
