/** What keeps a container run from starting or from being recorded: one sentence, a hint, an exit code, and a dataset as it was. */
import { chmodSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  busyboxDataset,
  copyDataset,
  leftInTheEnd,
  pathWithout,
  runnersEnv,
  TEST_RUNNERS,
} from '../support/container-runs.ts';
import { expectSentence, looksOf } from '../support/crash-unchanged.ts';
import { recordOf, recoverAll } from '../support/crash-world.ts';
import { testImage } from '../support/engines.ts';
import { describeWith } from '../support/oracles.ts';
import { forgetImage, type OwnImage, ownImage } from '../support/own-image.ts';
import { canMount, smallDisk } from '../support/tmpfs.ts';
import { createWorld, ORDINARY_UID, type Outcome, type World } from '../support/world.ts';
import { stateOf } from './support.ts';

const IMAGE = '.datalad/environments/bb/image';

/** A runner for each form in which an image is stored here. */
const STORED = ['docker', 'apptainer'] as const;

describeWith(['docker', 'podman', 'apptainer', 'git-annex'], 'a container run', () => {
  let world: World;
  let template: string;
  let sif: string;
  let made = 0;

  beforeAll(() => {
    world = createWorld();
    template = world.path('template');
    busyboxDataset(world, template, 'docker');
    sif = world.path('sif');
    busyboxDataset(world, sif, 'apptainer');
  });
  afterAll(() => world.remove());

  const copy = (from = template) => copyDataset(world, from, world.path(`copy-${(made += 1)}`));
  const run = (dataset: string, args: readonly string[], env: Record<string, string>, uid?: number): Outcome =>
    world.reprise(dataset, ['containers-run', ...args], { env, ...(uid === undefined ? {} : { uid }) });

  /** One sentence with a code, and nothing at all is changed; returns what was said. */
  const refused = (
    dataset: string,
    args: readonly string[],
    env: Record<string, string>,
    code: string,
    uid?: number,
  ): string => {
    const before = looksOf(dataset);
    const ended = run(dataset, ['-o', 'out', ...args, 'echo x >out'], env, uid);
    expectSentence(ended, code, 1);
    expect(looksOf(dataset)).toStrictEqual(before);
    expect(readdirSync(join(dataset, '.git/reprise')).filter((name) => /lock|part/.test(name))).toEqual([]);
    return ended.stderr;
  };

  describe('of an image that is not what it should be', () => {
    /** The content of one file of the image, which git-annex keeps. */
    const objectOf = (dataset: string, name: string) =>
      world.sh(dataset, `find -L ${IMAGE} -name '${name}' | sort | head -n 1 | xargs readlink -f`);

    // What is checked is the image as it is stored, whoever runs it.
    test.each(STORED)('because it was changed on disk, under %s', (runner) => {
      const dataset = copy(runner === 'apptainer' ? sif : template);
      const env = runnersEnv(runner);
      expect(run(dataset, ['--runner', runner, 'true'], env), runner).toMatchObject({ code: 0 });
      const object = objectOf(dataset, runner === 'apptainer' ? 'image' : 'layer.tar');
      const bytes = readFileSync(object);
      bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] as number) ^ 1;
      chmodSync(object, 0o644);
      writeFileSync(object, bytes);
      expect(refused(dataset, ['--runner', runner], env, /image-mismatch|image-invalid/.source)).toMatch(
        /, and not the content of its key MD5E-|is not valid/,
      );
    });

    test('because the engine has another one under its name, which is not taken', () => {
      const [mine, other] = (['mine', 'other'] as const).map((mark) => ownImage(world.path(mark), mark)) as [
        OwnImage,
        OwnImage,
      ];
      const dataset = world.path('tagged');
      for (const args of [
        ['create', dataset],
        ['containers-add', '-d', dataset, 'mine', '--url', mine.archive],
        ['containers-add', '-d', dataset, 'other', '--url', other.archive],
      ])
        expect(world.reprise(world.dir, args)).toMatchObject({ code: 0 });
      for (const runner of ['docker', 'podman'] as const) {
        const env = runnersEnv(runner);
        try {
          const marked = (name: string) => run(dataset, ['-n', name, '--runner', runner, 'cat /mark'], env).stdout;
          expect(marked('other'), runner).toMatch(/^other\n/);
          // The tag of the one, and that which Reprise keeps it by, are put on the other.
          const tags = ['somebody/else:1', `reprise-image:${mine.configDigest.slice('sha256:'.length)}`];
          for (const tag of tags) world.ok([runner, 'tag', other.configDigest, tag], { env });
          expect(marked('mine'), runner).toMatch(/^mine\n/);
          world.exec([runner, 'rmi', tags[0] as string], { env });
        } finally {
          for (const image of [mine, other]) forgetImage(runner, image);
        }
      }
    });

    test('because its content is not here and cannot be had', () => {
      const dataset = copy();
      world.ok(['git', 'annex', 'drop', '-q', '--force', IMAGE], { cwd: dataset });
      expect(refused(dataset, ['--runner', 'docker'], runnersEnv('docker'), 'input-unavailable')).toMatch(/^hint: /m);
    });

    test('because it is not there at all', () => {
      const dataset = copy();
      world.git(dataset, 'rm', '-rq', IMAGE);
      world.git(dataset, 'commit', '-qm', 'gone');
      refused(dataset, ['--runner', 'docker'], runnersEnv('docker'), 'image-missing');
    });
  });

  describe('without its runner', () => {
    test('says for each what is missing', () => {
      const none = { PATH: pathWithout(world.path('bare'), /^(docker|podman|apptainer|singularity)/) };
      for (const runner of TEST_RUNNERS)
        expect(refused(template, ['--runner', runner], none, 'runner-missing')).toMatch(/^hint: /m);
      expect(refused(template, [], none, 'runner-missing')).toMatch(
        /Nothing here can run .*docker: .*podman: .*apptainer: /,
      );
    });

    test.each([
      ['docker', 'DOCKER_HOST'],
      ['podman', 'CONTAINER_HOST'],
    ] as const)('because nothing answers on the socket of %s', async (runner, variable) => {
      const missing = { [variable]: `unix://${world.path('none.sock')}` };
      expect(refused(template, ['--runner', runner], missing, 'runner-unreachable')).toMatch(/there is no such socket/);
      // A socket that was left behind by a service that is gone.
      const path = world.path(`dead-${runner}.sock`);
      const server: Server = createServer();
      await new Promise<void>((resolve) => server.listen(`${path}.live`, resolve));
      renameSync(`${path}.live`, path);
      await new Promise((resolve) => server.close(resolve));
      const dead = { [variable]: `unix://${path}` };
      const said = refused(template, ['--runner', runner], dead, 'runner-unreachable');
      expect(said).toContain(`(from ${variable})`);
      expect(said).toMatch(/nothing listens there/);
      expect(said).toMatch(/^hint: /m);
    });

    test.each([
      ['docker', 'DOCKER_HOST', /usermod -aG docker/],
      ['podman', 'CONTAINER_HOST', /podman\.socket/],
    ] as const)('because an ordinary user may not use the socket of %s', async (runner, variable, hint) => {
      const server = createServer();
      const path = world.path(`closed-${runner}.sock`);
      await new Promise<void>((resolve) => server.listen(path, resolve));
      chmodSync(path, 0o600);
      try {
        const dataset = copy();
        world.ok(['chown', '-R', `${ORDINARY_UID}:${ORDINARY_UID}`, dataset]);
        const env = { [variable]: `unix://${path}`, XDG_CACHE_HOME: `${dataset}/.git/cache` };
        const said = refused(dataset, ['--runner', runner], env, 'runner-permission', ORDINARY_UID);
        expect(said).toMatch(hint);
      } finally {
        server.close();
      }
    });
  });

  describe('on a full disk', () => {
    const mountable = canMount(join(process.env['TMPDIR'] ?? '/tmp', 'reprise-mount-test'));
    if (!mountable) return;

    test.each(STORED)('keeps what the command did until there is room, under %s', async (runner) => {
      const disk = smallDisk(world.path(`disk-${runner}`), '16m');
      try {
        const dataset = copyDataset(world, runner === 'apptainer' ? sif : template, join(disk.dir, 'ds'));
        const env = { ...runnersEnv(runner), TMPDIR: world.env['TMPDIR'] as string };
        expect(run(dataset, ['--runner', runner, 'true'], env)).toMatchObject({ code: 0 });
        const head = world.git(dataset, 'rev-parse', 'HEAD');
        const side = join(disk.dir, 'side');
        mkdirSync(side);
        // What fills the disk is none of its results.
        const line = 'head -c 100000 /dev/zero >out; cat /dev/zero >/side/fill; echo end';
        const args = ['--runner', runner, '--mount', `${side}:/side:rw`, '-o', 'out', 'sh', '-c', line];
        const ended = run(dataset, args, env);
        expectSentence(ended, 'save-failed', 1);
        expect(ended.stderr).toMatch(/^hint: reprise recover /m);
        expect(ended.stdout).toMatch(/^end$/m);
        expect(world.git(dataset, 'rev-parse', 'HEAD')).toBe(head);
        rmSync(join(side, 'fill'));
        const recovered = await recoverAll(world, dataset);
        expect(recovered, recovered.stdout).toMatchObject({ code: 0 });
        expect(world.git(dataset, 'rev-parse', 'HEAD~1')).toBe(head);
        expect(recordOf(world, dataset)).toMatchObject({ exit: 0, reprise: { container: { runner } } });
        expect(readFileSync(join(dataset, 'out')).equals(Buffer.alloc(100000))).toBe(true);
        expect(world.git(dataset, 'status', '--porcelain')).toBe('');
        expect(await leftInTheEnd(dataset, runner)).toEqual([]);
      } finally {
        disk.unmount();
      }
    });

    test('is refused before anything is executed where not even its plan can be written', () => {
      const disk = smallDisk(world.path('disk-full'), '12m');
      try {
        const dataset = copyDataset(world, template, join(disk.dir, 'ds'));
        disk.leave(0);
        refused(dataset, ['--runner', 'docker'], runnersEnv('docker'), 'disk-full');
        disk.release();
        expect(run(dataset, ['--runner', 'docker', 'true'], runnersEnv('docker'))).toMatchObject({ code: 0 });
      } finally {
        disk.unmount();
      }
    });

    test('containers-add of an image that does not fit leaves nothing behind', () => {
      const disk = smallDisk(world.path('disk-add'), '3m');
      try {
        const dataset = join(disk.dir, 'ds');
        expect(world.reprise(world.dir, ['create', dataset])).toMatchObject({ code: 0 });
        const before = stateOf(world, dataset);
        for (const url of [testImage('busybox').archive, testImage('busybox').tar]) {
          disk.leave(1 << 20);
          const ended = world.reprise(dataset, ['containers-add', 'bb', '--url', url]);
          disk.release();
          expectSentence(ended, 'disk-full', 1);
          expect(stateOf(world, dataset)).toStrictEqual(before);
        }
      } finally {
        disk.unmount();
      }
    });
  });
});
