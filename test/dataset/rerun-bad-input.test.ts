/** Records of an attacker, and command lines that make no sense: nothing is executed, nothing is changed, and a sentence says why. */
import { existsSync, mkdirSync, readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { expectSentence, looksOf } from '../support/crash-unchanged.ts';
import { describeWith } from '../support/oracles.ts';
import { commitVerbatim, copyOf, isPending, messageAround, placeOf, recordedBy, tracesIn } from '../support/replays.ts';
import { cliPath, createWorld, type Outcome, type World } from '../support/world.ts';

let world: World;
let template: string;
let elsewhere: string;
let made = 0;

beforeAll(() => {
  world = createWorld();
  elsewhere = world.path('elsewhere', '.');
  mkdirSync(join(elsewhere, 'data'), { recursive: true });
  world.write(join(elsewhere, 'data/x'), 'theirs\n');
  template = world.path('template');
  world.git(world.dir, 'init', '-q', template);
  world.write(`${template}/data/x`, 'ours\n');
  symlinkSync(elsewhere, join(template, 'away'));
  symlinkSync('../../elsewhere/data', join(template, 'data/near'));
  symlinkSync('data', join(template, 'inside'));
  world.git(template, 'add', '-A');
  world.git(template, 'commit', '-qm', 'start');
  expect(world.reprise(template, ['run', '-m', 'good', 'echo executed >>good']).code).toBe(0);
});
afterAll(() => world.remove());

const fresh = () => copyOf(world, template, `case-${(made += 1)}`);
const executed = (repo: string) => readFileSync(join(repo, 'good'), 'utf8').split('\n').length - 1;

/** Runs, expects one sentence, and that nothing at all was changed or executed. */
function refused(repo: string, args: readonly string[], code: string, exit = 1): Outcome {
  const before = looksOf(repo);
  const ended = world.reprise(repo, ['rerun', ...args]);
  expectSentence(ended, code, exit);
  expect(looksOf(repo)).toStrictEqual(before);
  expect(isPending(repo)).toBe(false);
  return ended;
}

describe('records that would work outside the dataset', () => {
  const byName: readonly Record<string, unknown>[] = [
    { pwd: '..' },
    { pwd: '/' },
    { pwd: '../elsewhere' },
    { pwd: 'data/../../elsewhere' },
    { pwd: '.git' },
    { pwd: '.git/hooks' },
    { pwd: 'data/.git' },
    { outputs: ['../elsewhere/data/x'] },
    { outputs: ['/etc/passwd'] },
    { outputs: ['../*/data/x'] },
    { outputs: ['*/../../elsewhere/data/x'] },
    { outputs: ['.git/config'] },
    { outputs: ['data/../.git/hooks/pre-commit'] },
    { inputs: ['/etc/passwd'] },
    { inputs: ['../elsewhere/data/x'] },
    { inputs: ['.git/*'] },
    { extra_inputs: ['../elsewhere/data/x'] },
    { pwd: 'data', outputs: ['../../elsewhere/data/x'] },
  ];
  const throughLinks: readonly Record<string, unknown>[] = [
    { pwd: 'away' },
    { pwd: 'away/data' },
    { pwd: 'away/new' },
    { pwd: 'data/near' },
    { outputs: ['away/data/x'] },
    { outputs: ['away/new'] },
    { outputs: ['data/near/*'] },
    { inputs: ['away/data/x'] },
    { extra_inputs: ['data/near/x'] },
  ];
  const cmd = 'echo mine >x; echo mine >data/x';
  const untouched = () => expect(world.sh(elsewhere, 'find . | sort; cat data/x')).toBe('.\n./data\n./data/x\ntheirs');
  const tidy = () => world.sh(elsewhere, 'rm -rf x new; echo theirs >data/x');

  afterEach(tidy);

  test.each([...byName, ...throughLinks].map((fields) => [JSON.stringify(fields), fields]))(
    '%s as the only one',
    (_, fields) => {
      const repo = fresh();
      recordedBy(world, repo, { cmd, pwd: '.', ...fields });
      refused(repo, [], 'path-outside');
      expect(executed(repo)).toBe(1);
      untouched();
    },
  );

  test.each(byName.map((fields) => [JSON.stringify(fields), fields]))(
    '%s after a good one, which is not executed either',
    (_, fields) => {
      const repo = fresh();
      const bad = recordedBy(world, repo, { cmd, pwd: '.', ...fields });
      for (const args of [['--since='], ['--since=', '--onto=', '-b', 'new']]) {
        const ended = refused(repo, args, 'path-outside');
        expect(ended.stderr).toContain(bad);
      }
      expect(executed(repo)).toBe(1);
    },
  );

  test.each(throughLinks.map((fields) => [JSON.stringify(fields), fields]))(
    '%s after a good one: stopped before it, and everything can be undone',
    (_, fields) => {
      const repo = fresh();
      recordedBy(world, repo, { cmd, pwd: '.', ...fields });
      const before = placeOf(world, repo);
      expectSentence(world.reprise(repo, ['rerun', '--since=']), 'path-outside', 1);
      expect(existsSync(join(repo, 'x'))).toBe(false);
      untouched();
      if (isPending(repo)) expect(world.reprise(repo, ['rerun', '--abort']).code).toBe(0);
      expect(placeOf(world, repo)).toStrictEqual(before);
      expect(tracesIn(world, repo)).toStrictEqual([]);
    },
  );

  test('a link that stays inside is followed', () => {
    const repo = fresh();
    recordedBy(world, repo, { cmd: 'echo more >>x', pwd: 'inside', outputs: ['x'] }, 'echo more >>data/x');
    const ended = world.reprise(repo, ['rerun']);
    expect(`${ended.code} ${ended.stderr}`).toMatch(/^0 /);
    expect(readFileSync(join(repo, 'data/x'), 'utf8')).toBe('ours\nmore\nmore\n');
  });

  test('a folder to run in that is a file, or below one', () => {
    for (const pwd of ['data/x', 'data/x/below']) {
      const repo = fresh();
      recordedBy(world, repo, { cmd, pwd });
      refused(repo, [], 'command-not-started|path-missing|path-outside|target-exists');
    }
  });
});

describeWith(['git-annex'], 'links to another dataset', () => {
  test('nothing of it is unlocked, fetched or removed', () => {
    const other = world.path('other');
    world.reprise(world.dir, ['create', other]);
    world.write(`${other}/data/a`, 'a');
    world.reprise(other, ['save']);
    const before = looksOf(other);
    const linked = world.path('linked');
    world.reprise(world.dir, ['create', linked]);
    symlinkSync(other, join(linked, 'link'));
    for (const record of [
      { outputs: ['link/data/a'] },
      { outputs: ['l*/data/*'] },
      { outputs: ['*'] },
      { outputs: ['**'] },
      { inputs: ['l*/data/*'] },
      { pwd: 'link', outputs: ['data/a'] },
    ]) {
      const dataset = copyOf(world, linked, `annexed-${(made += 1)}`);
      recordedBy(world, dataset, { cmd: 'true', pwd: '.', ...record });
      const ended = world.reprise(dataset, ['rerun']);
      if (ended.code !== 0) expectSentence(ended, 'path-outside|input-missing', 1);
      expect(looksOf(other), JSON.stringify(record)).toStrictEqual(before);
    }
  });
});

describe('large and strange records', () => {
  test('a command of 300 KB, and 20,000 outputs', () => {
    const repo = fresh();
    const text = 'x'.repeat(300_000);
    const outputs = Array.from({ length: 20_000 }, (_, at) => `folder/output-${at}`);
    recordedBy(world, repo, { cmd: `printf %s ${text} >>long`, pwd: '.', outputs }, 'echo >long');
    const ended = world.reprise(repo, ['rerun']);
    expect(`${ended.code} ${ended.stderr.slice(0, 500)}`).toMatch(/^0 /);
    expect(readFileSync(join(repo, 'long'), 'utf8')).toBe(`\n${text}`);
    const again = world.reprise(repo, ['rerun']);
    expect(`${again.code} ${again.stderr.slice(0, 500)}`).toMatch(/^0 /);
  });

  test('names that mean something to JavaScript', () => {
    const repo = fresh();
    const body =
      '{"__proto__": {"polluted": 1}, "constructor": "x", "toString": [], "cmd": "echo >>out", "pwd": ".", "reprise": {"run": {"toString": 1}}}';
    commitVerbatim(world, repo, messageAround(body), 'echo >out');
    const ended = world.reprise(repo, ['rerun']);
    expect(`${ended.code} ${ended.stderr}`).toMatch(/^0 /);
    expect(readFileSync(join(repo, 'out'), 'utf8')).toBe('\n\n');
  });

  test('placeholders that do not exist in the command of a record', () => {
    for (const text of [
      'echo {nonsense}',
      'echo {',
      'echo {inputs[7]}',
      'echo {inputs.__class__}',
      'echo {pwd:>1000000000}',
    ]) {
      const repo = fresh();
      recordedBy(world, repo, { cmd: text, pwd: '.' });
      refused(repo, [], 'placeholder-unknown|placeholder-invalid');
    }
  });

  test('control characters in messages, commands and names do nothing to a terminal', () => {
    const repo = fresh();
    const evil = '\u001b]0;pwned\u0007\u001b[2J\u009b31m\rhidden\b\b';
    const cmd = `: '${evil}'; echo >>"$(printf 'n\\033[2Jame')"`;
    recordedBy(world, repo, { cmd, pwd: '.' }, `echo >"$(printf 'n\\033[2Jame')"`, evil);
    commitVerbatim(world, repo, messageAround(`{"cmd": 5, "${evil.replaceAll('\u001b', '\\u001b')}": 1}`, evil));
    world.git(repo, '-c', 'user.name=\u001b[2Jname', 'commit', '-q', '--allow-empty', '-m', evil);
    const lines = [
      'rerun HEAD~2',
      'rerun --report HEAD~3',
      'rerun --dry-run --since=HEAD~4 HEAD~3',
      '-f json_pp rerun --report HEAD~3',
      '-f "{action} {run_message} {author}" rerun --report HEAD~3',
      'rerun HEAD~1',
      'rerun --since=HEAD~1 HEAD',
    ];
    for (const line of lines) {
      const said = world.exec(['script', '-qec', `'${process.execPath}' '${cliPath}' ${line}`, '/dev/null'], {
        cwd: repo,
        env: { TERM: 'xterm' },
      }).stdout;
      expect(said.length, line).toBeGreaterThan(10);
      // Lines end with CR LF on a terminal.
      const plain = said.replaceAll('\r\n', '\n');
      // oxlint-disable-next-line no-control-regex
      expect(plain.match(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g), `${line}: ${JSON.stringify(said)}`).toBeNull();
    }
  });
});

describe('command lines that make no sense', () => {
  let repo: string;
  beforeEach(() => {
    if (repo === undefined || isPending(repo)) repo = fresh();
  });

  test.each([
    ['--', '--output=x'],
    ['--', '-x'],
    ['nope'],
    ['HEAD^{tree}'],
    ['HEAD~50'],
    ['HEAD@{99}'],
    ['HEAD:data/x'],
    ['a..b..c'],
    ['HEAD..nope'],
    ['data/x'],
    ['*'],
    ['a\nb'],
    ['--since=--output=x'],
    ['--since=nope'],
    ['--since=HEAD..HEAD'],
    ['--onto=--output=x'],
    ['--onto=nope', '--since='],
    ['--since=HEAD~1', '--', '--all'],
  ])('a revision that is none: %s', (...args: string[]) => {
    refused(repo, args, 'revision-unknown');
    expect(existsSync(join(repo, 'x'))).toBe(false);
  });

  test.each([
    [['-b', 'main'], 'branch-exists', 1],
    [['-b', '-x'], 'usage', 2],
    [['--branch=--force'], 'usage', 2],
    [['-b', 'a..b'], 'usage', 2],
    [['-b', ''], 'usage', 2],
    [['-b', 'refs/heads/main.lock'], 'usage', 2],
    [['-b', 'main/below'], 'branch-exists|git-failed|usage', 1],
    [['--nonsense'], 'usage', 2],
    [['HEAD', 'HEAD~1'], 'usage', 2],
    [['-J', '0'], 'usage', 2],
    [['-J', 'many'], 'usage', 2],
    [['--assume-ready', 'nothing'], 'usage', 2],
    [['--continue', '--abort'], 'usage', 2],
    [['--continue', 'HEAD'], 'usage', 2],
    [['--abort', '--since='], 'usage', 2],
    [['--continue', '-m', 'x'], 'usage', 2],
    [['--stale', 'HEAD'], 'usage', 2],
    [['--stale', '--since='], 'usage', 2],
    [['--workspace', '--branch=x'], 'usage', 2],
    [['--workspace', '--onto='], 'usage', 2],
  ] as const)('%j', (args, code, exit) => {
    refused(repo, args, code, exit);
  });

  test('revisions that are unusual, but fine', () => {
    const one = fresh();
    const tag = '--output=x';
    world.git(one, 'update-ref', `refs/tags/${tag}`, 'HEAD');
    world.git(one, 'tag', '-a', '-m', 'a tag', 'annotated', 'HEAD');
    for (const name of [
      'HEAD',
      '@',
      'main',
      'HEAD~0',
      'annotated',
      'HEAD~1..HEAD',
      ':/good',
      `refs/tags/${tag}`,
      'HEAD^{commit}',
    ]) {
      const ended = world.reprise(one, ['-f', 'json', 'rerun', '--report', name]);
      expect(`${name}: ${ended.code} ${ended.stderr}`).toBe(`${name}: 0 `);
      expect(JSON.parse(ended.stdout)).toMatchObject({ rerun_action: 'run', run_message: 'good' });
    }
    world.write(`${one}/HEAD`, 'a file of this name');
    world.git(one, 'add', 'HEAD');
    world.git(one, 'commit', '-qm', 'a file');
    expect(world.reprise(one, ['rerun', 'HEAD~1']).code).toBe(0);
  });

  test('a record whose commit has no parent here says why it is not executed', () => {
    const root = world.path('rooted');
    world.git(world.dir, 'init', '-q', root);
    const first = recordedBy(world, root, { cmd: 'true' }, 'echo >file');
    expect(refused(root, [], 'no-run-commits').stderr).toContain(`${first} has run information but is a root commit`);

    const shallow = world.path('shallow');
    world.git(world.dir, 'clone', '-q', '--depth', '1', `file://${template}`, shallow);
    const ended = refused(shallow, [], 'no-run-commits');
    expect(ended.stderr).toContain('history of this shallow clone is cut off');
    expect(ended.stderr).toContain('hint: git fetch --unshallow');
    world.git(shallow, 'fetch', '-q', '--unshallow');
    expect(world.reprise(shallow, ['rerun']).code).toBe(0);
  });

  test('a bare repository has no files', () => {
    const bare = world.path('bare.git');
    world.git(world.dir, 'clone', '-q', '--bare', template, bare);
    for (const args of [['rerun'], ['rerun', '--report'], ['stale'], ['attestations']]) {
      const ended = world.reprise(bare, args);
      expectSentence(ended, 'no-dataset', 2);
      expect(ended.stderr).toContain(`hint: git clone ${bare}`);
    }
  });

  test('no dataset, no commits, unsaved changes', () => {
    const folder = world.path('nothing', '.');
    mkdirSync(folder, { recursive: true });
    for (const args of [[], ['--continue'], ['--abort'], ['--report']])
      expectSentence(world.reprise(folder, ['rerun', ...args]), 'no-dataset', 2);
    const empty = world.path('empty');
    world.git(world.dir, 'init', '-q', empty);
    expectSentence(world.reprise(empty, ['rerun']), 'no-run-commits', 1);
    const dirty = fresh();
    world.write(`${dirty}/data/x`, 'changed');
    for (const args of [[], ['--since='], ['--onto=', '-b', 'x']])
      expect(refused(dirty, args, 'dataset-dirty').stderr).toContain('hint: reprise rerun --workspace');
    expect(world.reprise(dirty, ['rerun', '--report']).code).toBe(0);
    const untracked = fresh();
    world.write(`${untracked}/new`, 'new');
    refused(untracked, [], 'dataset-dirty');
  });
});
