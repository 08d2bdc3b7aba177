/** `kill -9` and signals while a container run goes on: no container stays, nothing is lost, nothing is half done. */
import { createHash, randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  busyboxDataset,
  copyDataset,
  leftInTheEnd,
  runnersEnv,
  temporaryFolder,
  TEST_RUNNERS,
  type TestRunner,
} from '../support/container-runs.ts';
import { crashModule, readSteps } from '../support/crash-points.ts';
import {
  type AsyncOptions,
  eachBeside,
  type Ended,
  expectSound,
  leftovers,
  recordOf,
  recoverAll,
  runBeside,
} from '../support/crash-world.ts';
import { describeWith } from '../support/oracles.ts';
import { forgetImage, ownImage } from '../support/own-image.ts';
import { cliPath, createWorld, type World } from '../support/world.ts';

const MOMENTS = 3;

/** Which signals go through the whole program under which runner; the rest of them is proved where containers are started. */
const SIGNALS = {
  docker: [
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ],
  podman: [['SIGTERM', 143]],
  apptainer: [
    ['SIGINT', 130],
    ['SIGHUP', 129],
  ],
} as const satisfies Record<TestRunner, readonly (readonly [NodeJS.Signals, number])[]>;

for (const [turn, runner] of TEST_RUNNERS.entries()) {
  describeWith([runner, 'git-annex'], `a container run under ${runner}`, () => {
    let world: World;
    let template: string;
    let base: string;
    let env: Record<string, string>;

    beforeAll(() => {
      world = createWorld();
      template = world.path('template');
      env = runnersEnv(runner);
      busyboxDataset(world, template, runner);
      for (const name of ['a', 'b', 'c']) world.write(`${template}/data/${name}.dat`, `old ${name}`);
      expect(world.reprise(template, ['save', '-m', 'data'])).toMatchObject({ code: 0 });
      // The image is in the engine, and known to be what it should be.
      expect(world.reprise(template, ['containers-run', '--runner', runner, 'true'], { env })).toMatchObject({
        code: 0,
      });
      base = world.git(template, 'rev-parse', 'HEAD');
    });
    afterAll(() => world.remove());

    interface Case {
      readonly dataset: string;
      /** What the command has written into a folder of its own, outside the dataset. */
      readonly log: () => string;
      /** Starts the container run. */
      readonly begin: (options?: Partial<AsyncOptions>) => Promise<Ended>;
    }

    const prepare = (name: string, line: string, nodeArgs: readonly string[] = []): Case => {
      const dataset = copyDataset(world, template, world.path(`${name} case`));
      const side = `${dataset}.side`;
      mkdirSync(side);
      const args = ['--mount', `${side}:/side:rw`, '-o', 'data/*', '-o', 'new.dat', 'sh', '-c', line];
      const argv = [process.execPath, ...nodeArgs, cliPath, 'containers-run', '--runner', runner, ...args];
      return {
        dataset,
        log: () => (existsSync(join(side, 'log')) ? readFileSync(join(side, 'log'), 'utf8') : ''),
        begin: (options = {}) =>
          runBeside(world, argv, {
            cwd: dataset,
            ...options,
            env: { ...env, TMPDIR: temporaryFolder(dataset), ...options.env },
          }),
      };
    };

    const CHANGES = (pause: string) =>
      `echo began >>/side/log; echo x >/tmp/x; echo new >data/a.dat; sleep ${pause}; echo more >new.dat; rm data/c.dat; echo ended >>/side/log`;

    /** Whatever was killed: all of it is there, or nothing, and what the command left besides is kept. */
    const expectWhole = async ({ dataset, log }: Case): Promise<Ended> => {
      const recovered = await recoverAll(world, dataset);
      try {
        expect(recovered.code).toBe(0);
        expect(await leftInTheEnd(dataset, runner)).toEqual([]);
        expect(world.git(dataset, 'status', '--porcelain', '-uall')).toBe('');
        expect(['', 'began\n', 'began\nended\n']).toContain(log());
        const commits = world.git(dataset, 'rev-list', '--count', `${base}..HEAD`);
        const kept = world.git(dataset, 'for-each-ref', '--format=%(refname)', 'refs/reprise/unfinished');
        const changes = (to: string) => world.git(dataset, 'diff', '--name-only', base, to).replaceAll('\n', ' ');
        if (commits === '0') {
          expect(world.sh(dataset, 'cat data/a.dat data/b.dat data/c.dat')).toBe('old aold bold c');
          expect(existsSync(join(dataset, 'new.dat'))).toBe(false);
          if (kept !== '') expect(changes(kept)).toMatch(/^data\/a\.dat( data\/c\.dat)?( new\.dat)?$|^new\.dat$/);
          if (log() === 'began\nended\n') expect(changes(kept)).toBe('data/a.dat data/c.dat new.dat');
        } else {
          expect([commits, log(), kept]).toEqual(['1', 'began\nended\n', '']);
          expect(changes('HEAD')).toBe('data/a.dat data/c.dat new.dat');
          expect(recordOf(world, dataset)).toMatchObject({ exit: 0, reprise: { container: { name: 'bb', runner } } });
          expect(world.sh(dataset, 'cat data/a.dat data/b.dat new.dat')).toBe('new\nold bmore');
        }
        expect(leftovers(world, dataset)).toEqual([]);
      } catch (error) {
        throw new Error(`${dataset}: ${String(error)}\n${recovered.stdout}${recovered.stderr}`);
      }
      return recovered;
    };

    test('that is killed at a random moment is recorded or undone', async () => {
      // The runners differ in which moment meets which of the other two.
      const moments = Array.from({ length: MOMENTS }, (_, index) => ({
        delay: Math.floor(((index + Math.random()) * 1400) / MOMENTS),
        what: (index + turn) % 2 === 0 ? 'everything' : 'Reprise alone',
        pause: (index + turn) % 3 === 0 ? '0.2' : '0',
      }));
      await eachBeside(moments, 3, async ({ delay, what, pause }) => {
        const one = prepare(`${what} after ${delay} ms, pause ${pause}`, CHANGES(pause));
        let pid = 0;
        const run = one.begin({ detached: true, started: (own) => void (pid = own) });
        await sleep(delay);
        if (existsSync(`/proc/${pid}`)) process.kill(what === 'everything' ? -pid : pid, 'SIGKILL');
        await run;
        await expectWhole(one);
      });
    });

    test('that is killed at one of its steps is recorded or undone', async () => {
      const module = crashModule(world.path('crash.mjs'));
      const list = world.path('steps');
      const listed = prepare('listed', CHANGES('0'), ['--import', module]);
      expect(await listed.begin({ env: { CRASH_LIST: list } })).toMatchObject({ code: 0 });
      const steps = readSteps(list);
      const stepsOf = (pattern: RegExp) => steps.flatMap((text, at) => (pattern.test(text) ? [at + 1] : []));
      const [prepared, started, noted, landing] = [
        // A job of an engine, or a folder for Apptainer, is the first that is made.
        stepsOf(/reprise\/containers\/|reprise-container-/).slice(0, 2),
        stepsOf(/^(before|after) \/bin\/sh -c +trap/),
        // The command has ended: its job or folder goes, its exit code is noted.
        [...stepsOf(/^rmSync .*(reprise\/containers\/|reprise-container-)/), ...stepsOf(/"phase":"exited"/)],
        stepsOf(/^(before|after) git .*update-ref/),
      ];
      const kinds = [prepared, started, noted, landing];
      for (const found of kinds) expect(found.length).toBeGreaterThan(1);
      // Landing is the same under every runner, and so is most of what comes before and after.
      const chosen = runner === 'docker' ? kinds.flat() : [prepared.at(-1), started.at(-1), noted[0]];
      await eachBeside(chosen as readonly number[], 3, async (at) => {
        const one = prepare(`step ${at}`, CHANGES('0'), ['--import', module]);
        const ended = await one.begin({ env: { CRASH_AT: String(at) } });
        expect(ended.signal).toBe('SIGKILL');
        await expectWhole(one);
        // What had ended is recorded, and what had not is undone.
        const ran = Number(world.git(one.dataset, 'rev-list', '--count', `${base}..HEAD`));
        if (prepared.includes(at)) expect([one.log(), ran]).toEqual(['', 0]);
        if (noted.includes(at) || landing.includes(at)) expect(ran).toBe(1);
        if (landing.includes(at)) await expectSound(world, one.dataset);
      });
    });

    test('that is killed while its image is made ready finds it complete the next time', async () => {
      const image = ownImage(world.path('own'), `killed ${runner}`, randomBytes(16 << 20));
      const dataset = world.path('loading');
      const cache = `${dataset}.cache`;
      for (const args of [
        ['create', dataset],
        ['containers-add', '-d', dataset, 'own', '--url', image.archive],
      ])
        expect(world.reprise(world.dir, args)).toMatchObject({ code: 0 });
      mkdirSync(temporaryFolder(dataset));
      const options = { cwd: dataset, env: { ...env, TMPDIR: temporaryFolder(dataset), XDG_CACHE_HOME: cache } };
      const argv = [process.execPath, cliPath, 'containers-run', '--runner', runner, '-o', 'out', 'sh', '-c'];
      try {
        for (const delay of [400, 800]) {
          let pid = 0;
          const run = runBeside(world, [...argv, 'sleep 9'], {
            ...options,
            detached: true,
            started: (own) => void (pid = own),
          });
          await sleep(delay);
          process.kill(-pid, 'SIGKILL');
          await run;
        }
        const done = await runBeside(world, [...argv, 'cat /mark >out; md5sum </ballast >>out'], options);
        expect(done).toMatchObject({ code: 0 });
        const sum = createHash('md5')
          .update(readFileSync(world.path('own/layer/ballast')))
          .digest('hex');
        expect(readFileSync(join(dataset, 'out'), 'utf8')).toBe(`killed ${runner}\n${sum}  -\n`);
        await recoverAll(world, dataset);
        expect(await leftInTheEnd(dataset, runner)).toEqual([]);
        if (runner === 'apptainer')
          expect(readdirSync(join(cache, 'reprise/sif'))).toEqual([`${image.configDigest.slice(7)}.sif`]);
      } finally {
        if (runner !== 'apptainer') forgetImage(runner, image);
      }
    });

    test.each<readonly [NodeJS.Signals, number]>(SIGNALS[runner])(
      '%s reaches the command, which may tidy up, and ends the run',
      async (signal, code) => {
        const name = signal.slice(3);
        const tidy = `echo part >data/a.dat; trap 'echo tidied >>/side/log; exit 3' ${name}; echo ready >>/side/log; while :; do sleep 0.1; done`;
        const one = prepare(signal, tidy);
        let pid = 0;
        const run = one.begin({ started: (own) => void (pid = own) });
        while (one.log() === '') await sleep(20);
        process.kill(pid, signal);
        const ended = await run;
        expect([ended.code, one.log()], ended.stderr).toEqual([code, 'ready\ntidied\n']);
        expect(ended.stderr).toMatch(/reprise: error: .*\(interrupted\)/);
        expect(await leftInTheEnd(one.dataset, runner)).toEqual([]);
        expect(leftovers(world, one.dataset)).toEqual([]);
        expect(world.git(one.dataset, 'rev-parse', 'HEAD')).toBe(base);
        // What the command wrote stays, as after any run that was interrupted; what it did not touch is as it was.
        expect(world.git(one.dataset, 'status', '--porcelain')).toBe(' T data/a.dat');
      },
    );
  });
}
