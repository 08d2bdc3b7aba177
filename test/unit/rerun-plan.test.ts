/** What a replay plan says of each commit of a range: pure decisions on histories that are written down here. */
import { createHash } from 'node:crypto';
import { fc } from '../support/random.ts';
import { describe, expect, test } from 'vitest';
import type { RepriseError } from '../../src/core/errors.ts';
import { normaliseRecord } from '../../src/record/normalise.ts';
import type { HistoryCommit, RecordedRun } from '../../src/rerun/history-types.ts';
import { assertPathsInside, planReplay, type PlanRequest } from '../../src/rerun/plan.ts';
import { problemsOfReplayPlan } from '../../src/rerun/replay-plan.validate.gen.ts';

const DSID = '2be3f7db-6e6d-4e98-be54-52b478217039';

/** A full commit name for a short one. */
const id = (name: string) => createHash('sha1').update(name).digest('hex');

function run(fields: Record<string, unknown> = {}): RecordedRun {
  const { record, oddities } = normaliseRecord({ cmd: 'true', dsid: DSID, ...fields }, { commit: id('x') });
  return { record, oddities, message: 'a message', how: 'datalad', sidecar: null };
}

function commit(name: string, parents: readonly string[], facts: Partial<HistoryCommit> = {}): HistoryCommit {
  return {
    commit: id(name),
    parents: parents.map(id),
    author: 'Ada',
    date: '2026-01-01T00:00:00+00:00',
    run: null,
    problem: null,
    ...facts,
  };
}

function request(history: readonly HistoryCommit[], more: Partial<PlanRequest> = {}): PlanRequest {
  const tip = history.at(-1)?.commit ?? id('none');
  return {
    dsid: DSID,
    range: { tip, arguments: [tip], text: 'main', keepsLeading: false, single: false },
    history,
    start: { ref: 'refs/heads/main', commit: tip },
    onto: undefined,
    branch: undefined,
    message: undefined,
    ...more,
  };
}

/** `name action` for each step. */
function actions(history: readonly HistoryCommit[], names: readonly string[], more: Partial<PlanRequest> = {}) {
  const known = new Map(names.map((name) => [id(name), name]));
  return planReplay(request(history, more)).plan.steps.map((step) => `${known.get(step.commit)} ${step.action}`);
}

function thrown(action: () => unknown): RepriseError {
  try {
    action();
  } catch (error) {
    return error as RepriseError;
  }
  throw new Error('nothing was thrown');
}

const range = (keepsLeading: boolean, tip = id('c')) => ({
  tip,
  arguments: [tip],
  text: 'a..c',
  keepsLeading,
  single: false,
});

