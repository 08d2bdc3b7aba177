/** What we recorded is re-executed by DataLad, and ends with the same tree. */
import { expect, test } from 'vitest';
import { describeWith, has } from '../support/oracles.ts';
import type { Base, Scenario } from '../support/scenario.ts';
import { type DataladVersion, tellingResults } from '../support/twins-datalad.ts';
import { stageOfTests } from '../support/twins-run.ts';
import { readState } from '../support/twins-state.ts';
import { cliPath } from '../support/world.ts';

interface Recording {
  readonly id: string;
  readonly title: string;
  readonly base: Base;
  readonly setUp?: string;
  /** What `reprise` is asked; the command prints `executed`. */
  readonly args: readonly string[];
  readonly cwd?: string;
  /** Rerun in a clone that has no content. */
  readonly inClone?: boolean;
  /** The rerun makes a commit of its own: a run-merge again. */
  readonly again?: boolean;
  readonly notOld?: string;
}

const run = (...args: string[]) => ['run', ...args];
const without = ['-c', 'reprise.record.extension=none'];

const recordings: readonly Recording[] = [
  {
    id: 'full',
    title: 'a record with our block',
    base: 'files',
    args: run('-i', 'a.in', '-o', 'out', 'echo executed; cat {inputs} > {outputs}'),
  },
  {
    id: 'plain',
    title: 'a record without our block',
    base: 'files',
    args: [...without, ...run('-i', 'a.in', '-o', 'out', 'echo executed; cat {inputs} > {outputs}')],
  },
  {
    id: 'sidecar',
    title: 'a sidecar with our block',
    base: 'files',
    args: run('--sidecar', 'yes', '-o', 'out', 'echo executed; echo x > {outputs}'),
  },
  {
    id: 'sidecar-plain',
    title: 'a sidecar without our block',
    base: 'text',
    args: [...without, ...run('--sidecar', 'yes', '-o', 'out', 'echo executed; echo x > {outputs}')],
  },
  {
    id: 'sidecar-clone',
    title: 'a sidecar, in a clone',
    base: 'files',
    args: run('--sidecar', 'yes', '-i', 'a.in', '-o', 'out', 'echo executed; cat a.in > {outputs}'),
    inClone: true,
  },
  {
    id: 'overwritten',
    title: 'an output that was there before',
    base: 'files',
    args: run('-i', 'a.in', '-o', 'b.in', 'echo executed; cat {inputs} > {outputs}'),
  },
  {
    id: 'undeclared',
    title: 'outputs that were not declared',
    base: 'files',
    args: run('-m', 'no outputs', 'echo executed; rm -f d/1.dat n; echo 9 > d/1.dat; echo n > n'),
  },
  {
    id: 'subdatasets',
    title: 'outputs in subdatasets',
    base: 'hierarchy',
    args: run(
      '-i',
      'top',
      '-o',
      'sub/inner/n',
      '-o',
      'dir/other/o',
      'echo executed; for f in {outputs}; do cat top > $f; done',
    ),
  },
  {
    id: 'names',
    title: 'a literal name with braces',
    base: 'git',
    args: run('--no-placeholders', '-o', 'x{y}.txt', 'echo executed; echo x > "x{y}.txt"'),
    notOld: 'one version is enough',
  },
  {
    id: 'quoted',
    title: 'names with spaces, quotes and other scripts',
    base: 'text',
    args: run('-i', 't.txt', '-o', 'it\'s "odd" ü😀 $x.txt', 'echo executed; cat {inputs} > {outputs}'),
  },
  {
    id: 'words',
    title: 'a command of several words',
    base: 'files',
    args: run('-o', 'out', '--', 'sh', '-c', 'echo executed; echo "$1" > out', 'x', 'it\'s {{}} "q"'),
  },
  {
    id: 'literal',
    title: 'a command whose braces are literal',
    base: 'git',
    args: run('--no-placeholders', '-o', 'out', "echo executed; echo 'a b' | awk '{print $2}' > out"),
  },
  {
    id: 'folder',
    title: 'a run in a folder',
    base: 'files',
    args: run('-i', '*.dat', '-o', '../sum', 'echo executed; cat {inputs} > {outputs}'),
    cwd: 'ds/d',
  },
  {
    id: 'topmost',
    title: 'a run in a subdataset for its superdataset (X98)',
    base: 'hierarchy',
    args: run('-d^', '-o', 'new', 'echo executed; echo x > new'),
    cwd: 'ds/sub',
  },
  { id: 'unnamed', title: 'an empty message (X95)', base: 'git', args: run('-m', '', 'echo executed; echo x > x') },
  {
    id: 'failing',
    title: 'a failed command that was saved',
    base: 'git',
    args: run('--on-cmd-failure', 'save', 'echo executed; echo x > x; exit 3'),
  },
  {
    id: 'merge',
    title: 'a command that commits',
    base: 'git',
    args: run('echo executed; date +%s%N > x; git add x; git commit -qm i; echo y > y'),
    again: true,
    notOld: 'it knows no run-merges',
  },
  {
    id: 'long',
    title: 'a record of more than 128 KiB (X92)',
    base: 'git',
    setUp: `cd ds; mkdir in; for i in $(seq 2200); do : > in/$i-$(printf '%080d' $i); done; git add .; git commit -qm many`,
    args: run('--expand', 'inputs', '-i', 'in/*', '-o', 'out', 'echo executed; ls in > out'),
  },
];

