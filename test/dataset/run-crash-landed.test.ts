/** A run that is killed after its commit has landed and before its journal is gone: it is known to be recorded, whatever the user did since. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { crashModule } from '../support/crash-points.ts';
import { journalsIn } from '../support/crash-world.ts';
import { describeWith } from '../support/oracles.ts';
import { copyOf, printed } from '../support/replays.ts';
import { cliPath, createWorld, type World } from '../support/world.ts';

interface Kind {
  readonly name: string;
  /** Makes the dataset out of a plain one. */
  readonly prepare?: string;
  readonly args: readonly string[];
  /** Folder of a dataset below whose commits count as well. */
  readonly sub?: string;
  /** What is done since; everything by default, and where a run is recognised as another kind is, what could differ. */
  readonly since?: readonly string[];
}

const SUBDATASET =
  'git init -q sub; git -C sub commit -q --allow-empty -m start; git submodule --quiet add ./sub sub; git commit -qm sub';

const KINDS: readonly Kind[] = [
  { name: 'a plain run', args: ['run', '-m', 'mine', '-o', 'out', 'echo 1 >out'] },
  { name: 'without our block', args: ['-c', 'reprise.record.extension=none', 'run', '-m', 'mine', 'echo 1 >out'] },
  {
    name: 'with a sidecar',
    args: ['run', '--sidecar', 'yes', '-m', 'mine', 'echo 1 >out'],
    since: ['nothing', 'an amend', 'an amend with another message', 'a reset'],
  },
  {
    name: 'with --explicit',
    args: ['run', '--explicit', '-m', 'mine', '-o', 'out', '-o', 'kept', 'echo 1 >out'],
    since: ['a later commit', 'a rebase'],
  },
  {
    name: 'a command that commits',
    args: ['run', '-m', 'mine', 'echo 1 >inner; git add inner; git commit -qm inner; echo 1 >out'],
    since: ['nothing', 'an amend with another message', 'another branch from before', 'a reset'],
  },
  {
    name: 'on a detached HEAD',
    prepare: 'git checkout -q --detach',
    args: ['run', '-m', 'mine', 'echo 1 >out'],
    since: ['a later commit', 'another branch from before', 'a reset', 'expired reflogs'],
  },
  {
    name: 'in a repository without commits',
    prepare: 'rm -rf .git; git init -q; rm kept; rm -rf .datalad .noannex .gitattributes',
    args: ['run', '-m', 'mine', 'echo 1 >out'],
    since: ['nothing', 'an amend with another message', 'another branch'],
  },
  {
    name: 'outputs in a subdataset',
    prepare: SUBDATASET,
    args: ['run', '-m', 'mine', '-o', 'sub/out', 'echo 1 >sub/out; echo 1 >out'],
    sub: 'sub',
    since: ['nothing', 'an amend', 'a reset', 'a rebase'],
  },
  {
    name: 'without reflogs',
    prepare: 'git config core.logAllRefUpdates false',
    args: ['run', '--sidecar', 'yes', '-m', 'mine', 'echo 1 >out'],
    since: ['a later commit', 'another branch from before'],
  },
];

/** What a user may do before it is recovered. */
const SINCE: Readonly<Record<string, string>> = {
  nothing: 'true',
  'a later commit': 'echo later >later; git add later; git commit -qm later',
  'an amend': 'echo more >more; git add more; git commit -q --amend --no-edit',
  'an amend with another message': 'git commit -q --amend -m "other words"',
  'another branch': 'git checkout -q -b other; echo later >later; git add later; git commit -qm later',
  'another branch from before':
    'git checkout -q -b before HEAD~1; echo later >later; git add later; git commit -qm later',
  'a reset': 'git reset -q --hard HEAD~1',
  'a rebase':
    'git checkout -q -b base HEAD~1; git commit -q --allow-empty -m base; git checkout -q -; git rebase -q base',
  'expired reflogs': 'git reflog expire --expire=now --all',
};

