/** Outputs, inputs and placeholders of a rerun, and its options (X69–X72, 3.5). */
import { asked, rerun, type RerunScenario } from './histories-scenario.ts';

export const optionScenarios: readonly RerunScenario[] = [
  {
    id: 'X70',
    title: 'explicit',
    history: {
      base: 'annex',
      commits: [
        { name: 'a', files: { to_modify: 'content' } },
        { name: 'b', run: 'echo o >> foo', options: ['--explicit', '-o', 'foo'] },
        { name: 'c', run: 'echo u >> undeclared; echo o >> foo', options: ['-o', 'foo'] },
        { name: 'd', run: 'echo none >> none' },
      ],
      after: 'echo dirt > untracked',
    },
    forms: [
      { steps: [rerun('b', '--explicit'), rerun('b', '--since=', '--explicit')] },
      { steps: [rerun('b', '--since=', '--onto=', '--explicit', '-b', 'new')] },
      { steps: [{ sh: 'echo more >> to_modify' }, rerun('b', '--explicit')] },
      {
        steps: [
          { sh: 'echo more >> foo2; git add foo2; git commit -qm f; echo more >> foo2' },
          rerun('HEAD', '--onto=', '--since=', '--explicit'),
        ],
        shows: { code: 1, decisions: ['refused'] },
      },
    ],
  },
  {
    id: 'X71',
    title: 'outputs that are assumed to be ready',
    history: {
      base: 'annex',
      commits: [
        { name: 'a', run: 'rm -f out1 out2; echo 1 > out1; echo 2 > out2', options: ['-o', 'out1'] },
        {
          name: 'b',
          run: 'test ! -L out1 && test ! -L out2; echo "$?" > seen; rm -f out1 out2; echo 3 > out1; echo 4 > out2',
          options: ['-o', 'out1'],
        },
      ],
      after: 'git annex drop -q --force out1 out2',
    },
    forms: asked(
      '',
      '--assume-ready outputs',
      '--assume-ready both',
      '--assume-ready inputs',
      'a --assume-ready outputs',
    ),
  },
  {
    id: '3.5-outputs',
    title: 'what is made writable before the command',
    history: {
      base: 'annex',
      commits: [
        { name: 'a', run: 'for f in declared changed deleted kept d/in; do mkdir -p d; echo 1 > $f; done' },
        {
          name: 'b',
          run: 'for f in declared changed kept d/in added; do if test -L $f; then echo link; elif test -e $f; then echo file; else echo none; fi; done > seen; rm -f deleted; for f in changed added d/in; do rm -f $f; echo 2 > $f; done',
          options: ['-o', 'declared', '-o', 'nothing*'],
        },
      ],
    },
    forms: [
      ...asked('b', '--since=', 'b --onto=a', 'b --onto=b'),
      { steps: [{ sh: 'git annex drop -q --force changed' }, rerun()] },
      { steps: [rerun(), rerun(), rerun('--since=')] },
    ],
  },
  {
    id: '3.5-globs',
    title: 'inputs and outputs by patterns',
    history: {
      base: 'annex',
      commits: [
        {
          name: 'a',
          sh: 'mkdir d; for f in a.dat b.dat d/c.dat; do echo $f > $f; done; git annex add -q .; git commit -qm "$NAME"',
        },
        {
          name: 'b',
          run: 'cat {inputs} > sum; for f in {outputs}; do echo more >> $f; done',
          options: ['-i', '*.dat', '-i', 'd', '-o', 'a.*', '-o', 'sum'],
        },
        { name: 'c', sh: 'echo late > late.dat; git annex add -q late.dat; git commit -qm "$NAME"' },
        { name: 'd', run: 'cat {inputs} > all', options: ['--expand', 'both', '-i', '*.dat', '-o', 'al*'] },
      ],
    },
    forms: asked('b', '--since=', '--since= --onto=', 'd', '--report b'),
  },
  {
    id: 'X69',
    title: 'inputs that must be fetched',
    history: {
      base: 'annex',
      commits: [
        {
          name: 'a',
          sh: 'mkdir d; for f in a.dat b.dat c.txt d/e.dat; do echo $f > $f; done; git annex add -q .; git commit -qm "$NAME"',
        },
        { name: 'b', run: 'cat {inputs} > sum; echo more >> b.dat', options: ['-i', '*.dat', '-o', 'b.dat'] },
        { name: 'c', run: 'cat d/* > e', options: ['-i', 'd'] },
      ],
      after:
        'cp -a . ../origin; rm -rf ../clone; git clone -q ../origin ../clone; cp ../clone/.git/config .git/config; rm -rf .git/annex; git config annex.uuid ""; git config --unset annex.uuid; git annex init -q; git config remote.origin.annex-uuid "$(git -C ../origin config annex.uuid)"; rm -rf ../clone',
    },
    forms: [
      ...asked('b', 'c', '--since=a'),
      { steps: [rerun('c', '--assume-ready', 'inputs')], notOld: 'it saves what a failed command left' },
    ],
  },
  {
    id: 'X72',
    title: 'placeholders',
    history: {
      base: 'annex',
      commits: [
        { name: 'a', files: { 'a.in': 'in a', 'b.in': 'in b', 'c.out': 'out c!' } },
        { name: 'b', run: 'echo {inputs} > {outputs}', options: ['-i', '.', '-i', '*.in', '-o', 'c.out'] },
        { name: 'c', run: 'echo {inputs[0]} > getitem', options: ['-i', '*.in'] },
        { name: 'd', run: 'test "$(pwd)" = "{pwd}" && test "{dspath}" = "$PWD" && echo same >> pwd' },
        { name: 'e', run: 'echo > {{inputs}}', options: ['-i', '*.in'] },
        { name: 'f', files: { '.datalad/config': '' }, on: ['e'] },
      ],
      main: 'e',
      after:
        'git config datalad.run.substitutions.license gpl3; $REPRISE -c reprise.record.extension=none run "echo {license} > configured"; git tag g; $REPRISE -c reprise.record.extension=none run "test -d {tmpdir} && echo {license} >> tmp"; git tag h',
    },
    forms: [
      ...asked('b', 'c', 'd', 'e', 'g', 'h', 'e --since= --onto='),
      { steps: [{ sh: 'git config datalad.run.substitutions.license mit' }, rerun('g')] },
    ],
  },
];
