/** Records that other tools, other years and other hands have left in a history: rerun as their authors meant it, or refused in a sentence. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { expectSentence, looksOf } from '../support/crash-unchanged.ts';
import { dataladArgv, describeWith } from '../support/oracles.ts';
import {
  attestationsIn,
  commitVerbatim,
  copyOf,
  hintsOf,
  isPending,
  messageAround,
  printed,
  recordedBy,
  verdictsOf,
} from '../support/replays.ts';
import { commitsOf, type FoundRecord } from '../support/runs.ts';
import { createWorld, type Outcome, type World } from '../support/world.ts';

let world: World;
let made = 0;

beforeAll(() => {
  world = createWorld();
  world.sh(world.dir, 'git init -q plain; cd plain; echo data >data; git add -A; git commit -qm start');
});
afterAll(() => world.remove());

/** A plain Git repository: no dataset, no annex. */
function plain(): string {
  return copyOf(world, world.path('plain'), `plain-${(made += 1)}`);
}

const rerun = (repo: string, ...args: string[]): Outcome => world.reprise(repo, ['rerun', ...args]);
const succeed = (ended: Outcome) => expect(`${ended.code} ${ended.stderr}`).toMatch(/^0 /);
const lastRecord = (repo: string) => commitsOf(world, repo).at(-1)?.record as FoundRecord & Record<string, unknown>;

/** Runs, expects one sentence, and that nothing at all was changed. */
function refused(repo: string, args: readonly string[], code: string): Outcome {
  const before = looksOf(repo);
  const ended = world.reprise(repo, ['rerun', ...args]);
  expectSentence(ended, code, 1);
  expect(looksOf(repo)).toStrictEqual(before);
  expect(isPending(repo)).toBe(false);
  return ended;
}

