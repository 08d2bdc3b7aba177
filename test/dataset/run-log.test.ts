/** `--log`, lists of inputs and outputs, and literal commands. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { dataladArgv, describeWith } from '../support/oracles.ts';
import { commitsOf, leftovers } from '../support/runs.ts';
import { cliPath, createWorld, type World } from '../support/world.ts';

let world: World;
beforeAll(() => {
  world = createWorld();
  world.sh(world.dir, 'git init -q base && cd base && git commit -q --allow-empty -m start');
});
afterAll(() => world.remove());

function fresh(name: string): string {
  world.ok(['cp', '-aT', world.path('base'), world.path(name)]);
  return world.path(name);
}

describe('--log', () => {
  test('keeps 10 MB of binary output as a file of the commit, and passes them through byte for byte', () => {
    const dataset = fresh('binary');
    world.write(
      world.path('make.py'),
      `import sys,hashlib\nfor n in range(10000): sys.stdout.buffer.write(b''.join(hashlib.sha256(b'%d %d' % (n, k)).digest() for k in range(32)))\n`,
    );
    const direct = world.exec(['python3', world.path('make.py')]).bytes;
    expect(direct.length).toBe(10_240_000);
    const out = world.reprise(dataset, ['-f', 'disabled', 'run', '--log', 'out', 'python3 ../make.py; echo aside >&2']);
    expect(out.code).toBe(0);
    expect(out.bytes.equals(direct)).toBe(true);
    expect(out.stderr).toContain('aside\n');
    const commit = commitsOf(world, dataset).at(-1);
    const log = commit?.record?.reprise?.['log'] as { out?: string; err?: string };
    expect(Object.keys(log)).toEqual(['out']);
    expect(commit?.changes).toEqual([`A ${log.out}`]);
    expect(readFileSync(join(dataset, log.out as string)).equals(direct)).toBe(true);
    expect(commit?.record?.reprise?.['undeclared']).toBeUndefined();
    expect(leftovers(world, dataset)).toEqual([]);
    expect(world.git(dataset, 'status', '--porcelain')).toBe('');
  });

  test('both: each stream by itself, in its own file', () => {
    const dataset = fresh('both');
    const line = 'for n in $(seq 500); do echo "out $n"; echo "err $n" >&2; done';
    const out = world.reprise(dataset, ['-f', 'disabled', 'run', '--log', 'both', line]);
    const lines = (word: string) => Array.from({ length: 500 }, (_, index) => `${word} ${index + 1}\n`).join('');
    expect(out.stdout).toBe(lines('out'));
    expect(
      out.stderr
        .split('\n')
        .filter((one) => one.startsWith('err '))
        .join('\n'),
    ).toBe(lines('err').trimEnd());
    const log = commitsOf(world, dataset).at(-1)?.record?.reprise?.['log'] as { out: string; err: string };
    expect(readFileSync(join(dataset, log.out), 'utf8')).toBe(lines('out'));
    expect(readFileSync(join(dataset, log.err), 'utf8')).toBe(lines('err'));
  });

  test('err: standard output is not kept', () => {
    const dataset = fresh('err');
    const out = world.reprise(dataset, ['run', '--log', 'err', 'echo to out; echo to err >&2; echo 1 > f']);
    expect(out.stdout).toContain('to out\n');
    const commit = commitsOf(world, dataset).at(-1);
    const log = commit?.record?.reprise?.['log'] as { out?: string; err: string };
    expect(log.out).toBeUndefined();
    expect(readFileSync(join(dataset, log.err), 'utf8')).toBe('to err\n');
    expect(commit?.changes.toSorted()).toEqual([`A ${log.err}`, 'A f']);
  });

  test('with --explicit is saved without being declared, also of a command that prints nothing', () => {
    const dataset = fresh('explicit');
    const out = world.reprise(dataset, ['run', '--explicit', '--log', 'both', '-o', 'f', 'echo 1 > f; echo said']);
    expect(out.code).toBe(0);
    const commit = commitsOf(world, dataset).at(-1);
    const log = commit?.record?.reprise?.['log'] as { out: string; err: string };
    expect(commit?.changes.toSorted()).toEqual([`A ${log.err}`, `A ${log.out}`, 'A f']);
    expect(readFileSync(join(dataset, log.err), 'utf8')).toBe('');
    expect(world.git(dataset, 'status', '--porcelain')).toBe('');
  });

  test('keeps the exit code, and what a failed command printed', () => {
    const dataset = fresh('failing');
    const since = world.git(dataset, 'rev-parse', 'HEAD');
    const out = world.reprise(dataset, ['run', '--log', 'out', '--on-cmd-failure', 'all', 'echo last words; exit 13']);
    expect(out.code).toBe(13);
    expect(out.stdout).toContain('last words\n');
    const commit = commitsOf(world, dataset, `${since}..HEAD`)[0];
    expect(commit?.record?.exit).toBe(13);
    const log = commit?.record?.reprise?.['log'] as { out: string };
    expect(readFileSync(join(dataset, log.out), 'utf8')).toBe('last words\n');
  });

  test('of a failed command that is not saved: the file is there for `save -F`', () => {
    const dataset = fresh('failing-unsaved');
    const out = world.reprise(dataset, ['run', '--log', 'out', 'echo last words; exit 13']);
    expect(out.code).toBe(13);
    expect(world.reprise(dataset, ['save', '-d', '.', '-r', '-F', '.git/COMMIT_EDITMSG'])).toMatchObject({ code: 0 });
    const commit = commitsOf(world, dataset).at(-1);
    const log = commit?.record?.reprise?.['log'] as { out: string };
    expect(commit?.changes).toEqual([`A ${log.out}`]);
    expect(readFileSync(join(dataset, log.out), 'utf8')).toBe('last words\n');
  });

  test('is the same in a subfolder and names its file from the root', () => {
    const dataset = fresh('subfolder');
    world.sh(dataset, 'mkdir work');
    expect(world.reprise(join(dataset, 'work'), ['run', '--log', 'out', 'echo said']).code).toBe(0);
    const log = commitsOf(world, dataset).at(-1)?.record?.reprise?.['log'] as { out: string };
    expect(readFileSync(join(dataset, log.out), 'utf8')).toBe('said\n');
  });

  test('a reader that goes away does not break the command', () => {
    const dataset = fresh('broken-pipe');
    const line = `"${process.execPath}" "${cliPath}" -f disabled run --log out 'seq 100000; echo done > f' | head -n 1`;
    expect(world.sh(dataset, line)).toBe('1');
    const commit = commitsOf(world, dataset).at(-1);
    const log = commit?.record?.reprise?.['log'] as { out: string };
    expect(readFileSync(join(dataset, log.out), 'utf8').trimEnd().split('\n')).toHaveLength(100_000);
    expect(commit?.changes).toContain('A f');
  });
});

describe('lists of inputs and outputs', () => {
  test.each([
    ['one per line', 'a\nb c\n', 'x\ny z\n'],
    ['one per line without a last newline, and CR LF', 'a\r\nb c', 'x\r\ny z'],
    ['NUL-terminated', 'a\0b c\0', 'x\0y z\0'],
    ['NUL-separated', 'a\0b c', 'x\0y z'],
  ])('from a file, %s', (title, inputs, outputs) => {
    const dataset = fresh(`list ${title}`);
    world.sh(dataset, 'echo 1 > a; echo 2 > "b c"; git add . && git commit -qm inputs');
    writeFileSync(world.path('inputs'), inputs);
    writeFileSync(world.path('outputs'), outputs);
    const args = [
      'run',
      '--explicit',
      '--input-from',
      '../inputs',
      '--output-from',
      '../outputs',
      'cat {inputs} | tee x > "y z"',
    ];
    expect(world.reprise(dataset, args)).toMatchObject({ code: 0 });
    const commit = commitsOf(world, dataset).at(-1);
    expect(commit?.record).toMatchObject({ inputs: ['a', 'b c'], outputs: ['x', 'y z'] });
    expect(commit?.changes).toEqual(['A x', 'A y z']);
  });

  test('NUL-terminated names may hold newlines', () => {
    const dataset = fresh('newline');
    writeFileSync(join(dataset, 'two\nlines'), 'content\n');
    world.sh(dataset, 'git add . && git commit -qm input');
    writeFileSync(world.path('names'), 'two\nlines\0');
    expect(
      world.reprise(dataset, ['run', '--input-from', '../names', '-o', 'out', 'cat {inputs} > out']),
    ).toMatchObject({ code: 0 });
    expect(commitsOf(world, dataset).at(-1)?.record?.inputs).toEqual(['two\nlines']);
    expect(readFileSync(join(dataset, 'out'), 'utf8')).toBe('content\n');
  });

  test('from standard input, after those given directly', () => {
    const dataset = fresh('stdin');
    world.sh(dataset, 'for n in 1 2 3; do echo $n > $n; done; git add . && git commit -qm inputs');
    const args = ['run', '-i', '1', '--input-from', '-', '-o', 'out', 'cat {inputs} > out'];
    expect(world.reprise(dataset, args, { input: '2\n3\n' })).toMatchObject({ code: 0 });
    expect(commitsOf(world, dataset).at(-1)?.record?.inputs).toEqual(['1', '2', '3']);
    expect(readFileSync(join(dataset, 'out'), 'utf8')).toBe('1\n2\n3\n');
  });

  test('that cannot be read, or name what is not there, stop the run', () => {
    const dataset = fresh('bad-list');
    const missing = world.reprise(dataset, ['run', '--input-from', 'no-such-list', 'touch ran']);
    expect(missing.code).toBe(1);
    expect(missing.stderr).toContain('no-such-list');
    writeFileSync(world.path('names'), 'absent\n');
    const absent = world.reprise(dataset, ['run', '--input-from', '../names', 'touch ran']);
    expect(absent.code).toBe(1);
    expect(absent.stderr).toContain('absent');
    expect(existsSync(join(dataset, 'ran'))).toBe(false);
  });
});

const AWK = `awk 'BEGIN { x["{inputs}"] = 1; for (k in x) { print k, "{pwd}", "{{}}" } }' > out.txt`;
const AWK_PRINTS = '{inputs} {pwd} {{}}\n';

describe('--no-placeholders', () => {
  test('executes braces as they are', () => {
    const dataset = fresh('literal');
    expect(world.reprise(dataset, ['run', '--no-placeholders', '-o', 'out.txt', AWK])).toMatchObject({ code: 0 });
    expect(readFileSync(join(dataset, 'out.txt'), 'utf8')).toBe(AWK_PRINTS);
    expect(commitsOf(world, dataset).at(-1)).toMatchObject({
      subject: `[DATALAD RUNCMD] ${AWK.slice(0, 40)}...`,
      record: { cmd: AWK.replaceAll('{', '{{').replaceAll('}', '}}'), reprise: { no_placeholders: true } },
    });
  });

  test('several words with braces', () => {
    const dataset = fresh('words');
    const args = ['run', '--no-placeholders', '--', '/bin/sh', '-c', 'echo "$1" > out', 'sh', '{a} {{b}} }'];
    expect(world.reprise(dataset, args)).toMatchObject({ code: 0 });
    expect(readFileSync(join(dataset, 'out'), 'utf8')).toBe('{a} {{b}} }\n');
  });

  test('declared paths are literal as well', () => {
    const dataset = fresh('paths');
    world.sh(dataset, 'echo 1 > "{in}.txt" && git add . && git commit -qm input');
    const args = [
      'run',
      '--explicit',
      '--no-placeholders',
      '-i',
      '{in}.txt',
      '-o',
      '{out}.txt',
      'cat "{in}.txt" > "{out}.txt"',
    ];
    expect(world.reprise(dataset, args)).toMatchObject({ code: 0 });
    const commit = commitsOf(world, dataset).at(-1);
    expect(commit?.changes).toEqual(['A {out}.txt']);
    expect(commit?.record).toMatchObject({ inputs: ['{{in}}.txt'], outputs: ['{{out}}.txt'] });
  });
});

describeWith(['git-annex', 'datalad'], 'DataLad reruns', () => {
  test('a literal command as it was executed, with literal names', () => {
    world.reprise(world.dir, ['create', 'rerun']);
    const dataset = world.path('rerun');
    world.sh(dataset, 'echo 1 > "{in}.txt"');
    expect(world.reprise(dataset, ['save']).code).toBe(0);
    const line = `${AWK.replace('out.txt', '"{out}.txt"')} && cat "{in}.txt" >> "{out}.txt"`;
    const args = ['run', '--no-placeholders', '-i', '{in}.txt', '-o', '{out}.txt', line];
    expect(world.reprise(dataset, args)).toMatchObject({ code: 0 });
    const content = () => readFileSync(join(dataset, '{out}.txt'), 'utf8');
    expect(content()).toBe(`${AWK_PRINTS}1\n`);
    const tree = world.git(dataset, 'rev-parse', 'HEAD^{tree}');
    world.sh(dataset, 'git rm -q "{out}.txt" && git commit -qm away');
    const out = world.exec(dataladArgv('datalad', ['rerun', 'HEAD~1']), { cwd: dataset });
    expect(out).toMatchObject({ code: 0 });
    expect(content()).toBe(`${AWK_PRINTS}1\n`);
    expect(world.git(dataset, 'rev-parse', 'HEAD^{tree}')).toBe(tree);
  });
});
