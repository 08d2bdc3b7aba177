/** Work trees put together at random: DataLad 1.6 and we tell the same of them, save the same commits, and leave the same. */
import { lstatSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fc } from '../support/random.ts';
import { test } from 'vitest';
import { describeWith } from '../support/oracles.ts';
import { type Base, type Ending, leftIn, type Scenario } from '../support/scenario.ts';
import { expectSameEndings } from '../support/twins-random.ts';
import { stageOfTests } from '../support/twins-run.ts';

const FOLDERS = ['.', 'sub', 'sub/inner', 'dir', 'dir/other', 'dir/plain', 'd'];
const NAMES = ['f', 'h', 'i', 'o', 'top', 'new', 'with blank', 'ü', '.dot', 'a.in', '1.dat', 'code.txt'];
/** Files of the grounds. */
const KNOWN = [
  'a.in',
  'b.in',
  'd/1.dat',
  'd/e/3.dat',
  'code.txt',
  't.txt',
  'z.bin',
  'top',
  'sub/f',
  'sub/inner/i',
  'dir/other/o',
];
const path = fc.oneof(
  fc.tuple(fc.constantFrom(...FOLDERS), fc.constantFrom(...NAMES)).map(([folder, name]) => `${folder}/${name}`),
  fc.constantFrom(...KNOWN).map((name) => `./${name}`),
);

/** A shell line; `$1` and `$2` are paths. No plain file gets the size of an annexed one of the ground: git-annex might take it for that one. */
const line = fc.oneof(
  {
    weight: 4,
    arbitrary: fc
      .constantFrom('first one', 'second try', '')
      .map((text) => `mkdir -p "\${1%/*}"; rm -rf "$1"; printf '%s' '${text}' > "$1"`),
  },
  { weight: 2, arbitrary: fc.constant('rm -rf "$1"') },
  ...[
    'git -C "${1%/*}" annex unlock -q "${1##*/}" 2>/dev/null || :',
    'git -C "${1%/*}" annex drop -q --force "${1##*/}" 2>/dev/null || :',
    'test ! -f "$1" || ! git -C "${1%/*}" annex unlock -q "${1##*/}" 2>/dev/null || echo more >> "$1"',
    'mkdir -p "${1%/*}"; rm -rf "$1"; ln -s nowhere "$1"',
    'mkdir -p "${1%/*}"; rm -rf "$1"; echo program > "$1"; chmod +x "$1"',
    'mkdir -p "${1%/*}"; rm -rf "$1"; mkdir "$1"; echo in a folder > "$1/deeper"',
    'test ! -e "$1" || git -C "${1%/*}" add "${1##*/}"',
    'test ! -f "$1" || test -e "$2" || test ! -d "${2%/*}" || mv "$1" "$2"',
    // Not into a subdataset: Git does it, and then nobody can save that.
    'test -e "${2%/*}/.git" || test -e "${2%/*/*}/.git" || git mv "$1" "$2" 2>/dev/null || :',
    'git rm -q --cached "$1" 2>/dev/null || :',
    'mkdir -p "${1%/*}"; echo "*.log" >> "${1%/*}/.gitignore"; echo log > "${1%/*}/a.log"',
  ].map((text) => ({ weight: 1, arbitrary: fc.constant(text) })),
);
const change = fc.tuple(line, path, path).map(([text, first, second]) => `set -- '${first}' '${second}'; ${text}`);

const anyPlan = fc.record({
  base: fc.constantFrom<Base>('files', 'git', 'text', 'hierarchy', 'hierarchy'),
  changes: fc.array(change, { minLength: 1, maxLength: 6 }),
  folder: fc.constantFrom('ds', 'ds', 'ds/d'),
  paths: fc.uniqueArray(fc.oneof(path, fc.constantFrom(...FOLDERS)), { maxLength: 2 }),
  slash: fc.boolean(),
  options: fc.subarray(['-r', '-u', '--to-git']),
  dataset: fc.constantFrom([], ['-d', '$W/ds']),
  message: fc.constantFrom([], ['-m', 'plain'], ['-m', 'two\n\nlines']),
  asked: fc.constantFrom([], ['-r'], ['--annex', 'basic'], ['-r', '-e', 'full'], ['--untracked', 'all', '-r']),
});
/** With `-u`, DataLad saves untracked files all the same where a folder has replaced a file, and does not keep out what was taken out of the index. */
const plan = anyPlan.filter(
  ({ changes, options }) => !options.includes('-u') || !changes.some((text) => /--cached|deeper/.test(text)),
);
type Plan = typeof plan extends fc.Arbitrary<infer T> ? T : never;

function scenarioOf({ base, changes }: Plan, id: string): Scenario {
  return { id, title: id, base, setUp: `mkdir -p ds/d; cd ds; ${changes.join('; ')}`, steps: [] };
}

/** @param root the dataset as it is prepared: what is not there cannot be saved, which only we call an error */
function stepsIn(root: string, { folder, paths, slash, options, dataset, message, asked }: Plan): Scenario['steps'] {
  const there = paths.filter((one) => lstatSync(join(root, one), { throwIfNoEntry: false }) !== undefined);
  const named = there.map((one) => (relative(folder, join('ds', one)) || '.') + (slash ? '/' : ''));
  return [
    { args: ['status', ...asked], cwd: folder },
    { args: ['save', ...dataset, ...options, ...message, '--', ...named], cwd: folder },
    { args: ['status', '-r', ...asked] },
  ];
}

/** In one order, of the results as well as of their fields. */
const sorted = (told: readonly Record<string, unknown>[]) =>
  told.map((one) => JSON.stringify(one, Object.keys(one).toSorted())).toSorted();

/** What each save reported is compared elsewhere; here, what came of it. */
function outcome({ codes, results, state }: Ending) {
  return { codes, told: [results[0], results[2]].map((one = []) => sorted(one)), left: leftIn(state) };
}

describeWith(['datalad-latest', 'git-annex'], 'save at random', () => {
  const twins = stageOfTests();

  test('ten saves end as with DataLad', async () => {
    await expectSameEndings(twins.stage, { plan, numRuns: 10, scenarioOf, stepsIn, outcome });
  }, 600_000);
});
