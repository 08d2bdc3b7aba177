/** Records that other versions and other hands wrote (1.5, 1.6). */
import { asked, rerun, type RerunScenario } from './histories-scenario.ts';

/** Shell lines that commit `foo` with a message as it is. */
const commit = (message: string) =>
  `echo $NAME >> foo; git add foo; git commit -q --cleanup=verbatim -F - <<'END'\n${message}\nEND`;

const message = (record: string, title = 'by hand') =>
  `[DATALAD RUNCMD] ${title}\n\n=== Do not change lines below ===\n${record}\n^^^ Do not change lines above ^^^`;

const record = (fields: Readonly<Record<string, unknown>>) => commit(message(JSON.stringify(fields)));

const full = { chain: [], cmd: 'echo run >> foo', exit: 0, extra_inputs: [], inputs: [], outputs: [], pwd: '.' };

/** Readable, each in its way. */
const readable: Readonly<Record<string, string>> = {
  list: record({ ...full, cmd: ['sh', '-c', 'echo "$1" >> foo', 'x', "it's a b"] }),
  'list-of-one': record({ ...full, cmd: ['echo run >> foo'] }),
  'list-with-dashes': record({ ...full, cmd: ['--', 'sh', '-c', 'echo a >> foo'] }),
  'of-2017': record({ cmd: 'echo \u00e9 >> foo', exit: 0, pwd: '.' }),
  'lost-chain': record({ cmd: 'echo x >> foo', pwd: 'd', chain: ['0123456789012345678901234567890123456789'] }),
  'without-id': record(full),
  'null-inputs': record({ ...full, inputs: null, extra_inputs: null }),
  escaped: commit(message('{\n "cmd": "echo \\u00e9 >> foo",\n "exit": 0,\n "pwd": "."\n}')),
  trailers: commit(`${message(JSON.stringify(full))}\n\nReviewed-by: A`),
  'two-records': commit(
    `${message(JSON.stringify({ ...full, cmd: 'echo 1 >> foo' }))}\n\n${message(JSON.stringify({ ...full, cmd: 'echo 2 >> foo' }))}`,
  ),
  'in-the-subject': commit(
    `[DATALAD RUNCMD] x === Do not change lines below ===\n${JSON.stringify(full)}\n^^^ Do not change lines above ^^^`,
  ),
};

const refused = (id: string, title: string, sh: string): RerunScenario => ({
  id: `1.6-${id}`,
  title,
  history: { base: 'git', commits: [{ name: 'a', sh }] },
  forms: [{ steps: [rerun()], shows: { code: 1, decisions: ['refused'] } }],
});

export const oldRecordScenarios: readonly RerunScenario[] = [
  {
    id: '1.6',
    title: 'records of all ages and hands',
    history: {
      base: 'git',
      commits: [
        { name: 'a', files: { 'd/keep': '' } },
        ...Object.entries(readable).map(([name, sh]) => ({ name, sh })),
        { name: 'last', files: { z: '' } },
      ],
    },
    forms: [
      {
        steps: [rerun('--since=')],
        shows: { code: 0, decisions: [...Object.keys(readable).map((name) => `run ${name}`), 'skip last'] },
      },
      { steps: [rerun('--since=', '--onto=', '-b', 'new')] },
    ],
  },
  refused('mention', 'a record that is only quoted', commit(`Revert "x"\n\n${message(JSON.stringify(full))}`)),
  refused('junk', 'a record that is no JSON', commit(message('{"cmd": "echo ok,'))),
  refused('none', 'a record without a command', record({ pwd: '.', exit: 0 })),
  refused('lost', 'a sidecar that is lost', commit(message('"0123456789abcdef0123456789abcdef"'))),
  {
    id: '1.5',
    title: 'one record in a range cannot be read',
    history: {
      base: 'git',
      commits: [
        { name: 'a', run: 'echo a >> a' },
        { name: 'b', sh: commit(message('{"cmd": "echo ok,')) },
        { name: 'c', run: 'echo c >> c' },
      ],
    },
    forms: asked('--since=', 'c', '--report --since='),
  },
  {
    id: '1.4',
    title: 'sidecars that are in Git',
    history: {
      base: 'git',
      commits: [
        { name: 'a', run: 'echo a >> a', options: ['--sidecar', 'yes', '-m', 'beside'] },
        { name: 'b', run: 'echo b >> b' },
      ],
    },
    forms: asked('b', '--report --since='),
  },
];
