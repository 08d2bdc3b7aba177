/** What one rerun does (X43–X48, X55, X57–X61, X64, X65, X67). */
import { asked, rerun, type RerunScenario } from './histories-scenario.ts';

const growing = 'echo x$(cat grows) > grows';

export const basicScenarios: readonly RerunScenario[] = [
  {
    id: 'X43',
    title: 'a file of a subdataset grows',
    history: {
      base: 'nested',
      commits: [{ name: 'a', run: 'echo x$(cat sub/sequence) > sub/sequence', options: ['-o', 'sub/sequence'] }],
    },
    forms: [
      { steps: [{ rerun: ['-d', '$W/ds'], cwd: '.' }], shows: { code: 0, decisions: ['run a'] } },
      { steps: [rerun(), rerun('--since=')] },
      { steps: [rerun('--since=', '--onto=')] },
      { steps: [{ rerun: [], cwd: 'ds/sub' }], shows: { code: 1 }, notOld: 'it refuses' },
      { steps: [{ sh: 'echo > dirt' }, rerun()], shows: { code: 1, decisions: ['refused'] } },
      { steps: [{ sh: 'echo > sub/dirt' }, rerun()], shows: { code: 1, decisions: ['refused'] } },
      { steps: [{ sh: 'echo > dirt' }, rerun('--report')], shows: { code: 0 } },
    ],
  },
  {
    id: 'X48',
    title: 'an output whose content was dropped',
    history: {
      base: 'annex',
      commits: [
        { name: 'a', run: 'echo x$(cat grows 2>/dev/null) > grows' },
        { name: 'b', run: 'echo x$(cat grows 2>/dev/null) > grows', options: ['-o', 'grows'] },
      ],
      after: 'git annex drop -q --force grows',
    },
    forms: [{ steps: [rerun()], shows: { decisions: ['run b'] } }, { steps: [rerun(), rerun('a')] }],
  },
  {
    id: 'X55',
    title: 'the chain of a record',
    history: { base: 'git', commits: [{ name: 'a', run: growing }] },
    forms: [{ steps: [rerun(), rerun(), rerun(), rerun('a'), rerun('--since=a')] }],
  },
  {
    id: 'X57',
    title: 'a command that is on record to have failed',
    history: {
      base: 'nested',
      commits: [
        {
          name: 'a',
          sh: '! $REPRISE run "echo x\\$(cat sub/grows) > sub/grows && false"; $REPRISE save -r -F .git/COMMIT_EDITMSG',
        },
      ],
    },
    forms: [{ steps: [rerun(), rerun()], shows: { code: 0, decisions: ['run (new)'] } }],
  },
  {
    id: 'X58',
    title: 'a command that fails when it is repeated',
    history: { base: 'git', commits: [{ name: 'a', run: '[ ! -e bar ] && echo c > bar' }] },
    forms: [
      {
        steps: [rerun()],
        shows: { code: 1, decisions: ['failed a (1)'], head: 'main at a' },
        notOld: 'it saves what a failed command left',
      },
      { steps: [rerun('--on-cmd-failure', 'save')], shows: { code: 0 }, notOld: 'it has no such option' },
      { steps: [rerun('--on-cmd-failure', 'all')], notOld: 'it has no such option' },
      { steps: [rerun('--on-cmd-failure', 'error')], notOld: 'it has no such option' },
    ],
  },
  {
    id: 'X58-range',
    title: 'a command that fails in a range',
    history: {
      base: 'git',
      commits: [
        { name: 'a', run: 'echo a >> modme && [ ! -e trigger ] || exit 7' },
        { name: 'b', run: 'echo b >> b' },
        { name: 'c', files: { trigger: 'x' } },
        { name: 'd', run: 'echo d >> d' },
      ],
    },
    forms: [
      {
        steps: [rerun('a')],
        shows: { code: 7, decisions: ['failed a (7)'], head: 'main at d' },
        notOld: 'it saves what a failed command left',
      },
      ...asked('--since=', 'd --since=a', 'a --on-cmd-failure save').map((form) => ({ ...form, notOld: 'it goes on' })),
      {
        steps: [rerun('a', '--onto='), { sh: 'git checkout -q main' }, rerun('--since=', '--onto=', '-b', 'new')],
        old: true,
      },
    ],
  },
  {
    id: 'X60',
    title: 'records of a superdataset among those of the dataset',
    history: {
      base: 'git',
      commits: [
        {
          name: 'foreign',
          sh: 'echo f >> f; git add f; git commit -qm "$(printf \'[DATALAD RUNCMD] f\\n\\n=== Do not change lines below ===\\n{"chain": [], "cmd": "echo f >> f", "dsid": "c0ffee00-0000-4000-8000-000000000000", "exit": 0, "extra_inputs": [], "inputs": [], "outputs": [], "pwd": "."}\\n^^^ Do not change lines above ^^^\')"',
        },
        { name: 'own', run: 'echo own >> own' },
      ],
    },
    forms: [
      {
        steps: [rerun('--since=')],
        shows: { code: 0, decisions: ['skip foreign', 'run own'] },
        notOld: 'it tells failure',
      },
      { steps: [rerun('foreign')], shows: { code: 1 }, notOld: 'it tells failure' },
      { steps: [rerun('--since=', '--onto=', '-b', 'new')], notOld: 'it tells failure' },
      { steps: [rerun('--since=', '--onto=own', '-b', 'new')], notOld: 'it tells failure' },
      { steps: [rerun('--report', '--since=')], notOld: 'it tells failure' },
    ],
  },
  {
    id: 'X61',
    title: 'an input whose content is nowhere',
    history: {
      base: 'annex',
      commits: [
        { name: 'a', sh: 'echo content > in.dat; git annex add -q in.dat; git commit -qm "$NAME"' },
        { name: 'b', run: 'echo ran >> marker', options: ['-i', 'in.dat'] },
      ],
      after: 'git annex drop -q --force in.dat',
    },
    forms: [
      { steps: [rerun()], shows: { code: 1, head: 'main at b' }, notOld: 'it runs the command all the same' },
      { steps: [rerun('--assume-ready', 'inputs')], old: true },
    ],
  },
  {
    id: 'X64',
    title: 'an octopus with a record',
    history: {
      base: 'git',
      commits: [
        { name: 'a', run: 'echo foo >> foo' },
        { name: 'b', on: ['a'], files: { 'non-run': 'non-run' } },
        { name: 'c', on: ['a'], files: { 'non-run2': 'non-run2' } },
        {
          name: 'd',
          on: ['a'],
          sh: '$REPRISE run "echo invalid >> invalid"; git reset -q --hard $(git log -1 --format=%B | git commit-tree "HEAD^{tree}" -p a -p b -p c)',
        },
      ],
    },
    forms: asked('--since=', 'd', '--report --since='),
  },
  {
    id: 'X65',
    title: 'an input that was removed since',
    history: {
      base: 'git',
      commits: [
        { name: 'a', files: { foo: 'abc\ndef' } },
        { name: 'b', run: 'grep def foo > out' },
        { name: 'c', files: { foo: null } },
      ],
    },
    forms: [
      {
        steps: [rerun('main~')],
        shows: { code: 2, decisions: ['failed b (2)'] },
        notOld: 'it saves what a failed command left',
      },
      ...asked('main~ --onto='),
    ],
  },
  {
    id: 'X67',
    title: 'a run in a folder',
    history: {
      base: 'annex',
      commits: [
        { name: 'a', files: { 'subdir/keep': '' } },
        { name: 'b', run: 'echo x >> test.dat', in: 'subdir', options: ['-o', 'test.dat'] },
        { name: 'c', run: 'echo y >> ../test.dat', in: 'subdir', options: ['-o', '../*.dat'] },
      ],
    },
    forms: [
      { steps: [rerun('--since='), { rerun: ['b'], cwd: 'ds/subdir' }] },
      { steps: [rerun('--since=', '--onto=')] },
      { steps: [rerun('--since=', '--report')] },
    ],
  },
];
