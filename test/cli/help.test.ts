import { describe, expect, test } from 'vitest';
import { TABLE } from '../../src/cli/options.ts';
import { parseCommandLine } from '../../src/cli/parser.ts';

function help(...argv: string[]): string {
  const parsed = parseCommandLine(TABLE, argv, 100);
  if (parsed.kind !== 'help') throw new Error('no help');
  return parsed.text;
}

describe('help', () => {
  test('of the program', async () => {
    await expect(help('--help')).toMatchFileSnapshot('snapshots/help.txt');
  });

  test.each(TABLE.commands.map(({ name }) => name))('of %s', async (name) => {
    await expect(help(name, '--help')).toMatchFileSnapshot(`snapshots/help-${name}.txt`);
  });

  test('fits the width it is given, but for examples', () => {
    for (const { name } of TABLE.commands) {
      const parsed = parseCommandLine(TABLE, [name, '-h'], 80);
      const text = parsed.kind === 'help' ? parsed.text.replace(/Examples:[^]*/, '') : '';
      expect(
        text.split('\n').filter((line) => line.length > 80),
        name,
      ).toEqual([]);
    }
  });
});
