/**
 * One run of a command, as each contender does it.
 *
 * The floor is what any tool has to let Git and git-annex do for the same result, without a record: look for changes, make outputs
 * writable, execute, add, commit.
 */
import { seconds } from './measure.mjs';
import { reprise } from './world.mjs';

/**
 * The words that start one run.
 *
 * @param job `command`, `inputs` and `outputs` (plain paths or patterns without white space), `message`; `explicit`; `before`: outputs that
 *   are there and annexed already
 */
export function runArgv(name, job) {
  if (name === 'floor') return ['/bin/sh', '-ec', floorScript(job)];
  const program = name === 'reprise' ? reprise : ['datalad'];
  return [
    ...program,
    'run',
    ...(job.explicit ? ['--explicit'] : []),
    ...(job.inputs ?? []).flatMap((path) => ['-i', path]),
    ...job.outputs.flatMap((path) => ['-o', path]),
    '-m',
    job.message,
    job.command,
  ];
}

function floorScript(job) {
  const outputs = job.outputs.join(' ');
  return [
    ...(job.explicit ? [] : ['git status --porcelain']),
    ...(job.before ? [`git annex unlock --quiet ${outputs}`] : []),
    job.command,
    `git annex add --quiet ${outputs}`,
    `git commit --quiet -m '${job.message}'${job.explicit ? ` -- ${outputs}` : ''}`,
  ].join('\n');
}

/**
 * Contenders that each run the job of a round in a dataset of their own, and are looked at afterwards: a run that committed nothing
 * would be fast.
 *
 * @param datasets folder of each name's dataset; they take turns in this order
 * @param jobOf makes the job of a round and a name
 * @param rounds of each name that takes part in the first rounds only
 */
export function runners(world, datasets, jobOf, rounds = {}) {
  return Object.keys(datasets).map((name) => ({
    name,
    ...(rounds[name] === undefined ? {} : { rounds: rounds[name] }),
    once(round) {
      const job = jobOf(round, name);
      const cwd = datasets[name];
      const before = world.ok(['git', 'rev-parse', 'HEAD'], cwd);
      const took = seconds(runArgv(name, job), { cwd, env: world.env });
      const changed = world.ok(['git', 'diff', '--name-only', before, 'HEAD'], cwd).split('\n').filter(Boolean);
      if (changed.length !== job.changes)
        throw new Error(`${name} committed ${changed.length} files instead of ${job.changes} in ${cwd}`);
      return took;
    },
  }));
}
