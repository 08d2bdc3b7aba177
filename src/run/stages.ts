/** The larger part of `run`, behind one dynamic import: it is loaded while Git answers the first questions. */
export { withAnnex } from '../dataset/annex-init.ts';
export { assertNothingHalfDone } from '../dataset/half-done.ts';
export { assertAlone, assertNoRerun } from './at-work.ts';
export { isInside, parentRun } from './nesting.ts';
export { announcePending } from './pending.ts';
export { openJournal, performRun } from './perform.ts';
export { dryRunResult, prepare } from './prepare.ts';
