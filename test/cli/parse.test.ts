import { fc } from '../support/random.ts';
import { describe, expect, test } from 'vitest';
import { RepriseError } from '../../src/core/errors.ts';
import { configOverrides, resultFilter, workingFolder } from '../../src/cli/invocation.ts';
import { TABLE } from '../../src/cli/options.ts';
import { isOption } from '../../src/cli/parameters.ts';
import { parseCommandLine } from '../../src/cli/parser.ts';

function parse(...argv: string[]) {
  const parsed = parseCommandLine(TABLE, argv, 80);
  if (parsed.kind !== 'command') throw new Error(`not a command: ${parsed.kind}`);
  return { command: parsed.command.name, values: parsed.values, globals: parsed.globals };
}
const values = (...argv: string[]) => parse(...argv).values;
const cmd = (...argv: string[]) => values('run', ...argv)['cmd'];

function usageError(...argv: string[]): RepriseError {
  try {
    parseCommandLine(TABLE, argv, 80);
  } catch (error) {
    if (error instanceof RepriseError) return error;
    throw error;
  }
  throw new Error(`understood: ${argv.join(' ')}`);
}

describe('the wrapped command', () => {
  test('begins at the first word that is no option, and keeps its own options', () => {
    expect(values('run', '-i', 'a', 'touch', 'f', '-m', 'x', '--json', '-i', 'y')).toMatchObject({
      cmd: ['touch', 'f', '-m', 'x', '--json', '-i', 'y'],
      inputs: ['a'],
    });
    expect(values('run', 'ls', '--help')['cmd']).toEqual(['ls', '--help']);
    expect(values('run', 'ls', '--version', '-f', 'json')['cmd']).toEqual(['ls', '--version', '-f', 'json']);
  });

  test('is handed on as typed, a leading -- included', () => {
    expect(cmd('--', 'cmd', '-x')).toEqual(['--', 'cmd', '-x']);
    expect(cmd('--', '--', 'cmd')).toEqual(['--', '--', 'cmd']);
    expect(cmd('cmd', '--', 'x', '--')).toEqual(['cmd', '--', 'x', '--']);
    expect(cmd('-m', 'x', '--', '-i')).toEqual(['--', '-i']);
    expect(cmd('--explicit', '--', '--explicit')).toEqual(['--', '--explicit']);
  });

  test('none, an empty one and a bare -- are three things', () => {
    expect(cmd()).toEqual([]);
    expect(cmd('')).toEqual(['']);
    expect(cmd('--')).toEqual(['--']);
    expect(cmd('-m', 'x')).toEqual([]);
  });

  test('-- as the argument of an option is that argument', () => {
    expect(values('run', '-m', '--', 'cmd')).toMatchObject({ message: '--', cmd: ['cmd'] });
    expect(values('run', '-m', '--', '--', 'cmd')).toMatchObject({ message: '--', cmd: ['--', 'cmd'] });
  });

  test('any words after -- come through unchanged', () => {
    const word = fc.oneof(fc.constantFrom('--', '-m', '-i', '--expand', '', '-', 'x', '--help'), fc.string());
    fc.assert(
      fc.property(fc.array(word), (words) => {
        expect(values('run', '-i', 'a', '--', ...words)).toMatchObject({ cmd: ['--', ...words], inputs: ['a'] });
        expect(cmd('first', ...words)).toEqual(['first', ...words]);
      }),
    );
  });
});

