/** Where an engine is reached: what the user's environment and configuration say, else the usual places. */
import { accessSync, constants, existsSync } from 'node:fs';
import { join } from 'node:path';
import { RepriseError } from '../../core/errors.ts';
import { currentContext, dockerConfigFolder, type TlsFiles, tlsFiles } from './docker-context.ts';

export type EngineName = 'docker' | 'podman';

export type Address =
  | { readonly via: 'socket'; readonly path: string }
  | { readonly via: 'tcp'; readonly host: string; readonly port: number; readonly tls: TlsFiles | null };

/** A plain value: the client process gets it as JSON. Keys and certificates are in it by path only. */
export type Endpoint = {
  readonly engine: EngineName;
  /** What said so, for messages: a variable, a context, or null for one of the usual places. */
  readonly from: string | null;
} & (Address | { readonly via: 'command' });

/**
 * The endpoint of an engine.
 *
 * Docker: DOCKER_HOST, the current context (DOCKER_CONTEXT, `docker context use`), the system's socket, the user's own. Podman:
 * CONTAINER_HOST, the user's socket, the system's, and without any its command line.
 *
 * @throws `runner-missing`, `runner-unreachable` for an engine that is installed but not running or out of reach from here, `config-invalid`
 */
export function findEndpoint(engine: EngineName, env: NodeJS.ProcessEnv): Endpoint {
  return engine === 'docker' ? findDocker(env) : findPodman(env);
}

function findDocker(env: NodeJS.ProcessEnv): Endpoint {
  const named = env['DOCKER_HOST'];
  if (named)
    return { engine: 'docker', from: 'DOCKER_HOST', ...parseHost('DOCKER_HOST', named, tlsOfEnvironment(env)) };
  const context = currentContext(env);
  if (context) {
    const from = `the Docker context ${JSON.stringify(context.name)}`;
    return { engine: 'docker', from, ...parseHost(from, context.host, context.tls) };
  }
  const system = '/var/run/docker.sock';
  const path = firstUsable([
    system,
    ...inRuntimeFolder(env, 'docker.sock'),
    join(dockerConfigFolder(env), 'run/docker.sock'),
  ]);
  if (path !== null) return { engine: 'docker', from: null, via: 'socket', path };
  if (!onPath('docker', env) && !onPath('dockerd', env)) throw missing('docker', 'Docker');
  throw new RepriseError('runner-unreachable', `The Docker engine is not running: there is no ${system}`, {
    hints: ['sudo systemctl start docker', 'export DOCKER_HOST=unix:///path/to/docker.sock'],
    data: { runner: 'docker', address: system },
  });
}

function findPodman(env: NodeJS.ProcessEnv): Endpoint {
  const named = env['CONTAINER_HOST'];
  if (named) return { engine: 'podman', from: 'CONTAINER_HOST', ...parseHost('CONTAINER_HOST', named, null) };
  const path = firstUsable([...inRuntimeFolder(env, 'podman/podman.sock'), '/run/podman/podman.sock'], true);
  if (path !== null) return { engine: 'podman', from: null, via: 'socket', path };
  if (!onPath('podman', env)) throw missing('podman', 'Podman');
  return { engine: 'podman', from: null, via: 'command' };
}

function missing(runner: EngineName, name: string): RepriseError {
  return new RepriseError('runner-missing', `${name} is not installed here`, {
    hints: [runner === 'docker' ? 'apt-get install docker.io' : 'apt-get install podman'],
    data: { runner },
  });
}

function inRuntimeFolder(env: NodeJS.ProcessEnv, name: string): readonly string[] {
  const folder = env['XDG_RUNTIME_DIR'];
  return folder ? [join(folder, name)] : [];
}

/** The first that we may write to, else the first that is there: its error then says why not. */
function firstUsable(paths: readonly string[], strictly = false): string | null {
  const there = paths.filter((path) => existsSync(path));
  return there.find(mayWrite) ?? (strictly ? null : (there[0] ?? null));
}

function mayWrite(path: string): boolean {
  try {
    accessSync(path, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

/** Whether a program is on the PATH. */
export function onPath(program: string, env: NodeJS.ProcessEnv): boolean {
  return (env['PATH'] ?? '').split(':').some((folder) => {
    try {
      accessSync(join(folder || '.', program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** DOCKER_TLS_VERIFY switches TLS on; the files are in DOCKER_CERT_PATH, else in Docker's configuration. */
function tlsOfEnvironment(env: NodeJS.ProcessEnv): TlsFiles | null {
  if (!env['DOCKER_TLS_VERIFY'] && !env['DOCKER_TLS']) return null;
  const folder = env['DOCKER_CERT_PATH'] || dockerConfigFolder(env);
  return tlsFiles(folder, Boolean(env['DOCKER_TLS_VERIFY']));
}

/** Reads what DOCKER_HOST may hold. @throws `config-invalid`, `runner-unreachable` for ssh */
export function parseHost(from: string, text: string, tls: TlsFiles | null): Address {
  if (text.startsWith('unix://')) {
    const path = text.slice('unix://'.length);
    if (path.startsWith('/')) return { via: 'socket', path };
    throw badHost(from, text);
  }
  if (text.startsWith('ssh://')) {
    const target = text.slice('ssh://'.length).replace(/[/?#].*$/s, '');
    const safe = /^[\w.@:[\]-]+$/.test(target) && !target.startsWith('-') ? target : 'USER@HOST';
    throw new RepriseError(
      'runner-unreachable',
      `${from} names an engine behind SSH, which Reprise does not log in to`,
      {
        hints: [
          `ssh -nNT -L "$XDG_RUNTIME_DIR/engine.sock:/var/run/docker.sock" ${safe.replace(/:(\d+)$/, ' -p $1')} &`,
          'export DOCKER_HOST="unix://$XDG_RUNTIME_DIR/engine.sock"',
        ],
        data: { host: text },
      },
    );
  }
  const match = /^(?:(tcp|http|https):\/\/)?(\[[0-9a-fA-F:.]+\]|\w[\w.-]*)?(?::(\d{1,5}))?\/?$/.exec(text);
  if (!match || text === '') throw badHost(from, text);
  const secure = tls ?? (match[1] === 'https' ? { ca: null, cert: null, key: null, verify: true } : null);
  return {
    via: 'tcp',
    host: (match[2] ?? 'localhost').replace(/^\[|\]$/g, ''),
    port: match[3] === undefined ? (secure ? 2376 : 2375) : Number(match[3]),
    tls: secure,
  };
}

function badHost(from: string, text: string): RepriseError {
  return new RepriseError('config-invalid', `${from} is not an address of an engine: ${JSON.stringify(text)}`, {
    hints: [from === 'CONTAINER_HOST' ? 'unset CONTAINER_HOST' : 'export DOCKER_HOST=unix:///var/run/docker.sock'],
    data: { host: text },
  });
}
