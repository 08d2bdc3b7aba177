/** `kill -9` at random moments, of Reprise alone or of everything that it has started. */
import { cpSync, existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { eachBeside, expectSound, leftovers, recordOf, recoverAll, repriseBeside } from '../support/crash-world.ts';
import { describeWith } from '../support/oracles.ts';
import { createWorld, type World } from '../support/world.ts';

const CASES = 14;

describeWith(['git-annex'], 'a run that is killed at a random moment', () => {
  let world: World;
  let template: string;

  beforeAll(() => {
    world = createWorld();
    template = world.path('template');
    world.reprise(world.dir, ['create', template]);
    for (const name of ['a', 'b', 'c']) world.write(`${template}/data/${name}.dat`, `old ${name}`);
    world.reprise(template, ['save', '-m', 'data']);
  });
  afterAll(() => world.remove());

  test('loses nothing, executes nothing twice, leaves no lock', { timeout: 900_000 }, async () => {
    // What a failure tells is all that is needed to repeat it as closely as a moment can be repeated.
    const moments = Array.from({ length: CASES }, (_, index) => ({
      delay: 40 + Math.floor(Math.random() * 400),
      everything: index % 2 === 0,
      pause: index % 3 === 0 ? '0.1' : '0',
    }));
    await eachBeside([...moments.entries()], 3, async ([index, { delay, everything, pause }]) => {
      const dataset = world.path(`case-${index}`);
      const journal = `${dataset}.log`;
      cpSync(template, dataset, { recursive: true, verbatimSymlinks: true, preserveTimestamps: true });
      world.git(dataset, 'status');
      const head = world.git(dataset, 'rev-parse', 'HEAD');
      let recovered = '';
      try {
        const command = `echo began >>"$LOG"; echo new >data/a.dat; sleep ${pause}; echo more >new.dat; rm data/c.dat; echo ended >>"$LOG"`;
        let pid = 0;
        const run = repriseBeside(world, ['run', '-o', 'data/*', '-o', 'new.dat', command], {
          cwd: dataset,
          env: { LOG: journal },
          detached: true,
          started: (own) => void (pid = own),
        });
        await sleep(delay);
        try {
          process.kill(everything ? -pid : pid, 'SIGKILL');
        } catch {
          // It was faster.
        }
        await run;
        const ended = await recoverAll(world, dataset);
        recovered = ended.stdout + ended.stderr;
        expect(ended.code).toBe(0);
        const log = existsSync(journal) ? readFileSync(journal, 'utf8') : '';
        expect(['', 'began\n', 'began\nended\n']).toContain(log);
        // If only Reprise is killed, the command goes on to its end, and that is known.
        if (!everything) expect(['', 'began\nended\n']).toContain(log);
        expect(world.git(dataset, 'status', '--porcelain', '-uall')).toBe('');
        const commits = world
          .git(dataset, 'rev-list', `${head}..HEAD`)
          .split('\n')
          .filter((name) => name !== '');
        const kept = world.git(dataset, 'for-each-ref', '--format=%(refname)', 'refs/reprise/unfinished');
        const changes = (from: string, to: string) => world.git(dataset, 'diff', '--name-only', from, to).split('\n');
        if (commits.length > 0) {
          expect(commits).toHaveLength(1);
          expect(log).toBe('began\nended\n');
          expect(kept).toBe('');
          expect(changes(head, 'HEAD')).toStrictEqual(['data/a.dat', 'data/c.dat', 'new.dat']);
          expect(recordOf(world, dataset)).toMatchObject({ cmd: command, exit: 0, outputs: ['data/*', 'new.dat'] });
          expect(world.sh(dataset, 'cat data/a.dat data/b.dat new.dat')).toBe('new\nold bmore');
        } else {
          expect(world.sh(dataset, 'cat data/a.dat data/b.dat data/c.dat')).toBe('old aold bold c');
          expect(existsSync(join(dataset, 'new.dat'))).toBe(false);
          if (log === 'began\nended\n') {
            expect(everything).toBe(true);
            expect(changes(head, kept)).toStrictEqual(['data/a.dat', 'data/c.dat', 'new.dat']);
          } else if (kept !== '') {
            expect(everything).toBe(true);
            expect([
              'data/a.dat',
              'data/a.dat data/c.dat new.dat',
              'data/a.dat new.dat',
              'new.dat',
              'data/c.dat new.dat',
            ]).toContain(changes(head, kept).join(' '));
          }
        }
        expect((await recoverAll(world, dataset)).stderr).toContain('nothing to recover');
        await expectSound(world, dataset);
        if (existsSync(join(dataset, '.git/reprise'))) expect(leftovers(world, dataset)).toStrictEqual([]);
        world.sh(world.dir, `chmod -R u+w '${dataset}' && rm -rf '${dataset}'`);
      } catch (error) {
        throw new Error(
          `${everything ? 'everything' : 'Reprise alone'} killed after ${delay} ms, pause ${pause}, in ${dataset}: ${String(error)}\n${recovered}`,
        );
      }
    });
  });
});
