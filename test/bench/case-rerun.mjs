/** Replays: identical outputs, many small records, several at once, and the plan of a long history. */
import { atMost, timesAtMost } from './bounds.mjs';
import { interleave, seconds } from './measure.mjs';
import { ownPeakMemoryMb, peakMemoryMb } from './watch.mjs';
import { reprise } from './world.mjs';

/** Contenders that rerun something in a dataset each; the results are identical, so every round finds the same state. */
function rerunners({ world, store, names }, kind, size, words, rounds = {}) {
  const programs = { reprise, datalad: ['datalad'] };
  return Object.entries(programs)
    .filter(([name]) => names.includes(name))
    .map(([name, program]) => {
      const cwd = store.copy(kind, size, name);
      const head = world.ok(['git', 'rev-parse', 'HEAD'], cwd);
      return {
        name,
        ...(rounds[name] === undefined ? {} : { rounds: rounds[name] }),
        once() {
          const took = seconds([...program, 'rerun', ...words], { cwd, env: world.env });
          if (
            world.ok(['git', 'rev-parse', 'HEAD'], cwd) !== head ||
            world.ok(['git', 'status', '--porcelain'], cwd) !== ''
          )
            throw new Error(`${name} found other results in ${cwd}`);
          return took;
        },
      };
    });
}

/** One record of 500 annexed outputs, all of which come out as they were. */
export function identical(bench) {
  const times = interleave(rerunners(bench, 'outputs', 500, []), bench.rounds, bench.progress);
  return { times, notes: [], bounds: [timesAtMost(times, 'datalad', 1 / 8, '1/8')] };
}

/** So many records, and twice as many: until V8 has collected its older garbage for the first time, memory rises whatever is kept. */
const RECORDS = 400;

/** A hundred records of one small output each; memory must not grow with the number of records. */
export async function manyRecords(bench) {
  const { world, store } = bench;
  const slow = { datalad: Math.min(2, bench.rounds) };
  const times = interleave(rerunners(bench, 'records', 100, ['--since='], slow), bench.rounds, bench.progress);
  const peakOf = (records) =>
    ownPeakMemoryMb([...reprise, 'rerun', `--since=HEAD~${records}`], {
      cwd: store.copy('manyRecords', 2 * RECORDS, 'reprise'),
      env: world.env,
    });
  const [few, many] = [await peakOf(RECORDS), await peakOf(2 * RECORDS)];
  return {
    times,
    notes: [],
    bounds: [
      timesAtMost(times, 'datalad', 1 / 4, '1/4'),
      atMost(
        `at most 20 MB more for ${2 * RECORDS} records than for ${RECORDS}`,
        few === null ? null : many - few,
        20,
        0,
        ' MB',
      ),
    ],
  };
}

/** Ten commands that sleep for a second and need nothing of each other: two at once (`reprise`), and one after the other (`floor`). */
export function atOnce({ world, store, rounds, progress }) {
  const contender = (name, jobs) => {
    const cwd = store.copy('sleepers', 10, name);
    return { name, once: () => seconds([...reprise, 'rerun', '--since=', `--jobs=${jobs}`], { cwd, env: world.env }) };
  };
  const times = interleave([contender('reprise', 2), contender('floor', 1)], rounds, progress);
  return {
    times,
    notes: [],
    bounds: [{ ...timesAtMost(times, 'floor', 0.6), text: 'at most 0.6 x one after the other' }],
  };
}

/** The plan of 100,000 commits, every tenth with a record. */
export async function longHistory({ world, store, rounds, progress }) {
  const cwd = store.copy('history', 100_000, 'reprise');
  const argv = [...reprise, '-f', 'json', 'rerun', '--report', '--since='];
  const times = interleave([{ name: 'reprise', once: () => seconds(argv, { cwd, env: world.env }) }], rounds, progress);
  const peak = await peakMemoryMb(argv, { cwd, env: world.env });
  return {
    times,
    notes: [],
    bounds: [atMost('at most 10 s', times.reprise.median, 10, 1, ' s'), atMost('at most 500 MB', peak, 500, 0, ' MB')],
  };
}