describe('options of run', () => {
  test('every one of them', () => {
    const line = `-d ds -i a --input=b -ic -o d --output e --input-from f --output-from g --expand both --assume-ready inputs
      --explicit -m msg --sidecar yes --dry-run basic --on-cmd-failure all -J 4 --allow-dirty-input --strict-io --log err --no-placeholders`;
    expect(values('run', ...line.split(/\s+/), 'cmd')).toEqual({
      cmd: ['cmd'],
      dataset: 'ds',
      inputs: ['a', 'b', 'c'],
      outputs: ['d', 'e'],
      inputFrom: ['f'],
      outputFrom: ['g'],
      expand: 'both',
      assumeReady: 'inputs',
      explicit: true,
      message: 'msg',
      sidecar: true,
      dryRun: 'basic',
      onCmdFailure: 'all',
      jobs: 4,
      allowDirtyInput: true,
      strictIo: true,
      log: 'err',
      noPlaceholders: true,
    });
  });

  test('what is not given is absent; lists are empty', () => {
    expect(values('run', 'cmd')).toEqual({ cmd: ['cmd'], inputs: [], outputs: [], inputFrom: [], outputFrom: [] });
  });

  test('odd values', () => {
    expect(values('run', '-m', '', 'cmd')['message']).toBe('');
    expect(values('run', '-m', 'a', '-m', 'b', 'cmd')['message']).toBe('b');
    expect(values('run', '-i', '', '-i', '-x', '--input=--', '-i', 'a\nb', 'cmd')['inputs']).toEqual([
      '',
      '-x',
      '--',
      'a\nb',
    ]);
    expect(values('run', '-i', '\udce9', 'cmd')['inputs']).toEqual(['\udce9']);
    expect(values('run', '-J', 'auto', 'cmd')).not.toHaveProperty('jobs');
    for (const [word, value] of [
      ['no', false],
      ['off', false],
      ['0', false],
      ['TRUE', true],
    ] as const) {
      expect(values('run', '--sidecar', word, 'cmd')['sidecar']).toBe(value);
    }
  });
});

describe('options of the other commands', () => {
  test('create: the path, then words for git init', () => {
    expect(values('create')).toEqual({ words: [], procedures: [] });
    expect(
      values(
        'create',
        '-f',
        '-D',
        'here',
        '-d',
        '.',
        '--no-annex',
        '-c',
        'yoda',
        '-c',
        'text2git',
        '-m',
        'x',
        'p',
        '--shared',
      ),
    ).toEqual({
      words: ['p', '--shared'],
      force: true,
      description: 'here',
      dataset: '.',
      noAnnex: true,
      procedures: ['yoda', 'text2git'],
      message: 'x',
    });
    expect(values('create', '--', '-odd')['words']).toEqual(['-odd']);
  });

  test('save: options may follow the paths', () => {
    expect(
      values(
        'save',
        'a',
        '-r',
        'b',
        '-R',
        '2',
        '-u',
        '-F',
        'msg',
        '-t',
        'v1',
        '--to-git',
        '--amend',
        '--since',
        'HEAD~2',
        '-J',
        '3',
        '-d',
        '.',
      ),
    ).toMatchObject({
      paths: ['a', 'b'],
      recursive: true,
      recursionLimit: 2,
      updated: true,
      messageFile: 'msg',
      versionTag: 'v1',
      toGit: true,
      amend: true,
      since: 'HEAD~2',
      jobs: 3,
      dataset: '.',
    });
    expect(values('save', '-ru')).toMatchObject({ recursive: true, updated: true });
    expect(values('save', '-m', '', '--', '-m', '--')).toMatchObject({ paths: ['-m', '--'], message: '' });
    expect(values('save', 'a', '--', 'b')['paths']).toEqual(['a', 'b']);
    expect(values('save', '-m', '--', 'a')).toMatchObject({ message: '--', paths: ['a'] });
  });

  test('status: an option with and without its argument', () => {
    expect(values('status')).toEqual({ paths: [], clean: false });
    expect(values('status', '--annex')['annex']).toBe('basic');
    expect(values('get', '--reckless', '-n', 'x')).toMatchObject({ reckless: 'auto', noData: true, paths: ['x'] });
    expect(values('status', '--annex', 'all', 'x')).toMatchObject({ annex: 'all', paths: ['x'] });
    expect(
      values('status', '--annex=availability', '--untracked', 'no', '-e', 'commit', '-t', 'raw', 'sub/'),
    ).toMatchObject({
      annex: 'availability',
      untracked: 'no',
      evalSubdatasetState: 'commit',
      reportFiletype: 'raw',
      paths: ['sub/'],
    });
    expect(values('status', '-f', 'json')['clean']).toBe(true);
  });

  test('get, drop, unlock, recover', () => {
    expect(values('get', '-n', '-s', 'origin', '-R', 'existing', '-J', 'auto', '-r', 'x')).toEqual({
      paths: ['x'],
      procedures: [],
      noData: true,
      source: 'origin',
      recursionLimit: 'existing',
      jobs: 'auto',
      recursive: true,
    });
    expect(values('drop', '--what', 'allkeys', '--reckless', 'kill', '-J', '2', 'x')).toEqual({
      paths: ['x'],
      what: 'allkeys',
      reckless: 'kill',
      jobs: 2,
    });
    expect(values('unlock', '-r', '-d', 'ds', 'a', 'b')).toEqual({ paths: ['a', 'b'], recursive: true, dataset: 'ds' });
    expect(values('recover', '--list')).toEqual({ ids: [], list: true });
    expect(values('recover', 'id1', 'id2')).toEqual({ ids: ['id1', 'id2'] });
  });
});

