import { describe, expect, test } from 'vitest';
import { RepriseError } from '../../src/core/errors.ts';
import type { Result } from '../../src/core/result.ts';
import { parseFormat } from '../../src/report/format.ts';
import { createReporter, type ReporterOptions, type Sink } from '../../src/report/reporter.ts';

interface Screen extends Sink {
  text(): string;
}

function screen(isTTY = false, columns = 60): Screen {
  const chunks: Buffer[] = [];
  return {
    isTTY,
    columns,
    write: (chunk) => chunks.push(Buffer.from(chunk)),
    text: () => Buffer.concat(chunks).toString('latin1'),
  };
}

function setUp(options: Partial<ReporterOptions> = {}) {
  const stdout = screen();
  const stderr = screen();
  const reporter = createReporter({
    format: 'tailored',
    stdout,
    stderr,
    level: 'info',
    command: 'save',
    cwd: '/ds',
    datasetGiven: false,
    dryRun: undefined,
    progress: true,
    keep: () => true,
    now: () => 0,
    versions: 'Reprise 1.2.3',
    ...options,
  });
  return {
    reporter,
    out: () => ((options.stdout as Screen | undefined) ?? stdout).text(),
    err: () => ((options.stderr as Screen | undefined) ?? stderr).text(),
  };
}

const add: Result = { action: 'add', status: 'ok', path: '/ds/a', refds: '/ds', type: 'file' };
const save: Result = { action: 'save', status: 'ok', path: '/ds', refds: '/ds', type: 'dataset' };

describe('results go to stdout in the chosen format', () => {
  const printed = (format: string, command = 'save') => {
    const { reporter, out, err } = setUp({ format: parseFormat(format), command });
    for (const result of [add, save]) reporter.emit({ kind: 'result', result });
    reporter.finish();
    expect(err()).toBe('');
    return out();
  };

  test('tailored and generic: lines, then a summary', () => {
    const lines = 'add(ok): a (file)\nsave(ok): . (dataset)\n';
    const summary = 'action summary:\n  add (ok: 1)\n  save (ok: 1)\n';
    expect(printed('tailored')).toBe(lines + summary);
    expect(printed('generic')).toBe(lines + summary);
    expect(printed('tailored', 'run')).toBe(lines);
    expect(printed('generic', 'run')).toBe(lines + summary);
  });

  test('json: one object per line', () => {
    expect(
      printed('json')
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line) as unknown),
    ).toEqual([add, save]);
  });

  test('a template, and nothing', () => {
    expect(printed('{action}:{type}')).toBe('add:file\nsave:dataset\n');
    expect(printed('disabled')).toBe('');
  });

  test('a filter hides results, and the summary still counts them', () => {
    const { reporter, out } = setUp({ keep: (result) => result.type === 'dataset' });
    for (const result of [add, save]) reporter.emit({ kind: 'result', result });
    reporter.finish();
    expect(out()).toBe('save(ok): . (dataset)\naction summary:\n  add (ok: 1)\n  save (ok: 1)\n');
  });

  test('a template gives a pipe the bytes of a name, and a terminal an escape', () => {
    const result = { ...add, path: '/ds/\udce9\u001b' };
    for (const [isTTY, expected] of [
      [false, '/ds/\u00e9\u001b\n'],
      [true, '/ds/\\xe9\\e\n'],
    ] as const) {
      const { reporter, out } = setUp({ format: parseFormat('{path}'), stdout: screen(isTTY) });
      reporter.emit({ kind: 'result', result });
      expect(out()).toBe(expected);
    }
  });
});

describe('what is for people goes to stderr', () => {
  test('notes, and warnings with their hints', () => {
    const { reporter, out, err } = setUp();
    reporter.emit({ kind: 'info', text: 'working' });
    reporter.emit({ kind: 'warning', text: 'odd \u001b[31m', hints: ['look here'] });
    expect(err()).toBe('working\nwarning: odd \\e[31m\nhint: look here\n');
    expect(out()).toBe('');
  });

  test('as much as the level allows', () => {
    const said = (level: ReporterOptions['level']) => {
      const { reporter, err } = setUp({ level });
      reporter.emit({ kind: 'info', text: 'i' });
      reporter.emit({ kind: 'warning', text: 'w' });
      return err();
    };
    expect([said('error'), said('warning'), said('info')]).toEqual(['', 'warning: w\n', 'i\nwarning: w\n']);
  });
});

