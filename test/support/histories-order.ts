/** Where `rerun` builds and what it takes, differently from DataLad on purpose (S-01, S-12, S-21). */
import type { History } from './histories.ts';
import { alone, differs, graph, hasGraph, same } from './histories-difference.ts';
import { rerun, type RerunScenario } from './histories-scenario.ts';

const noMerges = 'it knows no run-merges';
const S01 = 'S-01: the branch keeps what came later, and a replay that differs is merged';
const merges: History = {
  base: 'git',
  commits: [
    {
      name: 'a',
      run: 'if test -e ../value; then cat ../value; else echo a; fi >> foo && git add foo && git commit -qm "inner $(wc -l < foo)"',
    },
    { name: 'b', files: { later: 'my later work' } },
    { name: 'c', run: 'echo c >> normal' },
  ],
};

const S12 = 'S-12: the base that was asked for is the base';
const line: History = {
  base: 'git',
  commits: [
    { name: 'a', files: { a: 'a' } },
    { name: 'b', run: 'echo b > b' },
    { name: 'c', run: 'echo c > c' },
    { name: 'd', files: { d: 'd' } },
  ],
  branches: { early: 'a' },
};

export const orderScenarios: readonly RerunScenario[] = [
  {
    id: 'X93',
    title: 'a run-merge below later work',
    history: merges,
    forms: [
      differs(
        [rerun('a')],
        S01,
        ['commits', 'head', 'tree'],
        { code: 0, decisions: ['run a'], head: 'main at c', commits: [] },
        ({ files }) => same(files['ds/later'], 'file - my later work', 'later'),
      ),
      differs(
        [{ sh: 'echo second > ../value' }, rerun('a')],
        S01,
        ['commits', 'head', 'tree'],
        { code: 0, decisions: ['run a'] },
        (last) => {
          const made = graph(last).map((commit) => commit.replace(/ of [0-9a-f]+/, ''));
          same(made, ["inner 1' <- base", "a' <- base inner 1'", "Join the replay <- c a'"], 'new commits');
          same(last.files['ds/foo'], 'file - second\n', 'foo');
          same(last.files['ds/later'], 'file - my later work', 'later');
          same(last.files['ds/normal'], 'file - c\n', 'normal');
        },
      ),
      differs(
        [rerun('--since=')],
        S01,
        ['commits', 'tree'],
        { code: 0, decisions: ['run a', 'skip b', 'run c'], head: "main at c'" },
        (last) => {
          same(last.files['ds/foo'], 'file - a\n', 'foo');
          same(last.files['ds/normal'], 'file - c\nc\n', 'normal');
        },
      ),
      differs([rerun('a', '-b', 'new')], S01, ['commits', 'tree'], {
        code: 0,
        head: "new at a'",
        branches: ['main at c', "new at a'"],
      }),
    ],
  },
  {
    id: 'X93-conflict',
    title: 'a run-merge whose files later work has changed as well',
    history: { base: 'git', commits: [...merges.commits, { name: 'd', files: { foo: 'edited' } }] },
    forms: [
      differs(
        [{ sh: 'echo second > ../value' }, rerun('a')],
        S01,
        alone,
        { code: 1, status: { ds: [] } },
        ({ files, stdout, stderr }) => {
          same(files['ds/foo'], 'file - edited', 'foo');
          same(/rerun --abort/.test(stdout + stderr), true, 'what can be done');
        },
      ),
      differs([{ sh: 'echo second > ../value' }, rerun('a'), rerun('--abort')], S01, alone, {
        code: 0,
        head: 'main at d',
        commits: [],
        status: { ds: [] },
      }),
    ],
  },
  {
    id: 'X75',
    title: 'a history with a run-merge, built again',
    history: merges,
    forms: [
      {
        steps: [rerun('--since=', '--onto=', '-b', 'new')],
        shows: { decisions: ['run a', 'pick b', 'run c'], head: "new at c'" },
        notOld: noMerges,
      },
      { steps: [rerun('a', '--onto=')], shows: { decisions: ['run a'], head: "detached at a'" }, notOld: noMerges },
      differs(
        [rerun('--since=base', '--onto=', '-b', 'new')],
        'S-21: the commits of a run are part of it, and not taken twice',
        ['decisions'],
        {
          code: 0,
          decisions: ['skip inner 1', 'run a', 'pick b', 'run c'],
          head: "new at c'",
        },
      ),
    ],
  },
  {
    id: 'S-12',
    title: '--onto names a commit below the parent of the first run',
    history: line,
    forms: [
      differs(
        [rerun('c', '--onto=a')],
        S12,
        ['commits', 'tree'],
        { code: 0, decisions: ['run c'], head: "detached at c'" },
        hasGraph("c' <- a"),
      ),
      differs(
        [rerun('--since=b', '--onto=base', '-b', 'new')],
        S12,
        ['commits', 'tree'],
        { code: 0, decisions: ['run c', 'pick d'], head: "new at d'" },
        hasGraph("c' <- base", "d' <- c'"),
      ),
      differs(
        [{ sh: 'git checkout -q early' }, rerun('c')],
        S12,
        ['commits', 'tree'],
        { code: 0, decisions: ['run c'], head: "early at c'" },
        hasGraph("c' <- a"),
      ),
      differs(
        [{ sh: 'git checkout -q early' }, rerun('main', '--since=b')],
        S12,
        ['commits', 'tree'],
        { code: 0, decisions: ['run c', 'pick d'], head: "early at d'" },
        hasGraph("c' <- a", "d' <- c'"),
      ),
    ],
  },
  {
    id: 'S-12-siblings',
    title: '--onto names a commit below the parent of two runs that were merged',
    history: {
      base: 'git',
      commits: [
        { name: 'a', files: { a: 'a' } },
        { name: 'b', run: 'echo b > b' },
        { name: 'c', on: ['a'], run: 'echo c > c' },
        { name: 'd', on: ['b', 'c'], merge: true },
      ],
    },
    forms: [
      differs(
        [rerun('--since=a', '--onto=base')],
        S12,
        ['commits', 'tree'],
        { code: 0, head: "detached at d'" },
        (last) => {
          same([...graph(last)].sort(), ["b' <- base", "c' <- base", "d' <- b' c'"], 'new commits');
        },
      ),
    ],
  },
  {
    id: 'S-21',
    title: 'a merge without a record, alone',
    history: {
      base: 'git',
      commits: [
        { name: 'a', run: 'echo a >> a' },
        { name: 'b', on: ['base'], files: { b: 'b' } },
        { name: 'c', on: ['b', 'a'], merge: true },
      ],
    },
    forms: [
      differs(
        [rerun()],
        'S-21: it has no record, and the range is named',
        ['code', 'decisions', 'commits'],
        { code: 1, decisions: ['refused'], head: 'main at c' },
        ({ stdout, stderr }) => {
          same(/--since=/.test(stdout + stderr), true, 'the range is named');
        },
      ),
    ],
  },
  {
    id: 'S-21-nested',
    title: 'a run inside a run',
    history: {
      base: 'git',
      commits: [{ name: 'a', run: '$REPRISE run "echo n >> nested"; echo o >> outer' }],
    },
    forms: [
      differs(
        [rerun('--since=', '--onto=')],
        'S-21: the nested command is executed once',
        alone,
        { code: 0, head: "detached at a'" },
        (last) => {
          same(last.files['ds/nested'], 'file - n\n', 'nested');
          same(last.files['ds/outer'], 'file - o\n', 'outer');
        },
      ),
    ],
  },
  {
    id: '3.1-unknown',
    title: 'a revision that does not exist',
    history: line,
    forms: [
      differs([rerun('doesnotexist')], 'errors of ours exit 1, where DataLad passes the code of git', ['code'], {
        code: 1,
        decisions: ['refused'],
        head: 'main at d',
      }),
    ],
  },
];
