/** What a rerun says of each output, what it leaves in the annex and in the history, and what it keeps for later. */
import { readFileSync, readlinkSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { describeWith } from '../support/oracles.ts';
import { attestationsIn, copyOf, printed, tracesIn, verdictsOf } from '../support/replays.ts';
import { createWorld, type Outcome, type World } from '../support/world.ts';

describeWith(['git-annex'], 'the verdict on a rerun', () => {
  let world: World;
  let template: string;
  const runs = new Map<string, string>();
  let made = 0;

  beforeAll(() => {
    world = createWorld();
    template = world.path('template');
    world.reprise(world.dir, ['create', template]);
    const run = (name: string, ...args: string[]) => {
      const ended = world.reprise(template, ['run', '-m', name, ...args]);
      expect(ended.code, ended.stderr).toBe(0);
      runs.set(name, world.git(template, 'rev-parse', 'HEAD'));
    };
    run('same', '-o', 'same/*', 'mkdir -p same; echo a >same/a; echo b >same/b; echo undeclared >c');
    run('now', '-o', 'now', '-o', 'constant', 'date +%s.%N >now; echo constant >constant');
    run(
      'switched',
      '-o',
      'kept',
      '-o',
      'dropped',
      'echo 1 >kept; if [ -z "$OTHER" ]; then echo 2 >dropped; else echo 3 >added; fi',
    );
    run('removes', 'rm c; echo in git >.gitnote');
  });
  afterAll(() => world.remove());

  const fresh = () => copyOf(world, template, `case-${(made += 1)}`);
  const rerun = (
    dataset: string,
    name: string,
    options: readonly string[] = [],
    env: Record<string, string> = {},
  ): Outcome => world.reprise(dataset, ['-f', 'json', 'rerun', ...options, runs.get(name) as string], { env });
  const objects = (dataset: string) =>
    world.sh(dataset, 'find .git/annex/objects -type f -printf "%i %m %T@ %p\\n" | sort -k 4');
  const refs = (dataset: string) =>
    world.git(dataset, 'for-each-ref', '--format=%(refname) %(objectname)', 'refs/heads').split('\n');

  test('identical outputs are told from the links in the work tree: no blob is read, and no commit is prepared', () => {
    const dataset = fresh();
    world.git(dataset, 'reset', '-q', '--hard', runs.get('same') as string);
    const trace = world.path('trace-of-git');
    const ended = rerun(dataset, 'same', [], { GIT_TRACE: trace });
    expect(verdictsOf(ended)).toStrictEqual(['c identical', 'same/a identical', 'same/b identical']);
    const called = new Set([...readFileSync(trace, 'utf8').matchAll(/ built-in: git (\S+)/g)].map(([, verb]) => verb));
    expect(called).toContain('fast-import');
    for (const verb of ['cat-file', 'var', 'diff-index', 'update-index']) expect(called).not.toContain(verb);
  });

  test('an identical output that may not be read is found in Git', () => {
    const dataset = world.path('unreadable');
    world.reprise(world.dir, ['create', '--no-annex', dataset]);
    world.reprise(dataset, ['run', '-o', 'secret', 'rm -f secret; echo x >secret; chmod 600 secret; ln -sfn x gone']);
    const ended = world.reprise(dataset, ['-f', 'json', 'rerun']);
    expect(verdictsOf(ended)).toStrictEqual(['gone identical', 'secret identical']);
  });

  test('identical outputs get their old links back: no object, no commit, but an attestation', () => {
    const dataset = fresh();
    world.git(dataset, 'reset', '-q', '--hard', runs.get('same') as string);
    const before = { objects: objects(dataset), refs: refs(dataset), index: world.git(dataset, 'ls-files', '--stage') };
    const links = ['same/a', 'same/b', 'c'].map((path) => readlinkSync(join(dataset, path)));
    const ended = rerun(dataset, 'same', ['--verify']);
    expect(ended.code, ended.stderr).toBe(0);
    expect(verdictsOf(ended)).toStrictEqual(['c identical', 'same/a identical', 'same/b identical']);
    expect(ended.stderr).toContain('1 run replayed: 3 identical');
    expect({
      objects: objects(dataset),
      refs: refs(dataset),
      index: world.git(dataset, 'ls-files', '--stage'),
    }).toStrictEqual(before);
    expect(['same/a', 'same/b', 'c'].map((path) => readlinkSync(join(dataset, path)))).toStrictEqual(links);
    expect(world.git(dataset, 'status', '--porcelain', '-uall')).toBe('');
    const [attestation, ...others] = attestationsIn(world, dataset);
    expect(others).toStrictEqual([]);
    expect(attestation).toMatchObject({
      commit: runs.get('same'),
      base: world.git(dataset, 'rev-parse', 'HEAD'),
      replayed: null,
      verdict: 'identical',
      exit: 0,
      runner: 'native',
    });
    const key = links[0]?.split('/').at(-1);
    expect(attestation?.['outputs']).toContainEqual({
      path: 'same/a',
      verdict: 'identical',
      recorded: `annex:${key}`,
      replayed: `annex:${key}`,
    });
    expect(tracesIn(world, dataset)).toStrictEqual([]);
  });

  test('an attestation names neither user nor machine', () => {
    const dataset = fresh();
    expect(rerun(dataset, 'same').code).toBe(0);
    const all = world.git(dataset, 'log', '-p', '--format=raw', 'refs/reprise/attestations');
    for (const name of ['Ada', 'example.org', world.dir, world.sh(dataset, 'hostname'), world.sh(dataset, 'id -un')])
      expect(all.replaceAll('reprise@localhost', '')).not.toContain(name);
  });

  test('a rerun that nothing came out of is kept each time', () => {
    const dataset = fresh();
    world.git(dataset, 'reset', '-q', '--hard', runs.get('same') as string);
    for (const count of [1, 2]) {
      expect(rerun(dataset, 'same').code).toBe(0);
      expect(attestationsIn(world, dataset)).toHaveLength(count);
      expect(world.git(dataset, 'rev-list', '--count', 'refs/reprise/attestations')).toBe(`${count}`);
    }
    expect(world.git(dataset, 'log', '--format=%an <%ae> %cn', 'refs/reprise/attestations')).not.toMatch(/Ada/);
  });

  test('different outputs are committed; only with --verify they are a failure', () => {
    const dataset = fresh();
    const ended = rerun(dataset, 'now');
    expect(ended.code, ended.stderr).toBe(0);
    expect(verdictsOf(ended)).toStrictEqual(['constant identical', 'now different']);
    expect(ended.stderr).toContain('1 run replayed: 1 identical, 1 different');
    expect(world.git(dataset, 'diff', '--name-only', 'HEAD~1', 'HEAD')).toBe('now');
    const result = printed(ended).find(({ action }) => action === 'compare');
    expect(result).toMatchObject({
      status: 'ok',
      verdict: 'different',
      commit: runs.get('now'),
      replayed: world.git(dataset, 'rev-parse', 'HEAD'),
    });
    const keyOf = (commit: string) =>
      `annex:${world.git(dataset, 'cat-file', 'blob', `${commit}:now`).split('/').at(-1)}`;
    expect(result?.['outputs']).toContainEqual({
      path: 'now',
      verdict: 'different',
      recorded: keyOf(runs.get('now') as string),
      replayed: keyOf('HEAD'),
    });
    expect(attestationsIn(world, dataset)[0]).toMatchObject({ verdict: 'different', outputs: result?.['outputs'] });

    const verified = rerun(dataset, 'now', ['--verify']);
    expect(verified.code).toBe(1);
    expect(printed(verified).find(({ action }) => action === 'compare')).toMatchObject({ status: 'error' });
    expect(world.git(dataset, 'status', '--porcelain', '-uall')).toBe('');
    expect(attestationsIn(world, dataset)).toHaveLength(2);
  });

  test('missing and unexpected outputs', () => {
    const dataset = fresh();
    const ended = rerun(dataset, 'switched', ['--verify'], { OTHER: '1' });
    expect(ended.code).toBe(1);
    expect(verdictsOf(ended)).toStrictEqual(['added unexpected', 'dropped identical', 'kept identical']);

    // On the state that the command found, what it does not write is not there.
    const before = fresh();
    world.git(before, 'checkout', '-q', '--detach', runs.get('now') as string);
    const there = rerun(before, 'switched', ['--verify'], { OTHER: '1' });
    expect(there.code).toBe(1);
    expect(verdictsOf(there)).toStrictEqual(['added unexpected', 'dropped missing', 'kept identical']);
    expect(there.stderr).toContain('1 run replayed: 1 identical, 1 unexpected, 1 missing');
    expect(attestationsIn(world, before)[0]).toMatchObject({ verdict: 'missing' });
  });

  test('a deletion is an output, too', () => {
    const dataset = fresh();
    world.git(dataset, 'checkout', '-q', '--detach', `${runs.get('removes')}~1`);
    const ended = rerun(dataset, 'removes', ['--verify']);
    expect(ended.code, ended.stderr).toBe(0);
    expect(verdictsOf(ended)).toStrictEqual(['.gitnote identical', 'c identical']);
  });

  test('one that differs among many is named, and fails with --verify after all were executed', () => {
    const dataset = fresh();
    const ended = world.reprise(dataset, ['rerun', '--verify', '--since=', '--onto=', '-b', 'check']);
    expect(ended.code, ended.stderr).toBe(1);
    expect(ended.stderr).toContain('4 runs replayed: 8 identical, 1 different');
    expect(ended.stdout).toContain('now different');
    expect(world.git(dataset, 'symbolic-ref', '--short', 'HEAD')).toBe('check');
    expect(
      attestationsIn(world, dataset)
        .map(({ verdict }) => String(verdict))
        .toSorted(),
    ).toStrictEqual(['different', 'identical', 'identical', 'identical']);
  });

  test('outputs whose content is not here are judged by their keys, and are here afterwards', () => {
    const dataset = fresh();
    world.git(dataset, 'reset', '-q', '--hard', runs.get('same') as string);
    const links = ['same/a', 'same/b'].map((path) => readlinkSync(join(dataset, path)));
    world.git(dataset, 'annex', 'drop', '--quiet', '--force', 'same/a');
    expect(() => statSync(join(dataset, 'same/a'))).toThrow();
    const ended = rerun(dataset, 'same', ['--verify']);
    expect(ended.code, ended.stderr).toBe(0);
    expect(verdictsOf(ended)).toStrictEqual(['c identical', 'same/a identical', 'same/b identical']);
    expect(['same/a', 'same/b'].map((path) => readlinkSync(join(dataset, path)))).toStrictEqual(links);
    expect(world.git(dataset, 'status', '--porcelain', '-uall')).toBe('');
    expect(world.git(dataset, 'log', '-1', '--format=%H')).toBe(runs.get('same'));
    expect(world.sh(dataset, 'cat same/a')).toBe('a');
    world.git(dataset, 'annex', 'fsck', '--quiet');
  });

  test('with --explicit, what was written and not saved is judged as it lies there', () => {
    const dataset = fresh();
    world.write(`${dataset}/mine`, 'not of the run\n');
    const ended = rerun(dataset, 'removes', ['--explicit', '--verify']);
    expect(ended.code, ended.stderr).toBe(0);
    world.sh(dataset, "echo 'not yet saved' >now-data");
    const run = ['run', '--explicit', '-o', 'declared', 'echo 1 >declared; cat now-data >>beside'];
    expect(world.reprise(dataset, run).code).toBe(0);
    world.sh(dataset, 'git annex add -q beside now-data; git commit -q --amend --no-edit -- declared beside now-data');
    const again = world.reprise(dataset, ['-f', 'json', 'rerun', '--explicit', '--verify']);
    expect(again.code).toBe(1);
    // Only the declared one is saved; the other has grown.
    expect(verdictsOf(again)).toContain('beside different');
    expect(verdictsOf(again)).toContain('declared identical');
    expect(verdictsOf(again).filter((line) => line.startsWith('mine'))).toStrictEqual([]);
    expect(attestationsIn(world, dataset).some(({ verdict }) => verdict === 'different')).toBe(true);
  });

  test('on an adjusted branch, other files are no outputs, and the start is a commit of the history', () => {
    const dataset = fresh();
    world.git(dataset, 'annex', 'adjust', '--unlock', '--quiet');
    const start = world.git(dataset, 'rev-parse', 'main');
    const ended = rerun(dataset, 'now');
    expect(ended.code, ended.stderr).toBe(0);
    expect(verdictsOf(ended)).toStrictEqual(['constant identical', 'now different']);
    expect(attestationsIn(world, dataset)).toMatchObject([
      { base: start, replayed: world.git(dataset, 'rev-parse', 'main') },
    ]);
    expect(world.git(dataset, 'rev-parse', 'main~1')).toBe(start);
    expect(world.git(dataset, 'status', '--porcelain')).toBe('');
    // By default it is about the branch that the adjusted one was made from.
    const last = world.reprise(dataset, ['-f', 'json', 'rerun', '--report']);
    expect(printed(last)).toMatchObject([{ commit: world.git(dataset, 'rev-parse', 'main') }]);
    for (const option of ['--onto=', '--branch=x'])
      expect(rerun(dataset, 'now', [option]).stderr).toContain('(adjusted-branch)');
  });

  test('attestations come with a fetch that asks for them', () => {
    const dataset = fresh();
    expect(rerun(dataset, 'now').code).toBe(0);
    const clone = world.path(`clone-${(made += 1)}`);
    world.git(world.dir, 'clone', '-q', dataset, clone);
    expect(attestationsIn(world, clone)).toStrictEqual([]);
    world.git(clone, 'fetch', '-q', 'origin', 'refs/reprise/attestations:refs/reprise/attestations');
    expect(attestationsIn(world, clone)).toStrictEqual(attestationsIn(world, dataset));
    rmSync(clone, { recursive: true, force: true });
  });
});
