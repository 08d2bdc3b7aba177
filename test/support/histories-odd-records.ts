/** Records that DataLad cannot rerun, and we can or refuse with a reason (S-05, S-06, S-09, S-10, S-22, S-32, 1.5, 1.6). */
import type { History } from './histories.ts';
import { alone, differs, hasGraph, same } from './histories-difference.ts';
import { rerun, type RerunScenario } from './histories-scenario.ts';

const byHand = (record: Readonly<Record<string, unknown>>, end = '\n', before = ''): History => ({
  base: 'git',
  commits: [
    { name: 'a', files: { 'd/keep': '' } },
    {
      name: 'b',
      sh: `echo 1 > foo; git add foo; git commit -q --cleanup=verbatim -F - <<'END'\n${[`${before}[DATALAD RUNCMD] by hand`, '', '=== Do not change lines below ===', JSON.stringify(record), '^^^ Do not change lines above ^^^'].join(end)}${end}\nEND`,
    },
  ],
});
const full = { chain: [], cmd: 'echo run >> foo', exit: 0, extra_inputs: [], inputs: [], outputs: [], pwd: '.' };

const legacy = (id: string, title: string, record: Readonly<Record<string, unknown>>): RerunScenario => ({
  id: `1.6-${id}`,
  title,
  history: byHand(record),
  forms: [
    differs([rerun()], '1.6: it is executed, where DataLad crashes', ['code', 'decisions'], {
      code: 0,
      decisions: ['run b'],
      head: "main at b'",
    }),
  ],
});

const outside = (id: string, record: Readonly<Record<string, unknown>>): RerunScenario => ({
  id: `S-32-${id}`,
  title: 'a record that leaves the dataset',
  history: byHand({ ...full, ...record }),
  forms: [
    differs(
      [rerun()],
      'S-10, S-32: it is refused, and nothing is executed',
      alone,
      { code: 1, decisions: ['refused'], head: 'main at b' },
      ({ files, stdout }) => {
        same(
          Object.keys(files).filter((path) => !path.startsWith('ds/')),
          [],
          'files outside',
        );
        same(stdout.includes('"path-outside"'), true, 'path-outside');
      },
    ),
  ],
});

export const oddRecordScenarios: readonly RerunScenario[] = [
  {
    id: 'X96',
    title: 'a sidecar of DataLad in a clone',
    history: {
      base: 'annex',
      commits: [
        {
          name: 'a',
          run: 'echo x >> out',
          options: ['--sidecar', 'yes', '-m', 'beside', '-o', 'out'],
          by: 'datalad-latest',
        },
      ],
      after:
        'cp -a . ../origin; rm -rf ../clone; git clone -q ../origin ../clone; cp ../clone/.git/config .git/config; rm -rf .git/annex ../clone; git annex init -q; git config remote.origin.annex-uuid "$(git -C ../origin config annex.uuid)"',
    },
    forms: [
      differs([rerun()], 'S-06: the sidecar is fetched', ['code', 'decisions'], { code: 0, decisions: ['run a'] }),
      differs(
        [{ sh: 'git rm -q -r .datalad/runinfo; git commit -qm gone' }, rerun('a')],
        'S-06: the sidecar is read from the commit',
        ['code', 'decisions'],
        { code: 0, decisions: ['run a'] },
      ),
    ],
  },
  {
    id: 'S-05',
    title: 'a run of DataLad with an empty message',
    history: { base: 'git', commits: [{ name: 'a', run: 'echo x >> x', options: ['-m', ''], by: 'datalad-latest' }] },
    forms: [
      differs([rerun()], 'S-05: the record is found', ['code', 'decisions', 'commits', 'tree'], {
        code: 0,
        decisions: ['run a'],
        head: "main at a'",
      }),
    ],
  },
  {
    id: 'S-09',
    title: 'a name with braces that DataLad recorded',
    history: {
      base: 'git',
      commits: [{ name: 'a', run: 'echo x >> "x{{y}}"', options: ['-o', 'x{{y}}'], by: 'datalad-latest' }],
    },
    forms: [
      differs(
        [rerun()],
        'S-09: recorded names are names',
        ['code', 'decisions', 'commits', 'tree'],
        { code: 0, decisions: ['run a'], head: "main at a'" },
        ({ files }) => same(files['ds/x{y}'], 'file - x\nx\n', 'x{y}'),
      ),
    ],
  },
  {
    id: 'X98',
    title: 'a run in a subdataset for its superdataset',
    history: {
      base: 'nested',
      commits: [{ name: 'a', run: 'echo x >> new', in: 'sub', options: ['-d^', '-o', 'new'] }],
    },
    forms: [{ steps: [rerun()], shows: { code: 0, decisions: ['run a'] } }],
  },
  {
    id: '1.4-kept',
    title: 'a sidecar',
    history: {
      base: 'git',
      commits: [
        { name: 'a', run: 'echo a >> a', options: ['--sidecar', 'yes', '-m', 'beside'] },
        { name: 'b', run: 'echo b >> b' },
      ],
    },
    forms: [
      differs([rerun('a')], 'S-22: it stays a sidecar', ['commits'], {
        code: 0,
        decisions: ['run a'],
        head: "main at a'",
      }),
      differs(
        [rerun('--since=')],
        'S-22: it stays a sidecar',
        ['commits'],
        { code: 0, decisions: ['run a', 'run b'], head: "main at b'" },
        ({ tree, commits }) => {
          same(tree['ds']?.filter((entry) => entry.includes('.datalad/runinfo/')).length, 2, 'sidecars');
          same(commits.length, 2, 'new commits');
        },
      ),
      differs(
        [rerun('--since=', '--onto=', '-b', 'new')],
        'S-22: it stays a sidecar',
        ['commits'],
        { code: 0, decisions: ['run a', 'run b'], head: "new at b'" },
        hasGraph("a' <- base", "b' <- a'"),
      ),
    ],
  },
  {
    id: '1.5-before',
    title: 'a record whose subject was edited',
    history: byHand({ ...full, cmd: 'echo before >> foo' }, '\n', 'Fix: '),
    forms: [
      differs([rerun()], '1.5.1: it is a record', ['code', 'decisions'], {
        code: 0,
        decisions: ['run b'],
        head: "main at b'",
      }),
    ],
  },
  {
    id: '1.5-crlf',
    title: 'a record with line ends of another system',
    history: byHand({ ...full, cmd: 'echo crlf >> foo' }, '\r\n'),
    forms: [
      differs([rerun()], '1.5.2: it is a record', ['code', 'decisions'], {
        code: 0,
        decisions: ['run b'],
        head: "main at b'",
      }),
    ],
  },
  outside('pwd', { pwd: '..' }),
  outside('absolute', { pwd: '/tmp' }),
  outside('output', { outputs: ['../out'] }),
  outside('input', { inputs: ['d/../../in'] }),
  legacy('pwd', 'no folder', { cmd: 'echo x >> foo', exit: 0 }),
  legacy('chain', 'a chain that is null', { ...full, chain: null }),
  legacy('outputs', 'outputs that are null', { ...full, outputs: null }),
  {
    id: 'S-22',
    title: 'fields that are unknown',
    history: byHand({ ...full, lab: { book: 7, ü: ['x'] } }),
    forms: [
      differs(
        [rerun()],
        'S-22: unknown fields are kept',
        ['commits'],
        { code: 0, decisions: ['run b'], head: "main at b'" },
        ({ commits }) => same(/"lab": \{\s*"book": 7,\s*"ü": \[\s*"x"\s*\]\s*\}/.test(commits[0] ?? ''), true, 'lab'),
      ),
    ],
  },
];
