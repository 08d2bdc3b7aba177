/** Somebody else's dataset: what its configuration, its links and its records may not do, and what they do not do in silence. */
import { existsSync, readFileSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { busyboxDataset, runnersEnv } from '../support/container-runs.ts';
import { expectSentence, looksOf } from '../support/crash-unchanged.ts';
import { recordOf } from '../support/crash-world.ts';
import { testImage, testSif } from '../support/engines.ts';
import { describeWith } from '../support/oracles.ts';
import { isPending, recordedBy } from '../support/replays.ts';
import { createWorld, type Outcome, type World } from '../support/world.ts';

const IMAGE = '.datalad/environments/bb/image';
const LINE = `python3 -m datalad_container.adapters.docker run ${IMAGE}`;

describeWith(['docker', 'podman', 'apptainer', 'git-annex'], 'a hostile dataset', () => {
  let world: World;
  let env: Record<string, string>;
  let dataset: string;
  let base: string;
  /** Made by whatever gets out of its container, or gets executed although it should not be. */
  const escaped = () => existsSync(world.path('escaped'));

  beforeAll(() => {
    world = createWorld();
    dataset = world.path('ds');
    env = { ...runnersEnv('docker'), SECRET: 'of this machine' };
    busyboxDataset(world, dataset, 'docker');
    const done = world.reprise(dataset, ['containers-run', '-o', 'out', 'echo recorded >out'], { env });
    expect(done, done.stderr).toMatchObject({ code: 0 });
    world.write(world.path('private/secret'), 'private');
    base = world.git(dataset, 'rev-parse', 'HEAD');
  });
  afterAll(() => {
    expect(escaped()).toBe(false);
    world.remove();
  });

  /** Makes the dataset what it was in the beginning. */
  const afresh = () => world.sh(dataset, `git reset -q --hard ${base}; git clean -qfdx`);
  const commit = (message: string) => world.sh(dataset, `git add -A; git commit -q -m '${message}'`);
  const run = (...args: string[]): Outcome => world.reprise(dataset, args, { env });
  const configure = (name: string, settings: Readonly<Record<string, string>>) => {
    for (const [key, value] of Object.entries(settings))
      world.git(dataset, 'config', '-f', '.datalad/config', `datalad.containers.${name}.${key}`, value);
  };

  /** One sentence, and nothing at all is changed. */
  const refused = (args: readonly string[], code: string): Outcome => {
    const before = looksOf(dataset);
    const ended = run(...args);
    expectSentence(ended, code, code === 'container-failed' ? 125 : 1);
    expect(looksOf(dataset)).toStrictEqual(before);
    expect(isPending(dataset)).toBe(false);
    return ended;
  };

  describe('whose image is a link', () => {
    test('that leads out of the dataset is not run', () => {
      afresh();
      world.write(world.path('program'), `#!/bin/sh\ntouch '${world.path('escaped')}'\n`);
      world.ok(['chmod', '+x', world.path('program')]);
      const targets = {
        folder: testImage('busybox').archive,
        sif: testSif('busybox'),
        program: world.path('program'),
        private: world.path('private/secret'),
        way: dirname(testImage('busybox').archive),
      };
      world.sh(dataset, 'mkdir evil');
      const pathOf = (name: string) => (name === 'way' ? 'evil/way/docker' : `evil/${name}`);
      for (const [name, target] of Object.entries(targets)) {
        symlinkSync(target, join(dataset, 'evil', name));
        configure(name, { image: pathOf(name) });
      }
      commit('evil');
      const listed = run('containers-list', '--details').stdout;
      const recorded = recordOf(world, dataset, base) as { reprise: { container: object } };
      const {
        config: _c,
        layers: _l,
        content: _n,
        ...container
      } = recorded.reprise.container as Record<string, unknown>;
      for (const name of Object.keys(targets)) {
        refused(['containers-run', '-n', name, 'true'], 'path-outside');
        expect(listed).toMatch(new RegExp(`^${name} -> .*leads out of its dataset`, 'm'));
        recordedBy(world, dataset, {
          ...recorded,
          cmd: LINE.replace(IMAGE, pathOf(name)) + ' true',
          extra_inputs: [],
          reprise: { ...recorded.reprise, container: { ...container, image: pathOf(name) } },
        });
        refused(['rerun'], 'path-outside');
      }
    });

    test('to another place in the dataset is run', () => {
      afresh();
      symlinkSync('.datalad/environments/bb/image', join(dataset, 'linked'));
      configure('linked', { image: 'linked' });
      commit('linked');
      const done = run('containers-run', '-n', 'linked', '--runner', 'docker', 'echo hi');
      expect(done, done.stderr).toMatchObject({ code: 0, stdout: expect.stringMatching(/^hi\n/) });
    });
  });

  describe('whose configuration', () => {
    test.each([
      ['an image outside', { image: '../private/image' }],
      ['an image in Git’s own folder', { image: '.git/hooks/post-commit' }],
      ['an extra input outside', { image: IMAGE, 'extra-input': '../private/secret' }],
    ])('names %s is refused', (_what, settings) => {
      afresh();
      configure('evil', settings);
      commit('evil');
      refused(['containers-run', '-n', 'evil', 'true'], 'path-outside');
    });

    test('holds what a shell would execute, in names and in paths, executes nothing of it', () => {
      afresh();
      const bad = `$(touch ${world.path('escaped')}) \`touch ${world.path('escaped')}\`; touch ${world.path('escaped')} '"`;
      const image = `img/$(touch escaped);'"\`touch escaped\` {x}`;
      world.sh(dataset, 'mkdir img');
      world.ok(['cp', '-a', join(dataset, IMAGE), join(dataset, image)]);
      configure(bad, { image });
      expect(run('save', '-m', 'configured')).toMatchObject({ code: 0 });
      for (const runner of ['docker', 'podman', 'apptainer'] as const) {
        const line = ['sh', '-c', 'echo "$DATALAD_CONTAINER_NAME" "$@"', 'sh', bad];
        const done = world.reprise(dataset, ['containers-run', '-n', bad, '--runner', runner, ...line], {
          env: { ...env, ...runnersEnv(runner) },
        });
        expect(done, done.stderr).toMatchObject({ code: 0 });
        expect(done.stdout.startsWith(`${bad} ${bad}\n`), done.stdout).toBe(true);
      }
      expect(world.git(dataset, 'status', '--porcelain', '-uall')).toBe('');
    });
  });

  describe('whose record', () => {
    /** Adds one more record: the last one, changed. */
    const forge = (changes: Readonly<Record<string, unknown>>, container: Readonly<Record<string, unknown>> = {}) => {
      afresh();
      const record = recordOf(world, dataset) as { readonly reprise: { readonly container: object } };
      const reprise = { ...record.reprise, container: { ...record.reprise.container, ...container } };
      recordedBy(world, dataset, { ...record, reprise, ...changes }, 'echo recorded >made');
    };

    test.each([
      ['an image outside', '../private/image'],
      ['an image in Git’s own folder', '.git/annex/objects/x'],
    ])('names %s is refused', (_what, image) => {
      forge({ extra_inputs: [], cmd: `${LINE.replace(IMAGE, image)} true` }, { image });
      refused(['rerun'], 'path-outside');
    });

    test('does not name the image that is there is refused', () => {
      const config = `sha256:${'0'.repeat(64)}`;
      forge({}, { config });
      const { stderr } = refused(['rerun'], 'image-mismatch');
      expect(stderr).toContain(config);
      expect(stderr).toContain(testImage('busybox').configDigest);
    });

    test('says container and means this machine is refused', () => {
      forge({ cmd: `touch '${world.path('escaped')}'` });
      refused(['rerun'], 'container-failed');
    });

    test.each([
      ['nothing', { source: '', target: '/x' }],
      ['several things at once', { source: '/etc:/etc', target: '/x' }],
      ['a place that is none', { source: '/etc', target: 'x' }],
    ])('mounts %s is refused', (_what, mount) => {
      forge({}, { mounts: [mount] });
      refused(['rerun'], 'record-invalid');
    });

    test('mounts what is not here is refused', () => {
      forge({}, { mounts: [{ source: '/no/such/folder', target: '/x' }] });
      refused(['rerun'], 'path-missing');
    });

    test('opens the container, does so only after saying to what', () => {
      const line = 'cat /seen/secret >out; echo "$SECRET" >>out; ls /sys/class/net | wc -l >>out';
      const opened = {
        mounts: [{ source: world.path('private'), target: '/seen', writable: true }],
        env: ['SECRET'],
        network: true,
      };
      forge({ cmd: `${LINE} sh -c '${line}'`, outputs: ['out'] }, opened);
      const done = run('rerun');
      expect(done, done.stderr).toMatchObject({ code: 0 });
      const told = `sees more than the dataset, as recorded: the network; ${world.path('private')} at /seen, which it may change; the variable SECRET\n`;
      expect(done.stderr).toMatch(/^warning: the container of [0-9a-f]{7} sees more/m);
      expect(done.stderr).toContain(told);
      expect(done.stderr.indexOf(told)).toBeLessThan(done.stderr.indexOf('== Command start'));
      expect(readFileSync(join(dataset, 'out'), 'utf8')).toBe('privateof this machine\n2\n');
      afresh();
      expect(run('rerun').stderr).not.toContain('sees more');
    });

    test('cannot hide what it is opened to behind codes of the terminal', () => {
      const source = `/tmp\u001b[2K\rnothing`;
      world.ok(['mkdir', '-p', source]);
      try {
        forge({}, { mounts: [{ source, target: '/x' }] });
        const { stderr } = run('rerun');
        expect(stderr).toContain('sees more than the dataset');
        expect(stderr).not.toContain('\u001b');
      } finally {
        world.ok(['rmdir', source]);
      }
    });

    test('is DataLad’s own has the network, and that is said', () => {
      afresh();
      const { reprise: _, ...record } = recordOf(world, dataset) as Record<string, unknown>;
      recordedBy(world, dataset, { ...record, cmd: `${LINE} sh -c 'ls /sys/class/net | wc -l >out'` }, 'echo 1 >made');
      const done = run('rerun');
      expect(done, done.stderr).toMatchObject({ code: 0 });
      expect(done.stderr).toMatch(/sees more than the dataset, as DataLad starts it: the network$/m);
      expect(readFileSync(join(dataset, 'out'), 'utf8')).toBe('2\n');
    });
  });
});
