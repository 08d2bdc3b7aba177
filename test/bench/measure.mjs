/** Measuring several contenders side by side: A B C, A B C, ... so that a change of the machine's mood meets all of them alike. */
import { spawn, spawnSync } from 'node:child_process';

export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** Seconds that a program takes from its start to its end; throws with what it said unless it exits 0. */
export function seconds(argv, { cwd, env }) {
  const from = performance.now();
  const result = spawnSync(argv[0], argv.slice(1), { cwd, env, stdio: ['ignore', 'ignore', 'pipe'] });
  const took = (performance.now() - from) / 1000;
  if (result.error) throw result.error;
  if (result.status !== 0)
    throw new Error(`${argv.join(' ')} in ${cwd}: exit ${result.status}\n${String(result.stderr)}`);
  return took;
}

/** As `seconds`, without keeping this process from doing something else meanwhile. Resolves with the exit code, never rejects for it. */
export function started(argv, { cwd, env }) {
  const child = spawn(argv[0], argv.slice(1), { cwd, env, stdio: 'ignore' });
  const end = new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => resolve(code ?? signal));
  });
  return { pid: child.pid, end };
}

/**
 * Measures contenders in turn; the first round warms up and does not count.
 *
 * @param contenders each with `name` and `once(round)`, which does the work once and returns the seconds it took; `rounds` where one is to
 *   take part in the first rounds only, because it is slow
 * @returns for each name its `samples` and their `median`
 */
export function interleave(contenders, rounds, progress = () => {}) {
  const samples = new Map(contenders.map(({ name }) => [name, []]));
  for (let round = 0; round <= rounds; round += 1) {
    for (const contender of contenders) {
      if (round > (contender.rounds ?? rounds)) continue;
      progress(`round ${round} of ${rounds}: ${contender.name}`);
      const took = contender.once(round);
      if (round > 0) samples.get(contender.name).push(took);
    }
  }
  return Object.fromEntries([...samples].map(([name, list]) => [name, { median: median(list), samples: list }]));
}

/** How many times as long one contender takes as another: the median over rounds, so that both were measured at the same time. */
export function ratio(times, name, other) {
  if (!times[name] || !times[other]) return null;
  return median(
    times[other].samples
      .map((took, round) => times[name].samples[round] / took)
      .filter((value) => Number.isFinite(value)),
  );
}
