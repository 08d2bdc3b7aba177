/**
 * Measures the promises about speed, side by side with DataLad and with the bare Git and git-annex commands. Started by `npm run bench`.
 *
 *   --only N,M     only these cases (see test/bench/cases.mjs)
 *   --rounds N     rounds of each case, instead of its own number
 *   --json FILE    also write all samples as JSON
 *   --check        exit 1 when a bound is not met
 *
 * REPRISE_BENCH_CACHE names a folder in which the large datasets are kept for the next time.
 */
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { CASES } from '../test/bench/cases.mjs';
import { createStore } from '../test/bench/datasets.mjs';
import { describeMachine, load } from '../test/bench/machine.mjs';
import { ratio } from '../test/bench/measure.mjs';
import { caseLines, headLines } from '../test/bench/table.mjs';
import { createWorld, projectRoot } from '../test/bench/world.mjs';

const { values } = parseArgs({
  options: {
    only: { type: 'string' },
    rounds: { type: 'string' },
    json: { type: 'string' },
    check: { type: 'boolean' },
  },
});
const only = values.only?.split(',').map(Number);
const rounds = values.rounds === undefined ? undefined : Number(values.rounds);
const unknown = only?.find((id) => !CASES.some((one) => one.id === id));
if (unknown !== undefined) throw new Error(`--only: there is no case ${unknown}`);
if (rounds !== undefined && !(Number.isInteger(rounds) && rounds > 0))
  throw new Error('--rounds takes a number above 0');
if (!existsSync(join(projectRoot, 'dist/cli/main.cjs'))) throw new Error('Reprise is not built yet: npm run build');

const world = createWorld();
for (const [signal, code] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
]) {
  process.on(signal, () => {
    world.remove();
    process.exit(code);
  });
}
try {
  const machine = describeMachine(world.env);
  if (!machine.versions['git-annex']) throw new Error('git-annex is missing: apt-get install git-annex');
  const names = ['reprise', ...(machine.versions.datalad ? ['datalad'] : []), 'floor'];
  const store = createStore(world, progress);
  const started = load();
  print(headLines(machine, started));
  const results = [];
  for (const one of CASES.filter(({ id }) => only?.includes(id) ?? true)) {
    const bench = { world, store, names, rounds: rounds ?? one.rounds, progress };
    const measured = await one.measure(bench);
    const ratios = Object.fromEntries(
      ['floor', 'datalad'].map((name) => [name, ratio(measured.times, 'reprise', name)]),
    );
    const result = { id: one.id, title: one.title, floor: one.floor, load: load(), ratios, ...measured };
    results.push(result);
    print(caseLines(result));
  }
  const bounds = results.flatMap((result) => result.bounds);
  const over = bounds.filter(({ met }) => met === false);
  const left = bounds.filter(({ met }) => met === null);
  print([
    '',
    over.length === 0 ? 'Every bound that was measured is met.' : `${over.length} bounds are not met.`,
    ...(left.length === 0 ? [] : [`${left.length} bounds could not be measured here.`]),
  ]);
  if (values.json) writeFileSync(values.json, `${JSON.stringify({ machine, load: started, results }, null, 1)}\n`);
  if (values.check && over.length > 0) process.exitCode = 1;
} finally {
  progress('');
  world.remove();
}

function print(lines) {
  progress('');
  process.stdout.write(`${lines.join('\n')}\n`);
}

/** One line that is written over, on a terminal only. */
function progress(text) {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text.slice(0, 100)}`);
}
