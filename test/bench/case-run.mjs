/** Runs in a dataset with an annex, without `--explicit`. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { timesAtMost } from './bounds.mjs';
import { runners } from './contenders.mjs';
import { interleave } from './measure.mjs';

/** A dataset for each contender. */
export function copies({ store, names }, kind, files) {
  return Object.fromEntries(names.map((name) => [name, store.copy(kind, files, name)]));
}

/** One new file per round, in a dataset of `files` annexed files; DataLad may take 1/`part` of its time at most. */
export function oneOutput(kind, files, part) {
  return (bench) => {
    const jobOf = (round) => ({
      command: `echo result ${files} ${round} > result${round}.txt`,
      outputs: [`result${round}.txt`],
      message: `round ${round}`,
      changes: 1,
    });
    const times = interleave(runners(bench.world, copies(bench, kind, files), jobOf), bench.rounds, bench.progress);
    const bounds = [timesAtMost(times, 'floor', 1.1), timesAtMost(times, 'datalad', 1 / part, `1/${part}`)];
    return { times, notes: [], bounds };
  };
}

/** Every file of a large folder is an input. */
export function manyInputs(bench) {
  const jobOf = (round) => ({
    command: `echo sum ${round} > sum${round}.txt`,
    // DataLad and we match the pattern; no shell sees it.
    inputs: ['in/*.dat'],
    outputs: [`sum${round}.txt`],
    message: `sum of round ${round}`,
    changes: 1,
  });
  const slow = { datalad: Math.min(2, bench.rounds) };
  const contenders = runners(bench.world, copies(bench, 'annexed', 20_000), jobOf, slow);
  const times = interleave(contenders, bench.rounds, bench.progress);
  return { times, notes: [], bounds: [timesAtMost(times, 'datalad', 1 / 8, '1/8')] };
}

const FILES = 500;

/** Round and file are in the content: no key is there already. */
const MANY = `BEGIN {
  for (n = 0; n < ${FILES}; n++) {
    f = "many" round "/" n ".dat"
    for (i = 0; i < 200; i++) print round, n, i > f
    close(f)
  }
}
`;

/** A folder of new files per round. */
export function manyOutputs(bench) {
  const script = join(bench.world.dir, 'many.awk');
  writeFileSync(script, MANY);
  const jobOf = (round) => ({
    command: `mkdir many${round} && awk -v round=${round} -f ${script}`,
    outputs: [`many${round}`],
    message: `files of round ${round}`,
    changes: FILES,
  });
  const times = interleave(runners(bench.world, copies(bench, 'empty', 0), jobOf), bench.rounds, bench.progress);
  return { times, notes: [], bounds: [timesAtMost(times, 'floor', 1.1), timesAtMost(times, 'datalad', 1, '1')] };
}

/** An annexed output that is there already: it has to be made writable first. */
export function rewrite(bench) {
  const datasets = copies(bench, 'annexed', 1);
  const jobOf = (round) => ({
    command: `echo rewritten ${round} > in/00000.dat`,
    outputs: ['in/00000.dat'],
    before: true,
    message: `rewritten in round ${round}`,
    changes: 1,
  });
  return {
    times: interleave(runners(bench.world, datasets, jobOf), bench.rounds, bench.progress),
    notes: [],
    bounds: [],
  };
}
