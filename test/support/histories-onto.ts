/** Where a rerun begins and ends: `--since`, `--onto`, `--branch` (X46–X56, X62, X63, X74). */
import type { History } from './histories.ts';
import { asked, rerun, type RerunScenario } from './histories-scenario.ts';

const growing = 'echo x$(cat grows) > grows';

/** A static and a growing command, the latter rerun once (RR onto). */
const onto: History = {
  base: 'annex',
  commits: [
    { name: 'noop', files: {} },
    { name: 'static', run: 'echo static-content > static' },
    { name: 'growing', run: growing },
    { name: 'again', run: growing, options: ['-o', 'grows'] },
  ],
};

export const ontoScenarios: readonly RerunScenario[] = [
  {
    id: 'X50–X53',
    title: 'a static and a growing command',
    history: onto,
    forms: [
      { steps: [rerun('static', '--onto', 'static')], shows: { head: 'detached at static' } },
      { steps: [rerun('static', '--onto', 'static^')], shows: { head: "detached at static'" } },
      { steps: [rerun('--onto', 'HEAD')], shows: { head: "detached at again'" } },
      { steps: [rerun('--since=static^', '--onto=')], shows: { head: "detached at again'" } },
      { steps: [rerun('--since=', '--onto=', '-b', 'from-base')], shows: { head: "from-base at again'" } },
      ...asked('static', '--since=static', 'growing --since=noop -b new', '--since=noop --onto=growing'),
    ],
  },
  {
    id: 'X54',
    title: 'a base that does not exist, a range without runs',
    history: onto,
    forms: [
      { steps: [rerun('--since=', '--onto', 'doesnotexist', '-b', 'new')], shows: { code: 1, decisions: ['refused'] } },
      { steps: [rerun('HEAD', '--onto=', '--since=HEAD')], shows: { code: 1, decisions: ['refused'] } },
      { steps: [rerun('noop', '--onto=', '--since=')], shows: { code: 1, decisions: ['refused'] } },
      { steps: [rerun('noop')], shows: { code: 1, decisions: ['refused'] } },
    ],
  },
  {
    id: 'X46',
    title: 'runs below a plain commit',
    history: {
      base: 'git',
      commits: [
        { name: 'a', run: growing },
        { name: 'b', run: growing },
        { name: 'c', files: { 'nonrun-file': 'foo' } },
      ],
    },
    forms: [
      { steps: [rerun('main~', '-m', 'rerun buried'), rerun('--since=main~3'), rerun('-m', 'of all', '--since=')] },
      ...asked('--since=main~2', '--since=a --onto=a', '--report --since=', 'a..c'),
    ],
  },
  {
    id: 'X62',
    title: 'onto new branches',
    history: {
      base: 'git',
      commits: [
        { name: 'prerun', files: {} },
        { name: 'b', run: growing, options: ['-o', 'grows'] },
        { name: 'c', run: growing, options: ['-o', 'grows'] },
        { name: 'd', files: { 'nonrun-file': 'foo' } },
      ],
    },
    forms: [
      { steps: [rerun('--since=prerun', '--onto', 'prerun', '-b', 'rerun')], shows: { head: "rerun at d'" } },
      { steps: [rerun('--since=prerun', '-b', 'rerun2')], shows: { head: "rerun2 at c'" } },
      { steps: [rerun('--since=prerun', '-b', 'main')], shows: { code: 1, decisions: ['refused'], head: 'main at d' } },
    ],
  },
  {
    id: 'X63',
    title: 'a plain commit after a run',
    history: {
      base: 'git',
      commits: [
        { name: 'prerun', files: {} },
        { name: 'b', run: 'echo abc > runfile' },
        { name: 'c', files: { 'nonrun-file': 'foo' } },
      ],
    },
    forms: [
      { steps: [rerun('--since=prerun', '--onto', 'HEAD')], shows: { decisions: ['run b', 'skip c'] } },
      { steps: [rerun('--since=prerun', '--onto', 'prerun')], shows: { decisions: ['run b', 'pick c'] } },
    ],
  },
  {
    id: 'X74',
    title: 'plain commits before the first run',
    history: {
      base: 'git',
      commits: [
        { name: 'a', files: { 'file1.txt': 'content1', 'file2.txt': 'content2' } },
        { name: 'b', run: 'echo run output > run_output.txt' },
        { name: 'c', files: { 'file3.txt': 'content3' } },
      ],
    },
    forms: [
      {
        steps: [{ sh: 'git checkout -q --detach base' }, rerun('c', '--since=base', '-b', 'new')],
        shows: { decisions: ['pick a', 'run b', 'pick c'], head: "new at c'" },
        notOld: 'it drops leading plain commits',
      },
    ],
  },
  {
    id: 'X56',
    title: 'a history of one run commit',
    history: {
      base: 'annex',
      commits: [
        {
          name: 'a',
          sh: 'git checkout -q --orphan lone; git rm -rqf .; git config datalad.dataset.id none; $REPRISE run "echo static-content > static"',
        },
      ],
    },
    forms: ['', '--since= --onto='].map((line) => ({
      ...(asked(line)[0] as { steps: [] }),
      shows: { code: 1, decisions: ['refused'], head: 'main at a' },
    })),
  },
  {
    id: 'X49',
    title: 'a branch without a commit',
    history: { base: 'git', commits: [], after: 'git checkout -q --orphan empty; git rm -rqf .' },
    forms: [{ steps: [rerun()], shows: { code: 1, decisions: ['refused'] } }],
  },
  {
    id: '3.1',
    title: 'the revision is a tag, an old commit, or HEAD of no branch',
    history: {
      base: 'git',
      commits: [
        { name: 'a', run: 'echo ambig > ambig' },
        { name: 'ambig', files: { other: 'x' } },
        { name: 'c', run: 'echo c >> c' },
      ],
      branches: { dash: 'a' },
    },
    forms: [
      ...asked('--since= ambig', 'HEAD~1', 'dash'),
      ...asked('c --since=a --onto=a', '--since=ambig^').map((form) => ({
        ...form,
        notOld: 'it drops leading plain commits',
      })),
      { steps: [{ sh: 'git checkout -q --detach' }, rerun(), rerun('--since=')] },
      { steps: [{ sh: 'git checkout -q dash; git commit -q --allow-empty -m aside' }, rerun('main'), rerun()] },
    ],
  },
  {
    id: '3.4-onto-merge',
    title: 'onto the merge that brought what is rerun',
    history: {
      base: 'git',
      commits: [
        { name: 'a', files: { plain: 'a' } },
        { name: 'b', run: 'echo b >> b', options: ['-o', 'b'] },
        { name: 'm', on: ['base', 'b'], merge: true },
        { name: 'c', run: 'echo c >> c', options: ['-o', 'c'] },
      ],
    },
    forms: [{ steps: [rerun('c', '--since=a', '--onto=m')], shows: { decisions: ['run b', 'merge m', 'run c'] } }],
  },
];