describeWith(['datalad-latest', 'git-annex'], 'DataLad reruns what we recorded', () => {
  const twins = stageOfTests();

  for (const recording of recordings) {
    test.concurrent(`${recording.title}${recording.notOld ? `, by 1.6 only (${recording.notOld})` : ''}`, async () => {
      const scenario: Scenario = { ...recording, steps: [] };
      const versions: DataladVersion[] = [
        'datalad-latest',
        ...(has('datalad') && !recording.notOld ? (['datalad'] as const) : []),
      ];
      await twins.stage.prepare(scenario, ['ours']);
      const top = twins.stage.folder(scenario, 'ours');
      const done = await twins.stage.start(
        [process.execPath, cliPath, ...recording.args],
        `${top}/${recording.cwd ?? 'ds'}`,
      );
      expect(done, done.stderr).toMatchObject({ code: 0, stdout: expect.stringContaining('executed') });
      for (const version of versions) {
        const copy = twins.stage.folder(scenario, version);
        const make = recording.inClone
          ? `mkdir ${copy}; git clone -q ${top}/ds ${copy}/ds; git -C ${copy}/ds annex init -q`
          : `cp -a ${top} ${copy}`;
        twins.world.sh(twins.world.dir, `mkdir -p ${copy}; rmdir ${copy}; ${make}`);
        const before = await readState(copy, twins.world.env, [[copy, 'W']]);
        const rerun = await (await twins.stage.datalad(version)).exec(['-f', 'json', 'rerun'], `${copy}/ds`);
        const after = await readState(copy, twins.world.env, [[copy, 'W']]);
        expect(rerun.code, rerun.stderr).toBe(0);
        expect(rerun.stdout, 'the command was executed').toContain('executed\n');
        expect(tellingResults(rerun.stdout)).toContainEqual(
          expect.objectContaining({ action: 'run', status: 'ok', exit_code: expect.any(Number) }),
        );
        if (recording.again) {
          expect(after.repos['ds']?.commits.at(-1)?.subject).toBe(before.repos['ds']?.commits.at(-1)?.subject);
          expect(after.repos['ds']?.commits.at(-1)?.parents).toHaveLength(2);
          continue;
        }
        expect(trees(after)).toEqual(trees(before));
        expect(statuses(after), 'work trees are clean').toEqual(
          Object.fromEntries(Object.keys(after.repos).map((repo) => [repo, []])),
        );
        if (!recording.inClone) expect(after.files, 'nothing else was written').toEqual(before.files);
      }
    }, 600_000);
  }
});

type State = Awaited<ReturnType<typeof readState>>;
const trees = (state: State) =>
  Object.fromEntries(Object.entries(state.repos).map(([path, repo]) => [path, repo.tree]));
const statuses = (state: State) =>
  Object.fromEntries(Object.entries(state.repos).map(([path, repo]) => [path, repo.status]));
