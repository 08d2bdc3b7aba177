/** A disk that is full at any point of a run: an error with a name, and once there is space, `recover` completes what was done. */
import { cpSync, existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { expectSound, leftovers, recordOf, recoverAll, repriseBeside, timesExecuted } from '../support/crash-world.ts';
import { expectSentence } from '../support/crash-unchanged.ts';
import { describeWith } from '../support/oracles.ts';
import { canMount, type SmallDisk, smallDisk } from '../support/tmpfs.ts';
import { createWorld, type World } from '../support/world.ts';

const KB = 1024;
/** Free space at the start. A run of this kind takes about 250 KB with its output of 100 KB. */
const STEPS = [0, 4, 8, 16, 32, 64, 100, 104, 108, 112, 116, 120, 128, 144, 160, 180, 200];
const ENOUGH = 260;

const probe = createWorld();
const mountable = canMount(probe.path('probe', '.'));
probe.remove();
if (!mountable && process.env['REPRISE_REQUIRE_ALL'])
  throw new Error('a full disk: a tmpfs has to be mounted, which needs root');

describe.skipIf(!mountable)('[needs root: mount of a tmpfs]', () => {
  describeWith(['git-annex'], 'a full disk', () => {
    let world: World;
    let disk: SmallDisk;
    let template: string;

    beforeAll(() => {
      world = createWorld();
      template = world.path('template');
      world.reprise(world.dir, ['create', template]);
      world.write(`${template}/old.dat`, Buffer.alloc(40 * KB, 'old '));
      world.write(`${template}/list.txt`, 'a list\n');
      world.reprise(template, ['save', '-m', 'data']);
      world.sh(template, 'rm -f .git/hooks/*.sample');
      disk = smallDisk(world.path('disk'), '8m');
    });
    afterAll(() => {
      disk.unmount();
      world.remove();
    });

    const COMMANDS: Readonly<Record<string, readonly string[]>> = {
      'a new output': [
        '-o',
        'new.dat',
        'echo run >>"$COUNTER"; head -c 100000 /dev/zero | tr "\\0" x >new.dat || exit 9; echo done >>"$COUNTER"',
      ],
      'an output that was there, with a sidecar': [
        '--sidecar',
        'yes',
        '-o',
        'old.dat',
        'echo run >>"$COUNTER"; head -c 100000 /dev/zero | tr "\\0" y >old.dat || exit 9; echo done >>"$COUNTER"',
      ],
    };

    // Each command meets every second amount, as the amounts are close to each other.
    test.for([...Object.keys(COMMANDS).entries()])('%s', { timeout: 900_000 }, async ([number, name]) => {
      const outcomes = new Set<string>();
      const failures: string[] = [];
      for (const step of [...STEPS.filter((_, at) => at % 2 === number % 2), ENOUGH]) {
        const dataset = join(disk.dir, `dataset-${step}`);
        const counter = world.path(`counter-${name.length}-${step}`);
        cpSync(template, dataset, { recursive: true, verbatimSymlinks: true, preserveTimestamps: true });
        world.git(dataset, 'status');
        const head = world.git(dataset, 'rev-parse', 'HEAD');
        disk.leave(step * KB);
        const ended = await repriseBeside(world, ['run', ...(COMMANDS[name] as string[])], {
          cwd: dataset,
          env: { COUNTER: counter },
        });
        disk.release();
        const told = `${step} KB: ${ended.code} ${ended.stdout} ${ended.stderr}`;
        try {
          const executed = timesExecuted(counter);
          // The first line is written when it starts, the second when it has all its output written.
          const finished = executed === 2;
          const succeeded = ended.code === 0;
          outcomes.add(succeeded ? 'done' : finished ? 'not saved' : executed ? 'the command failed' : 'refused');
          expect(executed).toBeLessThanOrEqual(2);
          const recovered = await recoverAll(world, dataset);
          // A command that failed is reported as such by whoever finishes its run.
          if (executed !== 1) expect(recovered.code, recovered.stderr).toBe(0);
          expect(timesExecuted(counter)).toBe(executed);
          if (executed === 1) {
            // It did not get its output written: a failed command, of which nothing is recorded.
            expect(ended.code).not.toBe(0);
            expect(world.git(dataset, 'rev-parse', 'HEAD')).toBe(head);
          } else if (executed === 0) {
            expect(world.git(dataset, 'rev-parse', 'HEAD')).toBe(head);
            expect(world.git(dataset, 'status', '--porcelain')).toBe('');
            expect(existsSync(join(dataset, 'new.dat'))).toBe(false);
            expect(readFileSync(join(dataset, 'old.dat'))).toHaveLength(40 * KB);
          } else {
            expect(world.git(dataset, 'rev-parse', 'HEAD~1')).toBe(head);
            expect(world.git(dataset, 'status', '--porcelain')).toBe('');
            const changed = world.git(dataset, 'diff', '--name-only', 'HEAD~1').split('\n');
            if (name === 'a new output') {
              expect(changed).toStrictEqual(['new.dat']);
              expect(readFileSync(join(dataset, 'new.dat'), 'utf8')).toBe('x'.repeat(100_000));
              expect(recordOf(world, dataset)).toMatchObject({ exit: 0, outputs: ['new.dat'] });
            } else {
              expect(changed).toHaveLength(2);
              expect(changed[1]).toBe('old.dat');
              expect(readFileSync(join(dataset, 'old.dat'), 'utf8')).toBe('y'.repeat(100_000));
            }
          }
          expect((await recoverAll(world, dataset)).stderr).toContain('nothing to recover');
          if (existsSync(join(dataset, '.git/reprise'))) expect(leftovers(world, dataset)).toStrictEqual([]);
          await expectSound(world, dataset);
          if (!succeeded && ended.code !== 9) {
            expectSentence({ code: ended.code ?? -1, stderr: ended.stderr }, /disk-full|save-failed/, 1);
            expect(ended.stderr).toMatch(/space|could ?n[o']t write|unable to write/);
          }
        } catch (error) {
          failures.push(`${told}\n${String(error)}`);
        }
        world.sh(disk.dir, `chmod -R u+w '${dataset}'; rm -rf '${dataset}'`);
      }
      expect(failures.join('\n---\n')).toBe('');
      expect([...outcomes]).toContain('done');
      expect([...outcomes]).toContain('not saved');
      expect([...outcomes]).toContain('refused');
    });
  });
});
