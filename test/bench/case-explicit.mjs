/** What a run costs depends on what it touches, not on how many files the dataset has. */
import { atMost } from './bounds.mjs';
import { runArgv, runners } from './contenders.mjs';
import { trackedName } from './datasets.mjs';
import { interleave, median, seconds } from './measure.mjs';
import { countLooks, peakMemoryMb } from './watch.mjs';

const LARGE = 200_000;
const SMALL = 200;
/** How many calls a run may make more in the large dataset than in the small one: the depth of trees, not the number of files. */
const SLACK = 1.1;

/** Five inputs and five outputs by name. */
function jobOf(round, name = 'reprise') {
  const label = `${name}-${round}`;
  const outputs = [1, 2, 3, 4, 5].map((index) => `out-${label}-${index}.txt`);
  return {
    command: outputs.map((path) => `echo ${path} > ${path}`).join(' && '),
    inputs: [0, 40, 80, 120, 160].map(trackedName),
    outputs,
    explicit: true,
    message: `ten paths, ${label}`,
    changes: outputs.length,
  };
}

/** Seconds above the command, memory, and calls that look at files, among 200,000 files that Git tracks. */
export async function explicit(bench) {
  const { world, store, rounds, progress, names } = bench;
  // One for all: copies would take longer than everything that is measured here, and each run adds five files only.
  const large = store.copy('tracked', LARGE, 'all');
  const datasets = Object.fromEntries(names.map((name) => [name, large]));
  const slow = { datalad: Math.min(1, rounds), floor: Math.min(2, rounds) };
  const times = interleave(runners(world, datasets, jobOf, slow), rounds, progress);
  const { env } = world;
  const bare = Array.from({ length: 5 }, (_, index) =>
    seconds(['/bin/sh', '-c', jobOf(`bare${index}`).command], { cwd: env.TMPDIR, env }),
  );
  const above = times.reprise.median - median(bare);
  const memory = await peakMemoryMb(runArgv('reprise', jobOf('memory')), { cwd: large, env });
  const calls = [store.copy('tracked', SMALL, 'all'), large].map((cwd) =>
    countLooks(world, runArgv('reprise', jobOf('calls')), cwd),
  );
  const [few, many] = calls.map(total);
  store.forget('tracked', LARGE);
  return {
    times,
    notes: [
      `calls that look at files, ${SMALL} files: ${described(calls[0])}`,
      `calls that look at files, ${LARGE.toLocaleString('en')} files: ${described(calls[1])}`,
    ],
    bounds: [
      atMost('at most 1 s above the command', above, 1, 3, ' s'),
      atMost('at most 150 MB, whole process tree', memory, 150, 0, ' MB'),
      atMost(`no scan: at most ${SLACK} x the calls among ${SMALL} files`, few === null ? null : many / few, SLACK, 3),
    ],
  };
}

function total(counts) {
  return counts === null ? null : Object.values(counts).reduce((sum, count) => sum + count, 0);
}

function described(counts) {
  if (counts === null) return 'not measured, strace is missing';
  const kinds = Object.entries(counts).map(([name, count]) => `${name} ${count}`);
  return `${total(counts)} (${kinds.join(', ')})`;
}
