/** One Python process answers a whole batch of questions. */
import { spawnSync } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { accessSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fc, seed as always } from '../../support/random.ts';

/** Runs a Python program that reads a JSON value from standard input and prints one. */
export function askPython(program: string, question: unknown, interpreter = 'python3'): unknown {
  const result = spawnSync(interpreter, ['-c', program], {
    input: JSON.stringify(question),
    maxBuffer: 1 << 28,
    env: { PATH: process.env['PATH'], HOME: '/nonexistent', LANG: 'C.UTF-8' },
  });
  if (result.error) throw result.error;
  if (result.status !== 0) throw new Error(`${interpreter} failed: ${result.stderr.toString('utf8')}`);
  return JSON.parse(result.stdout.toString('utf8'));
}

/** The interpreter that the `datalad` on the PATH runs in, which need not be the first `python3`. */
export function dataladInterpreter(): string {
  const folder = (process.env['PATH'] ?? '').split(':').find((folder) => exists(join(folder, 'datalad')));
  const firstLine = readFileSync(join(folder ?? '/', 'datalad'), 'utf8').split('\n')[0] ?? '';
  return firstLine.replace(/^#!\s*(\/usr\/bin\/env\s+)?/, '').split(' ')[0] ?? 'python3';
}

function exists(path: string): boolean {
  try {
    accessSync(path);
    return true;
  } catch {
    return false;
  }
}

/** Random values for one batch, and the seed to name when the batch fails: shrinking a batch would say less than its first differences. */
export function batchOf<T>(arbitrary: fc.Arbitrary<T>, size: number): { readonly seed: string; readonly values: T[] } {
  const seed = always ?? randomInt(2 ** 31);
  return { seed: `seed ${seed}`, values: fc.sample(arbitrary, { seed, numRuns: size }) };
}
