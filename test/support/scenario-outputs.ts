/** Scenarios of outputs, of expansion, of dry runs, and of where a run happens (2.7, 2.11, 2.12). */
import type { Ending, Scenario } from './scenario.ts';
import { equal, linked, run, within } from './scenario-steps.ts';

export const outputScenarios: readonly Scenario[] = [
  {
    id: 'X14',
    title: 'a tracked file, an empty folder and a folder with a file as outputs',
    base: 'files',
    setUp: 'cd ds; mkdir empty',
    steps: [run('-o', 'a.in', '-o', 'empty', '-o', 'd', 'echo content > empty/f')],
    notOld: 'S-28: it refuses an empty folder as output',
  },
  {
    id: 'X16',
    title: 'outputs are unlocked, unless they are taken to be ready',
    base: 'files',
    steps: [
      run('-o', 'a.in', 'rm a.in; echo more > a.in'),
      run('--assume-ready', 'outputs', '-o', 'a.in', 'rm a.in; echo yet more > a.in'),
    ],
  },
  {
    id: 'X16-append',
    title: 'an output is appended to',
    base: 'files',
    steps: [run('-o', 'a.in', 'echo more >> a.in')],
  },
  {
    id: 'X16-both',
    title: 'both taken to be ready',
    base: 'clone',
    steps: [run('--assume-ready', 'both', '-i', 'nope', '-i', 'a.in', '-o', 'b.in', 'rm b.in; echo x > b.in')],
  },
  {
    id: 'X23-d',
    title: '-d names the dataset, the command runs here',
    base: 'files',
    steps: [within('ds/d', '-d', '..', '-o', 'one', 'cd .> one')],
  },
  {
    id: 'X23-outside',
    title: 'run from outside of the dataset',
    base: 'files',
    setUp: 'mkdir other',
    steps: [
      within('other', '-d', '../ds', '-o', '../ds/two', 'cd .> ../ds/two'),
      within('other', '-d', '../ds', 'cd .> four'),
    ],
  },
  {
    id: 'X23-explicit',
    title: 'an explicit run from outside of the dataset',
    base: 'files',
    setUp: 'mkdir other',
    steps: [within('other', '-d', '../ds', '--explicit', '-o', '../ds/three', 'cd .> ../ds/three; cd .> ../ds/five')],
  },
  {
    id: 'X24',
    title: 'an output without content is removed first, its folder stays',
    base: 'files',
    setUp: 'cd ds; git annex drop -q --force d/e/3.dat',
    steps: [run('-o', 'd/e/3.dat', 'cd .> d/e/3.dat')],
  },
  {
    id: 'X24-unwritten',
    title: 'an output without content that is not written again',
    base: 'files',
    setUp: 'cd ds; git annex drop -q --force d/e/3.dat',
    steps: [run('-o', 'd/e/3.dat', 'echo x > other')],
    difference: {
      because: 'S-15: its link is put back instead of being committed as deleted',
      aspects: ['tree', 'files', 'results'],
      ours: (ending) => linked(ending.state.files['ds/d/e/3.dat']),
    },
  },
  {
    id: 'S-15',
    title: 'a pattern of outputs without content',
    base: 'files',
    setUp: 'cd ds; git annex drop -q --force d/1.dat',
    steps: [run('-o', 'd/*', 'echo x > d/new')],
    difference: {
      because: 'S-15: what the command did not write again is put back as its link',
      aspects: ['tree', 'files', 'results'],
      ours: (ending) => linked(ending.state.files['ds/d/1.dat']),
    },
  },
  {
    id: '2.7-dir',
    title: 'a folder of outputs, one without content',
    base: 'files',
    setUp: 'cd ds; git annex drop -q --force d/1.dat',
    steps: [run('-o', 'd', 'echo x > d/new; echo y >> d/2.dat')],
  },
  {
    id: '2.7-dot',
    title: 'everything is an output',
    base: 'files',
    setUp: 'cd ds; git annex drop -q --force d/1.dat',
    steps: [run('-o', '.', 'echo x >> a.in; echo x >> code.txt')],
  },
  { id: '2.7-git', title: 'an output in Git', base: 'files', steps: [run('-o', 'code.txt', 'echo x >> code.txt')] },
  {
    id: '2.7-same',
    title: 'an output that comes out the same',
    base: 'files',
    steps: [run('-o', 'a.in', '-o', 'new', 'echo a > a.in; echo x > new')],
  },
  {
    id: '2.7-untouched',
    title: 'outputs that are not touched',
    base: 'files',
    steps: [run('-o', 'a.in', '-o', 'd', 'true')],
  },
  {
    id: 'X25',
    title: 'outputs are matched again after the command, for the record',
    base: 'fresh',
    steps: [run('-o', '*.txt', '--expand', 'outputs', 'echo x > foo.txt')],
  },
  {
    id: 'X26',
    title: 'outputs are matched again after the command, for saving',
    base: 'fresh',
    steps: [run('--explicit', '-o', '*.txt', 'echo x > bar.txt; echo y > baz.dat')],
  },
  {
    id: 'X27',
    title: 'an explicit run that deletes its output',
    base: 'files',
    steps: [run('--explicit', '-o', 'a.in', 'rm a.in')],
    notOld: 'S-28: it does not save explicit deletions',
    difference: {
      because: 'S-11: nothing is staged to unlock an output, so that what was deleted is the link of the last commit',
      aspects: ['results'],
      ours: (ending) => equal(deletedTypes(ending), 'symlink'),
    },
  },
  {
    id: 'X27-glob',
    title: 'an explicit run that deletes what a pattern matched',
    base: 'files',
    steps: [run('--explicit', '-o', '*.in', '-o', '*.zip', 'cat *.in > all.zip; rm *.in')],
    notOld: 'S-28: it does not save explicit deletions',
    difference: {
      because: 'S-11: nothing is staged to unlock an output, so that what was deleted is the link of the last commit',
      aspects: ['results'],
      ours: (ending) => equal(deletedTypes(ending), 'symlink'),
    },
  },
  {
    id: 'X28-out',
    title: 'output patterns without a match',
    base: 'fresh',
    steps: [run('-o', 'bar*', 'echo {outputs} > out'), run('-o', 'foo*', '-o', 'bar', 'echo x > {outputs[1]}')],
  },
  {
    id: 'X30-basic',
    title: 'a dry run',
    base: 'files',
    steps: [run('--dry-run', 'basic', '-i', '*.in', '-o', 'd', '-o', 'x*', 'cat {inputs} > {outputs}')],
  },
  {
    id: 'X30-command',
    title: 'a dry run that shows the command',
    base: 'files',
    steps: [
      { args: ['-f', 'tailored', 'run', '--dry-run', 'command', '-i', '*.in', '-o', 'd', 'cat {inputs} > {outputs}'] },
    ],
  },
  {
    id: 'X30-text',
    title: 'a dry run as text',
    base: 'files',
    steps: [
      {
        args: [
          '-f',
          'tailored',
          'run',
          '--dry-run',
          'basic',
          '-i',
          '*.in',
          '-i',
          'it*',
          '-o',
          'd',
          'cat {inputs} > {outputs}',
        ],
        cwd: 'ds',
      },
      { args: ['-f', 'tailored', 'run', '--dry-run', 'basic', 'true'] },
    ],
  },
  {
    id: 'X30-dirty',
    title: 'a dry run in a dirty dataset',
    base: 'files',
    setUp: 'cd ds; echo x > dirt',
    steps: [run('--dry-run', 'basic', 'true')],
  },
  { id: 'X30-bad', title: 'a dry run of no known kind', base: 'files', steps: [run('--dry-run', 'nonsense', 'true')] },
  {
    id: 'X31',
    title: 'a dry run installs nothing',
    base: 'hollow',
    steps: [run('--dry-run', 'basic', '-i', 'sub/f*', '-i', 'nope', 'blah {inputs}')],
  },
  {
    id: '2.11-inputs',
    title: '--expand inputs',
    base: 'files',
    steps: [run('--expand', 'inputs', '-i', '*.in', '-i', '.', '-o', '*.in', '-o', 'x', 'echo x > x')],
  },
  {
    id: '2.11-outputs',
    title: '--expand outputs',
    base: 'files',
    steps: [
      run('--expand', 'outputs', '-i', '*.in', '-o', '*.o', '-o', '.', '-o', 'none*', 'echo x > 1.o; echo y > 2.o'),
    ],
  },
  { id: '2.11-bad', title: '--expand of no known kind', base: 'files', steps: [run('--expand', 'all', 'true')] },
  { id: 'X01', title: 'no dataset', base: 'nothing', steps: [run('x'), run('-d', 'nowhere', 'x')] },
  {
    id: 'X98',
    title: '-d^ from a subdataset',
    base: 'hierarchy',
    steps: [within('ds/sub', '-d^', '-o', 'new', 'echo x > new')],
    difference: {
      because: 'S-10: the recorded folder is relative to the dataset that was found',
      aspects: ['commits', 'results'],
      ours: (ending) => {
        const message = ending.state.repos['ds']?.commits.at(-1)?.message ?? '';
        if (!message.includes('"pwd": "sub"')) throw new Error(message);
      },
    },
  },
  {
    id: 'X92',
    title: 'a record of more than 128 KiB',
    base: 'git',
    setUp: `cd ds; mkdir in; for i in $(seq 2200); do : > in/$i-$(printf '%080d' $i); done; git add .; git commit -qm many`,
    steps: [run('--expand', 'inputs', '-i', 'in/*', 'ls in > out')],
    difference: {
      because: 'S-02: long records are saved',
      aspects: ['code', 'commits', 'tree', 'status', 'results', 'editmsg'],
      ours: (ending) => {
        if (ending.codes[0] !== 0) throw new Error(ending.stderr[0]);
        const message = ending.state.repos['ds']?.commits.at(-1)?.message ?? '';
        if (message.split('\n').filter((line) => line.startsWith('  "in/')).length !== 2200)
          throw new Error('not all inputs are recorded');
      },
    },
  },
];

function deletedTypes(ending: Ending): string {
  const deleted = ending.results.flat().filter((result) => result['action'] === 'delete');
  return [...new Set(deleted.map((result) => result['type']))].join();
}