describe('global options', () => {
  test('stand before the command or after it', () => {
    for (const argv of [
      ['-f', 'json', '-c', 'a.b=c', '--on-failure', 'ignore', '-C', 'x', 'drop', 'p'],
      ['drop', '-f', 'json', '-c', 'a.b=c', '--on-failure', 'ignore', '-C', 'x', 'p'],
      ['drop', 'p', '--output-format=json', '-ca.b=c', '--on-failure=ignore', '-Cx'],
    ]) {
      expect(parse(...argv)).toEqual({
        command: 'drop',
        values: { paths: ['p'], onFailure: 'ignore' },
        globals: { format: 'json', config: ['a.b=c'], onFailure: 'ignore', directories: ['x'] },
      });
    }
  });

  test('lists add up, and for the rest the later one wins', () => {
    expect(parse('-c', 'a.b=1', '-f', 'json', 'run', '-c', 'c.d=2', '-f', '{path}', 'ls').globals).toMatchObject({
      config: ['a.b=1', 'c.d=2'],
      format: '{path}',
    });
  });

  test('a command’s own option of the same name comes first', () => {
    const { values, globals } = parse('-c', 'a.b=1', 'create', '-c', 'yoda', '-f', '--output-format', 'json');
    expect(values).toMatchObject({ procedures: ['yoda'], force: true });
    expect(globals).toMatchObject({ config: ['a.b=1'], format: 'json' });
  });

  test('--version anywhere but in the wrapped command, and help', () => {
    expect(parseCommandLine(TABLE, ['-f', 'json', '--version'], 80).kind).toBe('version');
    expect(parseCommandLine(TABLE, ['save', '--version'], 80).kind).toBe('version');
    expect(parseCommandLine(TABLE, ['--help'], 80).kind).toBe('help');
    expect(parseCommandLine(TABLE, ['help', 'save'], 80)).toEqual(parseCommandLine(TABLE, ['save', '-h'], 80));
  });

  test('-c takes a key and a value, or a key to unset', () => {
    expect(configOverrides(['a.b=c=d', 'a.x y.c=', ':user.name'])).toEqual([
      ['a.b', 'c=d'],
      ['a.x y.c', ''],
      ['user.name', ''],
    ]);
    for (const wrong of ['a', 'a=b', 'a.b', '=', ':', ':x', '.b=c']) {
      expect(() => configOverrides([wrong])).toThrow(RepriseError);
    }
  });

  test('each -C starts from the one before, and has to exist', () => {
    expect(workingFolder('/', ['usr', 'bin', '/', 'usr'])).toBe('/usr');
    expect(() => workingFolder('/', ['usr', 'no such folder'])).toThrow(
      /The folder given with -C, \/usr\/no such folder, does not exist/,
    );
    expect(() => workingFolder('/', ['etc/passwd'])).toThrow(RepriseError);
  });

  test('results are chosen by status and type', () => {
    const result = (status: 'ok' | 'notneeded' | 'impossible' | 'error', type?: 'file' | 'dataset') => ({
      action: 'x',
      path: '/',
      status,
      ...(type && { type }),
    });
    const chosen = (globals: Parameters<typeof resultFilter>[0]) =>
      [result('ok', 'file'), result('notneeded', 'dataset'), result('impossible'), result('error', 'file')]
        .filter(resultFilter(globals))
        .map(({ status }) => status);
    expect(chosen({})).toEqual(['ok', 'notneeded', 'impossible', 'error']);
    expect(chosen({ reportStatus: 'success' })).toEqual(['ok', 'notneeded']);
    expect(chosen({ reportStatus: 'failure' })).toEqual(['impossible', 'error']);
    expect(chosen({ reportStatus: 'notneeded' })).toEqual(['notneeded']);
    expect(chosen({ reportType: ['file'] })).toEqual(['ok', 'error']);
  });
});

