import { describe, expect, test } from 'vitest';
import type { Result } from '../../src/core/result.ts';
import { printable, printableLines, visible } from '../../src/report/printable.ts';
import { runText } from '../../src/report/run-text.ts';
import { humanSize } from '../../src/report/size.ts';
import { statusLine, statusSummary } from '../../src/report/status-text.ts';
import { actionSummary, genericLine } from '../../src/report/text.ts';

const ok = (more: Partial<Result>): Result => ({ action: 'add', status: 'ok', path: '/ds/a', refds: '/ds', ...more });

function summed(results: readonly Result[]): string | undefined {
  const summary = actionSummary();
  for (const result of results) summary.add(result);
  return summary.text();
}

describe('the generic line', () => {
  test('names action, status, path relative to the dataset, type and message', () => {
    expect(genericLine(ok({ type: 'file', message: 'fine' }))).toBe('add(ok): a (file) [fine]');
    expect(genericLine(ok({ path: '/ds', type: 'dataset' }))).toBe('add(ok): . (dataset)');
    expect(genericLine({ action: 'run', status: 'error', path: '/ds' })).toBe('run(error): /ds');
    expect(genericLine(ok({ status: 'error', error_message: 'no space' }))).toBe('add(error): a [no space]');
  });

  test('leaves out what was not needed', () => {
    expect(genericLine(ok({ status: 'notneeded' }))).toBeUndefined();
  });

  test('cannot be forged or coloured by a name or a message', () => {
    const line = genericLine(ok({ path: '/ds/x\n\u001b[32madd(ok): y\u009b1m', message: 'a\rb' }));
    expect(line).toBe('add(ok): x\\n\\e[32madd(ok): y\\x9b1m [a\\rb]');
  });
});

describe('the action summary', () => {
  test('counts actions by status, both in order of name', () => {
    const results = [ok({ action: 'save' }), ok({}), ok({ status: 'error' }), ok({})];
    expect(summed(results)).toBe('action summary:\n  add (error: 1, ok: 2)\n  save (ok: 1)');
  });

  test('is not printed for a single result', () => {
    expect(summed([ok({})])).toBeUndefined();
    expect(summed([])).toBeUndefined();
  });
});

describe('status', () => {
  const entry = (state: string, path: string, more: object = {}): Result =>
    ok({ action: 'status', state, path, type: 'file', ...more });
  const view = { cwd: '/ds', datasetGiven: false };

  test('one aligned line per change, none for what is clean', () => {
    expect(statusLine(entry('modified', '/ds/a'), view)).toBe(' modified: a (file)');
    expect(statusLine(entry('untracked', '/ds/d/b'), view)).toBe('untracked: d/b (file)');
    expect(statusLine(entry('clean', '/ds/a'), view)).toBeUndefined();
  });

  test('paths start from the current folder, from a named dataset, or are absolute', () => {
    expect(statusLine(entry('added', '/ds/a'), { cwd: '/ds/sub', datasetGiven: false })).toBe('    added: ../a (file)');
    expect(statusLine(entry('added', '/ds/a'), { cwd: '/ds/sub', datasetGiven: true })).toBe('    added: a (file)');
    expect(statusLine(entry('added', '/ds/a'), { cwd: '/dsx', datasetGiven: false })).toBe('    added: /ds/a (file)');
  });

  test('a failure is told like any other', () => {
    const failed = ok({ action: 'status', status: 'error', path: '/x', message: 'not below', refds: '/ds' });
    expect(statusLine(failed, view)).toBe('status(error): ../x [not below]');
    expect(statusSummary([failed])).toBeUndefined();
  });

  test('the summary counts changes, or says that there are none', () => {
    expect(statusSummary([])).toBe('nothing to save, working tree clean');
    expect(statusSummary([entry('clean', '/ds/a')])).toBe('nothing to save, working tree clean');
    expect(statusSummary([entry('untracked', '/ds/a'), entry('deleted', '/ds/b'), entry('untracked', '/ds/c')])).toBe(
      '1 deleted, 2 untracked',
    );
  });

  test('sizes of annexed files, and what of them is here', () => {
    const annexed = (has?: boolean) =>
      entry('clean', '/ds/a', { key: 'K', bytesize: 1536, ...(has === undefined ? {} : { has_content: has }) });
    expect(statusSummary([annexed()])).toContain("1 annex'd file (1.5 KB recorded total size)");
    expect(statusSummary([annexed(true), annexed(false)])).toContain(
      "2 annex'd files (1.5 KB/3.0 KB present/total size)",
    );
  });
});

describe('a dry run', () => {
  const result: Result = {
    action: 'run [dry-run]',
    status: 'ok',
    path: '/ds',
    run_info: { cmd: 'cat {inputs}' },
    dry_run_info: { cmd_expanded: "cat 'x y'", pwd_full: '/ds', inputs: ['x y', "it's"], outputs: [] },
  };
  const raw = (text: string): string => text;

  test('basic shows place, files and command as DataLad does', () => {
    expect(runText(result, 'basic', raw)).toBe(
      [
        'Dry run information',
        ' location: /ds',
        ' expanded inputs:',
        `  ['x y', "it's"]`,
        ' command:',
        '  cat {inputs}',
        ' expanded command:',
        "  cat 'x y'",
      ].join('\n'),
    );
  });

  test('command shows only the expanded command', () => {
    expect(runText(result, 'command', raw)).toBe("cat 'x y'");
  });

  test('other results have the generic line', () => {
    expect(runText(ok({}), 'basic', raw)).toBe('add(ok): a');
  });
});

describe('printable text', () => {
  test('controls, reordering characters and bytes that are not UTF-8 are shown as escapes', () => {
    expect(visible('a\tb\u0000\u007f\u202e\udce9é😀')).toBe('a\\tb\\x00\\x7f\\u202e\\xe9é😀');
    expect(printableLines('a\n\tb\u001b[0m')).toBe('a\n\tb\\e[0m');
  });

  test('passwords and tokens in URLs are masked, user names are not', () => {
    expect(printable('from https://ada:s3cret@host/x')).toBe('from https://***@host/x');
    expect(printable('https://ghp_token@host, ssh://git@host/r, ria+http://u:p@ss@h')).toBe(
      'https://***@host, ssh://git@host/r, ria+http://***@h',
    );
    expect(printable('mail ada@example.org')).toBe('mail ada@example.org');
    expect(printable('https://a:b\u001bc@host')).not.toContain('b\\ec');
  });
});

test('sizes have one decimal and powers of 1024', () => {
  expect([0, 4, 1024, 1536, 1024 ** 3 * 2.5].map(humanSize)).toEqual(['0.0 B', '4.0 B', '1.0 KB', '1.5 KB', '2.5 GB']);
});
