/** Reruns by an ordinary user, and where nothing may be written. */
import { chmodSync, existsSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { expectSentence, looksOf } from '../support/crash-unchanged.ts';
import { describeWith } from '../support/oracles.ts';
import { attestationsIn, isPending, tracesIn } from '../support/replays.ts';
import { createWorld, ORDINARY_UID, type World } from '../support/world.ts';

const isRoot = process.getuid?.() === 0;

describeWith(['git-annex'], 'reruns by an ordinary user', () => {
  let world: World;
  let dataset: string;
  const uid = isRoot ? { uid: ORDINARY_UID } : {};

  beforeAll(() => {
    world = createWorld();
    const folder = world.path('theirs', '.');
    world.ok(['mkdir', '-p', folder]);
    chmodSync(folder, 0o777);
    dataset = join(folder, 'dataset');
    expect(world.reprise(folder, ['create', dataset], uid).code).toBe(0);
    const run = (...args: string[]) => {
      const ended = world.reprise(dataset, ['run', ...args], uid);
      expect(ended.code, ended.stderr).toBe(0);
    };
    run('-o', 'declared', 'echo 1 >declared');
    run('mkdir -p deep; echo 2 >deep/undeclared');
    run('-o', 'grows', 'echo more >>grows');
  });
  afterAll(() => world.remove());

  test('annexed outputs can be written, whether they were declared or not, and are locked again', () => {
    const links = ['declared', 'deep/undeclared', 'grows'].map((path) => readlinkSync(join(dataset, path)));
    const ended = world.reprise(dataset, ['rerun', '--since='], uid);
    expect(ended.code, ended.stderr).toBe(0);
    expect(ended.stderr).toContain('3 runs replayed: 2 identical, 1 different');
    expect(readlinkSync(join(dataset, 'declared'))).toBe(links[0]);
    expect(readlinkSync(join(dataset, 'deep/undeclared'))).toBe(links[1]);
    expect(readlinkSync(join(dataset, 'grows'))).not.toBe(links[2]);
    expect(readFileSync(join(dataset, 'grows'), 'utf8')).toBe('more\nmore\n');
    world.ok(['git', 'annex', 'fsck', '--quiet'], { ...uid, cwd: dataset });
    expect(world.ok(['git', 'status', '--porcelain'], { ...uid, cwd: dataset })).toBe('');
    expect(attestationsIn(world, dataset)).toHaveLength(3);
  });

  test.skipIf(!isRoot)('who may not write gets a sentence, and nothing is executed', () => {
    const other = { uid: ORDINARY_UID - 1 };
    const counter = world.path('counter');
    const before = looksOf(dataset);
    for (const args of [['rerun'], ['rerun', '--since='], ['rerun', '--onto=', '-b', 'x']]) {
      const ended = world.reprise(dataset, args, { ...other, env: { COUNTER: counter } });
      expectSentence(ended, 'permission-denied', 1);
      expect(ended.stderr).toContain('hint: ');
    }
    expect(looksOf(dataset)).toStrictEqual(before);
    expect(isPending(dataset)).toBe(false);
    expect(world.reprise(dataset, ['rerun', '--report', '--since='], other).code).toBe(0);
    for (const option of ['--continue', '--abort'])
      expectSentence(world.reprise(dataset, ['rerun', option], other), 'permission-denied', 1);
    expect(existsSync(counter)).toBe(false);
    expect(tracesIn(world, dataset)).toStrictEqual([]);
  });

  test.skipIf(!isRoot)('who may only read can replay in workspaces, and is told that verdicts are not kept', () => {
    const before = looksOf(dataset);
    const ended = world.reprise(dataset, ['rerun', '--workspace', '--verify', '--since=HEAD~2', 'HEAD~1'], {
      uid: ORDINARY_UID - 1,
    });
    expect(`${ended.code} ${ended.stderr}`).toMatch(/^0 /);
    expect(ended.stderr).toContain('the verdicts are not kept as attestations');
    expect(ended.stderr).toMatch(/runs? replayed: \d identical\n/);
    expect(looksOf(dataset)).toStrictEqual(before);
  });

  test.skipIf(!isRoot)(
    'an output in a folder that may not be written: the command says so, and everything can be undone',
    () => {
      const before = looksOf(dataset).tree;
      world.ok(['chown', '0:0', join(dataset, 'deep')]);
      chmodSync(join(dataset, 'deep'), 0o755);
      const ended = world.reprise(dataset, ['rerun', '--since=HEAD~4', 'HEAD~1'], uid);
      expect(ended.code).not.toBe(0);
      expect(ended.stderr).not.toMatch(/internal error/);
      world.ok(['chown', `${ORDINARY_UID}:${ORDINARY_UID}`, join(dataset, 'deep')]);
      if (isPending(dataset)) expect(world.reprise(dataset, ['rerun', '--abort'], uid).code).toBe(0);
      expect(looksOf(dataset).tree).toBe(before);
      expect(tracesIn(world, dataset)).toStrictEqual([]);
    },
  );
});
