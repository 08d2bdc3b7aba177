/** A rerun of a container run executes the image that was recorded, wherever that is now, and its record says so. */
import { chmodSync, readFileSync, realpathSync, renameSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { RecordedContainer } from '../../src/record/run-record.gen.ts';
import { copyDataset } from '../support/container-runs.ts';
import { engineEnv, testImage, testSif } from '../support/engines.ts';
import { dataladArgv, describeWith } from '../support/oracles.ts';
import { commitsOf } from '../support/runs.ts';
import { createWorld, type World } from '../support/world.ts';
import { imageWith } from './support.ts';

let world: World;
beforeAll(() => {
  world = createWorld();
});
afterAll(() => world.remove());

function reprise(root: string, args: readonly string[], env: Record<string, string> = {}) {
  const done = world.reprise(root, args, { env });
  expect(done, `${args.join(' ')}\n${done.stdout}\n${done.stderr}`).toMatchObject({ code: 0 });
  return done;
}

function newDataset(...parts: string[]): string {
  const root = world.path(...parts);
  reprise(world.dir, ['create', root]);
  return root;
}

let tools: string | undefined;
/** A dataset with the image of Docker in a subdataset `tools`; made once, and copied. */
function datasetWithTools(...parts: string[]): string {
  if (tools === undefined) {
    tools = newDataset('with-tools');
    reprise(tools, ['create', '-d', tools, join(tools, 'tools')]);
    reprise(join(tools, 'tools'), ['containers-add', 'c', '-u', testImage('busybox').archive]);
    reprise(tools, ['save']);
  }
  return copyDataset(world, tools, world.path(...parts));
}

function script(name: string, text: string): string {
  const path = world.path('scripts', name);
  world.write(path, `#!/bin/sh\n${text}\n`);
  chmodSync(path, 0o755);
  return path;
}

const read = (root: string, path = 'out') => readFileSync(join(root, path), 'utf8');
const recordOf = (root: string, commit = 'HEAD') => commitsOf(world, root, `${commit}~1..${commit}`)[0]?.record;
const containerOf = (root: string, commit = 'HEAD') =>
  recordOf(root, commit)?.reprise?.['container'] as RecordedContainer | undefined;
const sha256 = (path: string) => `sha256:${world.ok(['sha256sum', path]).slice(0, 64)}`;

const IMAGE = '.datalad/environments/c/image';

/** Takes a result away, in a commit. */
function withoutResult(root: string, path = 'out'): void {
  world.git(root, 'rm', '-q', path);
  world.git(root, 'commit', '-q', '-m', `without ${path}`);
}

describeWith(['git-annex'], 'an image that is a script', () => {
  let root: string;
  /** Runs with the first of two versions of one script, by the container that started it. */
  const recorded: Record<string, string> = {};

  beforeAll(() => {
    root = newDataset('script');
    const add = (text: string) => ['containers-add', 'c', '--update', '-u', script(text, `${text} >$1`)];
    reprise(root, add('echo one "$@" $DATALAD_CONTAINER_NAME'));
    const formats = { format: 'sh {img} {cmd}', hidden: "sh -c 'sh {img} {cmd}'" };
    for (const [name, format] of Object.entries(formats)) {
      world.git(root, 'config', '-f', '.datalad/config', `datalad.containers.${name}.image`, IMAGE);
      world.git(root, 'config', '-f', '.datalad/config', `datalad.containers.${name}.cmdexec`, format);
    }
    reprise(root, ['save']);
    for (const name of ['c', ...Object.keys(formats)]) {
      reprise(root, ['containers-run', '-n', name, '-o', name, name, 'b']);
      expect(read(root, name)).toBe(`one ${name} b ${name}\n`);
      recorded[name] = world.git(root, 'rev-parse', 'HEAD');
    }
    reprise(root, add('echo two'));
  });

  test('is the recorded one after an update', () => {
    const before = containerOf(root, recorded['c']);
    reprise(root, ['rerun', '--verify', recorded['c'] as string]);
    withoutResult(root, 'c');
    reprise(root, ['rerun', recorded['c'] as string]);
    expect(read(root, 'c')).toBe('one c b c\n');
    expect(containerOf(root)).toEqual(before);
    expect(before).toMatchObject({ content: [{ path: IMAGE, digest: expect.stringMatching(/^annex:MD5E-s/) }] });
  });

  test('is the recorded one also where a call format starts it', () => {
    withoutResult(root, 'format');
    reprise(root, ['rerun', recorded['format'] as string]);
    expect(read(root, 'format')).toBe('one format b format\n');
  });

  test('is not taken for another one where the line does not let it be replaced', () => {
    const [known, actual] = [recorded['hidden'], 'HEAD'].map((commit) => {
      const target = world.git(root, 'show', `${commit}:${IMAGE}`);
      return sha256(realpathSync(join(root, '.datalad/environments/c', target)));
    });
    const head = world.git(root, 'rev-parse', 'HEAD');
    const done = world.reprise(root, ['rerun', recorded['hidden'] as string]);
    expect(done.code).toBe(1);
    expect(done.stderr).toContain('(image-mismatch)');
    expect(done.stderr).toContain(known);
    expect(done.stderr).toContain(actual);
    expect([world.git(root, 'rev-parse', 'HEAD'), world.git(root, 'status', '--porcelain')]).toEqual([head, '']);
    // Where the dataset is as it was, so is the image.
    reprise(root, ['rerun', '--workspace', '--verify', recorded['hidden'] as string]);
  });

  test('is a program also where git-annex brought its content without that', () => {
    const object = realpathSync(join(root, IMAGE));
    chmodSync(object, 0o444);
    reprise(root, ['containers-run', '-n', 'c', '-o', 'out', 'out']);
    expect(read(root)).toBe('two\n');
    expect(statSync(object).mode & 0o777).toBe(0o555);
  });
});

describeWith(['git-annex', 'docker'], 'an image of Docker', () => {
  const { archive, oci, configDigest } = testImage('busybox');
  let docker: Record<string, string>;
  let variant: string;
  beforeAll(() => {
    docker = { ...engineEnv('docker') };
    variant = imageWith(world, archive, 'variant', { Env: ['PATH=/bin', 'VARIANT=yes'] });
  });

  test('is the recorded one after an update, in a subdataset and in a clone, too', () => {
    const top = datasetWithTools('docker', 'top');
    reprise(top, ['containers-run', '-n', 'tools/c', '-o', 'out', 'sh -c "env | grep -c VARIANT >out; true"'], docker);
    expect(read(top)).toBe('0\n');
    const before = containerOf(top);
    const recorded = world.git(top, 'rev-parse', 'HEAD');
    expect(before).toMatchObject({ name: 'tools/c', image: `tools/${IMAGE}`, config: configDigest });
    expect(before?.content).toHaveLength(4);
    for (const { path } of before?.content ?? []) expect(path.startsWith(`tools/${IMAGE}/`)).toBe(true);

    reprise(join(top, 'tools'), ['containers-add', 'c', '--update', '-u', variant]);
    reprise(top, ['save']);
    const clone = world.path('docker', 'clone');
    world.ok(['git', 'clone', '-q', top, clone]);
    for (const root of [top, clone]) {
      withoutResult(root);
      reprise(root, ['rerun', recorded], docker);
      expect(read(root), root).toBe('0\n');
      expect(containerOf(root), root).toEqual(before);
    }
    reprise(clone, ['containers-run', '-n', 'tools/c', '-o', 'out', 'sh -c "env | grep -c VARIANT >out"'], docker);
    expect(read(clone)).toBe('1\n');
  });

  describe('of an OCI layout', () => {
    let root: string;
    const SUMS = {
      'manifest.json': ['MD5E', 'md5sum'],
      'oci-layout': ['SHA256E', 'sha256sum'],
      'index.json': ['BLAKE2B256E', 'b2sum -l 256'],
    };
    beforeAll(() => {
      root = newDataset('layout');
      const rules = Object.entries(SUMS).map(([name, [backend]]) => `${IMAGE}/${name} annex.backend=${backend}\n`);
      world.write(
        join(root, '.gitattributes'),
        `* annex.backend=SHA256E\n**/.git* annex.largefiles=nothing\n${rules.join('')}`,
      );
      world.git(root, 'commit', '-q', '-a', '-m', 'backends');
      reprise(root, ['containers-add', 'c', '-u', oci]);
    });

    /** Changes one file of the image behind the back of git-annex, and back again. */
    const expectMismatch = (name: keyof typeof SUMS) => {
      const object = realpathSync(join(root, IMAGE, name));
      const bytes = readFileSync(object);
      chmodSync(object, 0o644);
      world.write(object, `${bytes.toString()}\n`);
      const done = world.reprise(root, ['containers-run', 'true'], { env: docker });
      const key = object.slice(object.lastIndexOf('/') + 1);
      expect(key).toContain(`${SUMS[name][0]}-s`);
      expect(done, name).toMatchObject({ code: 1, stderr: expect.stringContaining('(image-mismatch)') });
      expect(done.stderr).toContain(key);
      expect(done.stderr).toContain(world.sh(root, `${SUMS[name][1]} <'${object}' | cut -d ' ' -f 1`));
      world.write(object, bytes);
      chmodSync(object, 0o444);
    };

    test('whose bytes are not those of their key is a mismatch that names both, for keys of each backend', () => {
      expectMismatch('manifest.json');
      reprise(root, ['containers-run', '-o', 'out', 'sh -c "echo hi >out"'], docker);
      const keys = containerOf(root)?.content?.map(({ path, digest }) => [path.slice(IMAGE.length + 1), digest]) ?? [];
      expect(keys).toHaveLength(7);
      for (const [name = '', key] of keys)
        expect(key).toContain(`annex:${(SUMS as Record<string, readonly string[]>)[name]?.[0] ?? 'SHA256E'}-s`);
      // Found to be right, and changed afterwards.
      expectMismatch('oci-layout');
      expectMismatch('index.json');
    });

    test('is recorded with its keys where its files are unlocked', () => {
      world.ok(['git', 'annex', 'unlock', '-q', IMAGE], { cwd: root });
      world.git(root, 'commit', '-q', '-m', 'unlocked');
      reprise(root, ['containers-run', '-o', 'out', 'sh -c "echo again >out"'], docker);
      expect(containerOf(root)?.content).toHaveLength(7);
      world.write(join(root, IMAGE, 'oci-layout'), '{"imageLayoutVersion": "1.0.0"}');
      const refused = world.reprise(root, ['containers-run', '--explicit', 'true'], { env: docker });
      expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining('(input-dirty)') });
      const allowed = ['containers-run', '--explicit', '--allow-dirty-input', '-o', 'out', 'sh -c "echo ho >out"'];
      reprise(root, allowed, docker);
      expect(containerOf(root)?.content).toHaveLength(6);
      expect(recordOf(root)?.reprise?.['dirty_inputs']).toMatchObject([{ path: `${IMAGE}/oci-layout` }]);
    });
  });
});

