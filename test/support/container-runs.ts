/** Container runs of the whole program under each runner, and where what they must not leave would be found. */
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { engineEnv, engineSocket, testImage, testSif } from './engines.ts';
import type { World } from './world.ts';

export type TestRunner = 'docker' | 'podman' | 'apptainer';

export const TEST_RUNNERS = ['docker', 'podman', 'apptainer'] as const satisfies readonly TestRunner[];

/** An environment in which the named runners are found; all of them by default. */
export function runnersEnv(...runners: readonly TestRunner[]): Record<string, string> {
  const wanted = runners.length === 0 ? TEST_RUNNERS : runners;
  return Object.assign({}, ...wanted.map((runner) => engineEnv(runner))) as Record<string, string>;
}

/** Makes a dataset that holds the busybox image as `bb`, in the form that the runner takes as it is. */
export function busyboxDataset(world: World, dataset: string, runner: TestRunner): void {
  const url = runner === 'apptainer' ? testSif('busybox') : testImage('busybox').archive;
  for (const args of [
    ['create', dataset],
    ['containers-add', '-d', dataset, 'bb', '--url', url],
  ]) {
    const done = world.reprise(world.dir, args);
    if (done.code !== 0) throw new Error(done.stderr);
  }
}

/** A PATH with all programs of this machine but those whose names match; a folder of links, made now. */
export function pathWithout(folder: string, pattern: RegExp): string {
  mkdirSync(folder);
  for (const source of ['/usr/local/bin', '/usr/bin', '/bin'])
    for (const name of readdirSync(source))
      if (!pattern.test(name) && !existsSync(join(folder, name))) symlinkSync(join(source, name), join(folder, name));
  return folder;
}

/** A copy of a dataset that shares nothing with it, with a folder for temporary files beside it. */
export function copyDataset(world: World, from: string, to: string): string {
  cpSync(from, to, { recursive: true, verbatimSymlinks: true, preserveTimestamps: true });
  world.git(to, 'status');
  mkdirSync(temporaryFolder(to));
  return to;
}

/** The TMPDIR for what is run in such a copy. */
export function temporaryFolder(dataset: string): string {
  return `${dataset}.tmp`;
}

interface ListedContainer {
  readonly Names: readonly string[];
  readonly Mounts?: readonly { readonly Source: string }[];
}

/** Names of the containers of an engine, running or not, that have this folder mounted. */
export function containersOf(engine: 'docker' | 'podman', folder: string): readonly string[] {
  const url = 'http://localhost/v1.40/containers/json?all=true';
  const asked = spawnSync('curl', ['-sS', '--max-time', '30', '--unix-socket', engineSocket(engine), url]);
  if (asked.status !== 0) throw new Error(asked.stderr.toString());
  const listed = JSON.parse(asked.stdout.toString()) as readonly ListedContainer[];
  return listed.filter(({ Mounts }) => Mounts?.some(({ Source }) => Source === folder)).flatMap(({ Names }) => Names);
}

/** Everything on this machine, in containers as well, whose command line holds a text. */
export function processesWith(text: string): readonly string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .map((pid) => {
      try {
        return `${pid} ${readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')}`;
      } catch {
        return '';
      }
    })
    .filter((line) => line.includes(text));
}

/** What container runs in a copied dataset have not cleared away: containers, processes, job files, temporary files. */
function leftByRuns(dataset: string, runner: TestRunner): readonly string[] {
  const jobs = join(dataset, '.git/reprise/containers');
  return [
    ...(runner === 'apptainer' ? [] : containersOf(runner, dataset)),
    ...processesWith(`${dataset}/`),
    ...(existsSync(jobs) ? readdirSync(jobs) : []),
    ...filesIn(temporaryFolder(dataset)),
  ];
}

/** Files only: a folder that was made right before the kill is empty, and nobody's loss. */
function filesIn(folder: string): readonly string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => !entry.isDirectory())
    .map(({ name }) => name);
}

/** The same, once it is nothing, or after some seconds in which it did not become that. */
export async function leftInTheEnd(dataset: string, runner: TestRunner): Promise<readonly string[]> {
  for (let waited = 0; waited < 15_000; waited += 200) {
    if (leftByRuns(dataset, runner).length === 0) return [];
    await sleep(200);
  }
  return leftByRuns(dataset, runner);
}
