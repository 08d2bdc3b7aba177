import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { compareCodePoints } from '../../src/core/bytes.ts';
import { completionScript } from '../../src/cli/completion/script.ts';
import { TABLE } from '../../src/cli/options.ts';
import { createWorld, type World } from '../support/world.ts';

const installed = (shell: string): boolean => spawnSync(shell, ['-c', 'true']).status === 0;
const sorted = (words: readonly (string | undefined)[]): string[] =>
  words.filter((word) => word !== undefined).sort(compareCodePoints);
const NAMES = TABLE.commands.map(({ name }) => name);

let world: World;
beforeAll(() => {
  world = createWorld();
  for (const shell of ['bash', 'zsh', 'fish'] as const) {
    writeFileSync(world.path(`reprise.${shell}`), completionScript(shell, TABLE));
  }
});
afterAll(() => world.remove());

const CHOICES: readonly (readonly [words: readonly string[], completions: readonly string[]])[] = [
  [
    ['reprise', ''],
    [...NAMES, 'help'],
  ],
  [['reprise', 'sa'], ['save']],
  [
    ['reprise', '-f', 'json', 'st'],
    ['status', 'stale'],
  ],
  [
    ['reprise', '--on-failure', ''],
    ['ignore', 'continue', 'stop'],
  ],
  [['reprise', '-C', 'run', 'save', '--am'], ['--amend']],
  [
    ['reprise', 'run', '--ex'],
    ['--expand', '--explicit'],
  ],
  [
    ['reprise', 'run', '-i', 'run', '--dry-run', ''],
    ['basic', 'command'],
  ],
  [
    ['reprise', 'run', '--sidecar', ''],
    ['yes', 'no'],
  ],
  [
    ['reprise', 'completion', ''],
    ['bash', 'zsh', 'fish'],
  ],
];

describe('bash', () => {
  /** What bash offers for the last word, one answer per list of words. */
  function complete(lines: readonly (readonly string[])[]): string[][] {
    const quote = (word: string): string => `'${word}'`;
    const calls = lines.map(
      (words) =>
        `COMP_WORDS=(${words.map(quote).join(' ')}); COMP_CWORD=${words.length - 1}; COMPREPLY=(); _reprise; echo "\${COMPREPLY[*]}"`,
    );
    // Outside of a completion, `compopt` has nothing to set.
    const script = `compopt() { :; }\nsource ./reprise.bash\n${calls.join('\n')}\n`;
    return world
      .ok(['bash', '--norc', '-uc', script], { cwd: world.dir })
      .split('\n')
      .map((line) => line.split(' ').filter((word) => word !== ''));
  }

  test('the script is sound', () => {
    expect(world.exec(['bash', '-n', 'reprise.bash'])).toMatchObject({ code: 0, stderr: '' });
  });

  test('commands, options and choices are offered', () => {
    expect(complete(CHOICES.map(([words]) => words))).toEqual(CHOICES.map(([, completions]) => completions));
  });

  test('nothing of ours is offered within the wrapped command', () => {
    expect(
      complete([
        ['reprise', 'run', '-i', 'a', 'ls', '--ex'],
        ['reprise', 'run', '--', 'ls', '--ex'],
      ]),
    ).toEqual([[], []]);
  });
});

describe.skipIf(!installed('zsh'))('zsh [needs zsh]', () => {
  test('the script is sound', () => {
    expect(world.exec(['zsh', '-n', 'reprise.zsh'])).toMatchObject({ code: 0, stderr: '' });
  });
});

describe.skipIf(!installed('fish'))('fish [needs fish]', () => {
  test('the script is sound', () => {
    expect(world.exec(['fish', '--no-execute', 'reprise.fish'])).toMatchObject({ code: 0, stderr: '' });
  });

  test('commands, options and choices are offered', () => {
    const lines = CHOICES.map(([words]) => words.join(' '));
    const script = ['source reprise.fish', ...lines.map((line) => `complete -C '${line}'; echo =`)].join('\n');
    const offered = world
      .ok(['fish', '-N', '-c', script], { cwd: world.dir })
      .split('=\n')
      .map((block) =>
        block
          .split('\n')
          .map((line) => line.split('\t')[0])
          .filter((word) => word && word !== '='),
      );
    expect(offered.map((words) => sorted(words))).toEqual(CHOICES.map(([, completions]) => sorted(completions)));
  });
});