describe('progress', () => {
  const step = (done: number) => ({ kind: 'progress', label: 'get', done, total: 40, unit: 'files' }) as const;
  const draw = (times: readonly number[], options: Partial<ReporterOptions> = {}) => {
    let time = 0;
    const { reporter, err } = setUp({ stderr: screen(true), now: () => time, ...options });
    for (const [index, at] of times.entries()) {
      time = at;
      reporter.emit(step(index));
    }
    return { reporter, err };
  };

  test('is drawn after a second, at most ten times a second', () => {
    expect(draw([0, 500, 999]).err()).toBe('');
    expect(draw([0, 1000, 1050, 1099, 1100]).err()).toBe(
      '\r\u001b[2Kget: 1/40 files (2%)\r\u001b[2Kget: 4/40 files (10%)',
    );
  });

  test('is wiped before other text, and at its end', () => {
    const { reporter, err } = draw([0, 2000]);
    reporter.emit({ kind: 'info', text: 'note' });
    reporter.emit({ kind: 'progress-end', label: 'get' });
    expect(err()).toBe('\r\u001b[2Kget: 1/40 files (2%)\r\u001b[2Knote\n');
    const second = draw([0, 2000]);
    second.reporter.emit({ kind: 'progress-end', label: 'get' });
    expect(second.err()).toBe('\r\u001b[2Kget: 1/40 files (2%)\r\u001b[2K');
  });

  test('is never drawn off a terminal, when it is disabled, or when only warnings are wanted', () => {
    expect(draw([0, 2000], { stderr: screen(false) }).err()).toBe('');
    expect(draw([0, 2000], { progress: false }).err()).toBe('');
    expect(draw([0, 2000], { level: 'warning' }).err()).toBe('');
  });

  test('fits the terminal, in bytes too', () => {
    const { reporter, err } = draw([], {
      stderr: screen(true, 20),
      now: (() => {
        let time = -1000;
        return () => (time += 1000);
      })(),
    });
    for (const done of [0, 5 * 1024 ** 2]) {
      reporter.emit({ kind: 'progress', label: 'get', done, total: 10 * 1024 ** 2, unit: 'bytes' });
    }
    expect(Buffer.from(err(), 'latin1').toString('utf8')).toBe('\r\u001b[2Kget: 5.0 MB/10.0 M…');
  });
});

describe('a failure', () => {
  const error = new RepriseError('lock-timeout', 'The lock of /ds\u001b is held by https://u:p@h', {
    hints: ['reprise recover', 'reprise recover'],
    data: { pid: 7 },
    cause: new Error('EEXIST'),
  });

  test('is one sentence with its code, and hints', () => {
    const { reporter, out, err } = setUp();
    reporter.fail(error);
    expect(err()).toBe(
      'reprise: error: The lock of /ds\\e is held by https://***@h (lock-timeout)\nhint: reprise recover\n',
    );
    expect(out()).toBe('');
  });

  test('has its causes when more is wanted', () => {
    const { reporter, err } = setUp({ level: 'debug' });
    reporter.fail(error);
    expect(err()).toContain('\ncaused by: Error: EEXIST\nhint:');
  });

  test('is an object, too, in JSON', () => {
    const { reporter, out } = setUp({ format: 'json' });
    reporter.fail(error);
    expect(JSON.parse(out())).toMatchObject({
      action: 'save',
      status: 'error',
      path: '/ds',
      error_code: 'lock-timeout',
      exit_code: 1,
      hints: ['reprise recover', 'reprise recover'],
      data: { pid: 7 },
    });
  });

  test('that is a bug of ours says so, with stack and versions', () => {
    const { reporter, err } = setUp();
    reporter.fail(new TypeError('x is undefined'));
    expect(err()).toMatch(/^reprise: internal error\nTypeError: x is undefined\n {4}at /);
    expect(err()).toContain('\nReprise 1.2.3\nThis is a bug in Reprise.');
  });
});
