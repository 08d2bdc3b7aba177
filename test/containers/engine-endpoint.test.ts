/** Which engine is meant, and what is said when it cannot be used. */
import { type AddressInfo, connect as connectTo, createServer } from 'node:net';
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createServer as tlsServer, type Server } from 'node:tls';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { connect } from '../../src/containers/engine/connect.ts';
import { findEndpoint, parseHost } from '../../src/containers/engine/endpoint.ts';
import { RepriseError } from '../../src/core/errors.ts';
import { engineSocket } from '../support/engines.ts';
import { describeWith } from '../support/oracles.ts';
import { start } from '../support/runs.ts';
import { createWorld, ORDINARY_UID, type World } from '../support/world.ts';
import { client, engineWorld } from './engine-world.ts';

let world: World;

beforeAll(() => {
  world = createWorld();
});
afterAll(() => world.remove());

async function failure(action: () => unknown): Promise<RepriseError> {
  try {
    await action();
  } catch (error) {
    if (error instanceof RepriseError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

/** A folder with a program of a name on a PATH of its own. */
function pathWith(...programs: string[]): string {
  const folder = world.path(`path-${programs.join('-')}`, 'x');
  mkdirSync(folder, { recursive: true });
  for (const program of programs) {
    writeFileSync(join(folder, program), '#!/bin/sh\n');
    chmodSync(join(folder, program), 0o755);
  }
  return folder;
}

describe('the address of an engine', () => {
  test.each([
    ['unix:///run/x.sock', { via: 'socket', path: '/run/x.sock' }],
    ['tcp://localhost:2375', { via: 'tcp', host: 'localhost', port: 2375, tls: null }],
    ['build.example.org:99', { via: 'tcp', host: 'build.example.org', port: 99, tls: null }],
    ['tcp://[::1]:2375', { via: 'tcp', host: '::1', port: 2375, tls: null }],
    ['tcp://host', { via: 'tcp', host: 'host', port: 2375, tls: null }],
    ['https://host', { via: 'tcp', host: 'host', port: 2376, tls: { ca: null, cert: null, key: null, verify: true } }],
  ])('%s', (text, address) => {
    expect(parseHost('DOCKER_HOST', text, null)).toEqual(address);
  });

  test.each(['unix://relative', 'npipe:////./pipe/docker', 'tcp://a b', 'fd://', '-H', 'tcp://h:1/path'])(
    '%s is refused',
    async (text) => {
      expect(await failure(() => parseHost('DOCKER_HOST', text, null))).toMatchObject({ code: 'config-invalid' });
    },
  );

  test('behind SSH is refused, with the line that makes it reachable', async () => {
    const error = await failure(() => parseHost('DOCKER_HOST', 'ssh://ada@example.org:2222', null));
    expect(error).toMatchObject({ code: 'runner-unreachable' });
    expect(error.hints[0]).toBe(
      'ssh -nNT -L "$XDG_RUNTIME_DIR/engine.sock:/var/run/docker.sock" ada@example.org -p 2222 &',
    );
    const hostile = await failure(() => parseHost('DOCKER_HOST', 'ssh://$(touch x)', null));
    expect(hostile.hints.join()).not.toContain('touch');
  });
});

describeWith(['docker'], 'contexts are those of the docker command', () => {
  const docker = (env: Record<string, string>, ...args: string[]) => world.ok(['docker', ...args], { env });

  test('DOCKER_HOST, DOCKER_CONTEXT, the chosen context, in this order', () => {
    const DOCKER_CONFIG = world.path('docker-config');
    const base = { ...(world.env as Record<string, string>), DOCKER_CONFIG };
    for (const name of ['one', 'two'])
      docker(base, 'context', 'create', name, '--docker', `host=unix:///run/${name}.sock`);
    docker(base, 'context', 'use', 'one');
    const environments = [
      {},
      { DOCKER_CONTEXT: 'two' },
      { DOCKER_CONTEXT: 'two', DOCKER_HOST: 'unix:///run/three.sock' },
    ];
    for (const added of environments) {
      const env = { ...base, ...added };
      const theirs = docker(env, 'context', 'inspect', '--format={{.Endpoints.docker.Host}}');
      const ours = findEndpoint('docker', env);
      expect(ours.via === 'socket' && `unix://${ours.path}`).toBe(theirs);
    }
  });

  test('with the files for TLS', () => {
    const DOCKER_CONFIG = world.path('tls-config');
    const files = Object.fromEntries(['ca', 'cert', 'key'].map((name) => [name, world.path('pem', `${name}.pem`)]));
    world.sh(
      world.dir,
      `openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=x -keyout '${files['key']}' -out '${files['cert']}' 2>/dev/null`,
    );
    world.sh(world.dir, `cp '${files['cert']}' '${files['ca']}'`);
    const env = { ...(world.env as Record<string, string>), DOCKER_CONFIG };
    const host = Object.entries(files).map(([name, path]) => `${name}=${path}`);
    docker(env, 'context', 'create', 'safe', '--docker', ['host=tcp://engine.example.org:2376', ...host].join(','));
    const endpoint = findEndpoint('docker', { ...env, DOCKER_CONTEXT: 'safe' });
    expect(endpoint).toMatchObject({ via: 'tcp', host: 'engine.example.org', port: 2376, tls: { verify: true } });
    const tls = endpoint.via === 'tcp' ? endpoint.tls : null;
    for (const name of ['ca', 'cert', 'key'] as const) {
      expect(world.ok(['cat', String(tls?.[name])])).toBe(world.ok(['cat', files[name] as string]));
    }
  });

  test('one that is chosen and not there is an error', async () => {
    const error = await failure(() => findEndpoint('docker', { DOCKER_CONFIG: world.dir, DOCKER_CONTEXT: 'gone' }));
    expect(error).toMatchObject({
      code: 'config-invalid',
      message: 'The Docker context "gone" is chosen, but not configured',
    });
  });
});

describeWith(['docker'], 'an engine behind TLS', () => {
  const certs = (name: string) => world.path(name, 'x').slice(0, -'/x'.length);
  let server: Server;
  let port: number;

  beforeAll(async () => {
    const folder = certs('certs');
    const openssl = (line: string) => world.sh(folder, `openssl ${line} 2>/dev/null`);
    openssl('req -x509 -newkey rsa:2048 -nodes -subj /CN=ca -keyout ca.key -out ca.pem');
    world.write(join(folder, 'server.ext'), 'subjectAltName=IP:127.0.0.1\n');
    for (const [name, extension] of [
      ['server', '-extfile server.ext'],
      ['client', ''],
    ]) {
      openssl(`req -newkey rsa:2048 -nodes -subj /CN=${name} -keyout ${name}.key -out ${name}.csr`);
      openssl(`x509 -req -in ${name}.csr -CA ca.pem -CAkey ca.key -CAcreateserial ${extension} -out ${name}.pem`);
    }
    world.sh(folder, 'cp client.pem cert.pem; cp client.key key.pem');
    const stranger = certs('stranger');
    world.sh(stranger, `cp ../certs/cert.pem ../certs/key.pem .; cp ../certs/server.pem ca.pem`);
    const anonymous = certs('anonymous');
    world.sh(anonymous, 'cp ../certs/ca.pem .');
    const [key, cert, ca] = ['server.key', 'server.pem', 'ca.pem'].map((name) => readFileSync(join(folder, name)));
    server = tlsServer({ key, cert, ca, requestCert: true, rejectUnauthorized: true }, (client) => {
      const engine = connectTo(engineSocket('docker'));
      client.pipe(engine).pipe(client);
      for (const socket of [client, engine]) socket.on('error', () => [client, engine].forEach((one) => one.destroy()));
    });
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
    port = (server.address() as AddressInfo).port;
  });
  afterAll(() => server.close());

  const at = (folder: string, more: Record<string, string>) => ({
    DOCKER_HOST: `tcp://127.0.0.1:${port}`,
    DOCKER_CERT_PATH: certs(folder),
    ...more,
  });
  const codeOf = async (env: NodeJS.ProcessEnv): Promise<string> =>
    connect('docker', env).then(
      ({ kind }) => kind,
      (error: RepriseError) => error.code,
    );

  test('is reached with the certificates of the environment, and not without', async () => {
    const verify = { DOCKER_TLS_VERIFY: '1' };
    expect(await codeOf(at('certs', verify))).toBe('docker');
    expect(await codeOf(at('certs', { DOCKER_TLS: '1' }))).toBe('docker');
    expect(await codeOf(at('certs', {}))).toBe('runner-unreachable');
    expect(await codeOf(at('anonymous', verify))).toBe('runner-unreachable');
    expect(await codeOf(at('stranger', verify))).toBe('runner-unreachable');
    // Without verification it does not matter who the engine is.
    expect(await codeOf(at('stranger', { DOCKER_TLS: '1' }))).toBe('docker');
    expect(await codeOf(at('nowhere', { DOCKER_TLS: '1' }))).toBe('runner-unreachable');
  });

  test('is reached with those of a context', async () => {
    const env = { ...(world.env as Record<string, string>), DOCKER_CONFIG: world.path('tls-contexts', 'x') };
    const host = `host=tcp://127.0.0.1:${port}`;
    const files = ['cert', 'key'].map((name) => `${name}=${join(certs('certs'), `${name}.pem`)}`);
    const contexts = {
      safe: [host, ...files, `ca=${join(certs('certs'), 'ca.pem')}`],
      stranger: [host, ...files, `ca=${join(certs('stranger'), 'ca.pem')}`],
      careless: [host, ...files, 'skip-tls-verify=true'],
      anonymous: [host, 'skip-tls-verify=true'],
    };
    for (const [name, endpoint] of Object.entries(contexts))
      world.ok(['docker', 'context', 'create', name, '--docker', endpoint.join(',')], { env });
    const codes = Object.keys(contexts).map((name) => codeOf({ ...env, DOCKER_CONTEXT: name }));
    expect(await Promise.all(codes)).toEqual(['docker', 'runner-unreachable', 'docker', 'runner-unreachable']);
    expect(findEndpoint('docker', { ...env, DOCKER_CONTEXT: 'anonymous' })).toMatchObject({ tls: { verify: false } });
  });

  test('runs a command', async () => {
    const { facts, ...engine } = await engineWorld('docker', world.dir);
    const { endpoint } = await connect('docker', at('certs', { DOCKER_TLS_VERIFY: '1' }));
    const { file } = engine.job(engine.plan(['sh', '-c', 'cat; echo said >&2; exit 3']));
    const job = JSON.parse(readFileSync(file, 'utf8'));
    writeFileSync(file, JSON.stringify({ ...job, engine: { ...facts, endpoint } }));
    const { done } = start(world, [process.execPath, client, 'run', file], { input: 'input' });
    expect(await done).toMatchObject({ code: 3, stdout: 'input', stderr: 'said\n' });
  });
});

describe('an engine that cannot be used', () => {
  test('is missing', async () => {
    const PATH = pathWith();
    expect(await failure(() => findEndpoint('podman', { PATH, XDG_RUNTIME_DIR: world.dir }))).toMatchObject({
      code: 'runner-missing',
      message: 'Podman is not installed here',
    });
  });

  test('Podman without a socket is used through its command line', () => {
    expect(findEndpoint('podman', { PATH: pathWith('podman'), XDG_RUNTIME_DIR: world.dir })).toEqual({
      engine: 'podman',
      from: null,
      via: 'command',
    });
  });

  test('a socket that nobody made, one that nobody listens on, one that never answers', async () => {
    const dead = world.path('dead.sock');
    const code = `const s = require('node:net').createServer().listen(${JSON.stringify(dead)}, () => process.kill(process.pid, 'SIGKILL'));`;
    world.exec([process.execPath, '-e', code]);
    const absent = await failure(() => connect('docker', { DOCKER_HOST: `unix://${world.dir}/absent.sock` }));
    const refused = await failure(() => connect('docker', { DOCKER_HOST: `unix://${dead}` }));
    expect([absent.code, refused.code]).toEqual(['runner-unreachable', 'runner-unreachable']);
    expect(absent.message).toBe(
      `The Docker engine at unix://${world.dir}/absent.sock (from DOCKER_HOST) cannot be reached: there is no such socket`,
    );
    expect(refused.message).toMatch(/nothing listens there$/);
    const server = createServer((socket) => socket.destroy());
    await new Promise<void>((done) => server.listen(world.path('rude.sock'), done));
    const rude = await failure(() => connect('podman', { CONTAINER_HOST: `unix://${world.dir}/rude.sock` }));
    server.close();
    expect(rude).toMatchObject({ code: 'runner-unreachable' });
    expect(rude.message).toMatch(/Podman engine .* it hung up$/);
  });
});

describeWith(['docker'], 'an engine that this user may not use', () => {
  test('is told from one that is not there, and from one that works', async () => {
    const engine = await engineWorld('docker', world.dir);
    const { file } = engine.job(engine.plan(['true']));
    const refused = world.exec([process.execPath, client, 'run', file], { uid: ORDINARY_UID });
    expect(refused.code).toBe(125);
    expect(refused.stderr).toMatch(
      /^reprise: error: This user may not use the Docker engine at unix:.* \(runner-permission\)\nhint: /,
    );
    expect(world.exec([process.execPath, client, 'run', file]).code).toBe(0);
  });
});
