/** Names of every kind, as outputs, inputs, folders and messages: saved exactly, recorded so that Python reads the same bytes. */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { decodeName, encodeName, fsPath, splitNul } from '../../src/core/bytes.ts';
import { describeWith } from '../support/oracles.ts';
import { cliPath, createWorld, type World } from '../support/world.ts';

const NAMES: readonly string[] = [
  'two words.dat',
  ' leading and trailing ',
  "it's.dat",
  '"quoted".dat',
  'back\\slash.dat',
  'ends with backslash\\',
  'tab\there',
  'line\nbreak.dat',
  '\n',
  'carriage\rreturn',
  '-leading-dash',
  '--option=value',
  '-',
  '{braces}.dat',
  '{',
  '}}',
  '{{double}}',
  'star*.dat',
  'what?.dat',
  '[set].dat',
  '[!set',
  '**',
  '~',
  '~user',
  '$HOME',
  '`id`',
  '$(id).dat',
  '!history',
  '#comment',
  '%s%d%',
  'a:b',
  ':(top)x',
  ':!x',
  '!not',
  'semi;colon & ampersand | pipe',
  '<angle>',
  'caf\u00e9-nfc',
  'cafe\u0301-nfd',
  '\u65e5\u672c\u8a9e.\u30c7\u30fc\u30bf',
  '\u{1f600}.dat',
  '\u202ertl.dat',
  '\ufeffbom',
  '\u2028line separator',
  'bell\x07\x1b[31mred',
  '\x7f',
  decodeName(Buffer.from('latin1-\xe9.dat', 'latin1')),
  decodeName(Buffer.from('\xff\xfe', 'latin1')),
  decodeName(Buffer.from('half \xf0\x9f\x98', 'latin1')),
  `${'x'.repeat(251)}.dat`,
  '\u00e9'.repeat(127),
  '.hidden',
  '..two dots',
  '...',
  'con',
  'x.gitignore',
  '=== Do not change lines below ===',
  '^^^ Do not change lines above ^^^',
  '[DATALAD RUNCMD] x',
];