describe('records of earlier years', () => {
  test.each([
    [
      'a list of words',
      ['sh', '-c', 'echo "$1" >>out', 'sh', 'two  words'],
      `sh -c 'echo "$1" >>out' sh 'two  words'`,
      'two  words',
    ],
    ['a list of one line', ['echo a b >>out'], 'echo a b >>out', 'a b'],
    ['a list after --', ['--', 'sh', '-c', 'echo c >>out'], `sh -c 'echo c >>out'`, 'c'],
    ['a line', 'echo d >>out', 'echo d >>out', 'd'],
  ])('%s as the command', (_, cmd, written, line) => {
    const repo = plain();
    const old = recordedBy(world, repo, { cmd, exit: 0, pwd: '.' }, `echo '${line}' >>out`);
    succeed(rerun(repo));
    expect(readFileSync(join(repo, 'out'), 'utf8')).toBe(`${line}\n${line}\n`);
    expect(lastRecord(repo)).toMatchObject({
      cmd: written,
      chain: [old],
      exit: 0,
      pwd: '.',
      inputs: [],
      outputs: [],
      extra_inputs: [],
    });
  });

  test('only a command: every other field has its default', () => {
    const repo = plain();
    const old = recordedBy(world, repo, { cmd: 'cat data >>out' }, 'cat data >>out');
    succeed(rerun(repo));
    const record = lastRecord(repo);
    expect(record).toMatchObject({ cmd: 'cat data >>out', chain: [old], exit: 0, pwd: '.' });
    expect(Object.keys(record).filter((key) => key !== 'reprise')).toStrictEqual([
      'chain',
      'cmd',
      'exit',
      'extra_inputs',
      'inputs',
      'outputs',
      'pwd',
    ]);
  });

  test('fields that are null, and JSON that is not laid out as today', () => {
    const repo = plain();
    const body =
      '{"pwd": null, "inputs": null, "cmd": "echo \\u00e9 >>out", "chain": null,\n "outputs": null, "extra_inputs": null, "exit": null, "dsid": null}';
    commitVerbatim(world, repo, messageAround(body), "echo 'é' >>out");
    succeed(rerun(repo));
    expect(readFileSync(join(repo, 'out'), 'utf8')).toBe('é\né\n');
    expect(lastRecord(repo)).toMatchObject({ cmd: 'echo é >>out', pwd: '.' });
  });

  test('chain names commits that are gone: they stay in it', () => {
    const repo = plain();
    const gone = '0123456789abcdef0123456789abcdef01234567';
    const old = recordedBy(world, repo, { cmd: 'echo >>out', chain: [gone, 'not a commit'], pwd: '.' }, 'echo >>out');
    succeed(rerun(repo));
    expect(lastRecord(repo)).toMatchObject({ chain: [gone, old] });
  });

  test('text after the record, no blank line before it, and a message edited by hand', () => {
    const repo = plain();
    const record = JSON.stringify({ cmd: 'echo edited >>out', pwd: '.', inputs: [], outputs: ['out'] });
    const text = `[DATALAD RUNCMD] by hand\n=== Do not change lines below ===\n${record}\n^^^ Do not change lines above ^^^\n\nSigned-off-by: Ada <ada@example.org>\n`;
    commitVerbatim(world, repo, text, 'echo >out');
    succeed(rerun(repo));
    expect(world.git(repo, 'log', '-1', '--format=%s')).toBe('[DATALAD RUNCMD] by hand');
    expect(readFileSync(join(repo, 'out'), 'utf8')).toBe('\nedited\n');
  });

  test('a folder to run in that is gone is made again, and taken away if nothing comes of it', () => {
    const repo = plain();
    recordedBy(
      world,
      repo,
      { cmd: 'echo 1 >>out; cat ../../data >>out', pwd: 'was/here', outputs: ['out'] },
      'mkdir -p was/here; echo 1 >was/here/out',
    );
    world.git(repo, 'rm', '-rq', 'was');
    world.git(repo, 'commit', '-qm', 'gone');
    expect(existsSync(join(repo, 'was'))).toBe(false);
    succeed(rerun(repo, 'HEAD~1'));
    expect(readFileSync(join(repo, 'was/here/out'), 'utf8')).toBe('1\ndata\n');
    expect(lastRecord(repo)).toMatchObject({ pwd: 'was/here', outputs: ['out'] });

    recordedBy(world, repo, { cmd: 'echo 2 >../out2', pwd: 'empty' }, 'echo 2 >out2');
    succeed(rerun(repo));
    expect(existsSync(join(repo, 'empty'))).toBe(false);
  });

  test('an absolute folder below the dataset is a folder of the dataset', () => {
    const repo = plain();
    const pwd = join(repo, 'sub');
    recordedBy(world, repo, { cmd: 'echo 1 >>out', pwd, outputs: [join(pwd, 'out')] }, 'mkdir sub; echo 1 >>sub/out');
    succeed(rerun(repo));
    expect(lastRecord(repo)).toMatchObject({ pwd: 'sub' });
    expect(readFileSync(join(repo, 'sub/out'), 'utf8')).toBe('1\n1\n');
  });

  test('a message that only speaks of records is no run', () => {
    const repo = plain();
    commitVerbatim(world, repo, 'Revert "[DATALAD RUNCMD] something"\n\nThis reverts commit x.\n', 'echo >a');
    commitVerbatim(world, repo, '[DATALAD RUNCMD] without a record\n', 'echo >b');
    refused(repo, [], 'no-run-commits');
    refused(repo, ['--since='], 'no-run-commits');
  });
});

