/** Datasets to be interrupted in: each case has a copy of its own, and is looked at afterwards by Git and git-annex themselves. */
import { spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import { cliPath, type World } from './world.ts';

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface AsyncOptions {
  readonly cwd: string;
  readonly env?: Record<string, string>;
  /** In a process group of its own. */
  readonly detached?: boolean;
  /** Told the process id as soon as the process is there. */
  readonly started?: (pid: number) => void;
}

/** Whoever takes longer waits for something that never comes. */
const LONGEST_MS = 120_000;

/** Runs a program to its end, beside others. Only its own end counts, not that of children that still hold its streams. */
export function runBeside(world: World, argv: readonly string[], options: AsyncOptions): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = spawn(argv[0] as string, argv.slice(1), {
      cwd: options.cwd,
      env: { ...world.env, PWD: options.cwd, ...options.env },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: options.detached ?? false,
    });
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (chunk: Buffer) => {
      stdout += chunk.toString();
    });
    child.stderr.on('data', (chunk: Buffer) => {
      stderr += chunk.toString();
    });
    child.on('error', reject);
    child.on('exit', (code, signal) => {
      // What is in the pipes already is read, in one more round of the event loop; nobody waits for a child that was left behind.
      setImmediate(() =>
        setImmediate(() => {
          child.stdout.destroy();
          child.stderr.destroy();
          resolve({ code, signal, stdout, stderr });
        }),
      );
    });
    const limit = setTimeout(() => child.kill('SIGKILL'), LONGEST_MS);
    child.on('exit', () => clearTimeout(limit));
    if (child.pid !== undefined) options.started?.(child.pid);
  });
}

/** Runs the built `reprise` beside others. */
export function repriseBeside(world: World, args: readonly string[], options: AsyncOptions): Promise<Ended> {
  return runBeside(world, [process.execPath, cliPath, ...args], options);
}

/** Works through cases, some at a time. */
export async function eachBeside<T>(
  cases: readonly T[],
  atOnce: number,
  work: (one: T) => Promise<void>,
): Promise<void> {
  const waiting = [...cases];
  const failures: unknown[] = [];
  const worker = async () => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift())
      await work(next).catch((error: unknown) => failures.push(error));
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
  if (failures.length > 0) {
    const texts = failures.map((error) => (error instanceof Error ? error.message : String(error)));
    throw new Error(`${failures.length} of ${cases.length} cases failed:\n${texts.slice(0, 20).join('\n---\n')}`);
  }
}

/** Lines of a file that a command appends to each time it is executed. */
export function timesExecuted(counter: string): number {
  return existsSync(counter) ? readFileSync(counter, 'utf8').split('\n').length - 1 : 0;
}

/** Journals that are left in a dataset. */
export function journalsIn(dataset: string): readonly string[] {
  const folder = join(dataset, '.git/reprise/runs');
  return existsSync(folder) ? readdirSync(folder) : [];
}

/** Runs `reprise recover` until it no longer says that a run is still going on. */
export async function recoverAll(world: World, dataset: string): Promise<Ended> {
  for (let attempt = 0; ; attempt += 1) {
    const ended = await repriseBeside(world, ['recover'], { cwd: dataset });
    if (!/is still going on/.test(ended.stderr) || attempt > 100) return ended;
    await sleep(50);
  }
}

/** What no interruption may leave behind: locks, half-made indexes, temporary refs, journals. */
export function leftovers(world: World, dataset: string): readonly string[] {
  const gitDir = join(dataset, '.git');
  const files = [...readdirSync(gitDir), ...readdirSync(join(gitDir, 'reprise'))].filter((name) =>
    /lock|\.part$|^index\.|marks|\.break/.test(name),
  );
  const refs = world.git(dataset, 'for-each-ref', '--format=%(refname)', 'refs/reprise/landing');
  return [...files, ...journalsIn(dataset), ...refs.split('\n').filter((ref) => ref !== '')];
}

/** Git and git-annex find nothing wrong with a dataset, and work in it. */
export async function expectSound(world: World, dataset: string, annexed = true): Promise<void> {
  const lines = [
    'git fsck --strict --no-dangling',
    ...(annexed ? ['git annex fsck --quiet'] : []),
    'git commit -q --allow-empty -m afterwards',
    'git reset -q --soft HEAD~1',
  ];
  const ended = await runBeside(world, ['/bin/sh', '-c', lines.map((line) => `${line} || exit 1`).join('\n')], {
    cwd: dataset,
  });
  expect(`${ended.code} ${ended.stdout}${ended.stderr}`.trim()).toBe('0');
}

/** The JSON of the record in a commit's message; null where there is none. */
export function recordOf(world: World, dataset: string, commit = 'HEAD'): Record<string, unknown> | null {
  const message = world.git(dataset, 'log', '-1', '--format=%B', commit);
  const text = /=== Do not change lines below ===\n([\s\S]*?)\n\^\^\^ Do not change lines above \^\^\^/.exec(
    message,
  )?.[1];
  return text === undefined ? null : (JSON.parse(text) as Record<string, unknown>);
}
