/**
 * fast-check, for all tests: what is random is the same in every run, so that a test that fails tells of a change and not of luck.
 *
 * `REPRISE_TEST_SEED=random` looks elsewhere each time, and `REPRISE_TEST_SEED=N` where it was before; what fails names its seed.
 */
import { configureGlobal } from 'fast-check';

export * as fc from 'fast-check';

const ALWAYS = 20_261_129;

/** The seed of everything random; undefined for another one each time. */
export const seed = seedFrom(process.env['REPRISE_TEST_SEED']);

if (seed !== undefined) configureGlobal({ seed });

function seedFrom(asked: string | undefined): number | undefined {
  if (asked === undefined || asked === '') return ALWAYS;
  if (asked === 'random') return undefined;
  if (/^-?\d+$/.test(asked)) return Number(asked);
  throw new Error(`REPRISE_TEST_SEED is neither a number nor "random": ${asked}`);
}
