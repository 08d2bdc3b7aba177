/** Speaking to an engine through dockerode, and what it means when that fails. */
import { lstatSync, readFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { Agent } from 'node:https';
import type Docker from 'dockerode';
import type { Dial } from 'dockerode';
import { RepriseError } from '../../core/errors.ts';
import { quoteWord } from '../../core/quote.ts';
import { type Endpoint, type EngineName, findEndpoint, onPath } from './endpoint.ts';
import { versionByCommand } from './podman-version.ts';

/** How long an engine may take to answer at all: one that is started by its socket needs some seconds. */
const ANSWER_MS = 20_000;

/** A plain value: with it, the client process connects without asking again. */
export interface EngineFacts {
  readonly endpoint: Endpoint;
  /** What answers there: Podman serves Docker's API, too. */
  readonly kind: EngineName;
  /** Whether the engine runs as the calling user, so that its root is that user. */
  readonly rootless: boolean;
  /** As it says itself. */
  readonly version?: string;
}

export interface Engine extends EngineFacts {
  readonly api: Docker;
}

/**
 * Finds an engine and makes sure that it answers.
 *
 * @param answerMs how long it may take
 * @returns without `api` where only Podman's command line is there
 * @throws `runner-missing`, `runner-unreachable`, `runner-permission`, `config-invalid`
 */
export async function connect(
  engine: EngineName,
  env: NodeJS.ProcessEnv,
  answerMs = ANSWER_MS,
): Promise<Engine | (EngineFacts & { readonly api: null })> {
  const endpoint = findEndpoint(engine, env);
  try {
    return await connectTo(endpoint, env, answerMs);
  } catch (error) {
    const isStale = error instanceof RepriseError && error.code === 'runner-unreachable' && endpoint.via === 'socket';
    if (!isStale || endpoint.from !== null || engine !== 'podman' || !onPath('podman', env)) throw error;
    // A socket that was left behind: the command line needs none.
    return connectTo({ engine, from: null, via: 'command' }, env, answerMs);
  }
}

async function connectTo(
  endpoint: Endpoint,
  env: NodeJS.ProcessEnv,
  answerMs: number,
): Promise<Engine | (EngineFacts & { readonly api: null })> {
  if (endpoint.via === 'command') {
    const version = await versionByCommand(env, answerMs);
    return { endpoint, kind: 'podman', rootless: process.getuid?.() !== 0, version, api: null };
  }
  const api = await open(endpoint);
  const { headers } = await ping(endpoint, api, answerMs);
  const kind = headers['libpod-api-version'] === undefined ? 'docker' : 'podman';
  // `Server: Docker/20.10.24 (linux)`, `Server: Libpod/4.3.1 (linux)`.
  const version = /^(?:Docker|Libpod)\/(\S+)/.exec(String(headers['server'] ?? ''))?.[1];
  return { endpoint, kind, rootless: isOwn(endpoint), ...(version === undefined ? {} : { version }), api };
}

/** An engine at a known endpoint, without asking whether it is there. */
export async function open(endpoint: Exclude<Endpoint, { readonly via: 'command' }>): Promise<Docker> {
  const { default: Dockerode } = await import('dockerode');
  if (endpoint.via === 'socket') {
    // Each option is given: what is left out dockerode would take from DOCKER_HOST.
    return new Dockerode({ ...NOTHING, socketPath: endpoint.path, protocol: 'http', pathPrefix: '/' });
  }
  const { tls } = endpoint;
  return new Dockerode({
    ...NOTHING,
    host: endpoint.host,
    port: endpoint.port,
    protocol: tls ? 'https' : 'http',
    pathPrefix: '/',
    connectionTimeout: ANSWER_MS,
    ca: readPem(tls?.ca),
    cert: readPem(tls?.cert),
    key: readPem(tls?.key),
    agent: tls && !tls.verify ? new Agent({ rejectUnauthorized: false }) : undefined,
  });
}

const NOTHING = {
  socketPath: undefined,
  host: undefined,
  port: undefined,
  ca: undefined,
  cert: undefined,
  key: undefined,
};

function readPem(path: string | null | undefined): string | undefined {
  if (!path) return undefined;
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    throw new RepriseError('config-invalid', `${path}, which the connection to Docker needs, cannot be read`, {
      cause,
      hints: [`ls -l ${quoteWord(path)}`],
    });
  }
}