describeWith(['datalad-latest', 'docker', 'apptainer'], 'a line of DataLad’s docker adapter', () => {
  test('finds its folder at /tmp, as it did, and its name, as DataLad gave it', () => {
    const docker = { ...engineEnv('docker') };
    const top = datasetWithTools('adapter', 'top');
    world.write(join(top, 'sub/in'), 'input\n');
    world.write(join(top, '.gitattributes'), '* annex.largefiles=nothing\n');
    world.git(top, 'add', '-A');
    world.git(top, 'commit', '-q', '-m', 'input');
    const client = world.path('bin', 'docker');
    world.sh(world.dir, `cp "$(readlink -f "$(command -v docker)")" '${client}'`);
    const command = `sh -c 'cat /tmp/in >/tmp/out; pwd >>/tmp/out; wc -c <in >>out'; echo $DATALAD_CONTAINER_NAME >>out`;
    const argv = dataladArgv('datalad-latest', ['containers-run', '-n', 'tools/c', '-o', 'out', command]);
    world.ok(argv, {
      cwd: join(top, 'sub'),
      env: { ...docker, PATH: `${join(world.dir, 'bin')}:${world.env['PATH']}` },
    });
    expect(read(top, 'sub/out')).toBe('input\n/tmp\n6\ntools/c\n');
    expect(recordOf(top)?.cmd).toMatch(/^\/usr\/bin\/python3 -m datalad_container/);

    // Neither the Python of that record nor Docker's command is needed, and our own record is replayed like theirs.
    for (const runner of ['docker', 'apptainer']) {
      const recorded = world.git(top, 'rev-parse', 'HEAD');
      withoutResult(top, 'sub/out');
      reprise(top, ['rerun', '--runner', runner, recorded], { ...docker, ...engineEnv('apptainer') });
      expect(read(top, 'sub/out')).toBe('input\n/tmp\n6\ntools/c\n');
    }
    expect(containerOf(top)).toMatchObject({
      name: 'tools/c',
      workdir: '/tmp',
      mounts: [{ source: '.', target: '/tmp', writable: true }],
    });
  });
});

