/** What a rerun picks and merges on its way: messages to the byte, content of unlocked files, and no hook of anybody's. */
import { chmodSync, existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { describeWith } from '../support/oracles.ts';
import { commitVerbatim, copyOf, messageAround, verdictsOf } from '../support/replays.ts';
import { createWorld, type Outcome, type World } from '../support/world.ts';

describeWith(['git-annex'], 'commits that a rerun picks and merges', () => {
  let world: World;
  let made = 0;
  beforeAll(() => {
    world = createWorld();
  });
  afterAll(() => world.remove());

  const succeed = (ended: Outcome) => expect(`${ended.code} ${ended.stderr}`).toMatch(/^0 /);
  const run = (dataset: string, ...args: string[]) => succeed(world.reprise(dataset, ['run', ...args]));

  /** A run, a plain commit, somebody else's record, and a merge of another run; all with messages that Git would tidy. */
  function withMessages(): string {
    const repo = world.path(`messages-${(made += 1)}`);
    world.git(world.dir, 'init', '-q', repo);
    world.write(`${repo}/in`, '1\n');
    commitVerbatim(world, repo, 'start\n');
    world.git(repo, 'branch', 'side');
    run(repo, '-m', 'first', '-o', 'first', 'cat in >first');
    const message = 'plain\n\n# no comment\n= nor this\n\n\n  indented  \n';
    commitVerbatim(world, repo, message, 'echo >plain');
    const record = JSON.stringify({ cmd: 'true', dsid: '00000000-0000-4000-8000-000000000000', pwd: '.' }, null, 1);
    commitVerbatim(world, repo, messageAround(record, 'of another dataset'), 'echo >foreign');
    world.git(repo, 'checkout', '-q', 'side');
    run(repo, '-m', 'other', '-o', 'other', 'cat in >other');
    world.git(repo, 'checkout', '-q', 'main');
    world.write(`${world.dir}/message`, message.replace('plain', 'merge'));
    world.git(repo, 'merge', '-q', '--no-ff', '--cleanup=verbatim', '-F', `${world.dir}/message`, 'side');
    // S-20: whatever the user has set.
    world.git(repo, 'config', 'commit.cleanup', 'strip');
    world.git(repo, 'config', 'core.commentChar', '=');
    return repo;
  }

  const messages = (repo: string, branch: string) =>
    world
      .git(repo, 'log', '--topo-order', '-z', '--format=%B', branch)
      .split('\0')
      // Records of replays name the replayed.
      .filter((message) => !/RUNCMD\] (first|other)/.test(message));

  test('keep their messages, and no hook is run', () => {
    const repo = withMessages();
    for (const hook of [
      'pre-commit',
      'prepare-commit-msg',
      'commit-msg',
      'post-commit',
      'pre-merge-commit',
      'post-merge',
      'post-checkout',
      'post-rewrite',
    ]) {
      const path = join(repo, '.git/hooks', hook);
      world.write(path, '#!/bin/sh\ntouch "$(git rev-parse --show-toplevel)/../hooked"\nexit 1\n');
      chmodSync(path, 0o755);
    }
    succeed(world.reprise(repo, ['rerun', '--since=', '--onto=', '--branch=again']));
    expect(world.git(repo, 'rev-list', '--count', 'again')).toBe(world.git(repo, 'rev-list', '--count', 'main'));
    expect(messages(repo, 'again')).toEqual(messages(repo, 'main'));
    expect(existsSync(world.path('hooked'))).toBe(false);
    expect(world.git(repo, 'status', '--porcelain')).toBe('');
  });

  test('keep their messages also after a conflict that was resolved', () => {
    const repo = withMessages();
    world.git(repo, 'checkout', '-q', '--detach', 'side~1');
    world.sh(repo, 'echo mine >plain; git add .; git commit -qm mine');
    const began = world.reprise(repo, ['rerun', 'main', '--since=side~1', '--onto=HEAD', '--branch=again']);
    expect(began.stderr).toContain('(replay-conflict)');
    world.sh(repo, 'echo both >plain; git add plain');
    succeed(world.reprise(repo, ['rerun', '--continue']));
    expect(messages(repo, 'side~1..again').filter((message) => message !== 'mine\n')).toEqual(
      messages(repo, 'side~1..main'),
    );
    expect(world.git(repo, 'log', '-1', '--format=%an %ad', '--', 'plain')).toBe(
      world.git(repo, 'log', '-1', '--format=%an %ad', 'main', '--', 'plain'),
    );
  });

  test('unlocked files have their content when the next command reads them', () => {
    const template = world.path('unlocked');
    world.reprise(world.dir, ['create', template]);
    world.sh(template, 'echo first >data; git annex add -q data; git annex unlock -q data; git commit -qam data');
    world.git(template, 'branch', 'side');
    run(template, '-m', 'before', '-o', 'before', 'cat data >before');
    world.sh(template, 'echo the second, which is longer >data; git add data; git commit -qm "data again"');
    run(template, '-m', 'after', '-o', 'after', 'cat data >after; cat data >>after');
    world.git(template, 'checkout', '-q', 'side');
    world.sh(template, 'echo on the side >more; git annex add -q more; git annex unlock -q more; git commit -qam more');
    run(template, '-m', 'side', '-o', 'side', 'cat data more >side');
    world.git(template, 'checkout', '-q', 'main');
    world.git(template, 'merge', '-q', '--no-ff', '-m', 'merged', 'side');
    run(template, '-m', 'last', '-o', 'last', 'cat data more >last');
    for (const jobs of [1, 3]) {
      const dataset = copyOf(world, template, `unlocked-${jobs}`);
      const argv = ['-f', 'json', 'rerun', '--verify', '--since=', '--onto=', '--branch=again', `--jobs=${jobs}`];
      const ended = world.reprise(dataset, argv);
      succeed(ended);
      expect(verdictsOf(ended).toSorted()).toEqual(
        ['after', 'before', 'last', 'side'].map((path) => `${path} identical`),
      );
      expect(world.git(dataset, 'status', '--porcelain')).toBe('');
      expect(world.sh(dataset, 'cat data more')).toBe('the second, which is longer\non the side');
      expect(world.git(dataset, 'diff', '--stat', 'main', 'again')).toBe('');
    }
  });
});
