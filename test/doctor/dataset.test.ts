/** What `doctor` says of a dataset: whether it is one, what waits there, and what would run its containers. */
import { chmodSync, cpSync, existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { containersAdd } from '../../src/images/add.ts';
import { contextIn, newDataset } from '../images/support.ts';
import { repriseBeside } from '../support/crash-world.ts';
import { engineEnv, testImage, testSif } from '../support/engines.ts';
import { describeWith } from '../support/oracles.ts';
import { createWorld, ORDINARY_UID, type World } from '../support/world.ts';
import { ask, askProgram, type Env, pathWith, writeProgram } from './support.ts';

let world: World;
beforeAll(() => {
  world = createWorld();
});
afterAll(() => world.remove());

function plainRepository(name: string): string {
  const root = world.path(name);
  world.git(world.dir, 'init', '-q', root);
  world.write(join(root, 'a'), 'a\n');
  world.git(root, 'add', 'a');
  world.git(root, 'commit', '-qm', 'a');
  return root;
}

describe('a Git repository', () => {
  test('without an annex, and nothing that waits', async () => {
    const root = plainRepository('plain');
    const { code, of } = await ask(world, root);
    expect(code).toBe(0);
    expect(of('dataset')).toMatchObject({ status: 'ok', annex: 'none', path: root, type: 'dataset' });
    expect(of('runs')).toMatchObject({ status: 'ok', waiting: [] });
    expect(of('rerun')).toMatchObject({ status: 'ok' });
    expect((await ask(world, world.dir, {}, { dataset: root })).of('dataset').path).toBe(root);
  });

  test('that Git does not trust, and one that is damaged', () => {
    const root = plainRepository('foreign');
    const home = world.path('stranger', 'x', '..');
    mkdirSync(home, { recursive: true });
    chmodSync(home, 0o777);
    world.write(join(home, '.gitconfig'), '[user]\n\tname = S\n\temail = s@example.org\n');
    const env = { HOME: home, XDG_RUNTIME_DIR: '', PATH: pathWith(world, 'git') };
    const { code, of } = askProgram(world, root, env, ORDINARY_UID);
    expect(code).toBe(1);
    expect(of('dataset')).toMatchObject({ status: 'error', error_code: 'not-a-dataset' });
    expect(of('dataset')['hints']).toEqual([`git config --global --add safe.directory ${root}`]);

    world.write(join(root, '.git/config'), '[core\n');
    const damaged = askProgram(world, root, {});
    expect(damaged.code).toBe(1);
    expect(damaged.of('dataset')).toMatchObject({
      status: 'error',
      error_code: 'git-failed',
      hints: [`git -C ${root} rev-parse --git-dir`],
    });
  });

  test('in which a run was cut off', async () => {
    const root = plainRepository('cut-off');
    let pid = 0;
    const going = repriseBeside(world, ['run', '-o', 'b', 'echo half >b; touch "$MARK"; sleep 60'], {
      cwd: root,
      detached: true,
      env: { MARK: world.path('mark') },
      started: (own) => void (pid = own),
    });
    while (!existsSync(world.path('mark'))) await sleep(10);
    expect((await ask(world, root)).of('runs')).toMatchObject({ status: 'ok', waiting: [] });
    process.kill(-pid, 'SIGKILL');
    await going;
    const done = world.reprise(root, ['-f', 'json', 'doctor']);
    // It is said once.
    expect(done).toMatchObject({ code: 0, stderr: '' });
    const { of } = await ask(world, root);
    expect(of('runs')).toMatchObject({
      status: 'impossible',
      message: 'A run was interrupted and waits to be recovered',
      waiting: [{ run: expect.any(String), state: 'cut-off' }],
      hints: ['reprise recover --list', 'reprise recover'],
    });
    expect(world.reprise(root, ['recover']).code).toBe(0);
    expect((await ask(world, root)).of('runs').status).toBe('ok');
  });

  test('in which a rerun was stopped half-way', async () => {
    const root = plainRepository('stopped');
    const run = (...args: string[]) => expect(world.reprise(root, ['run', ...args]).code).toBe(0);
    run('-o', 'one', 'echo 1 >>one');
    run('-o', 'two', 'test ! -e "$GATE" || exit 7; cat one >>two');
    expect(world.reprise(root, ['rerun', '--since='], { env: { GATE: root } }).code).not.toBe(0);
    const { code, of } = await ask(world, root);
    expect(code).toBe(0);
    expect(of('rerun')).toMatchObject({
      status: 'impossible',
      error_code: 'replay-pending',
      hints: ['reprise rerun --continue', 'reprise rerun --abort'],
    });
    expect(world.reprise(root, ['rerun', '--abort']).code).toBe(0);
    expect((await ask(world, root)).of('rerun').status).toBe('ok');
  });
});

describeWith(['git-annex'], 'a dataset with an annex', () => {
  test('is told from a clone in which it is not initialised', async () => {
    const root = await newDataset(world, 'annexed');
    expect((await ask(world, root)).of('dataset')).toMatchObject({
      annex: 'initialised',
      dataset_id: world.git(root, 'config', '-f', '.datalad/config', 'datalad.dataset.id'),
    });
    const clone = world.path('clone');
    world.git(world.dir, 'clone', '-q', root, clone);
    expect((await ask(world, clone)).of('dataset')).toMatchObject({
      status: 'ok',
      annex: 'uninitialised',
      hints: ['git annex init'],
    });
  });
});

describeWith(['docker', 'apptainer'], 'containers of a dataset', () => {
  let root: string;
  let env: Env;
  const add = (name: string, url: string, callFormat?: string) =>
    containersAdd({ name, url, ...(callFormat === undefined ? {} : { callFormat }) }, contextIn(world, root));
  /** Without what is not named here: no runner at all, or one. */
  const only = (...programs: string[]) => ({ PATH: pathWith(world, 'git', 'git-annex', ...programs) });

  beforeAll(async () => {
    root = await newDataset(world, 'containers');
    await add('folder', testImage('busybox').archive);
    await add('sif', testSif('busybox'));
    const script = writeProgram(world.dir, 'script', 'touch "$REPRISE_TEST_TRACE"');
    await add('program', script);
    await add('own', testSif('busybox'), 'singularity exec -B /tmp {img} {cmd}');
    env = { ...engineEnv('apptainer'), ...engineEnv('docker') };
  });

  test('are run by the first runner that works and can', async () => {
    const { of } = await ask(world, root, { ...env, ...only('docker', 'apptainer', 'singularity') });
    expect(of('folder')).toMatchObject({
      kind: 'container',
      status: 'ok',
      image_format: 'docker-archive',
      runner: 'docker',
      runners: ['docker', 'apptainer', 'singularity'],
      type: 'directory',
      path: join(root, '.datalad/environments/folder/image'),
      refds: root,
    });
    expect(of('sif')).toMatchObject({
      image_format: 'sif',
      runner: 'apptainer',
      runners: ['apptainer', 'singularity'],
    });
    expect(of('program')).toMatchObject({ image_format: 'other', message: 'The image is a program itself' });
    expect(of('own').message).toBe('Started by its own call format: singularity exec -B /tmp {img} {cmd}');
  });

  test('or not, with what would help', async () => {
    const withDocker = await ask(world, root, { ...env, ...only('docker') });
    expect(withDocker.of('folder')).toMatchObject({ status: 'ok', runners: ['docker'] });
    expect(withDocker.of('sif')).toMatchObject({
      status: 'impossible',
      message: 'Stored as sif, which needs apptainer or singularity to work here',
      hints: withDocker.of('apptainer')['hints'],
    });
    expect(withDocker.of('own')).toMatchObject({
      status: 'impossible',
      message: expect.stringMatching(/^Its own call format starts singularity, which is not here/),
    });
    const withNone = await ask(world, root, only());
    expect(withNone.of('folder')).toMatchObject({ status: 'impossible', runners: [] });
    expect(withNone.code).toBe(0);
  });

  test('by the one that is asked for', async () => {
    const asked = await ask(world, root, { ...env, ...only('docker', 'apptainer') }, { runner: 'docker' });
    expect(asked.of('folder')).toMatchObject({ runner: 'docker' });
    expect(asked.of('sif')).toMatchObject({
      status: 'impossible',
      message: 'Stored as sif, which docker does not run',
    });
    const apptainer = await ask(world, root, { ...env, ...only('docker', 'apptainer') }, { runner: 'apptainer' });
    expect(apptainer.of('folder')).toMatchObject({ runner: 'apptainer' });
    // Its own call format does not count then, and another engine takes its place.
    expect(apptainer.of('own')).toMatchObject({ runner: 'apptainer' });
  });

  test('in one file only by Docker and Podman', async () => {
    const other = world.path('packed');
    cpSync(root, other, { recursive: true, verbatimSymlinks: true });
    cpSync(testImage('busybox').tar, join(other, 'image.tar'));
    world.git(other, 'config', '-f', '.datalad/config', 'datalad.containers.packed.image', 'image.tar');
    world.git(
      other,
      'config',
      '-f',
      '.datalad/config',
      'datalad.containers.packed.cmdexec',
      'singularity exec {img} {cmd}',
    );
    const all = await ask(world, other, { ...env, ...only('docker', 'apptainer') });
    expect(all.of('packed')).toMatchObject({ runners: ['docker'], image_format: 'docker-archive', type: 'file' });
    const { of } = await ask(world, other, { ...engineEnv('apptainer'), ...only('apptainer') });
    expect(of('packed')).toMatchObject({
      status: 'impossible',
      message: 'Stored as docker-archive in one file, which needs docker or podman to work here',
    });
    expect(of('packed')['hints']).toContain(`reprise containers-add packed --update --url ${join(other, 'image.tar')}`);
  });

  test('whose content is not here', async () => {
    const clone = world.path('clone of containers');
    world.git(world.dir, 'clone', '-q', root, clone);
    const { code, of } = await ask(world, clone, env);
    expect(code).toBe(0);
    for (const name of ['folder', 'sif']) {
      expect(of(name)).toMatchObject({ status: 'impossible', error_code: 'content-unavailable' });
      expect(of(name)['hints']).toEqual([`reprise get '${join(clone, `.datalad/environments/${name}/image`)}'`]);
    }
  });

  test('of an attacker are looked at, and nothing of theirs is executed or read outside', async () => {
    const hostile = world.path('hostile');
    cpSync(root, hostile, { recursive: true, verbatimSymlinks: true });
    const trace = world.path('traces', 'x', '..');
    mkdirSync(trace, { recursive: true });
    const touch = (name: string) => `touch ${join(trace, name)}`;
    const config = (file: string, key: string, value: string) => world.git(hostile, 'config', '-f', file, key, value);
    for (const [key, name] of Object.entries({
      'core.fsmonitor': 'monitor',
      'core.pager': 'pager',
      'core.editor': 'editor',
    }))
      config('.git/config', key, touch(name));
    for (const hook of ['post-index-change', 'pre-commit', 'post-checkout'])
      writeProgram(join(hostile, '.git/hooks'), hook, touch(hook));
    config('.datalad/config', 'datalad.containers.outside.image', '../../../etc/passwd');
    config('.datalad/config', 'datalad.containers.x; touch pwned #.image', 'none');
    config('.datalad/config', 'datalad.containers.folder.cmdexec', `${touch('format')}; singularity exec {img} {cmd}`);
    for (const name of ['docker', 'podman', 'apptainer', 'git-annex']) writeProgram(hostile, name, touch(name));
    const hostileEnv = { ...env, ...only('touch'), REPRISE_TEST_TRACE: join(trace, 'image') };
    const { of } = await ask(world, hostile, { ...hostileEnv, PATH: `${only('touch').PATH}:.:` }, { probe: true });
    expect(of('outside')).toMatchObject({ status: 'impossible', error_code: 'path-outside' });
    expect(of('x; touch pwned #')).toMatchObject({ status: 'impossible', error_code: 'image-missing' });
    expect(of('folder')).toMatchObject({ status: 'ok', runner: 'docker' });
    expect(readdirSync(trace)).toEqual([]);
    const { stdout } = world.reprise(hostile, ['doctor'], { env: { DOCKER_HOST: 'unix:///nowhere' } });
    expect(stdout).toContain('no    container x; touch pwned #: There is no image at ');
    writeFileSync(join(hostile, '.datalad/config'), '[datalad "containers.\u001b[31mred"]\n\timage = none\n');
    expect(world.reprise(hostile, ['doctor']).stdout).toContain('container \\e[31mred:');
  });
});
