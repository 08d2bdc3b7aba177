/** Scenarios of section 1: the record, its message and its sidecar. */
import type { Scenario } from './scenario.ts';
import { equal, run } from './scenario-steps.ts';

export const recordScenarios: readonly Scenario[] = [
  { id: 'X04', title: 'a first run with an empty file', base: 'fresh', steps: [run('-m', 'TEST', 'cd .> empty')] },
  { id: 'X05', title: 'a command that changes nothing', base: 'fresh', steps: [run(':')] },
  { id: 'X06', title: 'no command', base: 'fresh', steps: [run()] },
  {
    id: '1.1.2-lines',
    title: 'a message of several lines with blanks at their ends',
    base: 'git',
    steps: [run('-m', 'one  \n\n\n\ntwo\t\nthree\n\n', 'echo x > x')],
  },
  {
    id: '1.1.2-last',
    title: 'the last of several messages counts',
    base: 'git',
    steps: [run('-m', 'one', '-m', 'two', 'echo x > x')],
  },
  {
    id: '1.1.2-forty',
    title: 'exactly forty code points are not cut',
    base: 'git',
    steps: [run('echo 1234567890123456789012345678 > xxxxx')],
  },
  {
    id: '1.1.2-cut',
    title: 'a long command is cut after forty code points',
    base: 'git',
    steps: [run('echo "äöü😀😀😀 1234567890123456789012345678" > {pwd}/xxxxx')],
  },
  {
    id: '1.1.2-many',
    title: 'a command of several lines',
    base: 'git',
    steps: [run('echo a > x1\necho b > x2\n\n# end')],
  },
  {
    id: '1.1.3',
    title: 'braces and percent signs in the message',
    base: 'git',
    steps: [run('-m', '{inputs} {nothing} %s %(x)s {{', 'echo x > x')],
  },
  {
    id: '1.1.4',
    title: 'a message whose lines begin with #',
    base: 'git',
    steps: [run('-m', 'top\n\n# note\n#more', 'echo x > x')],
  },
  {
    id: '1.2',
    title: 'every kind of character in the JSON',
    base: 'git',
    steps: [run('-o', 'ö.txt', '-i', 'a.in', `printf '%s' '"\\/\b\f\t\u0001\u001f\u007f\u2028 ü 😀' > ö.txt\n`)],
  },
  { id: '1.3-plain', title: 'a repository without a dataset id', base: 'plain', steps: [run('echo x > x')] },
  {
    id: '1.3.1',
    title: 'absolute, repeated and dotted paths are recorded as given',
    base: 'files',
    steps: [
      run(
        '-i',
        '$W/ds/a.in',
        '-i',
        'a.in',
        '-i',
        './a.in',
        '-i',
        'd/../b.in',
        '-o',
        '$W/ds/out',
        '-o',
        '.',
        'echo {inputs} > out',
      ),
    ],
  },
  {
    id: '1.3.1-expand',
    title: '--expand records absolute paths relative to the folder',
    base: 'files',
    steps: [
      run(
        '--expand',
        'both',
        '-i',
        '$W/ds/*.in',
        '-i',
        '.',
        '-i',
        'd/**',
        '-i',
        'a.in',
        '-o',
        '$W/ds/out',
        '-o',
        'none*',
        '-o',
        '.',
        'echo {inputs} > out',
      ),
    ],
  },
  {
    id: 'X08',
    title: 'a sidecar',
    base: 'fresh',
    steps: [run('--sidecar', 'yes', '-m', 'm', 'cd .>d0')],
    difference: sidecarInGit(),
  },
  {
    id: 'X08-text',
    title: 'a sidecar where text goes to Git',
    base: 'text',
    steps: [run('--sidecar', 'YES', '-m', 'schön', '-i', '.', '-o', 'ö.txt', 'echo "ü" > ö.txt')],
    difference: sidecarInGit(),
  },
  {
    id: 'X08-git',
    title: 'a sidecar without an annex',
    base: 'git',
    steps: [run('--sidecar', 'On', '-m', 'm', 'echo x > x')],
  },
  {
    id: 'X09',
    title: 'the last configured value decides about the sidecar',
    base: 'git',
    steps: [
      { sh: 'cd ds; git config datalad.run.record-sidecar false' },
      run('echo 1 > x1'),
      { sh: 'cd ds; git config --replace-all datalad.run.record-sidecar true' },
      run('echo 2 > x2'),
      { sh: 'cd ds; git config --add datalad.run.record-sidecar false' },
      run('echo 3 > x3'),
      run('--sidecar', '1', 'echo 4 > x4'),
    ],
  },
  {
    id: '1.4.1-committed',
    title: 'the committed configuration asks for sidecars',
    base: 'git',
    setUp: 'cd ds; git config -f .datalad/config datalad.run.record-sidecar true; git commit -qam config',
    steps: [run('echo 1 > x1'), run('--sidecar', 'no', 'echo 2 > x2')],
  },
  {
    id: '1.4.1-env',
    title: 'the environment asks for sidecars',
    base: 'git',
    steps: [{ args: ['run', 'echo 1 > x1'], env: { DATALAD_RUN_RECORD__SIDECAR: '1' } }],
  },
  { id: '1.4.1-bad', title: 'neither yes nor no', base: 'git', steps: [run('--sidecar', 'perhaps', 'echo 1 > x1')] },
  {
    id: '1.4.2',
    title: 'a folder for sidecars',
    base: 'git',
    setUp: 'cd ds; git config datalad.run.record-directory notes/runs',
    steps: [run('--sidecar', 'yes', 'echo 1 > x1')],
  },
  {
    id: 'X10',
    title: 'an explicit run with a sidecar',
    base: 'fresh',
    steps: [run('--explicit', '--sidecar', 'yes', '-o', 'd4', 'cd .>d4')],
    difference: sidecarInGit(),
  },
  {
    id: '1.4.8',
    title: 'an explicit run without outputs commits the sidecar alone',
    base: 'git',
    steps: [run('--explicit', '--sidecar', 'yes', 'echo x > x')],
  },
  {
    id: '1.4.10',
    title: 'a second run with the same record',
    base: 'git',
    steps: [
      run('--sidecar', 'yes', '-m', 'm', 'date +%N%s >> x'),
      run('--sidecar', 'yes', '-m', 'm', 'date +%N%s >> x'),
      { sh: 'cd ds; git show -s --format=%B HEAD > ../message; : > x; git commit -qam same' },
    ],
  },
  {
    id: '1.4.9',
    title: 'a sidecar for a command that changed nothing',
    base: 'git',
    steps: [run('--sidecar', 'yes', 'true')],
    difference: {
      because: 'S-25: a command that changed nothing leaves no record, in whatever form',
      aspects: ['commits', 'tree', 'files', 'results'],
      ours: (ending) => nothingCommitted(ending.state.repos['ds']?.commits.length, ending.state.repos['ds']?.status),
    },
  },
];

function sidecarInGit(): NonNullable<Scenario['difference']> {
  return {
    because: 'S-06: a sidecar goes into Git, so that a clone can read it',
    aspects: ['tree', 'files', 'results'],
    ours: (ending) => {
      const sidecar = ending.state.repos['ds']?.tree.find((line) => line.includes('.datalad/runinfo/'));
      equal(sidecar?.slice(0, 11), '100644 blob');
      const found = Object.entries(ending.state.files).filter(([path]) => path.startsWith('ds/.datalad/runinfo/'));
      equal(found.length, 1);
      equal(found[0]?.[1].slice(0, 7), 'file - ');
    },
  };
}

function nothingCommitted(commits: number | undefined, status: readonly string[] | undefined): void {
  equal(commits, 2);
  equal(status?.length, 0);
}
