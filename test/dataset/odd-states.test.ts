/** Repositories in odd states, and odd surroundings: what is asked for works, or is refused in one sentence before anything is executed. */
import { existsSync, lstatSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { requireRepo } from '../../src/dataset/repo.ts';
import { execute } from '../../src/sys/proc.ts';
import type { Runner } from '../../src/images/choose-runner.ts';
import { planContainer } from '../../src/images/container-plan.ts';
import { defaultContext } from '../../src/sys/context.ts';
import { expectSentence, looksOf } from '../support/crash-unchanged.ts';
import { describeWith } from '../support/oracles.ts';
import { commitsOf } from '../support/runs.ts';
import { cliPath, createWorld, type Outcome, type RunOptions, type World } from '../support/world.ts';

const reprise = `${process.execPath} ${cliPath}`;

let world: World;

beforeAll(() => {
  world = createWorld();
  // Two branches that join without a conflict, and a third that does not.
  world.sh(
    world.dir,
    'git init -q base; cd base; echo 1 >a; git add a; git commit -qm start; git checkout -qb side; echo 2 >b; git add b; git commit -qm side; ' +
      'git checkout -qb rival main; echo 3 >a; git commit -qam rival; git checkout -q main; echo 4 >a; git commit -qam main',
  );
});
afterAll(() => world.remove());

/** A copy of the plain repository. */
function fresh(name: string): string {
  const dataset = world.path(name);
  world.ok(['cp', '-aT', world.path('base'), dataset]);
  world.git(dataset, 'status');
  return dataset;
}

/** Expects one sentence, that no command was executed, and that all is as it was. */
function refused(
  dataset: string,
  args: readonly string[],
  code: string,
  exit = 1,
  options: RunOptions & { readonly from?: string } = {},
): Outcome {
  const before = looksOf(dataset);
  const ended = world.reprise(options.from ?? dataset, args, options);
  expectSentence(ended, code, exit);
  expect(looksOf(dataset), args.join(' ')).toStrictEqual(before);
  const runs = join(dataset, '.git/reprise/runs');
  expect(existsSync(runs) ? readdirSync(runs) : []).toEqual([]);
  return ended;
}

describeWith(['git-annex'], 'a linked work tree that git-annex has been in', () => {
  test('keeps its state in the Git directories, and works', () => {
    const home = world.path('linked/main');
    const tree = world.path('linked/tree');
    world.sh(
      world.dir,
      `git init -q ${home}; cd ${home}; git annex init -q; echo 1 >a; git add a; git commit -qm a; git worktree add -q ${tree}; cd ${tree}; git annex add -q .`,
    );
    expect(lstatSync(join(tree, '.git')).isSymbolicLink()).toBe(true);
    expect(world.reprise(tree, ['run', '-o', 'x', 'echo x >x'])).toMatchObject({ code: 0 });
    expect(world.reprise(tree, ['rerun', '--verify'])).toMatchObject({ code: 0 });
    expect(commitsOf(world, tree).at(-1)).toMatchObject({ changes: ['A x'], record: { cmd: 'echo x >x' } });
    expect(world.sh(tree, 'cat x; git status --porcelain')).toBe('x');
    expect(readdirSync(world.path('linked')).sort()).toEqual(['main', 'tree']);
    expect(readdirSync(home).sort()).toEqual(['.git', 'a']);
    // A container finds annexed content by the same way, from where the dataset is in it.
    const given = {
      repo: requireRepo(tree, defaultContext({ env: world.env }), true),
      pwd: '.',
      name: null,
      options: {},
    };
    const plan = planContainer({ ...given, mountsFrom: tree }, { name: 'apptainer' } as Runner, 'none', '', false);
    expect(plan.mounts).toContainEqual({ source: join(home, '.git'), target: '/main/.git', readonly: false });
    // A process in the main work tree and one in the linked one wait for each other.
    expect(existsSync(join(home, '.git/reprise'))).toBe(true);
  });
});

describe('something that Git has begun and not committed', () => {
  const verbs = [
    ['save'],
    ['save', '--amend', '-m', 'more'],
    ['run', 'touch x'],
    ['run', '--explicit', '-o', 'x', 'touch x'],
    ['rerun'],
  ];
  const states = [
    ['merge', 'git merge -q -s ours --no-commit side', 'MERGE_HEAD', 'git commit -q --no-edit'],
    ['cherry-pick', 'git cherry-pick rival || git add a', 'CHERRY_PICK_HEAD', 'git cherry-pick --abort'],
    ['revert', 'git revert --no-edit HEAD~1 || git rm -q a', 'REVERT_HEAD', 'git commit -q --no-edit'],
    ['rebase', 'git rebase rival || git add a', 'REBASE_HEAD', 'GIT_EDITOR=true git rebase --continue 2>&1'],
  ] as const;
  test.each(states)('a %s is left to Git, and nothing is executed', (what, begin, mark, end) => {
    const dataset = fresh(`half ${what}`);
    world.sh(dataset, `{ ${begin}; } 2>&1`);
    for (const verb of what === 'merge' ? verbs : verbs.slice(-2)) {
      const { stderr } = refused(dataset, verb, 'not-a-dataset');
      expect(stderr).toContain(`A ${what} is not concluded in`);
      expect(stderr).toMatch(new RegExp(`^hint: git -C .* ${what} --abort$`, 'm'));
    }
    expect(existsSync(join(dataset, '.git', mark))).toBe(true);
    world.sh(dataset, end);
    expect(world.reprise(dataset, ['run', 'touch x'])).toMatchObject({ code: 0 });
    expect(commitsOf(world, dataset).at(-1)?.changes).toEqual(['A x']);
  });

  test('a rebase executes a run at each commit', () => {
    const dataset = fresh('rebase-exec');
    world.sh(dataset, 'git checkout -q side');
    world.ok(['git', 'rebase', '-q', '-x', `${reprise} run "echo 1 >>log"`, 'main~1', '--force-rebase'], {
      cwd: dataset,
    });
    expect(commitsOf(world, dataset).map(({ record, subject }) => record?.cmd ?? subject)).toEqual([
      'start',
      'side',
      'echo 1 >>log',
    ]);
  });

  test('a merge in a subdataset stops a save before anything is committed', () => {
    const dataset = fresh('half-above');
    world.sh(dataset, 'git submodule --quiet add ../base sub 2>&1; git commit -qm sub');
    world.sh(join(dataset, 'sub'), 'git merge -q -s ours --no-commit origin/side; echo 1 >new');
    const before = world.git(join(dataset, 'sub'), 'rev-parse', 'HEAD');
    refused(dataset, ['save', '-r'], 'not-a-dataset');
    expect(world.git(join(dataset, 'sub'), 'rev-parse', 'HEAD')).toBe(before);
  });

  test('a merge that a command leaves behind is not lost: the run waits until it is committed', () => {
    const dataset = fresh('half-by-command');
    const line = 'git merge -q -s ours --no-commit side; touch x';
    const ended = world.reprise(dataset, ['run', line]);
    expectSentence(ended, 'save-failed', 1);
    world.git(dataset, 'commit', '-q', '--no-edit');
    expect(world.reprise(dataset, ['recover'])).toMatchObject({ code: 0 });
    const commits = commitsOf(world, dataset);
    expect(commits.at(-1)?.record).toMatchObject({ cmd: line });
    expect(commits.find(({ subject }) => subject.startsWith("Merge branch 'side'"))?.parents).toHaveLength(2);
    expect(world.git(dataset, 'status', '--porcelain')).toBe('');
  });
});

describe('messages in other encodings', () => {
  /** What is in a commit, whatever Git is set to show. */
  const stored = (dataset: string, commit: string) =>
    world.exec(['git', 'cat-file', 'commit', commit], { cwd: dataset }).bytes;
  const messageOf = (dataset: string, commit: string) => {
    const text = stored(dataset, commit).toString('utf8');
    return text.slice(text.indexOf('\n\n') + 2);
  };

  test('what a user’s terminal shows has no effect on records, nor on what is picked and merged', () => {
    const dataset = fresh('latin1');
    world.sh(dataset, 'git config i18n.logOutputEncoding ISO-8859-1; git config i18n.commitEncoding ISO-8859-1');
    expect(world.reprise(dataset, ['run', '-m', 'Grüße', 'echo ö >ä'])).toMatchObject({ code: 0 });
    world.sh(dataset, 'echo 5 >e; git add e; git -c i18n.commitEncoding=UTF-8 commit -q -m Österreich');
    world.sh(dataset, 'git -c i18n.commitEncoding=UTF-8 merge -q -m Brücke side');
    const ended = world.reprise(dataset, ['rerun', '--since', 'rival', '--branch', 'again', '--onto', 'main~3']);
    expect(ended).toMatchObject({ code: 0 });
    expect(world.sh(dataset, 'cat ä')).toBe('ö');
    const names = world.git(dataset, 'rev-list', 'again').split('\n');
    const subjects = names.map((name) => messageOf(dataset, name).split('\n')[0]);
    expect(subjects).toEqual(expect.arrayContaining(['[DATALAD RUNCMD] Grüße', 'Österreich', 'Brücke']));
    expect(names.some((name) => stored(dataset, name).toString('latin1').includes('\nencoding '))).toBe(false);
  });

  test('a record in a message that is Latin-1, and says so, is read', () => {
    const dataset = fresh('really-latin1');
    expect(world.reprise(dataset, ['run', 'echo ö >ä'])).toMatchObject({ code: 0 });
    const [head = '', ...rest] = stored(dataset, 'HEAD').toString('utf8').split('\n\n');
    const commit = Buffer.from(
      [`${head.replaceAll('Ada', 'Ádá')}\nencoding ISO-8859-1`, ...rest].join('\n\n'),
      'latin1',
    );
    const made = world.ok(['git', 'hash-object', '-t', 'commit', '-w', '--stdin'], { cwd: dataset, input: commit });
    world.git(dataset, 'reset', '-q', '--hard', made);
    const shown = world.reprise(dataset, ['-f', 'json', 'rerun', '--report']);
    expect(JSON.parse(shown.stdout)).toMatchObject({ run_info: { cmd: 'echo ö >ä' } });
    expect(world.reprise(dataset, ['save', '--amend', '-m', 'one'])).toMatchObject({ code: 0 });
    expect(stored(dataset, 'HEAD').toString('utf8')).toContain('\nauthor Ádá Example <');
  });
});

describe('surroundings that mislead', () => {
  test('variables that Git sets for hooks, and for itself', () => {
    const dataset = fresh('variables');
    world.sh(dataset, 'mkdir sub; echo 1 >sub/a; git add sub; git commit -qm sub');
    const env = {
      GIT_CONFIG: '/nowhere',
      GIT_QUARANTINE_PATH: world.path('quarantine'),
      GIT_SHALLOW_FILE: world.path('shallow'),
      GIT_INTERNAL_SUPER_PREFIX: 'above/',
      GIT_IMPLICIT_WORK_TREE: '0',
      GIT_ATTR_SOURCE: 'side',
      GIT_CEILING_DIRECTORIES: dataset,
    };
    world.write(world.path('shallow'), `${world.git(dataset, 'rev-parse', 'HEAD')}\n`);
    expect(world.reprise(join(dataset, 'sub'), ['run', 'echo 2 >b'], { env })).toMatchObject({ code: 0 });
    expect(commitsOf(world, dataset).map(({ changes }) => changes)).toEqual([
      ['A a'],
      ['M a'],
      ['A sub/a'],
      ['A sub/b'],
    ]);
    expect(world.reprise(dataset, ['rerun', '--since', ''], { env })).toMatchObject({ code: 0 });
  });

  test.each([
    ['GIT_AUTHOR_DATE', { GIT_AUTHOR_DATE: 'nonsense' }, 'config-invalid'],
    ['GIT_COMMITTER_DATE', { GIT_COMMITTER_DATE: '99999999999999 +0000' }, 'config-invalid'],
    ['GIT_AUTHOR_NAME', { GIT_AUTHOR_NAME: '' }, 'identity-missing'],
    ['GIT_COMMITTER_NAME', { GIT_COMMITTER_NAME: ' ,' }, 'identity-missing'],
  ])('%s that no commit can have is noticed before anything is done', (name, env, code) => {
    const dataset = fresh(`variable ${name}`);
    expect(refused(dataset, ['run', 'touch x'], code, 1, { env }).stderr).toContain(`hint: unset ${name}\n`);
    world.write(join(dataset, 'new'), '');
    refused(dataset, ['save'], code, 1, { env });
  });

  test.each([
    ['user.name', '', 'identity-missing'],
    ['author.name', ',', 'identity-missing'],
    ['datalad.fake-dates-start', 'x', 'config-invalid'],
  ])('a %s of "%s" in the configuration, too', (key, value, code) => {
    const dataset = fresh(`setting ${key}`);
    world.sh(dataset, `git config user.useConfigOnly true; git config "${key}" "${value}"`);
    // DataLad's dates begin there where no branch has a commit yet.
    if (code === 'config-invalid') {
      world.sh(dataset, 'git config datalad.fake-dates true; git checkout -q --detach');
      world.sh(dataset, 'git for-each-ref --format="delete %(refname)" refs/heads | git update-ref --stdin');
    }
    refused(dataset, ['run', 'touch x'], code);
    world.write(join(dataset, 'new'), '');
    refused(dataset, ['save'], code);
  });

  test('a current folder inside a Git directory', () => {
    const dataset = fresh('inside');
    const from = join(dataset, '.git/hooks');
    for (const verb of ['run touch x', 'save', 'rerun']) {
      const { stderr } = refused(dataset, verb.split(' '), 'no-dataset', 2, { from });
      expect(stderr).toContain(`hint: cd ${dataset}\n`);
    }
    refused(dataset, ['run', '-d', dataset, 'touch x'], 'no-dataset', 2, { from });
  });

  test('a folder that is gone is not taken for a missing program', async () => {
    const cwd = world.path('gone');
    const options = { cwd, env: world.env };
    await expect(execute(['git', '--version'], options)).rejects.toMatchObject({ code: 'path-missing' });
    const nowhere = { cwd: world.dir, env: { PATH: cwd } };
    await expect(execute(['git', '--version'], nowhere)).rejects.toMatchObject({ code: 'git-missing' });
  });
});

describe('repositories of other kinds', () => {
  test('one whose refs are in a reftable, or that this Git does not know, is refused at once', () => {
    const table = fresh('reftable');
    world.sh(table, 'mkdir .git/reftable');
    const unknown = fresh('unknown-extension');
    world.sh(unknown, 'git config core.repositoryFormatVersion 1; git config extensions.somethingNew true');
    for (const [dataset, word] of [
      [table, 'reftable'],
      [unknown, 'somethingnew'],
    ] as const) {
      for (const verb of ['run --explicit -o x touch x', 'save', 'status']) {
        expect(refused(dataset, verb.split(' '), 'not-a-dataset').stderr).toContain(word);
      }
    }
  });

  test('one with SHA-256 works', () => {
    const dataset = world.path('sha256');
    world.sh(world.dir, 'git init -q --object-format=sha256 sha256; cd sha256; echo 1 >a; git add a; git commit -qm a');
    expect(world.reprise(dataset, ['run', '-o', 'b', 'cat a >b'])).toMatchObject({ code: 0 });
    expect(world.reprise(dataset, ['rerun', '--verify'])).toMatchObject({ code: 0 });
    expect(world.sh(dataset, 'git fsck 2>&1; git status --porcelain')).toBe('');
  });

  test('one that a command makes is recorded as a subdataset, unless it has no commits', () => {
    const dataset = fresh('embedded');
    const make = 'git init -q $1; cd $1; echo 1 >x; git add x; git commit -qm x';
    world.write(join(dataset, 'make'), make);
    expect(world.reprise(dataset, ['save'])).toMatchObject({ code: 0 });
    expect(world.reprise(dataset, ['run', '-o', 'one', 'sh make one'])).toMatchObject({ code: 0 });
    const explicit = ['run', '--explicit', '-o', 'd/two/x', 'sh make d/two'];
    expect(world.reprise(dataset, explicit)).toMatchObject({ code: 0 });
    expect(world.git(dataset, 'ls-files', '-s')).toMatch(/^160000 \S+ 0\td\/two\n[^]*^160000 \S+ 0\tone$/m);
    expect(world.git(dataset, 'status', '--porcelain')).toBe('');

    const ended = world.reprise(dataset, ['run', 'git init -q empty; touch y']);
    expectSentence(ended, 'save-failed', 1);
    expect(ended.stderr).toContain(`${dataset}/empty is a repository without commits`);
    expect(world.git(dataset, 'status', '--porcelain')).toBe('?? empty/\n?? y');
    world.sh(join(dataset, 'empty'), 'git commit -q --allow-empty -m start');
    expect(world.reprise(dataset, ['recover'])).toMatchObject({ code: 0 });
    expect(commitsOf(world, dataset).at(-1)?.changes).toEqual(['M .gitmodules', 'A empty', 'A y']);
  });
});

describe('an empty path', () => {
  test('in a record that DataLad has made is read as it reads it', () => {
    const dataset = fresh('empty-recorded');
    const record = { chain: [], cmd: 'echo 1 >>log', exit: 0, extra_inputs: [], inputs: [], outputs: [''], pwd: '.' };
    const lines = ['=== Do not change lines below ===', JSON.stringify(record), '^^^ Do not change lines above ^^^'];
    world.write(world.path('message'), `[DATALAD RUNCMD] log\n\n${lines.join('\n')}\n`);
    world.sh(dataset, `echo 1 >log; git add log; git commit -q -F "${world.path('message')}"`);
    expect(world.reprise(dataset, ['rerun'])).toMatchObject({ code: 0 });
    expect(commitsOf(world, dataset).at(-1)).toMatchObject({ changes: ['M log'], record: { outputs: [''] } });
  });
});