/** One request that dockerode has no method for. */
export function dial<T>(api: Docker, request: Dial): Promise<T> {
  return new Promise((resolve, reject) => {
    api.modem.dial(request, (error, result) => (error ? reject(error) : resolve(result as T)));
  });
}

/** What an engine that answered with an error says about it. */
export function engineSays(error: unknown): string {
  const { json, message } = error as { readonly json?: { readonly message?: unknown }; readonly message: string };
  return (typeof json?.message === 'string' ? json.message : message).trim();
}

async function ping(endpoint: Endpoint, api: Docker, answerMs: number): Promise<IncomingMessage> {
  try {
    const answer = await dial<IncomingMessage>(api, {
      path: '/_ping',
      method: 'GET',
      isStream: true,
      statusCodes: { 200: true },
      abortSignal: AbortSignal.timeout(answerMs),
    });
    answer.resume();
    return answer;
  } catch (cause) {
    throw connectionError(endpoint, cause);
  }
}

/** A rootless engine listens on a socket of the user's own. */
function isOwn(endpoint: Endpoint): boolean {
  const uid = process.getuid?.() ?? 0;
  if (endpoint.via !== 'socket' || uid === 0) return false;
  return lstatSync(endpoint.path, { throwIfNoEntry: false })?.uid === uid;
}

/** An engine's address as its own tools write it. */
export function addressText(endpoint: Endpoint): string {
  if (endpoint.via === 'command') return 'podman';
  return endpoint.via === 'socket' ? `unix://${endpoint.path}` : `tcp://${endpoint.host}:${endpoint.port}`;
}

/** What it means that a request never reached the engine. */
export function connectionError(endpoint: Endpoint, cause: unknown): RepriseError {
  const { engine } = endpoint;
  const name = engine === 'docker' ? 'Docker' : 'Podman';
  const address = addressText(endpoint);
  const source = endpoint.from === null ? '' : ` (from ${endpoint.from})`;
  const code = (cause as NodeJS.ErrnoException).code ?? '';
  const details = { cause, data: { runner: engine, address, reason: code || (cause as Error).message } };
  if (code === 'EACCES' || code === 'EPERM') {
    return new RepriseError('runner-permission', `This user may not use the ${name} engine at ${address}${source}`, {
      ...details,
      hints:
        engine === 'docker'
          ? ['sudo usermod -aG docker "$USER"  # then log in again', 'reprise containers-run --runner podman ...']
          : ['systemctl --user start podman.socket'],
    });
  }
  const why: Readonly<Record<string, string>> = {
    ENOENT: 'there is no such socket',
    ECONNREFUSED: 'nothing listens there',
    ENOTSOCK: 'it is not a socket',
    ENOTFOUND: 'there is no such host',
    ABORT_ERR: 'it does not answer',
    ECONNRESET: 'it hung up',
    EPIPE: 'it hung up',
  };
  return new RepriseError(
    'runner-unreachable',
    `The ${name} engine at ${address}${source} cannot be reached: ${why[code] ?? (cause as Error).message.trim()}`,
    {
      ...details,
      hints: [
        ...elsewhere(endpoint),
        engine === 'docker' ? 'sudo systemctl start docker' : 'systemctl --user start podman.socket',
      ],
    },
  );
}

/** How to leave an address that the environment or the configuration names, and that leads nowhere. */
function elsewhere({ engine, from }: Endpoint): readonly string[] {
  if (from === null) return engine === 'docker' ? ['docker version'] : [];
  return from.endsWith('_HOST') ? [`unset ${from}`] : ['docker context use default'];
}