describe('which commits are in a plan', () => {
  const history = [
    commit('a', []),
    commit('b', ['a']),
    commit('c', ['b'], { run: run() }),
    commit('d', ['c']),
    commit('e', ['d'], { run: run() }),
  ];
  const names = ['a', 'b', 'c', 'd', 'e'];

  test('commits before the first run are left out, those between runs are not', () => {
    expect(actions(history, names)).toStrictEqual(['c run', 'd skip-or-pick', 'e run']);
  });

  test('commits before the first run are kept where the user named the start', () => {
    expect(actions(history.slice(1), names, { range: range(true) })).toStrictEqual([
      'b skip-or-pick',
      'c run',
      'd skip-or-pick',
      'e run',
    ]);
  });

  test('a range without a record is refused, naming the range', () => {
    const error = thrown(() => planReplay(request(history.slice(0, 2), { range: range(true) })));
    expect(error.code).toBe('no-run-commits');
    expect(error.message).toBe('No run commits found in range a..c');
    expect(error.hints.length).toBeGreaterThan(0);
    expect(thrown(() => planReplay(request([]))).code).toBe('no-run-commits');
  });

  test('a merge as the only commit is refused with the range that it merged as hint', () => {
    const merge = commit('m', ['a', 'b']);
    const error = thrown(() =>
      planReplay(request([merge], { range: { ...range(false, id('m')), single: true, arguments: [`${id('m')}^!`] } })),
    );
    expect(error.code).toBe('no-run-commits');
    expect(error.hints).toStrictEqual([`reprise rerun --since=${id('m')}^ ${id('m')}`]);
  });

  test('a record in a root commit, or in a merge of three, is left out with a warning', () => {
    const odd = [
      commit('root', [], { run: run() }),
      commit('b', ['root'], { run: run() }),
      commit('octopus', ['b', 'x', 'y'], { run: run() }),
      commit('d', ['octopus'], { run: run() }),
    ];
    const { plan, warnings } = planReplay(request(odd));
    expect(plan.steps.map(({ commit: name }) => name)).toStrictEqual([id('b'), id('d')]);
    expect(warnings).toStrictEqual([
      `${id('root')} has run information but is a root commit; it will not be re-executed`,
      `${id('octopus')} has run information but is a merge commit; it will not be re-executed`,
    ]);
    expect(thrown(() => planReplay(request(odd.slice(0, 1)))).code).toBe('no-run-commits');
  });

  test('an ordinary merge is a merge, and one with a record of two parents is a run', () => {
    const merged = [
      commit('b', ['a'], { run: run() }),
      commit('s', ['a']),
      commit('m', ['b', 's']),
      commit('i', ['m']),
      commit('r', ['m', 'i'], { run: run() }),
    ];
    expect(actions(merged, ['b', 's', 'm', 'i', 'r'])).toStrictEqual([
      'b run',
      's skip-or-pick',
      'm merge',
      'i skip',
      'r run',
    ]);
  });

  test('a record that cannot be read stops everything, naming its commit', () => {
    const problem = `the run record of commit ${id('d')} is not valid JSON`;
    const error = thrown(() => planReplay(request([...history.slice(0, 3), commit('d', ['c'], { problem })])));
    expect(error.code).toBe('record-invalid');
    expect(error.message).toBe(problem);
    expect(error.hints.join('\n')).toContain(id('d'));
  });
});

describe('whose records are executed', () => {
  test('a record of another dataset is skipped or picked, with DataLad’s words as reason', () => {
    const history = [
      commit('b', ['a'], { run: run() }),
      commit('c', ['b'], { run: run({ dsid: '00000000-0000-4000-8000-000000000000' }) }),
    ];
    const { plan } = planReplay(request(history));
    expect(plan.steps.map(({ action, reason }) => [action, reason])).toStrictEqual([
      ['run', null],
      ['skip-or-pick', 'was ran from a different dataset'],
    ]);
  });

  test('a record without an id belongs to the dataset in which it is', () => {
    const history = [commit('b', ['a'], { run: run({ dsid: undefined }) })];
    expect(actions(history, ['b'])).toStrictEqual(['b run']);
    expect(actions(history, ['b'], { dsid: undefined })).toStrictEqual(['b run']);
  });

  test('a record with an id is foreign in a repository that has none', () => {
    expect(actions([commit('b', ['a'], { run: run() })], ['b'], { dsid: undefined })).toStrictEqual(['b skip-or-pick']);
  });

  test('a foreign record on a merge stays a merge, and hides nothing that it merged', () => {
    const foreign = run({ dsid: '00000000-0000-4000-8000-000000000000' });
    const history = [
      commit('b', ['a'], { run: run() }),
      commit('i', ['b'], { run: run() }),
      commit('m', ['b', 'i'], { run: foreign }),
    ];
    expect(actions(history, ['b', 'i', 'm'])).toStrictEqual(['b run', 'i run', 'm merge']);
  });
});