describe('records that cannot be read', () => {
  const bodies: readonly (readonly [string, string | Buffer])[] = [
    ['no JSON', 'not json'],
    ['cut JSON', '{"cmd": "touch x"'],
    ['no command', '{"pwd": "."}'],
    ['a command of another type', '{"cmd": 5}'],
    ['a command with a NUL', '{"cmd": "touch x\\u0000y"}'],
    ['a path with a NUL', '{"cmd": "touch x", "outputs": ["a\\u0000b"]}'],
    ['a folder with a NUL', '{"cmd": "touch x", "pwd": "a\\u0000b"}'],
    ['paths that are no list', '{"cmd": "touch x", "inputs": "data"}'],
    ['paths that are no strings', '{"cmd": "touch x", "outputs": [{"path": "x"}]}'],
    ['an exit code that is no number', '{"cmd": "touch x", "exit": "0"}'],
    ['a folder that is no string', '{"cmd": "touch x", "pwd": ["."]}'],
    ['a list', '[{"cmd": "touch x"}]'],
    ['a number', '17'],
    ['a sidecar outside', '"../../../../etc/passwd"'],
    ['a sidecar that is an option', '"--help"'],
    ['deep nesting', `${'['.repeat(100_000)}${']'.repeat(100_000)}`],
    ['bytes that are no text', Buffer.from('{"cmd": "touch x", "pwd": \xff\xfe}', 'latin1')],
  ];

  let before: string;
  beforeAll(() => {
    before = plain();
    recordedBy(world, before, { cmd: 'echo executed >>out', pwd: '.' });
  });

  test.each(bodies.map(([name, body], at) => [name, body, at % 8 === 0] as const))('%s', (_, body, thorough) => {
    const repo = copyOf(world, before, `unreadable-${(made += 1)}`);
    const message = Buffer.concat([
      Buffer.from('[DATALAD RUNCMD] x\n\n=== Do not change lines below ===\n'),
      Buffer.from(body),
      Buffer.from('\n^^^ Do not change lines above ^^^\n'),
    ]);
    const bad = commitVerbatim(world, repo, message);
    recordedBy(world, repo, { cmd: 'echo executed >>out', pwd: '.' });
    const ended = refused(repo, ['--since='], 'record-invalid|record-sidecar-missing');
    expect(ended.stderr).toContain(bad);
    // What comes after it can still be rerun, and the hint says how.
    const hint = hintsOf(ended).find((line) => line.startsWith('reprise rerun')) as string;
    expect(hint).toContain(bad.slice(0, 7));
    if (!thorough) return;
    expect(refused(repo, ['HEAD~1'], 'record-invalid|record-sidecar-missing').stderr).toContain(bad);
    succeed(world.reprise(repo, hint.split(' ').slice(1)));
    expect(readFileSync(join(repo, 'out'), 'utf8')).toBe('executed\n');
    expect(existsSync(join(repo, 'x'))).toBe(false);
  });

  test('with -f json the error names the commit', () => {
    const repo = plain();
    const bad = commitVerbatim(world, repo, messageAround('{"pwd": "."}'));
    const ended = world.reprise(repo, ['-f', 'json', 'rerun']);
    expect(ended.code).toBe(1);
    expect(printed(ended).at(-1)).toMatchObject({
      status: 'error',
      error_code: 'record-invalid',
      data: { commit: bad },
    });
  });

  test('a sidecar that is nowhere, or no sidecar', () => {
    const repo = plain();
    const id = '5f290e097f5a98051e40a7059b643681';
    commitVerbatim(world, repo, messageAround(`"${id}"`));
    const missing = refused(repo, [], 'record-invalid|record-sidecar-missing');
    expect(missing.stderr).toContain(`.datalad/runinfo/${id}`);
    for (const content of [
      'printf rubbish',
      'echo "{}" | xz',
      'echo 5 | xz',
      'printf "" | xz',
      'echo "{\\"cmd\\": \\"x\\"}" | gzip',
    ]) {
      commitVerbatim(
        world,
        repo,
        messageAround(`"${id}"`),
        `mkdir -p .datalad/runinfo; ${content} >.datalad/runinfo/${id}`,
      );
      refused(repo, [], 'record-invalid');
    }
    // A bomb of a few kilobytes.
    commitVerbatim(
      world,
      repo,
      messageAround(`"${id}"`),
      `head -c 200000000 /dev/zero | xz -0 >.datalad/runinfo/${id}`,
    );
    refused(repo, [], 'record-invalid');
  });
});

