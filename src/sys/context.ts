/** What every verb is given from outside: built once by `cli/main.ts`, or by a program that uses the library. */
import { statSync } from 'node:fs';
import type { Emit } from '../core/result.ts';

export interface Context {
  /** Absolute path that relative paths start from; logical, with symbolic links as the user typed them. */
  readonly cwd: string;
  readonly env: NodeJS.ProcessEnv;
  readonly emit: Emit;
  /** Configuration given with `-c key=value`, in order. */
  readonly overrides: readonly (readonly [string, string])[];
}

/** A context for library users: this process's folder and environment, and events to a function or to nobody. */
export function defaultContext(given: Partial<Context> = {}): Context {
  return {
    cwd: given.cwd ?? logicalCwd(process.env),
    env: given.env ?? process.env,
    emit: given.emit ?? (() => {}),
    overrides: given.overrides ?? [],
  };
}

/** The current folder as the shell names it (`$PWD`, which keeps symbolic links), if that is the current folder. */
export function logicalCwd(env: NodeJS.ProcessEnv): string {
  return env['PWD']?.startsWith('/') && sameFolder(env['PWD'], process.cwd()) ? env['PWD'] : process.cwd();
}

function sameFolder(a: string, b: string): boolean {
  try {
    const x = statSync(a, { bigint: true });
    const y = statSync(b, { bigint: true });
    return x.ino === y.ino && x.dev === y.dev;
  } catch {
    return false;
  }
}