describeWith(['datalad', 'apptainer'], 'a line of Singularity that DataLad recorded', () => {
  test('is started with its options where the program has the other name, and the dataset is elsewhere', () => {
    const apptainer = { ...engineEnv('apptainer') };
    const root = newDataset('lines', 'before');
    const outside = world.path('lines', 'data', 'file');
    world.write(outside, 'bound\n');
    const format = `singularity -s exec -B ${world.path('lines', 'data')}:/mnt {img} {cmd}`;
    reprise(root, ['containers-add', 'c', '-u', testSif('busybox'), '--call-fmt', format]);
    const run = ['containers-run', '-n', 'c', '-o', 'out', "sh -c 'cat /mnt/file >out'"];
    world.ok(dataladArgv('datalad', run), { cwd: root, env: apptainer });
    expect(containerOf(root)).toBeUndefined();
    expect(recordOf(root)?.cmd).toMatch(/^singularity -s exec -B \S+:\/mnt /);

    const moved = world.path('lines', 'after');
    renameSync(root, moved);
    world.sh(world.dir, 'mkdir only; ln -s /usr/bin/* only; rm only/singularity');
    const recorded = world.git(moved, 'rev-parse', 'HEAD');
    withoutResult(moved);
    reprise(moved, ['rerun', recorded], { ...apptainer, PATH: join(world.dir, 'only') });
    expect(read(moved)).toBe('bound\n');
    expect(containerOf(moved)).toMatchObject({ name: 'c', format: 'sif', image: IMAGE });
  });
});
