/** Promises held against what was measured. */
import { ratio } from './measure.mjs';

/** A bound on a figure; `met` is null where it could not be measured. */
export function atMost(text, value, limit, digits = 2, unit = '') {
  const known = value !== null && value !== undefined && Number.isFinite(value);
  return { text, limit, value: known ? `${value.toFixed(digits)}${unit}` : null, met: known ? value <= limit : null };
}

/** A bound on how long `reprise` takes against another contender. */
export function timesAtMost(times, other, limit, said = String(limit)) {
  return atMost(`at most ${said} x ${other}`, ratio(times, 'reprise', other), limit, 3);
}
