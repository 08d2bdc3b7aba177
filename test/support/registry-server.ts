/** A registry of container images on the loopback interface: Debian's `docker-registry`. */
import { spawn, spawnSync } from 'node:child_process';
import { createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { engineSocket } from './engines.ts';
import type { World } from './world.ts';

export interface RegistryServer {
  /** `127.0.0.1:PORT`. */
  readonly host: string;
  /** Puts an image of the Docker engine into the registry, under a name and tag; returns the manifest's digest. */
  push(source: string, name: string, tag: string): string;
  stop(): void;
}

export async function startRegistry(world: World): Promise<RegistryServer> {
  const port = await freePort();
  const host = `127.0.0.1:${port}`;
  const config = world.path('registry.yml');
  world.write(
    config,
    `version: 0.1\nlog: {level: error}\nstorage:\n  filesystem: {rootdirectory: ${world.path('registry')}}\nhttp: {addr: '${host}'}\n`,
  );
  const child = spawn('docker-registry', ['serve', config], { stdio: 'ignore' });
  const failed = new Promise<never>((_, reject) => child.once('error', reject));
  await Promise.race([failed, untilUp(host)]);
  return { host, push: (source, name, tag) => push(host, source, name, tag), stop: () => child.kill() };
}

/** Deletes a name from the Docker engine; the image goes, too, if it was the last. */
export function forget(name: string): void {
  engine('DELETE', `/images/${name}`);
}

/** Makes an image of one file in the Docker engine, unlike any other. */
export function makeTinyImage(world: World, name: string, text: string): void {
  world.write(world.path('tiny/file'), text);
  world.sh(world.dir, 'tar -C tiny -cf tiny.tar file');
  const [repo, tag] = [name.slice(0, name.lastIndexOf(':')), name.slice(name.lastIndexOf(':') + 1)];
  engine('POST', `/images/create?fromSrc=-&repo=${repo}&tag=${tag}`, '-T', world.path('tiny.tar'));
}

function push(host: string, source: string, name: string, tag: string): string {
  const target = `${host}/${name}`;
  engine('POST', `/images/${source}/tag?repo=${target}&tag=${tag}`);
  const said = engine('POST', `/images/${target}/push?tag=${tag}`, '-H', 'X-Registry-Auth: e30=');
  const digest = /"Digest":"(sha256:[0-9a-f]{64})"/.exec(said)?.[1];
  if (digest === undefined) throw new Error(`the image was not pushed: ${said}`);
  if (source !== `${target}:${tag}`) forget(`${target}:${tag}`);
  return digest;
}

function engine(method: string, path: string, ...options: string[]): string {
  const argv = ['-sS', '--max-time', '120', '--unix-socket', engineSocket('docker'), '-X', method, ...options];
  const done = spawnSync('curl', [...argv, `http://localhost/v1.40${path}`], { encoding: 'utf8' });
  if (done.status !== 0) throw new Error(done.stderr);
  return done.stdout;
}

async function untilUp(host: string): Promise<void> {
  for (let attempt = 0; attempt < 200; attempt += 1) {
    try {
      if ((await fetch(`http://${host}/v2/`)).ok) return;
    } catch {
      await sleep(50);
    }
  }
  throw new Error(`the registry at ${host} does not answer`);
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address ? address.port : 0));
    });
  });
}
