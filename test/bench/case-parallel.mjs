/** Many runs at once in one dataset: each keeps its own record, and together they are not slower than one after the other. */
import { atMost, timesAtMost } from './bounds.mjs';
import { runArgv } from './contenders.mjs';
import { median, started } from './measure.mjs';

const RUNS = 64;

function jobs(label) {
  return Array.from({ length: RUNS }, (_, index) => {
    const output = `${label}-${index}.txt`;
    return { command: `echo ${output} > ${output}`, outputs: [output], explicit: true, message: output, changes: 1 };
  });
}

/** 64 runs with one output each, at once (`reprise`) and one after the other (`floor`). */
export async function parallel({ world, store, rounds, progress }) {
  const together = store.copy('empty', 0, 'together');
  const apart = store.copy('empty', 0, 'apart');
  const samples = { reprise: [], floor: [] };
  const faults = [];
  for (let round = 1; round <= rounds; round += 1) {
    progress(`round ${round} of ${rounds}: ${RUNS} at once`);
    const list = jobs(`round${round}`);
    const before = world.ok(['git', 'rev-parse', 'HEAD'], together);
    samples.reprise.push(
      await timed(async () => {
        const codes = await Promise.all(list.map((job) => launch(job, together, world.env)));
        faults.push(...codes.filter((code) => code !== 0).map((code) => `a run exited ${code}`));
      }),
    );
    faults.push(...wrongCommits(world, together, before, list));
    progress(`round ${round} of ${rounds}: ${RUNS} in turn`);
    samples.floor.push(
      await timed(async () => {
        for (const job of list) await launch(job, apart, world.env);
      }),
    );
  }
  const times = Object.fromEntries(
    Object.entries(samples).map(([name, list]) => [name, { median: median(list), samples: list }]),
  );
  return {
    times,
    notes: faults.slice(0, 5),
    bounds: [
      atMost(`${RUNS} commits, each with exactly its output, every exit code 0: faults`, faults.length, 0, 0),
      { ...timesAtMost(times, 'floor', 1), text: 'at most 1 x the same in turn' },
    ],
  };
}

function launch(job, cwd, env) {
  return started(runArgv('reprise', job), { cwd, env }).end;
}

async function timed(work) {
  const from = performance.now();
  await work();
  return (performance.now() - from) / 1000;
}

/** What is wrong with the commits since `before`; nothing when there is one per job, with that job's output and record. */
function wrongCommits(world, cwd, before, list) {
  const log = world.ok(['git', 'log', '--format=%x00%s%x01%b%x01', '--name-only', `${before}..HEAD`], cwd);
  const commits = log.split('\0').slice(1);
  const found = new Map(
    commits.map((commit) => {
      const [subject, body, names] = commit.split('\x01');
      return [subject, { body, names: names.trim() }];
    }),
  );
  const faults = commits.length === list.length ? [] : [`${commits.length} commits for ${list.length} runs`];
  for (const { message, command, outputs } of list) {
    const commit = found.get(`[DATALAD RUNCMD] ${message}`);
    if (commit?.names !== outputs[0]) faults.push(`${message}: its commit holds ${commit?.names ?? 'nothing'}`);
    else if (!commit.body.includes(JSON.stringify(command))) faults.push(`${message}: no record of its command`);
  }
  const left = world.ok(['git', 'status', '--porcelain'], cwd);
  return left === '' ? faults : [...faults, `left over: ${left.split('\n')[0]}`];
}
