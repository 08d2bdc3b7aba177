/**
 * One container from its start to its removal, seen from the terminal like a program that runs here: streams, signals and the
 * exit code pass through.
 */
import type { Duplex, Readable, Writable } from 'node:stream';
import { setTimeout } from 'node:timers/promises';
import type Docker from 'dockerode';
import type { Container } from 'dockerode';
import { RepriseError } from '../../core/errors.ts';
import { connectionError, dial, engineSays, open } from './connect.ts';
import { type EngineJob, ENGINE_FAILED, failed, labelsOf } from './job.ts';
import { type Leash, watchOwner } from './leash.ts';
import { createRequest } from './request.ts';
import { handOnSignals, numberOf, type Signals } from './signals.ts';
import { demultiplex, feed, writeTo } from './streams.ts';

export interface Streams {
  readonly stdin: Readable;
  readonly stdout: Writable;
  readonly stderr: Writable;
}

/** Exit codes of `docker run`: the program cannot be executed, or there is no such program. */
const NOT_EXECUTABLE = 126;
const NOT_FOUND = 127;

/** How long a program has to end after its output is read no more. */
const GRACE_MS = 2000;

/**
 * Runs the job's container to its end and removes it.
 *
 * @param leash released when the container is gone
 * @returns the command's exit code; 128+N after signal N
 * @throws `container-failed` with the exit code of `docker run` for what went wrong, `runner-unreachable`, `runner-permission`
 */
export async function runContainer(
  job: EngineJob,
  streams: Streams,
  env: NodeJS.ProcessEnv,
  leash: Leash,
): Promise<number> {
  const { endpoint } = job.engine;
  if (endpoint.via === 'command') throw new Error('a job for the command line was given to the client of the API');
  const api = await open(endpoint);
  const signals = handOnSignals();
  const container = api.getContainer(job.name);
  const unwatch = watchOwner(job.owner, () => signals.raise('SIGKILL'));
  try {
    const attached = await started(api, job, env, signals);
    if (attached === null) return 128 + numberOf(signals.first() ?? 'SIGTERM');
    signals.attach((signal) => container.kill({ signal }));
    await pass(attached, streams, signals);
    return await outcome(job, container, signals);
  } catch (error) {
    throw engineError(job, error);
  } finally {
    unwatch();
    signals.stop();
    await removeFinally(api, job, leash);
  }
}

/** If this fails, the leash tries again after we have ended. */
async function removeFinally(api: Docker, job: EngineJob, leash: Leash): Promise<void> {
  try {
    await removeContainer(api, job.name);
  } catch (error) {
    throw engineError(job, error);
  }
  leash.release();
}

interface Attached {
  readonly output: Duplex;
  /** A connection of its own: writing to a command that reads no more fails, and must not take unread output with it. */
  readonly input: Duplex | null;
}

/** Creates, attaches and starts, in this order, so that no output is lost; null if a signal came before. */
async function started(
  api: Docker,
  job: EngineJob,
  env: NodeJS.ProcessEnv,
  signals: Signals,
): Promise<Attached | null> {
  try {
    return await startWith(api, job, env, signals, true);
  } catch (error) {
    // The init is a program of its own, which may not be installed.
    if (!/\binit binary|catatonit|docker-init/i.test((error as Error).message)) throw error;
    await removeContainer(api, job.name);
    return startWith(api, job, env, signals, false);
  }
}

async function startWith(
  api: Docker,
  job: EngineJob,
  env: NodeJS.ProcessEnv,
  signals: Signals,
  init: boolean,
): Promise<Attached | null> {
  const { plan, engine, name } = job;
  const request = createRequest(plan, engine, env, { init, labels: labelsOf(job) });
  const container = await api.createContainer({ name, ...request });
  // One after the other: Podman makes the container for the first, and refuses a second that comes meanwhile.
  const output = await attach(api, container.id, OUTPUT);
  // Podman stops the output of all connections if one of them does not read it.
  const streams = { stdin: true, ...(engine.kind === 'podman' ? OUTPUT : {}) };
  const input = plan.stdin ? await attach(api, container.id, streams) : null;
  if (signals.first() !== null) return null;
  await container.start();
  return { output, input };
}

