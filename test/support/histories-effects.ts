/** What a rerun leaves in the work tree, and scripts, differently from DataLad on purpose (S-11, S-15, S-16, S-23). */
import { alone, differs, same } from './histories-difference.ts';
import { rerun, type RerunScenario } from './histories-scenario.ts';

const S23 = 'S-23: it works in a fresh clone';
export const effectScenarios: readonly RerunScenario[] = [
  {
    id: 'X68',
    title: 'a script of runs in folders, with patterns and own messages',
    history: {
      base: 'annex',
      commits: [
        {
          name: 'a',
          sh: 'mkdir d; for f in a.in "b c.in"; do echo $f > "d/$f"; done; git annex add -q d; git commit -qm "$NAME"',
        },
        { name: 'b', run: 'cat {inputs} > {outputs}', in: 'd', options: ['-i', '*.in', '-o', 'sum'] },
        { name: 'c', run: 'echo c > c', options: ['-m', 'BAR'] },
        { name: 'd', run: 'cat c d/sum > all', options: ['--sidecar', 'yes', '-i', 'c', '-i', 'd/sum', '-o', 'all'] },
      ],
    },
    forms: [
      differs(
        [rerun('--script', '-', '--since=')],
        S23,
        ['printed'],
        { code: 0, head: 'main at d', status: { ds: [] } },
        ({ printed }) => {
          const lines = printed.split('\n');
          for (const wanted of ['# BAR', "echo c > c'"])
            same(
              lines.some((line) => line.endsWith(wanted)),
              true,
              wanted,
            );
          same(printed.startsWith('#!/bin/sh\n'), true, 'a POSIX script');
          same(
            lines.some((line) => line.startsWith('# echo c > c')),
            false,
            'an automatic message as a comment',
          );
        },
      ),
      differs(
        [
          rerun('--script', '$W/commands.sh', '--since='),
          {
            sh: 'git clone -q . ../fresh; cd ../fresh; git annex init -q; sh ../commands.sh >&2; git annex add -q --force-large .; git diff --cached --quiet HEAD; cat all',
          },
          rerun('--report'),
        ],
        S23,
        alone,
        { code: 0 },
      ),
    ],
  },
  {
    id: 'X70-unlocked',
    title: 'what an explicit rerun unlocks',
    history: {
      base: 'annex',
      commits: [{ name: 'a', run: 'echo none >> none' }],
      after: 'echo dirt > untracked',
    },
    forms: [
      differs([rerun('--explicit')], 'S-11: it is not staged', ['status'], {
        code: 0,
        decisions: ['run a'],
        head: 'main at a',
        status: { ds: [' T none', '?? untracked'] },
      }),
    ],
  },
  {
    id: 'X72-unknown',
    title: 'a placeholder that is no longer configured',
    history: {
      base: 'annex',
      commits: [
        {
          name: 'a',
          sh: 'git config datalad.run.substitutions.license gpl3; $REPRISE run "echo {license} > configured"; git config --unset datalad.run.substitutions.license',
        },
      ],
    },
    forms: [
      differs([rerun()], 'S-11: nothing is left unlocked', ['status'], {
        code: 1,
        decisions: ['refused'],
        head: 'main at a',
        status: { ds: [] },
      }),
    ],
  },
  {
    id: '3.5-unwritten',
    title: 'a declared output without content that the command does not write',
    history: {
      base: 'annex',
      commits: [
        { name: 'a', run: 'echo 1 > declared; echo 1 > other', options: ['-o', 'declared', '-o', 'other'] },
        { name: 'b', run: 'echo 2 >> other', options: ['-o', 'declared', '-o', 'other'] },
      ],
      after: 'git annex drop -q --force declared',
    },
    forms: [
      differs(
        [rerun()],
        'S-15: it is not deleted',
        ['tree'],
        { code: 0, decisions: ['run b'], head: "main at b'" },
        ({ files }) => same(files['ds/declared']?.startsWith('link '), true, 'declared'),
      ),
    ],
  },
  {
    id: 'S-22-outputs',
    title: 'an output that the commit did not change, without content',
    history: {
      base: 'annex',
      commits: [
        { name: 'a', run: 'echo same > out; echo a >> log', options: ['-o', 'out', '-o', 'log'] },
        { name: 'b', run: 'echo same > out; echo b >> log', options: ['-o', 'out', '-o', 'log'] },
      ],
      after: 'git annex drop -q --force out',
    },
    forms: [{ steps: [rerun('b')], shows: { code: 0, decisions: ['run b'], head: "main at b'" } }],
  },
  {
    id: 'X97',
    title: 'outputs with odd names',
    history: {
      base: 'annex',
      commits: [
        {
          name: 'a',
          run: `for f in "$(printf 'tab\\tx')" "$(printf 'new\\nline')" 'q"q' 'b\\s' "$(printf 'l\\351')" '-dash'; do echo x >> "./$f"; done`,
        },
      ],
    },
    forms: [
      differs(
        [rerun('--since=', '--onto=')],
        'S-16: every name is a name',
        alone,
        { code: 0, decisions: ['run a'], head: "detached at a'", status: { ds: [] } },
        ({ tree }) => same(tree['ds']?.filter((entry) => entry.startsWith('120000')).length, 6, 'annexed files'),
      ),
    ],
  },
];