describe('commits that a command made itself', () => {
  test('are part of its run, also when they hold records or are many', () => {
    const inner = Array.from({ length: 2000 }, (_, at) =>
      commit(`i${at}`, [at === 0 ? 'b' : `i${at - 1}`], at % 2 === 0 ? { run: run() } : {}),
    );
    const history = [
      commit('b', ['a'], { run: run() }),
      ...inner,
      commit('m', ['b', 'i1999'], { run: run() }),
      commit('n', ['m'], { run: run() }),
    ];
    const { plan } = planReplay(request(history));
    const runs = plan.steps.filter(({ action }) => action === 'run').map(({ commit: name }) => name);
    expect(runs).toStrictEqual([id('b'), id('m'), id('n')]);
    expect(plan.steps).toHaveLength(2003);
    expect(new Set(plan.steps.slice(1, 2001).map(({ reason }) => reason))).toStrictEqual(
      new Set([`is part of the run ${id('m').slice(0, 7)}`]),
    );
  });

  test('of a run inside a run belong to the outermost', () => {
    const history = [
      commit('b', ['a'], { run: run() }),
      commit('x', ['b']),
      commit('y', ['x'], { run: run() }),
      commit('inner', ['x', 'y'], { run: run() }),
      commit('z', ['inner']),
      commit('outer', ['b', 'z'], { run: run() }),
    ];
    const { plan } = planReplay(request(history));
    expect(plan.steps.map(({ action }) => action)).toStrictEqual(['run', 'skip', 'skip', 'skip', 'skip', 'run']);
    for (const step of plan.steps.slice(1, 5))
      expect(step.reason).toBe(`is part of the run ${id('outer').slice(0, 7)}`);
  });

  test('are those that only the second parent leads to, in any graph', () => {
    // Each number says which earlier commits are the parents, and whether there is a record.
    const shapes = fc.array(fc.tuple(fc.nat(40), fc.nat(40), fc.boolean(), fc.boolean()), {
      minLength: 1,
      maxLength: 40,
    });
    fc.assert(
      fc.property(shapes, (shape) => {
        const history: HistoryCommit[] = [commit('0', ['below'])];
        for (const [first, second, merges, records] of shape) {
          const at = history.length;
          const parents = [first % at, second % at].map(String);
          const both = merges && parents[0] !== parents[1] ? parents : parents.slice(0, 1);
          history.push(commit(String(at), both, records ? { run: run() } : {}));
        }
        const ancestors = new Map<string, Set<string>>();
        for (const { commit: name, parents } of history)
          ancestors.set(name, new Set([name, ...parents.flatMap((parent) => [...(ancestors.get(parent) ?? [])])]));
        const inside = new Map<string, string>();
        for (const { commit: name, parents, run: recorded } of history.toReversed()) {
          const [first, second] = parents;
          if (!recorded || second === undefined || inside.has(name)) continue;
          const outer = ancestors.get(first as string);
          for (const one of ancestors.get(second) ?? []) if (!outer?.has(one)) inside.set(one, name);
        }
        if (!history.some((one) => one.run !== null)) return;
        const { plan } = planReplay(request(history, { range: range(true) }));
        expect(plan.steps).toHaveLength(history.length);
        for (const [at, step] of plan.steps.entries()) {
          const owner = inside.get(step.commit);
          const { run: recorded, parents } = history[at] as HistoryCommit;
          expect(step.action).toBe(
            owner !== undefined ? 'skip' : recorded ? 'run' : parents.length > 1 ? 'merge' : 'skip-or-pick',
          );
          if (owner !== undefined) expect(step.reason).toBe(`is part of the run ${owner.slice(0, 7)}`);
        }
      }),
    );
  });
});

describe('where a plan begins', () => {
  const history = [commit('c', ['b'], { run: run() }), commit('d', ['c'], { run: run() })];

  test('on top of what is there, unless the user says otherwise', () => {
    const { plan } = planReplay(request(history));
    expect(plan.checkout).toBeNull();
    expect(plan.start).toStrictEqual({ ref: 'refs/heads/main', commit: id('d') });
  });

  test('at a commit, at the parent of the first run, or on a new branch', () => {
    const checkout = (more: Partial<PlanRequest>) => planReplay(request(history, more)).plan.checkout;
    expect(checkout({ onto: id('z') })).toStrictEqual({ commit: id('z'), branch: null });
    expect(checkout({ onto: '' })).toStrictEqual({ commit: id('b'), branch: null });
    expect(checkout({ branch: 'check' })).toStrictEqual({ commit: id('d'), branch: 'check' });
    expect(checkout({ onto: '', branch: 'check' })).toStrictEqual({ commit: id('b'), branch: 'check' });
  });

  test('a blank commit is the parent of the first record that can be executed', () => {
    const odd = [commit('root', [], { run: run() }), commit('b', ['root']), ...history];
    const more = { onto: '', range: range(true) };
    expect(planReplay(request(odd, more)).plan.checkout).toStrictEqual({ commit: id('b'), branch: null });
  });
});

