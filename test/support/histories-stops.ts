/** Reruns that stop, and are continued or aborted, which DataLad's cannot be. */
import { alone, differs, hasGraph, same } from './histories-difference.ts';
import { rerun, type RerunScenario } from './histories-scenario.ts';

export const stopScenarios: readonly RerunScenario[] = [
  {
    id: '3.4-conflict',
    title: 'a commit that cannot be picked without a conflict',
    history: {
      base: 'git',
      commits: [
        { name: 'a', files: { x: '1\n' } },
        { name: 'b', run: 'echo b > b' },
        { name: 'c', files: { x: '2\n' } },
        { name: 'd', run: 'echo d > d' },
        { name: 'e', on: ['base'], files: { x: 'other\n' } },
      ],
      main: 'd',
    },
    forms: [
      differs(
        [rerun('--since=a', '--onto=e', '-b', 'new')],
        'a conflict says how to go on',
        alone,
        { code: 1, decisions: ['run b', 'refused'], unfinished: ['CHERRY_PICK_HEAD'] },
        ({ stdout, stderr }) =>
          same(
            /rerun --continue/.test(stdout + stderr) && /rerun --abort/.test(stdout + stderr),
            true,
            'continue and abort',
          ),
      ),
      differs(
        [rerun('--since=a', '--onto=e', '-b', 'new'), { sh: 'echo 2 > x; git add x' }, rerun('--continue')],
        'a conflict that was resolved is passed',
        alone,
        { code: 0, head: "new at d'", unfinished: [], status: { ds: [] } },
        hasGraph("b' <- e", "c' <- b'", "d' <- c'"),
      ),
      differs([rerun('--since=a', '--onto=e', '-b', 'new'), rerun('--abort')], 'what was begun can be undone', alone, {
        code: 0,
        head: 'main at d',
        branches: ['main at d'],
        commits: [],
        unfinished: [],
        status: { ds: [] },
      }),
    ],
  },
  {
    id: '3.5-stopped',
    title: 'a command that fails in the middle',
    history: {
      base: 'git',
      commits: [
        { name: 'a', run: 'echo a >> a' },
        { name: 'b', run: 'echo b >> b; test ! -e ../stop' },
        { name: 'c', run: 'echo c >> c' },
      ],
    },
    forms: [
      differs(
        [{ sh: 'touch ../stop' }, rerun('--since='), { sh: 'rm ../stop; git checkout -q .' }, rerun('--continue')],
        'a rerun goes on where it stopped',
        alone,
        { code: 0, head: "main at c'" },
        hasGraph("a' <- c", "b' <- a'", "c' <- b'"),
      ),
      differs([{ sh: 'touch ../stop' }, rerun('--since='), rerun('--abort')], 'what was begun can be undone', alone, {
        code: 0,
        head: 'main at c',
        commits: [],
        status: { ds: [] },
      }),
      differs(
        [{ sh: 'touch ../stop' }, rerun('--since=', '--onto=', '-b', 'new'), rerun('--abort')],
        'what was begun can be undone',
        alone,
        { code: 0, head: 'main at c', branches: ['main at c'], status: { ds: [] } },
      ),
    ],
  },
];
