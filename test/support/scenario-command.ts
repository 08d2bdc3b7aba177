/** Scenarios of the forms of a command and of its placeholders (2.3, 2.4). */
import type { Scenario } from './scenario.ts';
import { equal, run } from './scenario-steps.ts';

export const commandScenarios: readonly Scenario[] = [
  {
    id: 'X21-dashes',
    title: 'one leading -- is dropped',
    base: 'git',
    steps: [run('--', 'touch', '--', '-x'), run('--', '--', 'ok'), run('--')],
  },
  { id: 'X21-empty', title: 'an empty command', base: 'git', steps: [run(''), run(' '), run('--', '')] },
  {
    id: 'X22',
    title: 'options that are the command’s',
    base: 'git',
    steps: [run('--message'), run('--', '--message'), run('echo', '--version'), run('touch', 'x', '-m', 'y')],
  },
  {
    id: 'S-24',
    title: 'a quoted line after -- is one word',
    base: 'git',
    steps: [run('--', 'echo hi > f && echo ho')],
  },
  {
    id: '2.3-quote',
    title: 'words are quoted and joined',
    base: 'git',
    steps: [run('touch', "it's", 'a b', '', 'ü', '$HOME', 'x@y%z+=:,./-_', '*')],
  },
  {
    id: 'X19-line',
    title: 'each input is one argument of a shell line',
    base: 'files',
    steps: [run('-i', 'foo blah.txt', '-i', 'a.in', '-o', 'it"s.out', 'printf "%s|" {inputs} > {outputs[0]}')],
  },
  {
    id: 'X19-words',
    title: 'all inputs are one argument of a list command',
    base: 'files',
    steps: [
      run('-i', 'foo blah.txt', '-i', 'a.in', '-o', 'out', 'sh', '-c', 'printf "%s|" "$@" > out', 'x', '{inputs}'),
    ],
  },
  {
    id: '2.3-shell',
    title: 'the command runs in a shell without -e, in the folder',
    base: 'git',
    steps: [{ args: ['run', 'false; test "$PWD" = {pwd} && echo "$0" > x; cat >> x'], cwd: 'ds/d' }],
  },
  {
    id: '2.3-streams',
    title: 'the command’s streams pass through',
    base: 'git',
    steps: [run('echo out; echo err >&2; echo "x y" > x')],
  },
  {
    id: '2.4-all',
    title: 'every built-in placeholder',
    base: 'files',
    steps: [
      {
        args: [
          'run',
          '-i',
          '*.in',
          '-i',
          '.',
          '-o',
          'o*',
          '-o',
          'p',
          'printf "%s|" {inputs} {inputs[1]} {outputs} {outputs[0]} {{inputs}} > p; echo "{pwd} {dspath}" | grep -c /ds >> p',
        ],
        cwd: 'ds',
      },
    ],
  },
  {
    id: '2.4-sub',
    title: 'placeholders in a subfolder',
    base: 'files',
    steps: [
      {
        args: ['run', '-i', '*.dat', '-o', '../o', 'printf "%s|" {inputs} {outputs} > ../o; test {pwd} = {dspath}/d'],
        cwd: 'ds/d',
      },
    ],
  },
  { id: '2.4-dot', title: '-i . is no text', base: 'files', steps: [run('-i', '.', 'echo "[{inputs}]" > o')] },
  {
    id: '2.4-format',
    title: 'conversions and format specs',
    base: 'files',
    steps: [run('-i', 'a.in', '-i', 'foo blah.txt', 'echo "{inputs:>10}" {inputs[0]!r} {inputs!s} > o')],
  },
  {
    id: '2.4-config',
    title: 'configured substitutions',
    base: 'git',
    setUp:
      'cd ds; git config datalad.run.substitutions.who joe; git config --add datalad.run.substitutions.many one; git config --add datalad.run.substitutions.many "t w o"; git config datalad.run.substitutions.inputs no',
    steps: [run('echo {who} {many} {many[1]} [{inputs}] > o')],
  },
  {
    id: '2.4-case',
    title: 'Git folds the case of a substitution’s name',
    base: 'git',
    setUp: 'cd ds; git config datalad.run.substitutions.Who joe',
    steps: [run('echo {who} > o'), run('echo {Who} > p')],
  },
  { id: '2.4-unknown', title: 'an unknown placeholder', base: 'git', steps: [run('echo {nothing} > o')] },
  {
    id: '2.4-range',
    title: 'an index that is too high',
    base: 'files',
    steps: [run('-i', 'a.in', 'echo {inputs[1]} > o')],
  },
  { id: '2.4-brace', title: 'an unbalanced brace', base: 'git', steps: [run('echo { > o')] },
  {
    id: '2.4-number',
    title: 'a placeholder without a name',
    base: 'git',
    steps: [run('echo {} > o'), run('echo {0} > o')],
  },
  {
    id: 'S-18',
    title: 'a configured value overridden for one call',
    base: 'git',
    setUp: 'cd ds; git config datalad.run.substitutions.who joe',
    steps: [{ args: ['-c', 'datalad.run.substitutions.who=cli', 'run', 'echo {who} > o'] }],
    difference: {
      because: 'S-18: an override replaces the configured value, as in DataLad 0.18',
      aspects: ['files', 'tree', 'commits', 'results'],
      ours: (ending) => equal(ending.state.files['ds/o'], 'file - cli\n'),
    },
  },

  {
    id: 'S-19',
    title: '{tmpdir}',
    base: 'git',
    setUp: 'mkdir tmp',
    steps: [
      {
        args: ['run', '-m', 'm', 'basename {tmpdir} | cut -c1-12 > o; stat -c %a {tmpdir} >> o; touch {tmpdir}/left'],
        env: { TMPDIR: '$W/tmp' },
      },
      { args: ['run', '--dry-run', 'basic', 'cd {tmpdir}'], env: { TMPDIR: '$W/tmp' } },
    ],
    difference: {
      because: 'S-19: the folder is removed afterwards, and a dry run makes none',
      aspects: ['files', 'results'],
      ours: (ending) => equal(ending.state.files['tmp/'], 'empty folder'),
    },
  },
  {
    id: '2.3-config',
    title: 'the command sees the settings of the command line',
    base: 'git',
    steps: [{ args: ['-c', 'user.nick=zed', 'run', 'git config user.nick > o'] }],
    notOld: 'it does not export them',
  },
];
