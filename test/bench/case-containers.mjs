/** What a container run costs beyond the engine's own command, with the image loaded. Needs the engine; nothing is measured without. */
import { spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { atMost } from './bounds.mjs';
import { interleave, median, seconds } from './measure.mjs';
import { projectRoot, reprise } from './world.mjs';

const recipe = (name) => join(projectRoot, 'tools/engines', name);

/** `containers-run true` against `docker run --rm IMAGE true`. */
export function underDocker(bench) {
  const started = spawnSync('bash', [recipe('docker.sh'), 'start'], { encoding: 'utf8' });
  const host = /^DOCKER_HOST=(.+)$/m.exec(started.stdout ?? '')?.[1];
  if (started.status !== 0 || !host) return notMeasured('Docker cannot be started here');
  const env = { ...bench.world.env, DOCKER_HOST: host };
  const { image } = makeImage(bench);
  const dataset = datasetWith(bench, env, join(image, 'docker'), 'docker');
  // The first run loads the image.
  seconds([...reprise, 'containers-run', 'true'], { cwd: dataset, env });
  const loaded = bench.world.ok(['cat', join(image, 'config-digest')]);
  return overhead(bench, env, dataset, ['docker', 'run', '--rm', loaded, 'true']);
}

/** `containers-run true` against `apptainer exec IMAGE true`. */
export function underApptainer(bench) {
  if (spawnSync('apptainer', ['--version']).status !== 0) return notMeasured('Apptainer is not installed');
  const env = { ...bench.world.env, APPTAINER_USERNS: '1' };
  const { image, folder } = makeImage(bench);
  const sif = join(folder, 'busybox.sif');
  const built = spawnSync('apptainer', ['build', '--force', sif, `oci:${join(image, 'oci')}`], {
    env,
    encoding: 'utf8',
  });
  if (built.status !== 0)
    return notMeasured(`Apptainer builds nothing here: ${built.stderr.trim().split('\n').at(-1)}`);
  const dataset = datasetWith(bench, env, sif, 'apptainer');
  return overhead(bench, env, dataset, ['apptainer', 'exec', sif, 'true']);
}

function notMeasured(note) {
  return {
    times: {},
    notes: [note],
    bounds: [atMost('at most 0.4 s beyond the engine’s own command', null, 0.4, 2, ' s')],
  };
}

function makeImage({ world }) {
  const folder = join(world.dir, 'images');
  mkdirSync(folder, { recursive: true });
  const image = join(folder, 'busybox');
  world.ok(['bash', recipe('make-image.sh'), 'busybox', image]);
  return { image, folder };
}

function datasetWith({ world }, env, image, name) {
  const dataset = join(world.dir, `containers-${name}`);
  for (const argv of [
    [...reprise, 'create', dataset],
    [...reprise, 'containers-add', '-d', dataset, 'bb', '--url', image],
  ])
    seconds(argv, { cwd: world.dir, env });
  return dataset;
}

function overhead({ world, rounds, progress }, env, dataset, floor) {
  const times = interleave(
    [
      { name: 'reprise', once: () => seconds([...reprise, 'containers-run', 'true'], { cwd: dataset, env }) },
      { name: 'floor', once: () => seconds(floor, { cwd: world.dir, env }) },
    ],
    rounds,
    progress,
  );
  const more = median(times.reprise.samples.map((took, round) => took - times.floor.samples[round]));
  return { times, notes: [], bounds: [atMost('at most 0.4 s beyond the engine’s own command', more, 0.4, 2, ' s')] };
}
