/**
 * The cases, each measuring one promise about speed.
 *
 * A case gets a bench (`world`, `store`, `rounds`, `progress`, `names`) and returns `times` (see `interleave`), `notes`, and `bounds`.
 * Contenders that are missing on this machine are not in `names`.
 */
import { timesAtMost } from './bounds.mjs';
import { underApptainer, underDocker } from './case-containers.mjs';
import { explicit } from './case-explicit.mjs';
import { parallel } from './case-parallel.mjs';
import { atOnce, identical, longHistory, manyRecords } from './case-rerun.mjs';
import { manyInputs, manyOutputs, oneOutput, rewrite } from './case-run.mjs';
import { interleave, seconds } from './measure.mjs';
import { reprise } from './world.mjs';

export const CASES = [
  { id: 1, title: 'reprise --version', floor: 'node -e 0', rounds: 31, measure: version },
  { id: 2, title: 'run, one small output, fresh dataset', rounds: 9, measure: oneOutput('empty', 0, 3) },
  { id: 3, title: 'the same among 20,000 annexed files', rounds: 7, measure: oneOutput('annexed', 20_000, 4) },
  { id: 4, title: 'run, 20,000 inputs by glob, all present', rounds: 5, measure: manyInputs },
  { id: 5, title: 'run, 500 new annexed outputs', rounds: 5, measure: manyOutputs },
  { id: 6, title: 'run --explicit, 10 of 200,000 files', rounds: 3, measure: explicit },
  { id: 7, title: '64 runs --explicit at once', floor: 'the same in turn', rounds: 3, measure: parallel },
  { id: 8, title: 'run that rewrites one annexed output', rounds: 5, measure: rewrite },
  { id: 9, title: 'rerun, 500 identical annexed outputs', rounds: 5, measure: identical },
  { id: 10, title: 'rerun --since= over 100 small records', rounds: 3, measure: manyRecords },
  { id: 11, title: 'rerun --jobs 2, ten commands of 1 s', floor: '--jobs 1', rounds: 2, measure: atOnce },
  { id: 12, title: 'the plan of 100,000 commits', rounds: 2, measure: longHistory },
  { id: 13, title: 'containers-run true, Docker', floor: 'docker run', rounds: 9, measure: underDocker },
  { id: 14, title: 'containers-run true, Apptainer', floor: 'apptainer exec', rounds: 9, measure: underApptainer },
];

function version({ world, rounds, progress, names }) {
  const { dir: cwd, env } = world;
  const contender = (name, argv) => ({ name, once: () => seconds(argv, { cwd, env }) });
  const contenders = [
    contender('reprise', [...reprise, '--version']),
    contender('datalad', ['datalad', '--version']),
    contender('floor', [process.execPath, '-e', '0']),
  ];
  const times = interleave(
    contenders.filter(({ name }) => names.includes(name)),
    rounds,
    progress,
  );
  return { times, notes: [], bounds: [{ ...timesAtMost(times, 'floor', 2), text: 'at most 2 x node -e 0' }] };
}
