/** Commits without a run of ours in a history that is made anew: picked and merged as they are, and nothing that was made is left behind. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { expectSentence } from '../support/crash-unchanged.ts';
import { messageAround, recordedBy, tracesIn } from '../support/replays.ts';
import { createWorld, type World } from '../support/world.ts';

let world: World;
let made = 0;
beforeAll(() => {
  world = createWorld();
});
afterAll(() => world.remove());

function repository(): string {
  const dataset = world.path(`ds-${(made += 1)}`);
  world.git(world.dir, 'init', '-q', dataset);
  world.write(`${dataset}/log`, 'start\n');
  world.sh(dataset, 'git add -A; git commit -qm start');
  return dataset;
}
const run = (dataset: string, ...args: string[]) => {
  const ended = world.reprise(dataset, ['run', ...args]);
  expect(ended.code, ended.stderr).toBe(0);
};
const content = (dataset: string, name: string) => readFileSync(join(dataset, name), 'utf8');
const subjects = (dataset: string, range: string) => world.git(dataset, 'log', '--format=%s', range).split('\n');

test('hooks and clean-up settings neither change nor prevent picks and merges', () => {
  const dataset = repository();
  run(dataset, 'echo 1 >>a');
  const foreign = recordedBy(world, dataset, { cmd: 'true', dsid: 'of-another' }, 'echo x >x', 'foreign\n\n\n# a line');
  world.git(dataset, 'checkout', '-q', '-b', 'side', 'HEAD~1');
  run(dataset, 'echo 1 >>b');
  world.git(dataset, 'checkout', '-q', 'main');
  world.sh(dataset, 'git merge -q -m "both" side');
  world.git(dataset, 'checkout', '-q', '-b', 'other', 'HEAD~3');
  world.sh(dataset, 'echo >other; git add other; git commit -qm other; git checkout -q main');
  // With these Git would take the markers of a record for comments.
  for (const [key, value] of [
    ['commit.cleanup', 'strip'],
    ['core.commentChar', '='],
  ] as const)
    world.git(dataset, 'config', key, value);
  for (const hook of ['pre-commit', 'prepare-commit-msg', 'commit-msg', 'pre-merge-commit'])
    world.sh(dataset, `printf '#!/bin/sh\nexit 1\n' >.git/hooks/${hook}; chmod +x .git/hooks/${hook}`);
  const ended = world.reprise(dataset, ['rerun', '--since=', '--onto=other', '-b', 'again']);
  expect(ended.code, ended.stderr).toBe(0);
  const messages = world.git(dataset, 'log', '--format=%B%x00', 'other..again').split('\0');
  const original = world.git(dataset, 'log', '-1', '--format=%B', foreign);
  expect(original).toContain(messageAround('').split('\n')[2]);
  expect(messages.filter((message) => message.trim() === original.trim())).toHaveLength(1);
  expect(subjects(dataset, 'other..again')).toContain('both');
});

test('a conflict that Git resolves by what it remembers is a pick like any other', () => {
  const dataset = repository();
  run(dataset, 'echo 1 >>a');
  world.sh(dataset, 'echo of main >log; git commit -qam "a note"');
  run(dataset, 'cat log >b');
  world.git(dataset, 'checkout', '-q', '-b', 'other', 'HEAD~3');
  world.sh(dataset, 'echo of another >log; git commit -qam other; git checkout -q main');
  for (const key of ['rerere.enabled', 'rerere.autoupdate']) world.git(dataset, 'config', key, 'true');
  const args = (name: string) => ['rerun', '--since=', '--onto=other', '-b', name];
  expectSentence(world.reprise(dataset, args('first')), 'replay-conflict', 1);
  world.sh(dataset, 'echo of both >log; git add log');
  expect(world.reprise(dataset, ['rerun', '--continue']).code).toBe(0);
  world.git(dataset, 'checkout', '-q', 'main');
  const ended = world.reprise(dataset, args('second'));
  expect(ended.code, ended.stderr).toBe(0);
  for (const branch of ['first', 'second']) {
    expect(subjects(dataset, `other..${branch}`)[1]).toBe('a note');
    expect(world.git(dataset, 'cat-file', 'blob', `${branch}:b`)).toBe('of both');
  }
  expect(tracesIn(world, dataset)).toStrictEqual([]);
});

test('with --explicit, an unsaved file that a pick would overwrite stays, and the error says what Git says', () => {
  const dataset = repository();
  run(dataset, '--explicit', '-o', 'a', 'echo 1 >>a');
  world.sh(dataset, 'echo x >n; git add n; git commit -qm "a note"');
  world.git(dataset, 'checkout', '-q', '-b', 'other', 'HEAD~2');
  world.sh(dataset, 'echo >other; git add other; git commit -qm other');
  world.write(`${dataset}/n`, 'mine\n');
  const ended = world.reprise(dataset, [
    'rerun',
    '--explicit',
    '--since=main~2',
    '--onto=other',
    '-b',
    'again',
    'main',
  ]);
  expectSentence(ended, 'git-failed', 1);
  expect(ended.stderr).toContain('would be overwritten');
  expect(content(dataset, 'n')).toBe('mine\n');
  const undone = world.reprise(dataset, ['rerun', '--abort']);
  expect(undone.code, undone.stderr).toBe(0);
  expect(content(dataset, 'n')).toBe('mine\n');
  expect(world.git(dataset, 'symbolic-ref', '--short', 'HEAD')).toBe('other');
});
