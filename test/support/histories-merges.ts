/** Histories with merges (X76–X80): those that DataLad's own tests draw, each rerun in three ways or more. */
import { differs, hasGraph } from './histories-difference.ts';
import { asked, rerun, type RerunScenario } from './histories-scenario.ts';

const three = asked('--since= --onto=', '--since= --onto=main^2', '--since=');

const foo = 'echo foo > foo';
const more = 'echo foo >> foo';

export const mergeScenarios: readonly RerunScenario[] = [
  {
    id: 'X76',
    title: 'a merge that could be fast-forwarded',
    history: {
      base: 'git',
      commits: [
        { name: 'b', run: foo },
        { name: 'c', on: ['base', 'b'], merge: true },
      ],
    },
    forms: three,
  },
  {
    id: 'X76-mutator',
    title: 'a merge that could be fast-forwarded, of a growing file',
    history: {
      base: 'git',
      commits: [
        { name: 'b', run: more },
        { name: 'c', on: ['base', 'b'], merge: true },
      ],
    },
    forms: three,
  },
  {
    id: 'X77',
    title: 'runs left and right',
    history: {
      base: 'annex',
      commits: [
        { name: 'b', run: foo },
        { name: 'c', on: ['base'], run: 'echo bar > bar' },
        { name: 'd', on: ['c', 'b'], merge: true },
      ],
      branches: { side: 'b' },
    },
    forms: [
      ...three,
      ...asked('--since= --onto=main^', '--since= --onto= --branch=new', '--report --since= --onto='),
      ...asked('side --onto=main^', 'main^ --onto=side --branch=new', '--since=side'),
    ],
  },
  {
    id: 'X77-mutator',
    title: 'a run left, a growing file right',
    history: {
      base: 'git',
      commits: [
        { name: 'b', run: 'echo ichange >> ichange' },
        { name: 'c', on: ['base'], run: 'echo idont > idont' },
        { name: 'd', on: ['c', 'b'], merge: true },
      ],
    },
    forms: three,
  },
  {
    id: 'X78',
    title: 'a plain commit left, a run right',
    history: {
      base: 'git',
      commits: [
        { name: 'b', files: { 'nonrun-file': 'blah' } },
        { name: 'c', on: ['base'], run: foo },
        { name: 'd', on: ['b', 'c'], merge: true },
      ],
    },
    forms: three,
  },
  {
    id: 'X78-left',
    title: 'a run left, a plain commit right',
    history: {
      base: 'git',
      commits: [
        { name: 'b', run: foo },
        { name: 'c', on: ['base'], files: { 'nonrun-file': 'blah' } },
        { name: 'd', on: ['b', 'c'], merge: true },
      ],
    },
    forms: three,
  },
  {
    id: 'X78-mutator-left',
    title: 'a growing file left, a plain commit right',
    history: {
      base: 'git',
      commits: [
        { name: 'b', run: more },
        { name: 'c', on: ['base'], files: { 'nonrun-file': 'blah' } },
        { name: 'd', on: ['b', 'c'], merge: true },
      ],
    },
    forms: asked('--since='),
  },
  {
    id: 'X78-stem',
    title: 'a growing file in the stem of two plain commits',
    history: {
      base: 'annex',
      commits: [
        { name: 'b', run: more },
        { name: 'c', files: { 'nonrun-file0': 'much blah' } },
        { name: 'd', on: ['b'], files: { 'nonrun-file1': 'more blah' } },
        { name: 'e', on: ['c', 'd'], merge: true },
      ],
    },
    forms: three,
  },
  {
    id: 'S-01-kept',
    title: 'a merge that stays as it is, and a commit beside it',
    history: {
      base: 'git',
      commits: [
        { name: 'a', files: { a: 'a' } },
        { name: 'b', run: foo },
        { name: 'c', files: { c: 'c' } },
        { name: 'd', on: ['base', 'b'], merge: true },
        { name: 'e', on: ['d', 'c'], merge: true },
        { name: 'f', files: { f: 'f' } },
      ],
    },
    forms: [
      differs(
        [rerun('--since=', '--onto=b', '--branch=new')],
        'S-01: after a merge that is kept, DataLad picks onto the merge what follows from an older commit',
        ['decisions', 'commits'],
        { code: 0, decisions: ['run b', 'merge d', 'skip c', 'merge e', 'pick f'] },
        hasGraph("f' <- e"),
      ),
    ],
  },
  {
    id: 'X79',
    title: 'a side that is left out',
    history: {
      base: 'git',
      commits: [
        { name: 'b', run: foo },
        { name: 'c', on: ['base'], run: 'echo bar > bar' },
        { name: 'd', on: ['c', 'b'], merge: true },
      ],
    },
    forms: asked('HEAD --since=main^2 --onto=', 'HEAD --since=main^ --onto=', 'HEAD --since=main^2'),
  },
  {
    id: 'X80-left',
    title: 'unrelated histories: a run left, a plain commit right',
    history: {
      base: 'git',
      commits: [
        { name: 'b', run: foo },
        { name: 'c', on: [], files: {} },
        { name: 'd', on: ['b', 'c'], merge: true },
      ],
    },
    forms: three,
  },
  {
    id: 'X80-left-mutator',
    title: 'unrelated histories: a growing file left, a plain commit right',
    history: {
      base: 'git',
      commits: [
        { name: 'b', run: more },
        { name: 'c', on: [], files: {} },
        { name: 'd', on: ['b', 'c'], merge: true },
      ],
    },
    forms: asked('--since='),
  },
  {
    id: 'X80-right',
    title: 'unrelated histories: a plain commit left, a run right',
    history: {
      base: 'git',
      commits: [
        { name: 'b', on: [], files: {} },
        { name: 'c', run: foo },
        { name: 'd', on: ['base', 'c'], merge: true },
      ],
    },
    forms: three,
  },
  {
    id: 'X80-right-mutator',
    title: 'unrelated histories: a plain commit left, a growing file right',
    history: {
      base: 'git',
      commits: [
        { name: 'b', on: [], files: {} },
        { name: 'c', run: more },
        { name: 'd', on: ['base', 'c'], merge: true },
      ],
    },
    forms: asked('--since= --onto=main^2', '--since='),
  },
  {
    id: 'X80-multifork',
    title: 'forks of forks',
    history: {
      base: 'git',
      commits: [
        { name: 'b', run: foo },
        { name: 'j', files: { 'nonrun-file0': 'blah 0' } },
        { name: 'c', on: ['b'], files: { 'nonrun-file1': 'blah 1' } },
        { name: 'd', run: 'echo bar > bar' },
        { name: 'e', on: ['c'], files: { 'nonrun-file2': 'blah 2' } },
        { name: 'f', run: 'echo onside0 > onside0' },
        { name: 'g', on: ['d', 'f'], merge: true },
        { name: 'h', run: 'echo after-side-side > after-side-side' },
        { name: 'i', on: ['base', 'h'], merge: true },
        { name: 'k', on: ['i', 'j'], merge: true },
      ],
    },
    forms: asked('--since= --onto=', '--since=', '--since=g', 'h --since=c --onto=j'),
  },
  {
    id: 'X80-octopus',
    title: 'an octopus',
    history: {
      base: 'git',
      commits: [
        { name: 'b', run: more },
        { name: 'c', files: { 'non-run': 'non-run' } },
        { name: 'd', on: ['b'], run: 'echo bar > bar' },
        { name: 'e', on: ['b'], run: 'echo baz > baz' },
        { name: 'f', on: ['c', 'd', 'e'], merge: true },
      ],
    },
    forms: asked('--since= --onto=', '--since='),
  },
];
