/** Words of shell lines, compared with what `sh` itself makes of them. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fc } from '../../support/random.ts';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { simpleCommands } from '../../../src/containers/shell-words.ts';
import { quoteWord } from '../../../src/core/quote.ts';
import { cpuMillisecondsOf } from '../../support/cpu-time.ts';

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'reprise-words-'));
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

/** The words that a shell gives a program for each text, or null where it fails. One shell serves them all. */
function askShell(shell: readonly string[], texts: readonly string[]): (readonly string[] | null)[] {
  const script = texts.map(
    (text) =>
      `(eval ${quoteWord(`set -- ${text}\nprintf 'ok\\0'; for one; do printf '=%s\\0' "$one"; done`)}) 2>/dev/null </dev/null; printf '\\001\\0'\n`,
  );
  const out = spawnSync(shell[0] as string, shell.slice(1), {
    cwd: dir,
    env: { PATH: '/nonexistent', HOME: '/home/nobody' },
    input: script.join(''),
    maxBuffer: 1 << 28,
  });
  if (out.error) throw out.error;
  const answers = out.stdout.toString('utf8').split('\x01\0').slice(0, -1);
  return answers.map((answer) => {
    const [first, ...words] = answer.split('\0').slice(0, -1);
    return first === 'ok' ? words.map((word) => word.slice(1)) : null;
  });
}

/** Words of a text that is one plain command for us; null otherwise. */
function ourWords(text: string): readonly string[] | null {
  const commands = simpleCommands(text);
  const [only] = commands ?? [];
  if (commands?.length !== 1 || only?.redirections.length !== 0) return null;
  const between = only.words.map(({ end }, at) => text.slice(end, only.words[at + 1]?.start));
  if (between.some((piece) => /[&|;()]/.test(piece.replaceAll(/#[^\n]*/g, '')))) return null;
  const values = only.words.map(({ value }) => value);
  return values.every((value) => value !== null) ? values : null;
}

const SHELLS = [{ shell: ['/bin/sh'] }, { shell: ['/bin/bash', '--posix'] }];

describe.each(SHELLS)('$shell agrees', ({ shell }) => {
  test('on every text that is understood as plain words', () => {
    const character = fc.constantFrom(
      ...'ab01 \t\n\'"\\$`#~*?[]{},.=:!%^-@+()<>|&;'.split(''),
      'a',
      ' ',
      '"',
      "'",
      '\\\n',
    );
    const text = fc.string({ unit: character, maxLength: 14 }).map((tail) => `x ${tail}`);
    let understood = 0;
    fc.assert(
      fc.property(fc.array(text, { minLength: 800, maxLength: 800 }), (texts) => {
        const plain = texts.filter((one) => ourWords(one) !== null);
        understood += plain.length;
        const answers = askShell(shell, plain);
        const pairs = plain.map((one, at) => ({ text: one, words: answers[at] }));
        expect(pairs).toEqual(plain.map((one) => ({ text: one, words: ourWords(one) })));
      }),
      { numRuns: 5, endOnFailure: true },
    );
    expect(understood).toBeGreaterThan(200);
  });

  test('on any words, whichever way they are quoted', () => {
    const quotings: readonly ((text: string) => string)[] = [
      quoteWord,
      (text) => `"${text.replaceAll(/[\\"$`]/g, '\\$&')}"`,
      (text) => text.replaceAll(/[^a-z0-9\n]/g, '\\$&').replaceAll('\n', "'\n'") || "''",
    ];
    const character = fc.constantFrom(...'abc \'"\\$`#~*?[]{}=!()<>|&;\n\té€'.split(''));
    const word = fc.tuple(fc.string({ unit: character, maxLength: 8 }), fc.constantFrom(...quotings));
    const line = fc.array(word, { minLength: 1, maxLength: 6 });
    fc.assert(
      fc.property(fc.array(line, { minLength: 100, maxLength: 100 }), (lines) => {
        const texts = lines.map((words) => `x ${words.map(([text, quote]) => quote(text)).join(' ')}`);
        const expected = lines.map((words) => ['x', ...words.map(([text]) => text)]);
        expect(texts.map(ourWords)).toEqual(expected);
        expect(askShell(shell, texts)).toEqual(expected);
      }),
      { numRuns: 4, endOnFailure: true },
    );
  });
});

describe('a line', () => {
  const shown = (line: string) =>
    simpleCommands(line)?.map(({ words }) => words.map(({ start, end }) => line.slice(start, end)));

  test('is cut into commands at operators, not at redirections', () => {
    expect(shown('a b>out 2>&1 c && d | e; f & (g)\nh')).toEqual([['a', 'b', 'c'], ['d'], ['e'], ['f'], ['g'], ['h']]);
  });

  test('may hold comments, continued lines and here-documents', () => {
    expect(shown('a b \\\n c # d; e\nf')).toEqual([['a', 'b', 'c'], ['f']]);
    expect(shown('a <<EOF b\nx; y\nEOF\nc')).toEqual([['a', 'b'], ['c']]);
    expect(shown('a <<-"E F"\n\tx\n\tE F\nc')).toEqual([['a'], ['c']]);
  });

  test('keeps what is expanded as one word without a value', () => {
    const line = 'a "$(b "c d")" $x ~ *.txt "${y}" `z`';
    expect(shown(line)).toEqual([['a', '"$(b "c d")"', '$x', '~', '*.txt', '"${y}"', '`z`']]);
    expect(simpleCommands(line)?.[0]?.words.map(({ value }) => value)).toEqual([
      'a',
      null,
      null,
      null,
      null,
      null,
      null,
    ]);
  });

  test.each([
    "a 'b",
    'a "b',
    'a $(b',
    'a $(case x in x) b;; esac)',
    "a $'b'",
    'a &>b',
    'a <<<b',
    'a <(b)',
    'a <<E',
    '((a))',
    'a\0b',
  ])('that shells read differently, or whose end is not certain, is not understood: %j', (line) => {
    expect(simpleCommands(line)).toBeNull();
  });

  test('of a hostile length or depth takes no hostile time', async () => {
    const spent = await cpuMillisecondsOf(() => {
      for (const piece of ['"$(', '(', "'", '{', '$(', 'a>', 'a<<E\n', '\\\n', '1>'])
        simpleCommands(piece.repeat(100_000));
    });
    expect(spent).toBeLessThan(5000);
  });
});
