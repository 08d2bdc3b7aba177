/** Containers in one dataset, used by DataLad and by us: the same configuration and trees, to the byte, and each lists and runs the other's. */
import { chmodSync, copyFileSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { engineEnv, loadTestImage, testImage, testSif } from '../support/engines.ts';
import { comparedVersions, describeWith } from '../support/oracles.ts';
import { type DataladVersion, type Finished, type WarmDatalad, warmDatalad } from '../support/twins-datalad.ts';
import { createWorld, type World } from '../support/world.ts';

let world: World;
const started = new Map<DataladVersion, Promise<WarmDatalad>>();
beforeAll(() => {
  world = createWorld();
});
afterAll(async () => {
  for (const datalad of started.values()) await (await datalad).close();
  world.remove();
});

/** Each version is started when it is first asked for. */
async function theirs(which: DataladVersion, cwd: string, args: readonly string[], env: Record<string, string> = {}) {
  const datalad = started.get(which) ?? warmDatalad(world, which);
  started.set(which, datalad);
  return (await datalad).exec(args, cwd, env);
}

const script = (name: string, text: string): string => {
  const path = world.path(name);
  world.write(path, `#!/bin/sh\n${text}\n`);
  return path;
};

/** The results of a `-f json` call, by what can be compared. */
function resultsOf({ stdout }: Finished): readonly Record<string, unknown>[] {
  return stdout
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

/** What a step leaves: the configuration, every entry of the tree, the last subject, and what is unsaved. */
function traceOf(root: string): object {
  return {
    config: readFileSync(join(root, '.datalad/config'), 'utf8'),
    tree: world.git(root, 'ls-tree', '-r', 'HEAD'),
    subject: world.git(root, 'log', '-1', '--format=%B'),
    unsaved: world.git(root, 'status', '--porcelain'),
  };
}

/** Two copies of one new dataset. */
async function twins(which: DataladVersion, name: string): Promise<{ readonly a: string; readonly b: string }> {
  const [a, b] = [world.path(name, 'theirs'), world.path(name, 'ours')];
  expect((await theirs(which, world.dir, ['create', a])).code).toBe(0);
  world.ok(['cp', '-a', a, b]);
  return { a, b };
}

/** What has DataLad's commands for containers: the newest brings them along. */
const containersOf = (which: DataladVersion) => [which === 'datalad' ? 'datalad-container' : which] as const;

describe.each<DataladVersion>(comparedVersions)('%s', (which) => {
  describeWith(containersOf(which), 'configuration', () => {
    const extra = which === 'datalad' ? [] : ['--extra-input', '{img_dirpath}/overlay #1', '--extra-input', 'b'];

    test('every step gives the same bytes', async () => {
      const { a, b } = await twins(which, `steps-${which}`);
      const [one, two] = [script('one.sh', 'echo 1'), script('two.sh', 'echo 2')];
      for (const root of [a, b]) world.write(join(root, 'own/image'), 'own');
      for (const root of [a, b]) world.ok(['git', 'annex', 'add', '-q', 'own'], { cwd: root });
      for (const root of [a, b]) world.git(root, 'commit', '-q', '-m', 'own');
      const steps: readonly (readonly string[])[] = [
        ['containers-add', 'plain', '-u', one],
        ['containers-add', 'formatted', '-u', one, '--call-fmt', 'sh -c "{cmd}" # {img};', '-i', 'imgs/f.sh', ...extra],
        ['containers-add', 'mine', '-i', 'own/image'],
        ['containers-add', 'bogus', '-u', 'bogus-protocol://bogus-server', '-i', 'own/image'],
        ['containers-add', 'plain', '--update', '--call-fmt', '{img} {cmd}'],
        ['containers-add', 'plain', '--update', '-u', two],
        ['containers-add', 'fresh', '--update', '-u', two],
        ['containers-remove', 'mine'],
        ['containers-remove', 'ghost'],
        ...(which === 'datalad' ? [] : [['containers-remove', '-i', 'plain']]),
      ];
      for (const step of steps) {
        // DataLad reports the failed download of `bogus`, and configures it all the same.
        const isBogus = step[1] === 'bogus';
        expect((await theirs(which, a, step)).code, step.join(' ')).toBe(isBogus ? 1 : 0);
        expect(world.reprise(b, step), step.join(' ')).toMatchObject({ code: 0 });
        expect(traceOf(b), step.join(' ')).toEqual(traceOf(a));
      }
    });

    test('the same is refused, and by us without a trace', async () => {
      const { a, b } = await twins(which, `refused-${which}`);
      const one = script('one.sh', 'echo 1');
      for (const args of [['containers-add', 'foo', '-u', one]]) {
        expect([(await theirs(which, a, args)).code, world.reprise(b, args).code]).toEqual([0, 0]);
      }
      const before = traceOf(b);
      for (const [args, words] of [
        [['containers-add', 'foo', '-u', one], "Container named 'foo' already exists. Use --update to reconfigure."],
        [['containers-add', 'foo', '--update'], 'No values to update specified'],
        [['containers-add', 'none'], 'o image at '],
        [
          ['containers-add', 'b_d', '-u', one],
          "Container names can only contain alphanumeric characters and '-', got: 'b_d'",
        ],
      ] as const) {
        const [a1, b1] = [await theirs(which, a, args), world.reprise(b, args)];
        expect([a1.code, b1.code === 0], args.join(' ')).toEqual([1, false]);
        expect(a1.stdout + a1.stderr).toContain(words);
        expect(b1.stderr).toContain(words);
        expect(traceOf(b)).toEqual(before);
      }
      if (which === 'datalad') return;
      const bad = ['containers-add', 'x', '-u', one, '--extra-input', '{nope}'];
      expect([(await theirs(which, a, bad)).code, world.reprise(b, bad).code]).toEqual([1, 1]);
      expect(traceOf(b)).toEqual(before);
      // DataLad leaves it half done.
      expect(world.git(a, 'status', '--porcelain')).not.toBe('');
    });
  });
});

describeWith(['datalad-container', 'datalad-latest'], 'lists', () => {
  let top: string;
  beforeAll(async () => {
    top = world.path('nested');
    const made = (outcome: Finished) => expect(outcome).toMatchObject({ code: 0 });
    made(world.reprise(world.dir, ['create', top]));
    for (const [parent, path] of [
      ['', 'a'],
      ['a', 'a/c'],
      ['', 'b'],
    ] as const) {
      made(world.reprise(join(top, parent), ['create', '-d', join(top, parent), join(top, path)]));
    }
    const one = script('one.sh', 'echo 1');
    made(world.reprise(top, ['containers-add', 'top-one', '-u', one]));
    made(world.reprise(join(top, 'a/c'), ['containers-add', 'in-c', '-u', one, '--call-fmt', 'x {cmd}']));
    made(await theirs('datalad', join(top, 'a'), ['containers-add', 'in-a', '-u', one]));
    const more = (key: string, value: string) =>
      world.git(join(top, 'a'), 'config', '-f', '.datalad/config', '--add', `datalad.containers.${key}`, value);
    more('in-a.extra-input', '1');
    more('in-a.extra-input', '2');
    more('ghost.cmdexec', 'no image');
    world.ok(['rm', '-rf', join(top, 'b')]);
    mkdirSync(join(top, 'b'));
  });

  test.each<DataladVersion>(comparedVersions)('of %s are ours, in subdatasets, too', async (which) => {
    for (const args of [[], ['-r'], ['-r', '--contains', 'a/c'], ['-r', '--contains', 'b']]) {
      const json = ['-f', 'json', 'containers-list', ...args];
      expect(resultsOf(world.reprise(top, json)), args.join(' ')).toEqual(resultsOf(await theirs(which, top, json)));
    }
    const text = ['containers-list', '-r'];
    expect(world.reprise(top, text).stdout).toBe((await theirs(which, top, text)).stdout);
  });
});

describeWith(['datalad-container', 'datalad-latest', 'docker'], 'images of Docker', () => {
  let docker: Record<string, string>;
  beforeAll(() => {
    // The newer DataLad sees /tmp only, and needs a client of Docker there; the older one is known to Debian's own Python.
    const client = world.path('bin/docker');
    copyFileSync(world.sh(world.dir, 'readlink -f "$(command -v docker)"'), client);
    chmodSync(client, 0o755);
    docker = { ...engineEnv('docker'), PATH: `${join(world.dir, 'bin')}:/usr/bin:${world.env['PATH']}` };
    loadTestImage('docker', 'busybox');
  });
  const commit = (root: string, name: string): string =>
    world.git(root, 'rev-parse', `HEAD:.datalad/environments/${name}`);

  test('a saved image is stored as DataLad stores it, file for file', async () => {
    const { a, b } = await twins('datalad', 'saved');
    // What DataLad does after its `docker pull`.
    const { tag } = testImage('busybox');
    const program = `from datalad_container.adapters import docker; docker.save("${tag}", ".datalad/environments/bb/image")`;
    world.ok(['python3', '-c', program], { cwd: a, env: docker });
    expect(
      (await theirs('datalad', a, ['containers-add', 'bb', '-i', '.datalad/environments/bb/image', '--call-fmt', 'x']))
        .code,
    ).toBe(0);
    expect((await theirs('datalad', a, ['save'])).code).toBe(0);
    expect(world.reprise(b, ['containers-add', 'bb', '-u', `docker-daemon:${tag}`], { env: docker })).toMatchObject({
      code: 0,
    });
    expect(commit(b, 'bb')).toBe(commit(a, 'bb'));
  });

  test.each(['saved image', 'OCI layout'])('what we added, DataLad runs: %s', async (kind) => {
    const root = world.path(`run-${kind.slice(0, 3)}`);
    expect(world.reprise(world.dir, ['create', root]).code).toBe(0);
    const { tag, oci } = testImage('busybox');
    const url = kind === 'OCI layout' ? oci : `docker-daemon:${tag}`;
    expect(world.reprise(root, ['containers-add', 'bb', '-u', url], { env: docker }).code).toBe(0);
    const run = ['containers-run', '-n', 'bb', '-o', 'out', 'sh -c "echo from busybox > out"'];
    expect(await theirs('datalad-latest', root, run, docker)).toMatchObject({ code: 0 });
    expect(readFileSync(join(root, 'out'), 'utf8')).toBe('from busybox\n');
    const record = JSON.parse(/\{[^]*\n\}/.exec(world.git(root, 'log', '-1', '--format=%B'))?.[0] ?? '');
    expect(record.extra_inputs).toEqual(['.datalad/environments/bb/image']);
  });

  test('the old DataLad runs it with its own call format', async () => {
    const root = world.path('run-old');
    expect(world.reprise(world.dir, ['create', root]).code).toBe(0);
    const format = 'python3 -m datalad_container.adapters.docker run {img} {cmd}';
    const add = ['containers-add', 'bb', '-u', `docker-daemon:${testImage('busybox').tag}`, '--call-fmt', format];
    expect(world.reprise(root, add, { env: docker }).code).toBe(0);
    expect(
      await theirs('datalad', root, ['containers-run', '-n', 'bb', 'sh -c "echo old > out"'], docker),
    ).toMatchObject({
      code: 0,
    });
    expect(readFileSync(join(root, 'out'), 'utf8')).toBe('old\n');
    // An update keeps that format: the old DataLad does not know {python}.
    expect(world.reprise(root, ['containers-add', 'bb', '--update', '-u', testImage('busybox').oci]).code).toBe(0);
    expect(readFileSync(join(root, '.datalad/config'), 'utf8')).toContain(`cmdexec = ${format}\n`);
  });
});

describeWith(['datalad-container', 'apptainer'], 'images of Apptainer', () => {
  test('a SIF that we added, DataLad runs', async () => {
    const root = world.path('run-sif');
    expect(world.reprise(world.dir, ['create', root]).code).toBe(0);
    expect(world.reprise(root, ['containers-add', 'bb', '-u', testSif('busybox')]).code).toBe(0);
    const run = ['containers-run', '-n', 'bb', 'sh -c "echo from sif > out"'];
    expect(await theirs('datalad', root, run, engineEnv('apptainer'))).toMatchObject({ code: 0 });
    expect(readFileSync(join(root, 'out'), 'utf8')).toBe('from sif\n');
  });
});