describe('whose dataset a record is of', () => {
  let dataset: string;
  const other = '00000000-0000-4000-8000-000000000000';
  beforeAll(() => {
    dataset = world.path('with-id');
    world.git(world.dir, 'init', '-q', dataset);
    world.write(`${dataset}/.datalad/config`, '[datalad "dataset"]\n\tid = 11111111-0000-4000-8000-000000000000\n');
    world.git(dataset, 'add', '-A');
    world.git(dataset, 'commit', '-qm', 'a dataset');
  });

  test('one of another dataset is not executed, and said to be so', () => {
    const copy = copyOf(world, dataset, `id-${(made += 1)}`);
    const foreign = recordedBy(world, copy, { cmd: 'echo executed >>out', dsid: other, pwd: '.' }, 'echo >theirs');
    const before = looksOf(copy);
    const ended = world.reprise(copy, ['-f', 'json', 'rerun']);
    expect(ended.code).toBe(1);
    expect(printed(ended)).toMatchObject([
      { action: 'run', status: 'notneeded', commit: foreign },
      { action: 'run', status: 'impossible' },
    ]);
    expect(String(printed(ended)[0]?.['message'])).toContain('was ran from a different dataset; skipping');
    expect(looksOf(copy)).toStrictEqual(before);
    expect(attestationsIn(world, copy)).toStrictEqual([]);

    // Among others of this dataset it is kept where it is in the history, and picked where it is not.
    recordedBy(world, copy, { cmd: 'echo ours >>ours', pwd: '.' }, 'echo ours >>ours');
    succeed(rerun(copy, '--since='));
    expect(readFileSync(join(copy, 'ours'), 'utf8')).toBe('ours\nours\n');
    world.git(copy, 'reset', '-q', '--hard', 'HEAD~1');
    succeed(rerun(copy, '--since=HEAD~2', '--onto=HEAD~2', '-b', 'again'));
    expect(existsSync(join(copy, 'theirs'))).toBe(true);
    expect(existsSync(join(copy, 'out'))).toBe(false);
    expect(readFileSync(join(copy, 'ours'), 'utf8')).toBe('ours\n');
  });

  test('one without an id is executed, and the new record has the id of this dataset', () => {
    const copy = copyOf(world, dataset, `id-${(made += 1)}`);
    recordedBy(world, copy, { cmd: 'echo >>out', pwd: '.' }, 'echo >>out');
    succeed(rerun(copy));
    expect(lastRecord(copy)).toMatchObject({ dsid: '11111111-0000-4000-8000-000000000000' });
  });

  test('in a repository without an id, records with one are foreign, and those without are not', () => {
    const repo = plain();
    recordedBy(world, repo, { cmd: 'echo >>out', pwd: '.', dsid: other }, 'echo >>out');
    expect(rerun(repo).code).toBe(1);
    expect(readFileSync(join(repo, 'out'), 'utf8')).toBe('\n');
    expect(world.reprise(repo, ['run', 'echo x >>mine']).code).toBe(0);
    expect(lastRecord(repo)).not.toHaveProperty('dsid');
    succeed(rerun(repo));
    expect(lastRecord(repo)).not.toHaveProperty('dsid');
    expect(readFileSync(join(repo, 'mine'), 'utf8')).toBe('x\nx\n');
    expect(existsSync(join(repo, '.git/annex'))).toBe(false);
  });
});

