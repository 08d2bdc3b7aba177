/** A container is a modifier of `run`: `containers-run` takes every option of `run`, and beyond them only what is about the container. */
import { expect, test } from 'vitest';
import { TABLE } from '../../src/cli/options.ts';
import { isOption } from '../../src/cli/parameters.ts';
import { parseCommandLine } from '../../src/cli/parser.ts';

const parametersOf = (name: string) => TABLE.commands.find((command) => command.name === name)?.parameters ?? {};
const flagsOf = (name: string) =>
  Object.values(parametersOf(name))
    .filter(isOption)
    .map(({ short, long }) => [short, long].filter((flag) => flag !== undefined).join(', '));

test('every option of run is one of containers-run, and means the same', () => {
  const own = Object.entries(parametersOf('run'));
  expect(own.filter(([, parameter]) => isOption(parameter)).length).toBeGreaterThan(15);
  const shared = Object.entries(parametersOf('containers-run')).filter(([name]) => name in parametersOf('run'));
  expect(Object.fromEntries(shared)).toEqual(Object.fromEntries(own));
});

test('what containers-run has beyond them is about the container', () => {
  const own = new Set(flagsOf('run'));
  expect(flagsOf('containers-run').filter((flags) => !own.has(flags))).toEqual([
    '-n, --container-name',
    '--runner',
    '--network',
    '--env',
    '--mount',
    '--gpus',
    '--writable-root',
  ]);
});

test('the same words give both the same values', () => {
  const words = `-d ds -i a -o b --input-from f --output-from g --expand both --assume-ready inputs --explicit -m msg --sidecar yes
    --dry-run basic --on-cmd-failure all -J 4 --allow-dirty-input --strict-io --log err --no-placeholders -- cmd -n x`;
  const valuesOf = (name: string) => {
    const parsed = parseCommandLine(TABLE, [name, ...words.split(/\s+/)], 80);
    return parsed.kind === 'command' ? parsed.values : {};
  };
  const ofRun = valuesOf('run');
  expect(Object.keys(ofRun).length).toBeGreaterThan(15);
  expect(valuesOf('containers-run')).toMatchObject(ofRun);
});
