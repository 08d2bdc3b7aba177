/** Deliberate differences from DataLad, and words to assert with what is done instead. */
import type { Difference, Form } from './histories-scenario.ts';
import type { Replayed, Step } from './histories-stage.ts';

/** For what only we do: DataLad is not asked. */
export const alone: Difference['aspects'] = [];

/** A form that ends as told, which DataLad does not. */
export function differs(
  steps: readonly Step[],
  because: string,
  aspects: Difference['aspects'],
  shows: Form['shows'],
  more?: Difference['ours'],
): Form {
  const ours: Difference['ours'] = (last, all) => {
    for (const [key, wanted] of Object.entries(shows ?? {})) same(last[key as keyof Replayed], wanted, key);
    more?.(last, all);
  };
  return { steps, difference: { because, aspects, ours }, notOld: 'it is wrong in other ways' };
}

/** Asserts that two values are the same as JSON. */
export function same(actual: unknown, wanted: unknown, what: string): void {
  if (JSON.stringify(actual) !== JSON.stringify(wanted))
    throw new Error(`${what}: expected ${JSON.stringify(wanted)}, and it is ${JSON.stringify(actual)}`);
}

/** New commits with their parents only: `c' <- b a'`. */
export const graph = (last: Replayed) => last.commits.map((commit) => commit.slice(0, commit.indexOf('\n')));
/** Asserts what the new commits are. */
export const hasGraph =
  (...wanted: string[]) =>
  (last: Replayed) =>
    same(graph(last), wanted, 'new commits');