/** A pattern that matches exactly this name: glob characters in brackets, braces doubled. */
function literally(name: string): string {
  return name.replace(/[*?[]/g, '[$&]').replace(/[{}]/g, '$&$&');
}

const KINDS: Readonly<Record<string, readonly string[]>> = {
  annexed: [],
  'in Git alone': ['--no-annex'],
  'text in Git': ['-c', 'text2git'],
};

describeWith(['git-annex', 'python3'], 'names of every kind', () => {
  let world: World;
  const writer = () => world.path('writer.py');

  beforeAll(() => {
    world = createWorld();
    // Writes a line into every file that its list (NUL-terminated) names, in the current folder.
    world.write(
      writer(),
      "import os, sys\nfor name in open(sys.argv[1], 'rb').read().split(b'\\0')[:-1]:\n" +
        "    os.makedirs(os.path.dirname(name) or b'.', exist_ok=True)\n" +
        "    open(name, 'ab').write(b'%s %d\\n' % (sys.argv[2].encode(), len(name)))\n",
    );
  });
  afterAll(() => world.remove());

  /** What Python's json reads from the record of HEAD, its strings as the bytes of file names. */
  const recordOfPython = (
    dataset: string,
  ): { outputs: string[]; inputs: string[]; cmd: string; pwd: string; message: string } => {
    const script = `
import json, os, re, subprocess
text = subprocess.run(['git', 'log', '-1', '--format=%B'], stdout=subprocess.PIPE, check=True).stdout.decode('utf-8', 'surrogateescape')
found = re.match(r'\\[DATALAD RUNCMD\\] (.*)=== Do not change lines below ===\\n(.*)\\n\\^\\^\\^ Do not change lines above \\^\\^\\^', text, re.S)
record = json.loads(found.group(2))
latin = lambda value: os.fsencode(value).decode('latin1')
print(json.dumps({'outputs': [latin(one) for one in record['outputs']], 'inputs': [latin(one) for one in record['inputs']],
                  'cmd': latin(record['cmd']), 'pwd': latin(record['pwd']), 'message': latin(found.group(1).strip())}))
`;
    const read = JSON.parse(world.ok(['python3', '-c', script], { cwd: dataset })) as Record<string, string | string[]>;
    const bytes = (text: string) => decodeName(Buffer.from(text, 'latin1'));
    return Object.fromEntries(
      Object.entries(read).map(([key, value]) => [key, Array.isArray(value) ? value.map(bytes) : bytes(value)]),
    ) as ReturnType<typeof recordOfPython>;
  };
  const committed = (dataset: string): string[] =>
    splitNul(world.exec(['git', 'diff', '--name-only', '-z', 'HEAD~1', 'HEAD'], { cwd: dataset }).bytes);
  const sorted = (names: readonly string[]) => [...names].sort();
  const listOf = (name: string, names: readonly string[]) => {
    const path = world.path(`list of ${name}`);
    writeFileSync(path, Buffer.concat(names.map((one) => Buffer.concat([encodeName(one), Buffer.from([0])]))));
    return path;
  };
  const ran = (dataset: string, args: readonly string[]) => {
    const ended = world.reprise(dataset, ['run', ...args]);
    expect(`${ended.code} ${ended.stderr}`).toMatch(/^0 /);
    expect(world.git(dataset, 'status', '--porcelain')).toBe('');
    return ended;
  };
  const make = (kind: string, name: string) => {
    const dataset = world.path(`${name} ${kind}`);
    expect(world.reprise(world.dir, ['create', ...(KINDS[kind] as string[]), dataset]).code).toBe(0);
    return dataset;
  };

  /** What the writer has left in every file, and that Git finds nothing wrong. */
  const expectLines = (dataset: string, words: readonly string[]) => {
    for (const name of NAMES) {
      const lines = readFileSync(fsPath(join(dataset, name)), 'utf8').split('\n');
      expect(lines.map((line) => line.split(' ')[0])).toStrictEqual([...words, '']);
    }
    world.git(dataset, 'fsck', '--strict');
  };

  test.for(Object.keys(KINDS))('as outputs and inputs, %s', { timeout: 300_000 }, (kind) => {
    const dataset = make(kind, 'all');
    // Without --explicit, new: not declared at all, found by the scan.
    const all = listOf(`all ${kind}`, NAMES);
    ran(dataset, ['-m', 'first', `python3 '${writer()}' '${all}' one`]);
    expect(sorted(committed(dataset))).toStrictEqual(sorted(NAMES));

    // Declared one by one in a list file, literally; now they exist and have to be made writable.
    const patterns = listOf(`patterns ${kind}`, NAMES.map(literally));
    ran(dataset, ['--output-from', patterns, `python3 '${writer()}' '${all}' two`]);
    expect(sorted(committed(dataset))).toStrictEqual(sorted(NAMES));
    expect(recordOfPython(dataset).outputs).toStrictEqual(NAMES.map((name) => name.replace(/[*?[]/g, '[$&]')));

    if (kind !== 'annexed') {
      // What is named in which way has nothing to do with where the content goes.
      expectLines(dataset, ['one', 'two']);
      return;
    }

    // --explicit, with inputs and outputs, as words of the command line, in their bytes; what is not declared stays out.
    world.write(join(dataset, 'not mine'), 'x');
    const words = [
      ...NAMES.flatMap((name) => ['-o', literally(name), '-i', literally(name)]),
      `python3 '${writer()}' '${all}' three`,
    ];
    const ended = world.exec(
      ['xargs', '-0', '-x', '-a', listOf(`words ${kind}`, words), process.execPath, cliPath, 'run', '--explicit'],
      { cwd: dataset },
    );
    expect(`${ended.code} ${ended.stderr}`).toMatch(/^0 /);
    expect(sorted(committed(dataset))).toStrictEqual(sorted(NAMES));
    expect(recordOfPython(dataset).inputs).toStrictEqual(NAMES.map((name) => name.replace(/[*?[]/g, '[$&]')));
    expect(world.git(dataset, 'status', '--porcelain')).toBe('?? "not mine"');
    world.sh(dataset, "rm 'not mine'");

    // By a pattern; the record holds the pattern, or with --expand the names.
    ran(dataset, [
      '-o',
      '*',
      '-o',
      '.hidden',
      '-o',
      '.[.]*',
      '--expand',
      'both',
      '-i',
      '*',
      `python3 '${writer()}' '${all}' four`,
    ]);
    const record = recordOfPython(dataset);
    expect(sorted(record.outputs.filter((name) => NAMES.includes(name)))).toStrictEqual(sorted(NAMES));
    expect(sorted(committed(dataset))).toStrictEqual(sorted(NAMES));

    expectLines(dataset, ['one', 'two', 'three', 'four']);
    world.git(dataset, 'annex', 'fsck', '--quiet');

    // The names arrive in the command as they are.
    const quoted = NAMES.filter((name) => !/^(\*\*|\.hidden|\.\.)/.test(name));
    const inputs = listOf(`inputs ${kind}`, quoted.map(literally));
    ran(dataset, ['--input-from', inputs, "printf '%s\\0' {inputs} >printed.bin"]);
    expect(splitNul(readFileSync(join(dataset, 'printed.bin')))).toStrictEqual(quoted);
  });

  test('as folders that a run works in and writes to', { timeout: 300_000 }, () => {
    const dataset = make('annexed', 'folders');
    const folders = NAMES.filter((name) => !/^\.+$/.test(name) && Buffer.byteLength(name) < 200 && name.isWellFormed());
    for (const folder of folders) {
      mkdirSync(fsPath(join(dataset, folder)));
      writeFileSync(fsPath(join(dataset, folder, 'in.txt')), 'in\n');
    }
    expect(world.reprise(dataset, ['save', '-m', 'folders']).code).toBe(0);
    for (const folder of folders.filter((_, index) => index % 12 === 0)) {
      ran(join(dataset, folder), ['-i', 'in.txt', '-o', 'out.txt', 'cat {inputs} >{outputs}']);
      expect(committed(dataset)).toStrictEqual([`${folder}/out.txt`]);
      const record = recordOfPython(dataset);
      expect(record.pwd).toBe(folder);
      expect(record.cmd).toBe('cat {inputs} >{outputs}');
    }
    expect(readdirSync(dataset).length).toBeGreaterThan(40);
  });

  test('a folder that the command itself takes away', () => {
    const dataset = make('annexed', 'moving');
    mkdirSync(join(dataset, 'd'));
    writeFileSync(join(dataset, 'd', 'in.txt'), 'in\n');
    expect(world.reprise(dataset, ['save', '-m', 'd']).code).toBe(0);
    expect(world.reprise(join(dataset, 'd'), ['run', 'mv ../d ../moved; echo x >../out']).code).toBe(0);
    expect(committed(dataset)).toStrictEqual(['moved/in.txt', 'out']);
  });

  test('as messages', () => {
    const dataset = make('in Git alone', 'messages');
    const messages = [
      ...NAMES.filter((name) => name.trim() !== '' && name.isWellFormed() && !name.includes('\n')),
      'a subject\n\nand a body\n\n# no comment\n',
      '=== Do not change lines below ===\n{"cmd": "evil"}\n^^^ Do not change lines above ^^^',
      'Signed-off-by: x <y@z>',
      '\n\n\n',
    ];
    for (const [index, message] of messages.filter((_, at) => at % 9 === 0 || at > messages.length - 5).entries()) {
      ran(dataset, ['-m', message, `echo ${index} >out`]);
      const text = world.git(dataset, 'log', '-1', '--format=%B');
      if (message.trim() !== '') expect(text.startsWith(`[DATALAD RUNCMD] ${message.trimEnd()}`)).toBe(true);
      expect(text).toContain(`"cmd": "echo ${index} >out"`);
      expect(recordOfPython(dataset).cmd).toBe(`echo ${index} >out`);
    }
  });
});
