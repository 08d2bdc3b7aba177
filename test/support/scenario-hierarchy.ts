/** Scenarios of subdatasets (1.8, 2.6). */
import type { Ending, Scenario } from './scenario.ts';
import { equal, run, within } from './scenario-steps.ts';

/** A line that prints which files of the subdatasets a test is true of. */
function those(test: string): string {
  return `for f in sub/f sub/inner/i dir/other/o; do ${test} $f && echo $f; done; true`;
}

export const hierarchyScenarios: readonly Scenario[] = [
  { id: 'X12', title: 'a run in a subdataset', base: 'hierarchy', steps: [within('ds/sub', 'echo x > x')] },
  {
    id: '1.8',
    title: 'the record is copied to every modified subdataset',
    base: 'hierarchy',
    steps: [run('-m', 'in both', 'echo 1 > new; echo 1 > sub/inner/f')],
  },
  {
    id: '1.8-leaf',
    title: 'only a deep subdataset is modified',
    base: 'hierarchy',
    steps: [run('-o', 'sub/inner/i', 'echo 1 >> sub/inner/i')],
  },
  {
    id: '1.8-plain',
    title: 'a subdataset below a plain folder',
    base: 'hierarchy',
    steps: [run('echo 1 > dir/other/f; rm sub/g')],
  },
  {
    id: '1.8-explicit',
    title: 'an explicit run with outputs in subdatasets',
    base: 'hierarchy',
    setUp: 'cd ds; echo x > dirt; echo x > sub/dirt',
    steps: [
      run(
        '--explicit',
        '-o',
        'sub/inner/n',
        '-o',
        'dir/other/n',
        'echo 1 > sub/inner/n; echo 2 > dir/other/n; echo 3 > dir/other/m',
      ),
    ],
  },
  {
    id: '1.8-sidecar',
    title: 'a sidecar and a modified subdataset',
    base: 'hierarchy',
    setUp: 'cd ds; git config datalad.run.record-directory .datalad; git config datalad.run.record-sidecar false',
    steps: [run('echo 1 > sub/f2')],
  },
  {
    id: 'X69-input',
    title: 'an input in an uninstalled subdataset',
    base: 'hollow',
    steps: [run('-i', 'sub/f', 'cat sub/f > out')],
  },
  {
    id: 'X69-deep',
    title: 'an input in a subdataset of an uninstalled subdataset',
    base: 'hollow',
    steps: [run('-i', 'sub/inner/i', 'cat sub/inner/i > out')],
    difference: {
      because: 'every subdataset that was installed is reported, not only the innermost',
      aspects: ['results'],
      ours: bothInstalled,
    },
  },
  {
    id: 'X69-mount',
    title: 'an uninstalled subdataset as input',
    base: 'hollow',
    steps: [run('-i', 'sub', 'cat sub/f > out')],
  },
  {
    id: 'X69-dot',
    title: '-i . installs nothing',
    base: 'hollow',
    steps: [run('-i', '.', 'cat top > out; ls sub >> out')],
  },
  {
    id: 'X69-output',
    title: 'an output in an uninstalled subdataset',
    base: 'hollow',
    steps: [run('-o', 'sub/inner/out', 'echo x > sub/inner/out')],
    difference: {
      because: 'every subdataset that was installed is reported, not only the innermost',
      aspects: ['results'],
      ours: bothInstalled,
    },
  },
  {
    id: 'X69-slash',
    title: 'an uninstalled subdataset as output',
    base: 'hollow',
    steps: [run('-o', 'sub/', 'echo x > sub/out')],
  },
  {
    id: 'X69-pattern',
    title: 'a pattern below a plain folder and an uninstalled subdataset',
    base: 'hollow',
    steps: [run('-i', 'dir/oth*/o', 'cat dir/other/o > out')],
  },
  {
    id: 'X69-below',
    title: 'a folder as input stands for the files of the dataset that it is or lies in',
    base: 'hollow',
    setUp: 'cd ds; $REPRISE get -n -r .',
    steps: [
      run('-i', '.', '-i', 'dir', those('test -e')),
      run('-i', 'sub', those('test -e')),
      run('-i', 'dir/*', those('test -e')),
      run('-i', '**/i', those('test -e')),
    ],
  },
  {
    id: '2.7-below',
    title: 'so does a folder as output',
    base: 'hierarchy',
    steps: [
      run('-o', '.', '-o', 'dir', those('test ! -L')),
      run('-o', 'sub/', those('test ! -L')),
      run('-o', 'sub/inner/*', those('test ! -L')),
    ],
    difference: {
      because: 'a subdataset in which nothing has changed is not reported as saved',
      aspects: ['results'],
      ours: (ending) => equal(ending.printed.join('|'), '|sub/f\n|sub/inner/i\n'),
    },
  },
  {
    id: '2.7-mount',
    title: 'a subdataset as output',
    base: 'hierarchy',
    steps: [run('-o', 'sub', those('test ! -L'))],
    difference: {
      because: 'what is declared can be written: its files are unlocked without a final slash, too',
      aspects: ['printed', 'results'],
      ours: (ending) => equal(ending.printed.join(), 'sub/f\n'),
    },
  },
  {
    id: 'S-13',
    title: 'a pattern that an installed and an uninstalled subdataset match',
    base: 'hierarchy',
    setUp:
      'cd ds; $REPRISE create -d . sub2; echo f2 > sub2/f; $REPRISE save -r -m two; cd ..; mv ds origin; git clone -q origin ds; cd ds; git annex init -q; git submodule -q update --init sub; git -C sub checkout -q -B main; git -C sub annex init -q',
    steps: [run('-i', 'sub*/f', 'cat {inputs} > out')],
    difference: {
      because: 'S-13: subdatasets are installed wherever a pattern can reach, whatever is installed already',
      aspects: ['tree', 'files', 'commits', 'results', 'status', 'branch'],
      ours: (ending) => {
        if (!ending.state.files['ds/sub2/f'] || ending.codes[0] !== 0)
          throw new Error(`not installed: ${ending.stderr.join()}`);
      },
    },
  },
  {
    id: 'X94',
    title: 'something is written below an uninstalled subdataset',
    base: 'hollow',
    steps: [run('echo x > sub/r')],
    difference: {
      because: 'S-03: what cannot be saved is an error',
      aspects: ['code', 'editmsg'],
      ours: (ending) => {
        if (ending.codes[0] === 0 || ending.state.files['ds/sub/r'] !== 'file - x\n')
          throw new Error(`exit ${String(ending.codes[0])}`);
      },
    },
  },
];

function bothInstalled(ending: Ending): void {
  const installed = ending.results.flat().filter((result) => result['action'] === 'install');
  equal(installed.map((result) => result['path']).join(), 'W/ds/sub,W/ds/sub/inner');
}