describe('what is not understood', () => {
  const told = (...argv: string[]) => {
    const { message, data, hints, exitCode } = usageError(...argv);
    return { message, usage: data['usage'], hints, exitCode };
  };

  test('is named, with the usage line and what to type', () => {
    expect(told('save', '--mesage', 'x')).toEqual({
      message: "Unknown option '--mesage'",
      usage: 'reprise save [options] [PATH...]',
      hints: ['Did you mean --message?', 'reprise save --help'],
      exitCode: 2,
    });
    expect(told('stauts')).toMatchObject({
      message: "Unknown command 'stauts'",
      hints: ['Did you mean status?', 'reprise --help'],
    });
    expect(told()).toMatchObject({ message: 'No command was given', hints: ['reprise --help'] });
    expect(told('run', '--explict', 'ls')).toMatchObject({
      usage: 'reprise run [options] [--] COMMAND...',
      hints: ['Did you mean --explicit?', 'reprise run --help'],
    });
  });

  test.each([
    [['run', '--expand', 'all', 'ls'], "--expand takes inputs, outputs or both, not 'all'"],
    [['run', '--sidecar', 'perhaps', 'ls'], "--sidecar takes yes or no, not 'perhaps'"],
    [['run', '--sidecar', '', 'ls'], "--sidecar takes yes or no, not ''"],
    [['run', '-J', '0', 'ls'], "-J, --jobs takes a whole number from 1 on or auto, not '0'"],
    [['save', '-R', '1.5'], "-R, --recursion-limit takes a whole number from 0 on, not '1.5'"],
    [['get', '-R', 'some', 'x'], "-R, --recursion-limit takes a whole number from 0 on or existing, not 'some'"],
    [['drop', '--if-dirty'], "Option '--if-dirty <IF-DIRTY>' argument missing"],
    [['status', '--annex', 'everything'], "--annex takes basic, availability or all, not 'everything'"],
    [['--on-failure', 'hope', 'save'], "--on-failure takes ignore, continue or stop, not 'hope'"],
    [['completion', 'tcsh'], "SHELL is one of bash, zsh, fish, not 'tcsh'"],
    [['completion'], "Missing required argument 'SHELL'"],
    [['save', '-m'], "Option '-m, --message <MESSAGE>' argument missing"],
  ])('%j', (argv, message) => {
    expect(usageError(...argv)).toMatchObject({ code: 'usage', message, exitCode: 2 });
  });
});

describe('the table', () => {
  const everyOption = [
    ...Object.values(TABLE.globals),
    ...TABLE.commands.flatMap((command) => Object.values(command.parameters).filter(isOption)),
  ];

  test('no command has two options of one name', () => {
    for (const command of TABLE.commands) {
      const names = Object.values(command.parameters)
        .filter(isOption)
        .flatMap(({ short, long }) => [short, long])
        .filter((name) => name !== undefined);
      expect(new Set(names).size, command.name).toBe(names.length);
    }
  });

  test('descriptions are written alike', () => {
    for (const { description, long, short } of everyOption) {
      expect(description, long ?? short).toMatch(/^[A-Z].*[^.]$/);
    }
    for (const command of TABLE.commands) {
      expect(command.summary).toMatch(/^[A-Z].*[^.]$/);
      expect(command.examples.length, command.name).toBeGreaterThan(0);
    }
  });

  test('every example is understood', () => {
    const shellWords = (line: string) =>
      [...line.replace(/ [>].*$/, '').matchAll(/'([^']*)'|"([^"]*)"|(\S+)/g)].map(([, a, b, c]) => a ?? b ?? c ?? '');
    for (const command of TABLE.commands) {
      for (const { line } of command.examples) {
        const [program, ...argv] = shellWords(command.name === 'completion' ? line : line.replace(/>/g, 'GT'));
        expect(program).toBe('reprise');
        expect(parse(...argv).command, line).toBe(command.name);
      }
    }
  });
});