describe('records that would work outside the dataset', () => {
  const refusal = (fields: Record<string, unknown>) => {
    const { plan } = planReplay(
      request([commit('b', ['a'], { run: run() }), commit('c', ['b'], { run: run(fields) })]),
    );
    return thrown(() => assertPathsInside(plan, '/data/set'));
  };
  const outside: readonly Record<string, unknown>[] = [
    { pwd: '..' },
    { pwd: '../set2' },
    { pwd: '/' },
    { pwd: '/data' },
    { pwd: '/data/setting' },
    { pwd: 'a/../..' },
    { inputs: ['fine', '../x'] },
    { inputs: ['/etc/passwd'] },
    { outputs: ['*/../../x'] },
    { outputs: ['..'] },
    { extra_inputs: ['/data/set/../image'] },
    { pwd: 'a', inputs: ['../../x'] },
    { pwd: '.git' },
    { pwd: 'sub/.git/hooks' },
    { outputs: ['.git/hooks/pre-commit'] },
    { inputs: ['.git/*'] },
    { outputs: ['sub/.git/config'] },
    { outputs: ['/data/set/.git/config'] },
  ];

  test.each(outside.map((fields) => [JSON.stringify(fields), fields]))('%s is refused', (_, fields) => {
    const error = refusal(fields);
    expect(error.code).toBe('path-outside');
    expect(error.message).toContain(id('c'));
    const named = String(error.data?.['path']);
    expect(JSON.stringify(fields)).toContain(JSON.stringify(named));
  });

  test('what only looks like it is not', () => {
    const inside: readonly Record<string, unknown>[] = [
      { pwd: '/data/set/sub' },
      { pwd: 'a', inputs: ['../b', '/data/set/c'] },
      { outputs: ['..a', 'b/..c', '...', '.gitattributes', 'x.git/y', '.github/z'] },
      { pwd: 'a/..' },
      { inputs: ['/data/set'] },
    ];
    for (const fields of inside) {
      const { plan } = planReplay(request([commit('b', ['a'], { run: run(fields) })]));
      expect(() => assertPathsInside(plan, '/data/set')).not.toThrow();
    }
  });

  test('those that will not be executed do not matter', () => {
    const foreign = run({ dsid: 'another', pwd: '../../..' });
    const { plan } = planReplay(request([commit('b', ['a'], { run: run() }), commit('c', ['b'], { run: foreign })]));
    expect(() => assertPathsInside(plan, '/data/set')).not.toThrow();
  });
});

test('a plan keeps to its schema, and carries records as they are', () => {
  const record = { cmd: 'true', dsid: DSID, weather: { today: 'fine' }, outputs: ['o{'], chain: [id('gone')] };
  const history = [
    commit('b', ['a'], { run: { ...run(record), sidecar: '5f290e097f5a98051e40a7059b643681' } }),
    commit('s', ['a']),
    commit('m', ['b', 's']),
  ];
  const { plan } = planReplay(request(history, { branch: 'x', message: 'again' }));
  expect(problemsOfReplayPlan(plan)).toStrictEqual([]);
  expect(plan.steps[0]?.run?.record).toMatchObject(record);
  expect(plan.steps[0]?.run?.sidecar).toBe('5f290e097f5a98051e40a7059b643681');
  expect(plan.message).toBe('again');
});

test('100,000 commits with 10,000 records: each is decided, none is lost', () => {
  const history: HistoryCommit[] = [];
  const recorded = run();
  for (let at = 0; at < 100_000; at += 1) {
    // Every 50th commit merges what its run has committed itself.
    const parents = at % 50 === 49 ? [`${at - 3}`, `${at - 1}`] : [`${at - 1}`];
    history.push(commit(`${at}`, parents, at % 10 === 9 ? { run: recorded } : {}));
  }
  const { plan, warnings } = planReplay(request(history, { range: range(true) }));
  const count = (action: string) => plan.steps.filter((step) => step.action === action).length;
  expect(warnings).toStrictEqual([]);
  expect(plan.steps).toHaveLength(100_000);
  expect(count('run')).toBe(10_000);
  expect(count('skip')).toBe(2 * 2000);
  expect(count('skip-or-pick')).toBe(86_000);
});
