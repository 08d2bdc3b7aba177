/** Scenarios of `rerun`: a history, and what is asked of it, each time on a fresh copy. */
import type { History } from './histories.ts';
import type { Aspect, Replayed, Step } from './histories-stage.ts';

/** A deliberate difference: why, in what it shows after the last rerun (and perhaps elsewhere), and what is right instead. */
export interface Difference {
  /** `S-nn: one sentence`. */
  readonly because: string;
  readonly aspects: readonly Aspect[];
  /** Asserts what we do; DataLad is not asked where no aspect is named. */
  readonly ours: (last: Replayed, all: readonly Replayed[]) => void;
}

export interface Form {
  readonly steps: readonly Step[];
  /** What shows that the scenario is the one that is meant, whatever the tool. */
  readonly shows?: Partial<Replayed>;
  readonly difference?: Difference;
  /** DataLad 0.18 is asked in the first form of a scenario, and in this one. */
  readonly old?: true;
  /** Why DataLad 0.18 is not asked: it differs from 1.6, which is the contract. */
  readonly notOld?: string;
}

export interface RerunScenario {
  /** `X50`, or the number of a statement of the behaviour page. */
  readonly id: string;
  readonly title: string;
  readonly history: History;
  readonly forms: readonly Form[];
}

/** One rerun in the root of the dataset. */
export const rerun = (...args: string[]): Step => ({ rerun: args });

/** Forms of one rerun each, from whole command lines without quotes. */
export const asked = (...lines: readonly string[]): readonly Form[] =>
  lines.map((line) => ({ steps: [rerun(...line.split(' ').filter((word) => word !== ''))] }));

/** `rerun --since=; rerun b`: what a form asks. */
export function titleOf(form: Form): string {
  return form.steps
    .map((step) => ('sh' in step ? step.sh : ['rerun', ...step.rerun].join(' ') + (step.cwd ? ` in ${step.cwd}` : '')))
    .join('; ');
}
