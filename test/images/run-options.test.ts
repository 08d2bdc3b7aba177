/** Options of a container run: they do what they say, are recorded as they were meant, and are replayed from anywhere. */
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { busyboxDataset, runnersEnv } from '../support/container-runs.ts';
import { expectSentence, looksOf } from '../support/crash-unchanged.ts';
import { recordOf } from '../support/crash-world.ts';
import { testImage } from '../support/engines.ts';
import { describeWith } from '../support/oracles.ts';
import { createWorld, type Outcome, type World } from '../support/world.ts';

describeWith(['docker', 'git-annex'], 'options of a container run', () => {
  let world: World;
  let root: string;
  let env: Record<string, string>;

  beforeAll(() => {
    world = createWorld();
    root = world.path('here', 'ds');
    env = runnersEnv('docker');
    busyboxDataset(world, root, 'docker');
    world.write(join(root, 'study/notes'), 'notes\n');
    ok(root, 'save', '-m', 'notes');
    world.write(world.path('here/beside/file'), 'beside\n');
  });
  afterAll(() => world.remove());

  const run = (cwd: string, ...args: string[]): Outcome => world.reprise(cwd, args, { env });
  const ok = (cwd: string, ...args: string[]): Outcome => {
    const done = run(cwd, ...args);
    expect(done, `${args.join(' ')}: ${done.stderr}`).toMatchObject({ code: 0 });
    return done;
  };
  const container = () =>
    (recordOf(world, root) as { readonly reprise: { readonly container: Record<string, unknown> } }).reprise.container;

  test('a relative mount is meant from where the command runs, when it is recorded and when it is replayed', () => {
    const study = join(root, 'study');
    ok(study, 'containers-run', '--mount', '../../beside:/beside', '-o', 'out', 'cat /beside/file >out');
    expect(container()['mounts']).toEqual([{ source: '../../beside', target: '/beside' }]);
    for (const cwd of [root, study, join(root, '.datalad')]) ok(cwd, 'rerun', '--verify');
    // A workspace is elsewhere.
    ok(root, 'rerun', '--verify', '--workspace');
  });

  test('from outside the dataset nothing is run that could not see where it is', () => {
    const before = looksOf(root);
    const refused = run(world.dir, 'containers-run', '-d', root, 'true');
    expectSentence(refused, 'path-outside', 1);
    expect(refused.stderr).toContain(`hint: cd ${root}\n`);
    expect(looksOf(root)).toStrictEqual(before);
  });

  test('a mount without a target is recorded with the one that it had', () => {
    const beside = world.path('here/beside');
    ok(root, 'containers-run', '--mount', '../beside:rw', '-o', 'three', `cat ${beside}/file >three`);
    expect(container()['mounts']).toEqual([{ source: '../beside', target: beside, writable: true }]);
    ok(root, 'rerun', '--verify');
  });

  test('what a call format of its own would not heed is refused, and never recorded', () => {
    const image = '.datalad/environments/bb/image';
    ok(root, 'containers-add', 'any', '--image', image, '--call-fmt', 'echo {img}; {cmd}');
    ok(root, 'containers-add', 'own', '--image', image, '--call-fmt', 'singularity exec -e {img} {cmd}');
    ok(root, 'containers-run', '-n', 'any', '-o', 'four', 'echo four >four');
    expect(Object.keys(container()).filter((key) => /network|mounts|env|gpus|root|runner/.test(key))).toEqual([]);
    for (const option of [
      ['--network'],
      ['--env', 'HOME'],
      ['--mount', '/etc'],
      ['--gpus', 'all'],
      ['--writable-root'],
    ]) {
      const before = looksOf(root);
      const refused = run(root, 'containers-run', '-n', 'own', ...option, '-o', 'four', 'echo five >four');
      expectSentence(refused, 'usage', 2);
      expect(refused.stderr).toContain(`hint: reprise containers-run --runner docker ${option[0]} ...`);
      expect(looksOf(root)).toStrictEqual(before);
    }
    ok(root, 'containers-run', '-n', 'own', '--runner', 'docker', '--network', '-o', 'four', 'echo six >four');
    expect(container()).toMatchObject({ runner: 'docker', network: true });
  });

  test('a run that declares no inputs finds them in a workspace as well, though its image is an extra input', () => {
    ok(root, 'containers-run', '-n', 'bb', '-o', 'seven', 'cat study/notes >seven');
    expect(readFileSync(join(root, 'seven'), 'utf8')).toBe('notes\n');
    ok(root, 'rerun', '--verify', '--workspace');
  });

  test('the container of a subdataset that is not here, with a slash in its name, is installed with its image', () => {
    const top = world.path('top');
    ok(world.dir, 'create', top);
    mkdirSync(join(top, 'deep'));
    ok(top, 'create', '-d', top, join(top, 'deep/images'));
    ok(join(top, 'deep/images'), 'containers-add', 'bb', '--url', testImage('busybox').oci);
    ok(top, 'save', '-m', 'with images');
    const clone = world.path('clone');
    world.git(world.dir, 'clone', '-q', top, clone);
    ok(clone, 'containers-run', '-n', 'deep/images/bb', '-o', 'out', 'echo "$DATALAD_CONTAINER_NAME" >out');
    expect(readFileSync(join(clone, 'out'), 'utf8')).toBe('deep/images/bb\n');
    expect(recordOf(world, clone)).toMatchObject({
      extra_inputs: ['deep/images/.datalad/environments/bb/image'],
      reprise: { container: { name: 'deep/images/bb', config: testImage('busybox').configDigest } },
    });
    ok(clone, 'rerun', '--verify');
  });
});
