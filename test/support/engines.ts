/**
 * Real container engines for tests: Docker and Podman on private sockets, and Apptainer, by the recipes in tools/engines/.
 *
 * An engine is started when a test first asks for it and serves every test of the run; `engines-teardown.ts` stops it when nobody
 * uses it any more. What is slow to make (images, SIF files) is kept below the folder of the engines for the next run.
 */
import { spawnSync } from 'node:child_process';
import {
  accessSync,
  chmodSync,
  constants,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { projectRoot } from './world.ts';

export type EngineName = 'docker' | 'podman' | 'apptainer';
export type ImageKind = 'busybox' | 'python';

/** Engines and images of all checkouts of this user. A file `keep` in it leaves the engines running for good. */
export const engineFolder =
  process.env['REPRISE_TEST_ENGINES'] ?? join(process.env['REPRISE_TEST_TMP'] ?? tmpdir(), 'reprise-engines');

const PROGRAMS: Record<EngineName, readonly string[]> = {
  docker: ['dockerd', 'curl', 'busybox'],
  podman: ['podman', 'curl', 'busybox'],
  apptainer: ['apptainer', 'mksquashfs', 'busybox'],
};

/** Whether the recipes can bring this engine up here: the programs are installed, and we are root. */
export function canRun(engine: EngineName): boolean {
  return process.getuid?.() === 0 && PROGRAMS[engine].every(onPath);
}

function onPath(program: string): boolean {
  return (process.env['PATH'] ?? '').split(':').some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

const started = new Map<EngineName, Readonly<Record<string, string>>>();

/** What to add to the environment so that the engine's programs, and ours, find this engine; starts it if it is not up. */
export function engineEnv(engine: EngineName): Readonly<Record<string, string>> {
  const known = started.get(engine);
  if (known) return known;
  const env = engine === 'apptainer' ? { APPTAINER_USERNS: '1' } : startService(engine);
  started.set(engine, env);
  return env;
}

/** The engine's socket. */
export function engineSocket(engine: 'docker' | 'podman'): string {
  engineEnv(engine);
  return join(engineFolder, engine, `${engine}.sock`);
}

function startService(engine: 'docker' | 'podman'): Record<string, string> {
  const folder = join(engineFolder, engine);
  mkdirSync(folder, { recursive: true });
  const lines = recipe(engine, 'start', folder).trim().split('\n');
  return Object.fromEntries(lines.map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]));
}

function recipe(name: string, ...args: string[]): string {
  return must(['bash', join(projectRoot, 'tools/engines', `${name}.sh`), ...args]);
}

function must(argv: readonly string[], env: Readonly<Record<string, string>> = {}): string {
  const done = spawnSync(argv[0] as string, argv.slice(1), { env: { ...process.env, ...env }, encoding: 'utf8' });
  if (done.error) throw done.error;
  if (done.status !== 0) throw new Error(`${argv.join(' ')} exited ${done.status}\n${done.stdout}\n${done.stderr}`);
  return done.stdout;
}

export interface TestImage {
  readonly tag: string;
  /** `sha256:...` of the configuration, which is the same in every form of the image. */
  readonly configDigest: string;
  /** OCI layout with gzipped layers. */
  readonly oci: string;
  /** Unpacked `docker save`, as DataLad stores it. */
  readonly archive: string;
  /** Packed `docker save`. */
  readonly tar: string;
}

/** A small image that was made on this machine; `python` takes some minutes the first time. Read-only: copy what a test changes. */
export function testImage(kind: ImageKind): TestImage {
  const folder = join(engineFolder, 'images', kind);
  if (!existsSync(join(folder, 'config-digest'))) recipe('make-image', kind, folder);
  const line = (name: string) => readFileSync(join(folder, name), 'utf8').trim();
  return {
    tag: line('tag'),
    configDigest: line('config-digest'),
    oci: join(folder, 'oci'),
    archive: join(folder, 'docker'),
    tar: join(folder, 'docker.tar'),
  };
}

/** The image as a SIF file, built by Apptainer once. */
export function testSif(kind: ImageKind): string {
  const { oci } = testImage(kind);
  const sif = join(engineFolder, 'images', `${kind}.sif`);
  if (existsSync(sif)) return sif;
  const work = mkdtempSync(`${sif}.`);
  try {
    must(['apptainer', 'build', join(work, 'image.sif'), `oci:${oci}`], engineEnv('apptainer'));
    chmodSync(join(work, 'image.sif'), 0o755);
    renameSync(join(work, 'image.sif'), sif);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  return sif;
}

/** Puts the image into the engine under its tag, unless it is there. Returns the tag as this engine spells it. */
export function loadTestImage(engine: 'docker' | 'podman', kind: ImageKind): string {
  const { tag, tar, configDigest } = testImage(kind);
  const socket = engineSocket(engine);
  const api = (...args: string[]) => must(['curl', '-sS', '--max-time', '120', '--unix-socket', socket, ...args]);
  const name = engine === 'podman' ? `localhost/${tag}` : tag;
  if (!api(`http://localhost/v1.40/images/${name}/json`).includes(configDigest))
    api('-X', 'POST', '-H', 'Content-Type: application/x-tar', '-T', tar, 'http://localhost/v1.40/images/load');
  return name;
}

const usersFolder = join(engineFolder, 'users');

/** Notes that this process may use the engines. */
export function registerUser(): void {
  mkdirSync(usersFolder, { recursive: true });
  writeFileSync(join(usersFolder, String(process.pid)), '');
}

/** Stops the engines if no other test run may be using them. */
export function releaseEngines(): void {
  rmSync(join(usersFolder, String(process.pid)), { force: true });
  for (const pid of readdirSync(usersFolder))
    if (!isAlive(Number(pid))) rmSync(join(usersFolder, pid), { force: true });
  if (readdirSync(usersFolder).length > 0 || existsSync(join(engineFolder, 'keep'))) return;
  for (const engine of ['docker', 'podman'])
    if (existsSync(join(engineFolder, engine))) recipe(engine, 'stop', join(engineFolder, engine));
}

function isAlive(pid: number): boolean {
  return existsSync(`/proc/${pid}`);
}
