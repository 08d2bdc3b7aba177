/**
 * Docker's contexts: named engines in the user's configuration.
 *
 * Format: `config.json` and `contexts/` of Docker's command line (docker/cli, `cli/context/store`): the folder of a context is
 * named by the SHA-256 of its name. What wins is decided as there: DOCKER_HOST, then DOCKER_CONTEXT, then `currentContext`.
 */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { RepriseError } from '../../core/errors.ts';
import { readOrNull } from '../../sys/files.ts';

export interface TlsFiles {
  readonly ca: string | null;
  readonly cert: string | null;
  readonly key: string | null;
  /** Whether the engine has to prove who it is. */
  readonly verify: boolean;
}

export interface DockerContext {
  readonly name: string;
  readonly host: string;
  readonly tls: TlsFiles | null;
}

/** The folder of Docker's configuration. */
export function dockerConfigFolder(env: NodeJS.ProcessEnv): string {
  return env['DOCKER_CONFIG'] || join(env['HOME'] ?? '/', '.docker');
}

/** The context that the user chose, or null for the default one. @throws `config-invalid` if it cannot be read */
export function currentContext(env: NodeJS.ProcessEnv): DockerContext | null {
  const folder = dockerConfigFolder(env);
  const name = env['DOCKER_CONTEXT'] || chosenName(join(folder, 'config.json'));
  if (!name || name === 'default') return null;
  const id = createHash('sha256').update(name).digest('hex');
  const path = join(folder, 'contexts/meta', id, 'meta.json');
  const endpoint = readEndpoint(path);
  if (!endpoint) {
    throw new RepriseError(
      'config-invalid',
      `The Docker context ${JSON.stringify(name)} is chosen, but not configured`,
      {
        hints: ['docker context ls', 'docker context use default'],
        data: { context: name, path },
      },
    );
  }
  const files = tlsFiles(join(folder, 'contexts/tls', id, 'docker'), !endpoint.skipVerify);
  const hasTls = files.ca !== null || files.cert !== null || files.key !== null || endpoint.skipVerify;
  return { name, host: endpoint.host, tls: hasTls ? files : null };
}

function chosenName(path: string): string | null {
  const config = parse(path);
  return typeof config?.['currentContext'] === 'string' ? config['currentContext'] : null;
}

function readEndpoint(path: string): { readonly host: string; readonly skipVerify: boolean } | null {
  const endpoint = asObject(asObject(parse(path)?.['Endpoints'])?.['docker']);
  const host = endpoint?.['Host'];
  return typeof host === 'string' && host !== '' ? { host, skipVerify: endpoint?.['SkipTLSVerify'] === true } : null;
}

/** The TLS files in a folder, as far as they are there. */
export function tlsFiles(folder: string, verify: boolean): TlsFiles {
  const file = (name: string) => {
    const path = join(folder, name);
    return existsSync(path) ? path : null;
  };
  return { ca: file('ca.pem'), cert: file('cert.pem'), key: file('key.pem'), verify };
}

function parse(path: string): Readonly<Record<string, unknown>> | null {
  const bytes = readOrNull(path);
  if (!bytes) return null;
  try {
    return asObject(JSON.parse(bytes.toString('utf8')));
  } catch (cause) {
    throw new RepriseError('config-invalid', `${path} is not JSON`, {
      cause,
      // What is named there is looked at no further.
      hints: ['export DOCKER_HOST=unix:///var/run/docker.sock'],
      data: { path },
    });
  }
}

function asObject(value: unknown): Readonly<Record<string, unknown>> | null {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Readonly<Record<string, unknown>>)
    : null;
}
