/** The same job through Podman's command line, for where Podman has no socket. */
import { existsSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import { execute, start } from '../../sys/proc.ts';
import { onPath } from './endpoint.ts';
import { ENGINE_FAILED, type EngineJob, failed, labelsOf } from './job.ts';
import { type Leash, watchOwner } from './leash.ts';
import { podmanRunArgv } from './podman-command.ts';
import { handOnSignals, numberOf } from './signals.ts';

interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

const GO_PANIC = 2;
/** States of a container before its command has begun (podman-ps(1)). */
const NOT_STARTED: ReadonlySet<string> = new Set(['configured', 'created', 'initialized']);

/**
 * Runs the job's container to its end; Podman removes it.
 *
 * @param leash released when the container is gone
 * @returns the command's exit code; 128+N after signal N
 * @throws `container-failed` if `podman` cannot be started
 */
export async function runByCommand(job: EngineJob, env: NodeJS.ProcessEnv, leash: Leash): Promise<number> {
  const argv = podmanRunArgv(job.plan, {
    rootless: job.engine.rootless,
    name: job.name,
    init: hasInit(env),
    labels: labelsOf(job),
    environment: env,
  });
  const signals = handOnSignals();
  const child = start(argv, {
    cwd: '/',
    env,
    stdio: [job.plan.stdin ? 'inherit' : 'ignore', 'inherit', 'inherit'],
    // In a session of its own: a terminal's Ctrl-C comes once, through us.
    detached: true,
  });
  let ended = false;
  signals.attach(async (signal) => {
    // While it makes a container, Podman takes a signal as meant for itself: it leaves what it has made, and ends with 0.
    await untilRunning(job.name, env, () => ended);
    if (ended) return;
    // `podman run` hands on what it gets, but for these: the one cannot be caught, the other makes it print its own stack.
    if (signal === 'SIGKILL' || signal === 'SIGQUIT') await killByCommand(job.name, signal, env);
    else child.kill(signal);
  });
  const unwatch = watchOwner(job.owner, () => signals.raise('SIGKILL'));
  try {
    const { code, signal } = await new Promise<Ended>((resolve, reject) => {
      child.once('error', (cause) =>
        reject(failed(job, `podman could not be started: ${cause.message}`, ENGINE_FAILED, cause)),
      );
      child.once('exit', (code, signal) => resolve({ code, signal }));
    });
    ended = true;
    // Podman that was killed, or that broke down as a program in Go does, leaves its container running.
    if (code === null || code === GO_PANIC) await removeByCommand(job.name, env);
    leash.release();
    return code ?? 128 + numberOf(signal ?? 'SIGKILL');
  } finally {
    unwatch();
    signals.stop();
  }
}

const LOOK_MS = 50;

/** Waits until a container that is being made has started, or is not awaited any more. */
async function untilRunning(name: string, env: NodeJS.ProcessEnv, over: () => boolean): Promise<void> {
  const argv = ['podman', 'container', 'inspect', '--format', '{{.State.Status}}', name] as const;
  while (!over()) {
    const { code, stdout } = await execute(argv, { cwd: '/', env });
    if (code === 0 && !NOT_STARTED.has(stdout.toString().trim())) return;
    await setTimeout(LOOK_MS);
  }
}

async function killByCommand(name: string, signal: NodeJS.Signals, env: NodeJS.ProcessEnv): Promise<void> {
  await execute(['podman', 'kill', `--signal=${signal}`, name], { cwd: '/', env });
}

/** Removes a container, running or not. */
export async function removeByCommand(name: string, env: NodeJS.ProcessEnv): Promise<boolean> {
  const done = await execute(['podman', 'rm', '--force', '--volumes', '--time=0', name], { cwd: '/', env });
  return done.code === 0 && done.stdout.length > 0;
}

/** Where Podman looks for its init, which is a package of its own (`init_path`, `helper_binaries_dir` in containers.conf(5)). */
const INIT_FOLDERS = ['/usr/libexec/podman', '/usr/lib/podman', '/usr/local/libexec/podman', '/usr/local/lib/podman'];

function hasInit(env: NodeJS.ProcessEnv): boolean {
  return onPath('catatonit', env) || INIT_FOLDERS.some((folder) => existsSync(`${folder}/catatonit`));
}