const OUTPUT = { stdout: true, stderr: true };

function attach(api: Docker, id: string, streams: Readonly<Record<string, boolean>>): Promise<Duplex> {
  return dial<Duplex>(api, {
    path: `/containers/${id}/attach?`,
    method: 'POST',
    isStream: true,
    hijack: true,
    openStdin: true,
    // dockerode's own `attach` sends its options as a body, too, which Podman takes for the first line of the input.
    file: Buffer.alloc(0),
    statusCodes: { 101: true, 200: true },
    options: { stream: true, ...streams },
  });
}

async function pass({ output, input }: Attached, streams: Streams, signals: Signals): Promise<void> {
  if (input) feed(streams.stdin, input);
  for (const target of [streams.stdout, streams.stderr]) target.on('error', () => {});
  let read = true;
  for await (const { stream: name, bytes } of demultiplex(output)) {
    // What is left in the pipe is dropped until the command has noticed.
    if (!read || (await writeTo(streams[name], bytes))) continue;
    read = false;
    signals.raise('SIGPIPE');
    void setTimeout(GRACE_MS, null, { ref: false }).then(() => signals.raise('SIGKILL'));
  }
  input?.destroy();
}

async function outcome(job: EngineJob, container: Container, signals: Signals): Promise<number> {
  const code = await exitCode(job, container);
  if (code === 137 && !signals.raised('SIGKILL') && (await ranOutOfMemory(container))) {
    throw failed(job, 'The container was killed because it used more memory than it may', code);
  }
  return code;
}

/** States in which Podman knows the exit code. */
const ENDED: ReadonlySet<unknown> = new Set(['stopped', 'exited']);

/** The output has ended, and as a rule the command, too. */
async function exitCode(job: EngineJob, container: Container): Promise<number> {
  // Podman's answer to "wait" comes up to half a second late, but its answer to a question comes at once.
  for (let left = job.engine.kind === 'podman' ? 20 : 0; left > 0; left -= 1) {
    const { State: state } = (await container.inspect()) as Inspected;
    if (ENDED.has(state?.Status) && typeof state?.ExitCode === 'number') return state.ExitCode;
    await setTimeout(5);
  }
  const { StatusCode: code } = (await container.wait()) as { readonly StatusCode?: unknown };
  if (typeof code === 'number') return code;
  throw failed(job, 'The engine does not tell the exit code of the container', ENGINE_FAILED);
}

interface Inspected {
  readonly State?: { readonly Status?: unknown; readonly ExitCode?: unknown; readonly OOMKilled?: unknown };
}

/** The engine hears of it from the kernel, and of the end from elsewhere: either may come first. */
async function ranOutOfMemory(container: Container): Promise<boolean> {
  for (let left = 10; left > 0; left -= 1) {
    const { State: state } = (await container.inspect()) as Inspected;
    if (state?.OOMKilled === true) return true;
    await setTimeout(50);
  }
  return false;
}

/** Removes a container, running or not. @returns whether there was one */
export async function removeContainer(api: Docker, name: string): Promise<boolean> {
  try {
    await api.getContainer(name).remove({ force: true, v: true });
    return true;
  } catch (error) {
    const status = statusOf(error);
    if (status === 404) return false;
    // Somebody else is removing it already.
    if (status === 409) return true;
    throw error;
  }
}

function statusOf(error: unknown): unknown {
  return (error as { readonly statusCode?: unknown }).statusCode;
}

function engineError(job: EngineJob, error: unknown): unknown {
  if (error instanceof RepriseError) return error;
  const status = statusOf(error);
  if (status === undefined) {
    const isSystem = typeof (error as NodeJS.ErrnoException).code === 'string';
    return isSystem ? connectionError(job.engine.endpoint, error) : error;
  }
  const said = engineSays(error);
  return failed(job, `The container could not be started: ${said}`, exitCodeFor(said), error);
}

/** As `docker run` tells from what the engine says. */
function exitCodeFor(message: string): number {
  if (/executable file not found|exec:? .*no such file or directory|not found in \$PATH/i.test(message))
    return NOT_FOUND;
  return /exec:? .*permission denied|is a directory/i.test(message) ? NOT_EXECUTABLE : ENGINE_FAILED;
}
