/** Scenarios of the dirty check and of failures (2.2, 2.9). */
import type { Scenario } from './scenario.ts';
import { run, within } from './scenario-steps.ts';

export const failureScenarios: readonly Scenario[] = [
  { ...dirty('untracked', 'an untracked file', 'fresh', 'echo x > dirt'), id: 'X02' },
  dirty('dot', 'an untracked file with a dot', 'fresh', 'echo x > .dirt'),
  dirty('modified', 'a modified file', 'files', 'echo x >> code.txt'),
  dirty('staged', 'a staged file', 'files', 'echo x >> code.txt; git add code.txt'),
  dirty(
    'staged-back',
    'a staged change that the work tree takes back',
    'git',
    'echo x > a.in; git add a.in; echo a > a.in',
  ),
  dirty('mode', 'a changed mode', 'files', 'chmod +x code.txt'),
  dirty('unlocked', 'an unlocked file', 'files', 'git annex unlock -q a.in'),
  dirty('deleted', 'a deleted file', 'files', 'rm a.in'),
  dirty('nested', 'an untracked repository', 'fresh', 'git init -q n; cd n; echo x > x; git add x; git commit -qm x'),
  dirty('sub', 'a modified file in a subdataset', 'hierarchy', 'rm sub/inner/i'),
  dirty('sub-untracked', 'an untracked file in a subdataset', 'hierarchy', 'echo x > dir/other/x'),
  dirty('sub-head', 'a subdataset at another commit', 'hierarchy', 'git -C sub commit -q --allow-empty -m more'),
  dirty('ignored', 'ignored files', 'git', 'echo "*.log" >> .git/info/exclude; echo x > x.log'),
  dirty('empty', 'empty folders', 'git', 'mkdir -p e/m/p/t/y'),
  dirty('absent', 'absent content', 'clone', 'true'),
  dirty('hollow', 'uninstalled subdatasets', 'hollow', 'true'),
  dirty('touched', 'touched files', 'files', 'touch code.txt a.in'),
  dirty('detached', 'a detached HEAD', 'git', 'git checkout -q --detach'),
  dirty('orphan', 'a repository without a commit', 'nothing', 'git init -q -b main .'),
  { id: 'X03', title: 'a command that does not exist', base: 'fresh', steps: [run('7i3amhmuch9invalid')] },
  {
    id: '2.9-changes',
    title: 'a failing command leaves its changes',
    base: 'files',
    steps: [run('-o', 'new', 'echo x > new; echo y >> code.txt; exit 3')],
  },
  {
    id: 'S-11',
    title: 'a failing command and an output that was made ready',
    base: 'files',
    steps: [run('-o', 'a.in', 'exit 3')],
    difference: {
      because: 'S-11: nothing is staged before the save, and an untouched output is as it was',
      aspects: ['status', 'files'],
      ours: (ending) => {
        if (ending.state.repos['ds']?.status.length !== 0) throw new Error(ending.state.repos['ds']?.status.join());
      },
    },
  },
  {
    id: '2.9-explicit',
    title: 'a failing explicit command',
    base: 'git',
    steps: [run('--explicit', '-o', 'x', 'echo x > x; exit 3')],
  },
  {
    id: '2.9-explicit-none',
    title: 'a failing explicit command without outputs',
    base: 'git',
    steps: [run('--explicit', '-o', 'nope', 'echo x > x; exit 3'), run('--explicit', 'exit 4')],
  },
  {
    id: '2.9-sidecar',
    title: 'a failing command with a sidecar',
    base: 'git',
    steps: [run('--sidecar', 'yes', 'echo x > x; exit 3')],
  },
  {
    id: '2.9-hint',
    title: 'the change of a failed command is saved with its message',
    base: 'git',
    steps: [run('-m', 'try', 'echo x > x; exit 3'), { sh: 'cd ds; git add x; git commit -qF .git/COMMIT_EDITMSG' }],
  },
  {
    id: '2.9-ignore',
    title: 'failures are ignored',
    base: 'git',
    steps: [{ args: ['--on-failure', 'ignore', 'run', 'echo x > x; exit 3'] }],
    difference: {
      because: 'no message is left to be used, for the changes are saved',
      aspects: ['results'],
      ours: (ending) => {
        if (ending.results.flat().some((result) => 'msg_path' in result)) throw new Error('a message is announced');
      },
    },
  },
  {
    id: '2.9-continue',
    title: 'failures do not stop',
    base: 'git',
    steps: [{ args: ['--on-failure', 'continue', 'run', 'echo x > x; exit 3'] }],
    difference: {
      because: 'no message is left to be used, for the changes are saved',
      aspects: ['results'],
      ours: (ending) => {
        if (ending.results.flat().some((result) => 'msg_path' in result)) throw new Error('a message is announced');
      },
    },
  },
  {
    id: 'X42-error',
    title: '--on-cmd-failure error',
    base: 'fresh',
    steps: [run('--on-cmd-failure', 'error', 'echo x > x; exit 5')],
    notOld: 'it has no --on-cmd-failure',
  },
  {
    id: 'X42-save',
    title: '--on-cmd-failure save',
    base: 'fresh',
    steps: [run('--on-cmd-failure', 'save', 'echo x > x; exit 5')],
    notOld: 'it has no --on-cmd-failure',
  },
  {
    id: 'X42-all',
    title: '--on-cmd-failure all',
    base: 'fresh',
    steps: [run('--on-cmd-failure', 'all', 'echo x > x; exit 5')],
    notOld: 'it has no --on-cmd-failure',
  },
  {
    id: 'S-33',
    title: 'a command that a signal ends',
    base: 'git',
    steps: [run('echo x > x; kill -9 $$')],
    difference: {
      because: 'S-33: 128 + N, as a shell tells it',
      aspects: ['code'],
      ours: (ending) => {
        if (ending.codes[0] !== 137) throw new Error(`exit ${String(ending.codes[0])}`);
      },
    },
  },
  {
    id: '2.9-option',
    title: 'an unknown option',
    base: 'git',
    steps: [run('--nonsense', 'true')],
    difference: {
      because: 'exit codes: every mistake on the command line is 2, and the usage is not data',
      aspects: ['code', 'printed'],
      ours: (ending) => {
        if (ending.codes[0] !== 2 || ending.printed[0] !== '') throw new Error(`exit ${String(ending.codes[0])}`);
      },
    },
  },
  {
    id: '2.13',
    title: 'results by a template',
    base: 'files',
    steps: [{ args: ['-f', '{action}|{status}|{type}', 'run', '-o', 'a.in', 'echo x >> a.in; echo n > n'] }],
  },
  {
    id: 'X95',
    title: 'an empty message',
    base: 'git',
    steps: [run('-m', '', 'echo x > x')],
    difference: {
      because: 'S-05: the short command takes its place',
      aspects: ['commits'],
      ours: (ending) => {
        const subject = ending.state.repos['ds']?.commits.at(-1)?.subject;
        if (subject !== '[DATALAD RUNCMD] echo x > x') throw new Error(subject);
      },
    },
  },
  {
    id: 'X97',
    title: 'names with a tab, a newline, quotes, a backslash, braces and bytes that are no text',
    base: 'fresh',
    steps: [
      run(
        String.raw`printf x > "$(printf 'a\tb')"; printf y > "$(printf 'a\nb')"; printf z > 'q"'"'"'q'; printf w > 'b\s'; printf v > "$(printf 'n\377n')"; printf u > -d; printf t > ' '; printf s > '{{b}}'`,
      ),
      run('echo later > later'),
    ],
    difference: {
      because: 'S-16: every name is saved exactly, and the next run finds a clean dataset',
      aspects: ['code', 'results', 'tree', 'status', 'files', 'commits'],
      ours: (ending) => {
        const repo = ending.state.repos['ds'];
        if (repo?.status.length !== 0 || ending.codes.join() !== '0,0')
          throw new Error(`exit ${ending.codes.join()}: ${String(repo?.status.join())} ${ending.stderr.join()}`);
        const names = repo.tree.map((line) => line.split('\t').slice(1).join('\t'));
        for (const name of ['a\tb', 'a\nb', `q"'q`, 'b\\s', 'n\u00ffn', '-d', ' ', '{b}', 'later']) {
          if (!names.includes(name)) throw new Error(`${JSON.stringify(name)} is not among ${JSON.stringify(names)}`);
        }
      },
    },
  },

  {
    id: '2.9-gitdir',
    title: 'a failing command where the Git directory is elsewhere',
    base: 'hierarchy',
    setUp: 'cd ds; git submodule -q absorbgitdirs',
    steps: [within('ds/sub', 'echo x > x; exit 3')],
  },
];

function dirty(id: string, title: string, base: Scenario['base'], setUp: string): Scenario {
  return { id: `2.2-${id}`, title, base, setUp: `cd ds; ${setUp}`, steps: [run('echo x > x')] };
}
