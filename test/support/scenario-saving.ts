/** Scenarios of saving, also of explicit runs (2.8, 2.10). */
import type { Scenario } from './scenario.ts';
import { equal, run, within } from './scenario-steps.ts';

export const savingScenarios: readonly Scenario[] = [
  { id: 'X11', title: 'a deletion is saved', base: 'files', steps: [run('rm a.in code.txt; rm -r d')] },
  {
    id: 'X17',
    title: 'an explicit run leaves what is dirty',
    base: 'clone',
    setUp: 'cd ds; echo more >> code.txt; echo x > dirt',
    steps: [
      run('-i', 'a.in', 'cat a.in a.in > d1'),
      run('--explicit', '-i', 'a.in', 'cat a.in a.in > d1'),
      run('--explicit', '-i', 'a.in', '-o', 'd2', 'cat a.in a.in > d2'),
    ],
  },
  {
    id: 'X17-staged',
    title: 'what was staged before stays staged',
    base: 'files',
    setUp: 'cd ds; echo more >> code.txt; git add code.txt; echo x > dirt',
    steps: [run('--explicit', '-o', 'out', 'echo x > out')],
  },
  {
    id: 'X17-declared',
    title: 'a declared output that was modified before',
    base: 'files',
    setUp: 'cd ds; echo more >> code.txt',
    steps: [run('--explicit', '-o', 'code.txt', 'echo x >> code.txt')],
  },
  {
    id: 'X18',
    title: 'an explicit run in a new folder',
    base: 'files',
    setUp: 'cd ds; mkdir new; echo x > dirt',
    steps: [within('ds/new', '--explicit', '-o', 'foo', 'echo x > foo; echo y > bar')],
  },
  {
    id: '2.10-dir',
    title: 'an explicit run whose output is a new folder',
    base: 'files',
    steps: [run('--explicit', '-o', 'new', 'mkdir -p new/er; echo x > new/x; echo y > new/er/y; echo z > z')],
  },
  {
    id: '2.10-none',
    title: 'an explicit run without outputs',
    base: 'files',
    steps: [run('--explicit', 'echo x > x')],
  },
  {
    id: '2.10-unmatched',
    title: 'an explicit run that does not write its output',
    base: 'files',
    steps: [run('--explicit', '-o', 'nope', 'echo x > x')],
  },
  {
    id: '2.8-kinds',
    title: 'files of every kind',
    base: 'fresh',
    steps: [
      run(
        'echo x > .dot; : > zero; printf "\\n" > line; ln -s zero link; ln -s nowhere dangling; mkdir e; echo p > prog; chmod +x prog; head -c 3000 /dev/zero > bin.dat; echo x > "no ext"; echo x > a.b.c.tar.gz',
      ),
    ],
  },
  {
    id: '2.8-text',
    title: 'text to Git, the rest to the annex',
    base: 'text',
    steps: [
      run(
        'echo x > .dot; : > zero; printf "\\n" > line; ln -s zero link; echo p > prog; chmod +x prog; head -c 3000 /dev/zero > bin.dat; printf "\\0" > nul; echo "{{}}" > a.json; echo "<a/>" > a.xml',
      ),
    ],
  },
  {
    id: '2.8-git',
    title: 'a dataset without an annex',
    base: 'git',
    steps: [
      run(
        'echo x > .dot; : > zero; ln -s zero link; echo p > prog; chmod +x prog; head -c 3000 /dev/zero > bin.dat; rm a.in; chmod +x b.in',
      ),
    ],
  },
  {
    id: '2.8-toannex',
    title: 'a file in Git becomes annexed when modified',
    base: 'files',
    steps: [run('echo x >> code.txt')],
  },
  {
    id: '2.8-attributes',
    title: 'attributes keep a file in Git',
    base: 'files',
    setUp:
      'cd ds; echo "*.txt annex.largefiles=nothing" >> .gitattributes; git add .gitattributes; git commit -qm attributes',
    steps: [run('echo x >> code.txt; echo y > new.txt; echo z > new.dat')],
  },
  {
    id: '2.8-types',
    title: 'paths that change their kind',
    base: 'files',
    steps: [run('rm a.in; mkdir a.in; echo x > a.in/x; rm -r d; echo d > d')],
    difference: {
      because: 'the file that a folder takes the place of is reported as deleted',
      aspects: ['results'],
      ours: (ending) => {
        const gone = ending.results
          .flat()
          .filter((result) => result['action'] === 'delete')
          .map((result) => result['path']);
        equal(gone.join(), 'W/ds/a.in,W/ds/d/1.dat,W/ds/d/2.dat,W/ds/d/e/3.dat');
      },
    },
  },
  {
    id: '2.8-link',
    title: 'the command puts a plain link in the place of an annexed file',
    base: 'files',
    steps: [run('rm b.in; ln -s code.txt b.in')],
    difference: {
      because: 'the link is saved; DataLad has git-annex put the annexed file back, and the result is lost',
      aspects: ['commits', 'tree', 'files', 'results'],
      ours: (ending) => equal(ending.state.files['ds/b.in'], 'link code.txt'),
    },
  },
  {
    id: '2.8-rename',
    title: 'an annexed file is renamed',
    base: 'files',
    steps: [run('mv a.in z.in; mkdir q; mv d/e/3.dat q/; mv "foo blah.txt" d/e/')],
  },
  {
    id: '2.8-unlocked',
    title: 'an unlocked file is not touched',
    base: 'files',
    setUp: 'cd ds; git annex unlock -q a.in; git commit -qm unlocked',
    steps: [run('echo x > x')],
  },
  {
    id: 'S-31',
    title: 'an unlocked file is modified',
    base: 'files',
    setUp: 'cd ds; git annex unlock -q a.in; git commit -qm unlocked',
    steps: [run('-o', 'a.in', 'echo x >> a.in')],
    difference: {
      because: 'S-31: an unlocked annexed file stays unlocked',
      aspects: ['tree', 'files'],
      ours: (ending) => {
        if (ending.state.files['ds/a.in'] !== 'file - a\nx\n') throw new Error(ending.state.files['ds/a.in']);
        if (!ending.state.repos['ds']?.tree.some((line) => line.startsWith('100644') && line.endsWith('\ta.in')))
          throw new Error('not unlocked in the tree');
      },
    },
  },
  {
    id: '2.8-addunlocked',
    title: 'new files are unlocked where that is configured',
    base: 'fresh',
    setUp: 'cd ds; git config annex.addunlocked true',
    steps: [run('echo x > x; mkdir d; echo y > d/y.dat')],
  },
  {
    id: '2.8-nested',
    title: 'the command makes a repository',
    base: 'fresh',
    steps: [run('git init -q n; cd n; echo x > x; git add x; git commit -qm x')],
  },
  {
    id: 'S-04',
    title: 'an output that Git ignores',
    base: 'git',
    setUp: 'cd ds; echo "*.log" > .gitignore; git add .gitignore; git commit -qm ignore',
    steps: [
      run('-o', 'x.log', 'echo x > x.log'),
      run('--explicit', '-o', 'y.log', '-o', 'z', 'echo x > y.log; echo z > z'),
    ],
    difference: {
      because: 'S-04: an ignored output is reported',
      aspects: [],
      ours: (ending) => {
        if (!`${JSON.stringify(ending.results)}${ending.stderr.join()}`.includes('y.log'))
          throw new Error(`nothing said about y.log: ${ending.stderr.join()}`);
      },
    },
  },

  {
    id: '2.8-jobs',
    title: 'several jobs',
    base: 'hierarchy',
    steps: [run('-J', '2', 'echo x > sub/x; echo y > dir/other/y')],
  },
  {
    id: '1.7.9',
    title: 'an adjusted branch',
    base: 'files',
    setUp: 'cd ds; git annex adjust --unlock',
    steps: [run('-o', 'a.in', 'echo x >> a.in; echo n > n')],
  },
  {
    id: 'S-20-hook',
    title: 'a hook that refuses every commit',
    base: 'git',
    setUp: "cd ds; printf '#!/bin/sh\\nexit 1\\n' > .git/hooks/pre-commit; chmod +x .git/hooks/pre-commit",
    steps: [run('echo x > x')],
    difference: {
      because: 'S-20: hooks do not stand between a result and its record',
      aspects: ['code', 'results', 'commits', 'tree', 'status', 'editmsg'],
      ours: (ending) => {
        equal(ending.codes[0], 0);
        equal(ending.state.repos['ds']?.commits.length, 3);
      },
    },
  },
  {
    id: 'S-20-cleanup',
    title: 'a configured clean-up of messages that takes the delimiter for a comment',
    base: 'git',
    setUp: "cd ds; git config commit.cleanup strip; git config core.commentChar '='",
    steps: [run('echo x > x')],
    difference: {
      because: 'S-20: no configuration damages a record',
      aspects: ['commits'],
      ours: (ending) => {
        const message = ending.state.repos['ds']?.commits.at(-1)?.message ?? '';
        equal(
          message.split('\n').slice(0, 3).join('|'),
          '[DATALAD RUNCMD] echo x > x||=== Do not change lines below ===',
        );
      },
    },
  },
];
