import { spawnSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { TABLE } from '../../src/cli/options.ts';
import { isOption } from '../../src/cli/parameters.ts';
import { dataladArgv, describeWith } from '../support/oracles.ts';

/** Options of DataLad that we leave out, with the reason. */
const LEFT_OUT: Readonly<Record<string, string>> = {
  '--help-np': 'a pager is never used',
  '--dbg': 'starts the Python debugger',
  '--idbg': 'starts the Python debugger',
  '--cmd': 'no global option takes an arbitrary number of words',
};

describeWith(['datalad-latest'], 'options of DataLad 1.6', () => {
  const help = (command: string[]): string =>
    spawnSync('sh', ['-c', 'exec "$@"', 'sh', ...dataladArgv('datalad-latest', [...command, '--help-np'])], {
      cwd: '/tmp',
      encoding: 'utf8',
      maxBuffer: 1 << 24,
    }).stdout;
  /** The spellings in the list of options: `  -d, --dataset DATASET`. */
  const spellings = (text: string): string[] =>
    [...text.matchAll(/^ {2}(-[\w-]+(?:, -[\w-]+)*)/gm)].flatMap((match) => (match[1] as string).split(', '));
  const ours = (name: string): Set<string> => {
    const parameters = TABLE.commands.find((command) => command.name === name)?.parameters ?? TABLE.globals;
    const names = Object.values(parameters)
      .filter(isOption)
      .flatMap(({ short, long }) => [short, long]);
    return new Set(['-h', '--help', '--version', ...names.filter((flag) => flag !== undefined)]);
  };

  test.each([
    '',
    'run',
    'rerun',
    'containers-run',
    'create',
    'save',
    'status',
    'get',
    'drop',
    'unlock',
    'containers-add',
    'containers-list',
    'containers-remove',
  ])('%s: all are there', (name) => {
    const theirs = spellings(help(name === '' ? [] : [name]));
    expect(theirs.length).toBeGreaterThan(3);
    const known = ours(name);
    const missing = theirs.filter(
      (flag) => !known.has(flag) && !(flag in LEFT_OUT) && !(`${name} ${flag}` in LEFT_OUT),
    );
    expect(missing).toEqual([]);
  });

  test('and what is marked as DataLad’s is in DataLad', () => {
    const own = ['recover', 'completion', 'stale', 'attestations', 'doctor', 'prefetch'];
    for (const command of TABLE.commands.filter(({ name }) => !own.includes(name))) {
      // A container run has the options of `run` here; DataLad's leaves some of them out (its S-17).
      const pages = command.name === 'containers-run' ? [command.name, 'run'] : [command.name];
      const theirs = new Set(pages.flatMap((page) => spellings(help([page]))));
      const marked = Object.values(command.parameters)
        .filter(isOption)
        .filter(({ origin }) => origin === 'datalad')
        .flatMap(({ short, long }) => [short, long])
        .filter((flag) => flag !== undefined);
      expect(
        marked.filter((flag) => !theirs.has(flag)),
        command.name,
      ).toEqual([]);
    }
  });
});
