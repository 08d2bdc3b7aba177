import { describe, expect, test } from 'vitest';
import {
  escapeBraces,
  expandCommand,
  expandIoSpecs,
  normaliseCommand,
  usesTmpdir,
} from '../../src/core/placeholders.ts';
import { formatTemplate } from '../../src/core/format.ts';

describe('a command', () => {
  test('of one word is a line for the shell', () => {
    expect(normaliseCommand(['echo hi > f'])).toBe('echo hi > f');
    expect(normaliseCommand('echo hi > f')).toBe('echo hi > f');
  });

  test('of several words is quoted word by word', () => {
    expect(normaliseCommand(['touch', 'a b', "it's", ''])).toBe(`touch 'a b' 'it'"'"'s' ''`);
  });

  test('loses one leading --, after which even a single word is quoted', () => {
    expect(normaliseCommand(['--', 'echo hi > f'])).toBe("'echo hi > f'");
    expect(normaliseCommand(['--', '--', 'x'])).toBe('-- x');
    expect(normaliseCommand(['--'])).toBe('');
    expect(normaliseCommand([])).toBe('');
  });

  const given = {
    inputs: ['a.dat', 'b c.dat'],
    outputs: ["it's"],
    pwd: '/data/my set',
    dspath: '/data',
    tmpdir: '/tmp/t',
    substitutions: { who: 'joe', pwd: 'never', both: ['x', 'y'] },
  };

  test('gets paths quoted, and folders and settings as they are', () => {
    expect(expandCommand('cat {inputs} > {outputs}', given)).toBe(`cat a.dat 'b c.dat' > 'it'"'"'s'`);
    expect(expandCommand('{pwd} {dspath} {tmpdir} {who} {both} {both[1]}', given)).toBe(
      '/data/my set /data /tmp/t joe x y y',
    );
  });

  test('built-in names win over settings', () => {
    expect(expandCommand('{pwd}', given)).toBe('/data/my set');
  });

  test('uses a temporary folder only if it says so', () => {
    expect(usesTmpdir('sort -T {tmpdir} {inputs}')).toBe(true);
    expect(usesTmpdir('ls {tmpdir[0]} {pwd:{tmpdir}}')).toBe(true);
    expect(usesTmpdir('echo {{tmpdir}} tmpdir')).toBe(false);
  });
});

describe('declared inputs and outputs', () => {
  const lists = { inputs: ['a', 'b'], outputs: ['o.csv'], extra_inputs: [] };

  test('take settings and elements of the lists', () => {
    expect(expandIoSpecs(['{who}.csv', '{inputs[1]}.out', 'x{{y}}'], { who: 'joe' }, lists)).toEqual([
      'joe.csv',
      'b.out',
      'x{y}',
    ]);
  });

  test('a list alone stands for its elements', () => {
    expect(expandIoSpecs(['{inputs}'], {}, lists)).toEqual(['a', 'b']);
    expect(expandIoSpecs(['first', '{inputs}', 'last'], {}, lists)).toEqual(['first', 'a', 'b', 'last']);
    expect(expandIoSpecs(['{both}'], { both: ['one', 'two'] }, lists)).toEqual(['one', 'two']);
  });

  test('a list within a path is refused', () => {
    expect(() => expandIoSpecs(['{inputs}.out'], {}, lists)).toThrow(
      expect.objectContaining({ code: 'placeholder-invalid', hints: ['Write {inputs[0]} for its first value'] }),
    );
  });

  test.each(['{pwd}', '{extra_inputs}', '{nope}'])('%s is unknown here', (spec) => {
    expect(() => expandIoSpecs([spec], {}, lists)).toThrow(expect.objectContaining({ code: 'placeholder-unknown' }));
  });
});

test('doubled braces expand to the text itself', () => {
  expect(escapeBraces('x{y}')).toBe('x{{y}}');
  expect(formatTemplate(escapeBraces('}{ {a}{{'), {})).toBe('}{ {a}{{');
});
