/** Scenarios of commands that make commits (1.7). */
import type { Ending, Scenario } from './scenario.ts';
import { equal, run } from './scenario-steps.ts';

const noMerges = 'DataLad 0.18 knows no run-merges';

export const commitScenarios: readonly Scenario[] = [
  {
    id: 'X34',
    title: 'the command makes a commit',
    base: 'text',
    steps: [run('touch foo && git add foo && git commit -qm i')],
    notOld: noMerges,
  },
  {
    id: 'X35',
    title: 'the command makes two commits',
    base: 'text',
    steps: [run('for f in 1 2; do echo $f > $f; git add $f; git commit -qm $f; done')],
    notOld: noMerges,
  },
  {
    id: 'X35-rest',
    title: 'the command makes a commit and leaves a file',
    base: 'text',
    steps: [run('-m', 'one\n\n\ntwo', 'echo 1 > 1; git add 1; git commit -qm 1; echo 2 > 2')],
    notOld: noMerges,
  },
  {
    id: '1.7.6',
    title: 'the command makes an empty commit',
    base: 'git',
    steps: [run('git commit -q --allow-empty -m nothing')],
    notOld: noMerges,
  },
  {
    id: '1.7.8',
    title: 'the command makes a commit and fails',
    base: 'git',
    steps: [run('echo 1 > 1; git add 1; git commit -qm 1; exit 3')],
    notOld: noMerges,
  },
  {
    id: '1.7-detached',
    title: 'the command makes a commit on a detached HEAD',
    base: 'git',
    setUp: 'cd ds; git checkout -q --detach',
    steps: [run('echo 1 > 1; git add 1; git commit -qm 1')],
    notOld: noMerges,
  },
  {
    id: '1.7.4',
    title: 'the command amends',
    base: 'git',
    steps: [run('echo 1 > 1; git add 1; git commit -q --amend -m 1')],
    notOld: noMerges,
    difference: {
      because: 'S-27: the record that cannot be committed is kept in COMMIT_EDITMSG',
      aspects: ['editmsg'],
      ours: keepsRecord,
    },
  },
  {
    id: 'X36',
    title: 'an explicit run that commits what it does not declare',
    base: 'fresh',
    steps: [
      run('--explicit', '-o', 'declared', 'echo x > foo; git annex add -q foo; git commit -qm i; echo d > declared'),
    ],
    notOld: noMerges,
    difference: {
      because: 'S-27: the record that cannot be committed is kept in COMMIT_EDITMSG',
      aspects: ['editmsg'],
      ours: keepsRecord,
    },
  },
  {
    id: 'X36-ignore',
    title: 'an explicit run that may commit what it likes',
    base: 'git',
    setUp: 'cd ds; git config datalad.run.dirty-committed ignore',
    steps: [run('--explicit', '-o', 'declared', 'echo x > foo; git add foo; git commit -qm i; echo d > declared')],
    notOld: noMerges,
  },
  {
    id: 'X36-none',
    title: 'an explicit run without outputs that commits',
    base: 'git',
    steps: [run('--explicit', 'echo x > foo; git add foo; git commit -qm i')],
    notOld: noMerges,
  },
  {
    id: 'X36-declared',
    title: 'an explicit run that commits what it declares',
    base: 'git',
    steps: [run('--explicit', '-o', 'foo', 'echo x > foo; git add foo; git commit -qm i')],
    notOld: noMerges,
  },
  {
    id: 'X37',
    title: 'an explicit run that commits in a subdataset',
    base: 'hierarchy',
    steps: [
      run(
        '--explicit',
        '-o',
        'declared',
        'echo d > declared; cd sub; echo x > foo; git annex add -q foo; git commit -qm i',
      ),
    ],
    notOld: noMerges,
  },
  {
    id: 'X38',
    title: 'the command switches the branch',
    base: 'git',
    setUp:
      'cd ds; git checkout -q -b other; git commit -q --allow-empty -m o; git checkout -q main; git commit -q --allow-empty -m m',
    steps: [run('git checkout -q other')],
    notOld: noMerges,
  },
  {
    id: '1.7.5',
    title: 'the command switches to a branch at the same commit',
    base: 'git',
    setUp: 'cd ds; git branch other',
    steps: [run('git checkout -q other')],
    notOld: noMerges,
  },
  {
    id: 'X39-leaf',
    title: 'the command makes a commit in a subdataset',
    base: 'hierarchy',
    steps: [run('cd sub; echo x > n; git annex add -q n; git commit -qm i')],
    notOld: noMerges,
  },
  {
    id: 'X39-both',
    title: 'the command makes commits in the superdataset and in a subdataset',
    base: 'hierarchy',
    steps: [
      run(
        'echo x > n; git annex add -q n; git commit -qm top; cd sub; echo x > n; git annex add -q n; git commit -qm i',
      ),
    ],
    notOld: noMerges,
  },
  {
    id: 'X39-three',
    title: 'the command makes a commit at the third level',
    base: 'hierarchy',
    steps: [run('cd sub/inner; echo x > n; git annex add -q n; git commit -qm i')],
    notOld: noMerges,
  },
  {
    id: 'X39-plain',
    title: 'the command makes a commit in a subdataset below a plain folder',
    base: 'hierarchy',
    steps: [run('cd dir/other; echo x > n; git annex add -q n; git commit -qm i; echo y > ../../y')],
    notOld: noMerges,
  },
  {
    id: 'X40',
    title: 'a commit in the superdataset leaves the subdatasets',
    base: 'hierarchy',
    steps: [run('echo x > n; git annex add -q n; git commit -qm top')],
    notOld: noMerges,
  },
  {
    id: 'X41',
    title: 'deletions in a subdataset, one of them committed',
    base: 'hierarchy',
    steps: [run('cd sub; git rm -q f; git commit -qm rm; rm g')],
    notOld: noMerges,
    difference: {
      because: 'what the command committed itself is not reported again',
      aspects: ['results'],
      ours: (ending) =>
        equal(
          ending.results.flat().some((result) => result['path'] === 'W/ds/sub/f'),
          false,
        ),
    },
  },
  {
    id: 'X41-saved',
    title: 'the command saves a subdataset in its superdataset',
    base: 'hierarchy',
    steps: [run('cd sub; git rm -q f; git commit -qm rm; cd ..; git commit -qam pointer')],
    notOld: noMerges,
    difference: {
      because: 'what the command committed itself is not reported again',
      aspects: ['results'],
      ours: (ending) =>
        equal(
          ending.results.flat().some((result) => result['path'] === 'W/ds/sub/f'),
          false,
        ),
    },
  },
];

function keepsRecord(ending: Ending): void {
  const kept = ending.state.repos['ds']?.editmsg;
  if (!kept?.startsWith('[DATALAD RUNCMD] ') || !kept.includes('"exit": 0'))
    throw new Error(`no record is kept: ${String(kept)}`);
}