describe('exit codes', () => {
  test('one that was recorded is expected, 0 is always welcome, any other is a failure', () => {
    const repo = plain();
    const cmd = 'echo again >>out; exit "$WISH"';
    const old = recordedBy(world, repo, { cmd, exit: 3, pwd: '.', outputs: ['out'] }, 'echo again >>out');
    const withCode = (wish: string, ...args: string[]) =>
      world.reprise(repo, [...args, 'rerun', old], { env: { WISH: wish } });
    succeed(withCode('3'));
    expect(lastRecord(repo)).toMatchObject({ exit: 3 });
    succeed(withCode('0'));
    expect(lastRecord(repo)).toMatchObject({ exit: 0 });
    const head = world.git(repo, 'rev-parse', 'HEAD');
    const ended = withCode('4', '-f', 'json');
    expect(ended.code).toBe(4);
    expect(printed(ended).find(({ action }) => action === 'run')).toMatchObject({ status: 'error', exit_code: 4 });
    expect(world.git(repo, 'rev-parse', 'HEAD')).toBe(head);
    expect(attestationsIn(world, repo)).toHaveLength(2);
    expect(
      attestationsIn(world, repo)
        .map(({ exit }) => String(exit))
        .toSorted(),
    ).toStrictEqual(['0', '3']);
  });

  test('without a recorded one 0 is expected', () => {
    const repo = plain();
    recordedBy(world, repo, { cmd: 'exit 5', pwd: '.' });
    expect(rerun(repo).code).toBe(5);
  });

  test('an end by a signal is recorded as DataLad does, and expected as such', () => {
    const repo = plain();
    recordedBy(world, repo, { cmd: 'echo >>out; kill -9 $$', exit: -9, pwd: '.' }, 'echo >>out');
    succeed(rerun(repo));
    expect(lastRecord(repo)).toMatchObject({ exit: -9 });
    recordedBy(world, repo, { cmd: 'kill -9 $$', exit: 137, pwd: '.' });
    expect(rerun(repo).code).toBe(137);
  });

  test('with --on-cmd-failure save the results of another code are kept', () => {
    const repo = plain();
    recordedBy(world, repo, { cmd: 'echo failed >>out; exit 4', exit: 0, pwd: '.' }, 'echo >>out');
    succeed(rerun(repo, '--on-cmd-failure', 'save'));
    expect(lastRecord(repo)).toMatchObject({ exit: 4 });
    expect(readFileSync(join(repo, 'out'), 'utf8')).toBe('\nfailed\n');
  });
});

describeWith(['git-annex', 'datalad', 'python3'], 'sidecars', () => {
  let origin: string;
  beforeAll(() => {
    origin = world.path('sidecars');
    world.ok(dataladArgv('datalad', ['create', origin]));
    world.ok(dataladArgv('datalad', ['run', '--sidecar', 'yes', '-m', 'aside', '-o', 'out', 'echo 1 >out']), {
      cwd: origin,
    });
  });

  test('that DataLad has put into the annex: fetched where they are not here', () => {
    const sidecar = world.git(origin, 'ls-files', '.datalad/runinfo');
    expect(world.git(origin, 'ls-files', '-s', sidecar)).toMatch(/^120000/);
    const clone = world.path('sidecar-clone');
    world.sh(world.dir, `git clone -q '${origin}' '${clone}'; git -C '${clone}' annex init -q`);
    const ended = world.reprise(clone, ['-f', 'json', 'rerun', '--verify']);
    succeed(ended);
    expect(verdictsOf(ended)).toStrictEqual(['out identical']);
    expect(world.git(clone, 'status', '--porcelain')).toBe('');
    expect(world.git(clone, 'ls-files', '-s', 'out')).toBe(world.git(origin, 'ls-files', '-s', 'out'));
    expect(world.sh(clone, 'cat out')).toBe('1');
  });

  test('that were deleted later: read from the commit that names them', () => {
    const copy = copyOf(world, origin, 'sidecar-deleted');
    const before = world.git(copy, 'rev-parse', 'HEAD');
    world.git(copy, 'rm', '-rq', '.datalad/runinfo', 'out');
    world.git(copy, 'commit', '-qm', 'tidied');
    const ended = world.reprise(copy, ['-f', 'json', 'rerun', before]);
    succeed(ended);
    expect(world.sh(copy, 'cat out')).toBe('1');
    // A record that was in a sidecar goes into one again.
    expect(world.git(copy, 'log', '-1', '--format=%B')).toMatch(/^"[0-9a-f]{32}"$/m);
  });

  test('whose content is nowhere: a sentence with the line that would fetch it', () => {
    const clone = world.path('sidecar-gone');
    world.git(world.dir, 'clone', '-q', origin, clone);
    world.git(clone, 'remote', 'remove', 'origin');
    const before = looksOf(clone).tree;
    const ended = rerun(clone);
    expectSentence(ended, 'record-invalid|content-unavailable', 1);
    expect(ended.stderr).toMatch(/sidecar/);
    expect(looksOf(clone).tree).toBe(before);
  });
});
