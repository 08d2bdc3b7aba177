/** Words that the tables of scenarios share: steps, and assertions on what we do. */
import type { Ending, Step } from './scenario.ts';

/** `run` in the root of the dataset. */
export const run = (...args: string[]): Step => ({ args: ['run', ...args] });

/** `run` in a folder, named from the folder that holds the dataset. */
export const within = (cwd: string, ...args: string[]): Step => ({ args: ['run', ...args], cwd });

export function equal(actual: unknown, expected: unknown): void {
  if (actual !== expected) throw new Error(`expected ${String(expected)}, and it is ${String(actual)}`);
}

/** A file of the work tree is an annexed link without content. */
export function linked(file: string | undefined): void {
  if (!file?.startsWith('link ') || !file.endsWith('(dangling)'))
    throw new Error(`not the link that it was: ${String(file)}`);
}

/** The last command line was refused with this error code. */
export function refused({ codes, results }: Ending, error: string): void {
  const found = results.flat().map((result) => result['error_code']);
  if (codes.at(-1) !== 1 || !found.includes(error))
    throw new Error(`not refused with ${error}: exit ${codes.join()}, ${JSON.stringify(found)}`);
}