describeWith([], 'a run that is killed when its commit has landed', () => {
  let world: World;
  let template: string;
  let crash: string;

  beforeAll(() => {
    world = createWorld();
    crash = crashModule(world.path('crash.mjs'));
    template = world.path('template');
    world.ok([process.execPath, cliPath, 'create', '--no-annex', template]);
    world.sh(template, 'echo kept >kept; git add kept; git commit -qm data');
  });
  afterAll(() => world.remove());

  const stateOf = (dataset: string) => ({
    // With the branch and the commit that are checked out.
    status: world.git(dataset, 'status', '--porcelain=v2', '--branch'),
    commits: world.git(dataset, 'log', '--all', 'HEAD', '--format=%H %s').split('\n').sort(),
    files: readdirSync(dataset),
  });

  /** Kills a command in a dataset at the first step of it that matches, or at a later one; returns the dataset. */
  function killed(dataset: string, args: readonly string[], step: string, skip = 0) {
    const env = { CRASH_ON: step, CRASH_SKIP: String(skip) };
    const ended = world.exec([process.execPath, '--import', crash, cliPath, ...args], { cwd: dataset, env });
    expect(ended).toMatchObject({ code: 137 });
    expect(journalsIn(dataset)).not.toEqual([]);
    return dataset;
  }
  const FORGETTING = '^rmSync .*/reprise/runs/[0-9a-f]+\\.pid';
  let bases = 0;
  function prepared(lines = 'true'): string {
    const base = copyOf(world, template, `base-${(bases += 1)}`);
    world.sh(base, lines);
    return base;
  }
  const recover = (dataset: string) => {
    const out = world.reprise(dataset, ['-f', 'json', 'recover']);
    return { ...out, told: printed(out).filter(({ action }) => action === 'recover') };
  };

  test.for(KINDS)(
    '$name: recognised, and nothing is changed, after each thing that a user may do',
    { timeout: 600_000 },
    (kind) => {
      const base = killed(prepared(kind.prepare), kind.args, FORGETTING);
      const landed = world.git(base, 'rev-parse', 'HEAD');
      const failures: string[] = [];
      for (const since of kind.since ?? Object.keys(SINCE)) {
        const dataset = `${base}-${since.replaceAll(' ', '-')}`;
        world.ok(['cp', '-aT', base, dataset]);
        world.sh(dataset, SINCE[since] as string);
        const states = () => [dataset, ...(kind.sub ? [join(dataset, kind.sub)] : [])].map(stateOf);
        const before = states();
        const recovered = recover(dataset);
        try {
          expect(states()).toEqual(before);
          expect([recovered.code, recovered.told]).toEqual([
            0,
            [expect.objectContaining({ status: 'ok', commit: landed })],
          ]);
          expect(recovered.stderr).toContain(`has been recorded already, as ${landed.slice(0, 7)}`);
          expect(journalsIn(dataset)).toEqual([]);
        } catch (error) {
          failures.push(`${since}: ${(error as Error).message}\n${recovered.stdout}${recovered.stderr}`);
        }
      }
      expect(failures.join('\n---\n')).toBe('');
    },
  );

  test('what is told says where the commit is', () => {
    const base = killed(prepared(), ['run', '-m', 'mine', 'echo 1 >out'], FORGETTING);
    const told = (since: string) => {
      const dataset = `${base}-where-${Object.keys(SINCE).indexOf(since)}`;
      world.ok(['cp', '-aT', base, dataset]);
      world.sh(dataset, SINCE[since] as string);
      return recover(dataset).stderr;
    };
    expect(told('a later commit')).toMatch(/as [0-9a-f]{7}\n$/);
    expect(told('another branch from before')).toContain('; it is on refs/heads/main, not on what is checked out\n');
    expect(told('a reset')).toContain('; it was replaced or taken back since\n');
  });

  test('a subdataset that has its commit gets no second one, whatever was done in it since', () => {
    const base = killed(
      prepared(`${SUBDATASET}; git -C sub checkout -q -b mine`),
      ['run', '--sidecar', 'yes', '-m', 'mine', 'echo 1 >sub/out; echo 1 >out'],
      '^before git .*fast-import',
      1,
    );
    const sub = join(base, 'sub');
    expect(world.git(sub, 'log', '--format=%s', '-1')).toBe('[DATALAD RUNCMD] mine');
    world.sh(sub, 'echo later >later; git add later; git commit -q --amend -m "other words"; echo unsaved >unsaved');
    const before = world.git(sub, 'log', '--all', '--format=%H');
    const recovered = recover(base);
    expect(recovered.code, recovered.stdout + recovered.stderr).toBe(0);
    expect(world.git(sub, 'log', '--all', '--format=%H')).toBe(before);
    expect(world.git(base, 'rev-parse', 'HEAD:sub')).toBe(world.git(sub, 'rev-parse', 'HEAD'));
    expect(recovered.told).toMatchObject([{ commit: world.git(base, 'rev-parse', 'HEAD') }]);
    expect(world.git(sub, 'status', '--porcelain')).toBe('?? unsaved');
  });

  test('one that has not landed waits for its branch, if it was not the command that left it', () => {
    const args = ['run', '-m', 'mine', '-o', 'out', 'echo 1 >out'];
    const dataset = killed(prepared(), args, '^linkSync .*save\\.lock');
    world.sh(dataset, 'git checkout -q -b other');
    const refused = recover(dataset);
    expect([refused.code, refused.told]).toEqual([
      1,
      [expect.objectContaining({ status: 'error', error_code: 'recovery-failed' })],
    ]);
    expect(journalsIn(dataset)).not.toEqual([]);
    world.sh(dataset, 'git checkout -q main');
    expect(recover(dataset)).toMatchObject({ code: 0, told: [{ commit: world.git(dataset, 'rev-parse', 'main') }] });
    expect(
      world
        .git(dataset, 'log', '--all', '--format=%s')
        .split('\n')
        .filter((line) => line.includes('mine')),
    ).toHaveLength(1);
  });

  test('a replay is recorded once, recovered or continued, or first the one and then the other', () => {
    const origin = prepared();
    expect(world.reprise(origin, ['run', '-m', 'mine', '-o', 'out', 'date +%N >out'])).toMatchObject({ code: 0 });
    const base = killed(origin, ['rerun'], FORGETTING);
    for (const verbs of [[['recover']], [['rerun', '--continue']], [['recover'], ['rerun', '--continue']]]) {
      const dataset = `${base}-${verbs.length}-${verbs[0]?.length}`;
      world.ok(['cp', '-aT', base, dataset]);
      for (const verb of verbs) expect([verb, world.reprise(dataset, verb)]).toMatchObject([verb, { code: 0 }]);
      expect(world.git(dataset, 'log', '--format=%s', '-3').split('\n')).toEqual([
        '[DATALAD RUNCMD] mine',
        '[DATALAD RUNCMD] mine',
        'data',
      ]);
      expect(journalsIn(dataset)).toEqual([]);
    }
  });
});
