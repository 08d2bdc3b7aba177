/** Scenarios of inputs, of patterns, and of names in inputs and outputs (2.5, 2.6). */
import type { Scenario } from './scenario.ts';
import { refused, run, within } from './scenario-steps.ts';

const show = 'printf "%s|" {inputs} > seen';

export const inputScenarios: readonly Scenario[] = [
  { id: 'X07', title: 'an input that does not exist', base: 'fresh', steps: [run('-i', 'not-here', 'cd .> dummy')] },
  {
    id: 'X07-continue',
    title: 'an input that does not exist, and going on',
    base: 'fresh',
    steps: [{ args: ['--on-failure', 'continue', 'run', '-i', 'not-here', 'cd .> dummy'] }],
  },
  {
    id: 'X07-ignore',
    title: 'an input that does not exist, ignored',
    base: 'fresh',
    steps: [{ args: ['--on-failure', 'ignore', 'run', '-i', 'not-here', 'cd .> dummy'] }],
  },
  {
    id: 'X13',
    title: 'inputs and outputs beside the folder',
    base: 'hierarchy',
    setUp: 'cd ds; mkdir x; echo in > x/input; $REPRISE save -m x',
    steps: [within('ds/x', '-i', '../x/input', '-o', '../sub/f2', 'cd .> ../sub/f2')],
  },
  {
    id: 'X15',
    title: 'inputs that are taken to be ready',
    base: 'clone',
    steps: [run('--assume-ready', 'inputs', '-i', 'a.in', 'cat a.in > b')],
  },
  {
    id: 'X28-in',
    title: 'an input pattern without a match',
    base: 'fresh',
    steps: [{ args: ['--on-failure', 'continue', 'run', '-i', 'foo*', 'echo {inputs} > out'] }],
  },
  {
    id: 'X29',
    title: 'inputs of an empty dataset',
    base: 'fresh',
    steps: [run('-i', '*', 'echo x > x'), run('-i', '.', '-i', '.datalad', 'echo y > y')],
  },
  {
    id: 'X32',
    title: '-i {outputs} is the list of outputs',
    base: 'files',
    steps: [
      run('-i', '{outputs}', '-o', '*.in', 'for f in {inputs}; do echo more >> "$f"; done'),
      run('-i', '{outputs}', '-o', '*.in', 'for f in {inputs}; do echo more >> "$f"; done'),
    ],
  },
  {
    id: '2.5-config',
    title: 'configured names in inputs and outputs',
    base: 'files',
    setUp: 'cd ds; git config datalad.run.substitutions.name a',
    steps: [run('-i', '{name}.in', '-o', '{name}.out', 'cat {inputs} > {outputs}')],
  },
  {
    id: '2.5-list',
    title: 'a list of configured values among others',
    base: 'files',
    setUp:
      'cd ds; git config datalad.run.substitutions.name a.in; git config --add datalad.run.substitutions.name b.in',
    steps: [run('-i', 'd', '-o', '{name}', '-o', 'x', 'echo {outputs} > x')],
    difference: {
      because: 'S-18: it is the list, not its text in Python',
      aspects: ['results', 'commits', 'tree', 'files'],
      ours: (ending) => {
        const message = ending.state.repos['ds']?.commits.at(-1)?.message ?? '';
        if (!message.includes('"outputs": [\n  "a.in",\n  "b.in",\n  "x"\n ]')) throw new Error(message);
      },
    },
  },
  { id: '2.5-braces', title: 'doubled braces', base: 'git', steps: [run('-o', 'x{{y}}', 'echo x > "x{{y}}"')] },
  { id: 'S-08', title: 'an unknown name in an input', base: 'git', steps: [run('-i', '{nothing}', 'echo x > x')] },
  { id: 'S-08-pwd', title: '{pwd} in an output', base: 'git', steps: [run('-o', '{pwd}/x', 'echo x > x')] },
  {
    id: '2.6-star',
    title: 'patterns',
    base: 'files',
    steps: [
      run(
        '-i',
        '*.in',
        '-i',
        '*blah*',
        '-i',
        '[ab].in',
        '-i',
        '?.in',
        '-i',
        'd/../a.in',
        '-i',
        'd//1.dat',
        '-i',
        './a.in',
        show,
      ),
    ],
  },
  {
    id: '2.6-deep',
    title: 'deep patterns',
    base: 'files',
    steps: [
      run('-i', 'd/**', show),
      run('-i', '**/*.dat', show),
      run('-i', '**', show),
      run('-i', '*/*.dat', '-i', 'd/', '-i', 'd/*/', show),
    ],
  },
  {
    id: '2.6-hidden',
    title: 'hidden files are matched explicitly only',
    base: 'files',
    steps: [run('-i', '.hid/*', '-i', '.h*/h*', '-i', '*', show)],
  },
  {
    id: '2.6-escape',
    title: 'a name with glob characters',
    base: 'files',
    setUp: 'cd ds; echo x > "[x].dat"; echo y > "it\'s {a}?*.dat"; $REPRISE save -m odd',
    steps: [run('-i', '[[]x].dat', '-i', '*a}}[?]*.dat', show)],
  },
  {
    id: '2.6-order',
    title: 'the order of matches',
    base: 'git',
    setUp: 'cd ds; touch -- B ä Z z a1 a10 a2 "a b" _ -x; git add .; git commit -qm names',
    steps: [run('-i', '*', show)],
  },
  { id: '2.6-empty-in', title: 'an empty input', base: 'files', steps: [run('-i', '', show)] },
  { id: '2.6-empty-out', title: 'an empty output', base: 'files', steps: [run('-o', '', 'echo [{outputs}] > x')] },
  {
    id: '2.6-blank',
    title: 'a dot with blanks',
    base: 'files',
    steps: [run('-i', ' . ', '-o', '. ', 'echo [{inputs}{outputs}] > x')],
  },
  {
    id: 'S-14',
    title: 'a pattern of which only the folders exist',
    base: 'files',
    steps: [run('-i', 'd*/nope', show)],
    difference: {
      because: 'S-14: a partial hit is a missing input',
      aspects: ['code', 'commits', 'tree', 'files', 'results', 'editmsg'],
      ours: (ending) => refused(ending, 'input-missing'),
    },
  },
  {
    id: '2.6-partial-out',
    title: 'an output pattern of which only the folders exist',
    base: 'files',
    steps: [run('-o', 'd*/nope', 'printf "%s|" {outputs} > seen')],
  },
  {
    id: '2.6-tilde',
    title: 'no tilde, no brace, no variable expansion',
    base: 'git',
    setUp: 'cd ds; mkdir "~"; echo x > "~/x"; echo y > \'$HOME\'; git add .; git commit -qm odd',
    steps: [run('-i', '~/x', '-i', '$HOME', show)],
  },
  {
    id: '2.6-outside',
    title: 'an input outside of the dataset',
    base: 'files',
    setUp: 'echo x > outside',
    steps: [run('-i', '../outside', show)],
    difference: {
      because: 'a path outside is refused as such, before anything is fetched',
      aspects: ['results'],
      ours: (ending) => refused(ending, 'path-outside'),
    },
  },
  {
    id: '2.6-unavailable',
    title: 'an input that is nowhere',
    base: 'files',
    setUp: 'cd ds; git annex drop -q --force a.in',
    steps: [run('-i', 'a.in', '-i', 'b.in', show)],
  },
  {
    id: '2.6-get',
    title: 'inputs are fetched',
    base: 'clone',
    steps: [run('-i', '*.in', '-i', 'd/e', '-i', 'foo blah.txt', 'cat {inputs[0]} {inputs[1]} > out')],
  },
  {
    id: '2.6-get-dot',
    title: 'everything below the folder is fetched',
    base: 'clone',
    steps: [within('ds/d', '-i', '.', 'cat *.dat > out')],
  },
  {
    id: '2.6-linked',
    title: 'the dataset is reached through a link',
    base: 'files',
    setUp: 'ln -s ds link',
    steps: [
      within(
        'link/d',
        '-m',
        'linked',
        '-i',
        '1.dat',
        'true && true && true && true && true && echo {pwd} {dspath} | sed "s#.*/link#link#" > out',
      ),
    ],
  },
];
