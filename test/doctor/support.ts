/** Asking `doctor`, and what it answers about one thing. */
import { chmodSync, existsSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import type { Result } from '../../src/core/result.ts';
import { doctor, type DoctorOptions } from '../../src/doctor/doctor.ts';
import { defaultContext } from '../../src/sys/context.ts';
import type { World } from '../support/world.ts';

export type Env = Readonly<Record<string, string | undefined>>;

/** One answer of `doctor`: results by their names. */
export interface Answer {
  readonly code: number;
  readonly all: readonly Result[];
  readonly of: (name: string) => Result;
}

export async function ask(world: World, cwd: string, env: Env = {}, options: DoctorOptions = {}): Promise<Answer> {
  const context = defaultContext({ cwd, env: { ...world.env, ...env } });
  const { exitCode, results } = await doctor(options, context);
  return answer(exitCode, results);
}

/** As `ask`, through the program, whose environment has its own PATH. */
export function askProgram(world: World, cwd: string, env: Record<string, string>, uid?: number): Answer {
  const done = world.reprise(cwd, ['-f', 'json', 'doctor'], { env, ...(uid === undefined ? {} : { uid }) });
  expect(done.stderr).toBe('');
  const results = done.stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Result);
  return answer(done.code, results);
}

export function answer(code: number, all: readonly Result[]): Answer {
  for (const result of all) expectConvention(result);
  const of = (name: string) => {
    const found = all.filter((result) => result['name'] === name);
    expect(found, name).toHaveLength(1);
    return found[0] as Result;
  };
  return { code, all, of };
}

/** What is not as it could be has a reason, which is one sentence, and something to type. */
function expectConvention(result: Result): void {
  expect(result).toMatchObject({ action: 'doctor', path: expect.stringMatching(/^\//), kind: expect.any(String) });
  expect(result.message).toMatch(/^[^\n]+$/);
  if (result.status === 'ok' || result['kind'] === 'container') return;
  expect(result['hints'], result.message).not.toEqual([]);
}

/** A folder for a PATH with nothing in it but these programs of this machine. */
export function pathWith(world: World, ...programs: readonly string[]): string {
  const folder = world.path('bin', programs.join('-') || 'none');
  mkdirSync(folder, { recursive: true });
  for (const program of programs.filter((name) => !existsSync(join(folder, name)))) {
    const found = world.ok(['sh', '-c', `command -v ${program}`]);
    symlinkSync(found, join(folder, program));
  }
  return folder;
}

/** Puts a program of our own into a folder of a PATH. */
export function writeProgram(folder: string, name: string, body: string): string {
  const path = join(folder, name);
  writeFileSync(path, `#!/bin/sh\n${body}\n`);
  chmodSync(path, 0o755);
  return path;
}
