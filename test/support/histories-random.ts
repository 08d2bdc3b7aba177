/**
 * Random histories of runs, plain commits and merges, and random reruns of them.
 *
 * Both are values that shrink: a history to a short line of commits, a rerun to `rerun --since=`.
 */
import { fc } from './random.ts';
import type { History, HistoryCommit } from './histories.ts';

/** A commit before it is known what it can stand on: numbers say how far back its parents are. */
interface Draft {
  readonly kind: 'static' | 'growing' | 'reading' | 'appending' | 'plain' | 'merge';
  readonly back: number;
  readonly other: number;
  readonly declared: boolean;
}

const draft: fc.Arbitrary<Draft> = fc.record({
  kind: fc.oneof(
    { weight: 3, arbitrary: fc.constantFrom('static', 'growing') },
    { weight: 3, arbitrary: fc.constant('merge') },
    { weight: 3, arbitrary: fc.constantFrom('plain', 'reading', 'appending') },
  ),
  back: fc.oneof({ weight: 1, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.nat(4) }),
  other: fc.nat(4),
  declared: fc.boolean(),
});

/** What is asked, in the names of the history's commits. */
export interface Asked {
  readonly revision: string | undefined;
  readonly since: string | undefined;
  readonly onto: string | undefined;
  readonly branch: boolean;
  /** The commit at which HEAD is detached before; the tip of `main` when absent. */
  readonly from: string | undefined;
}

export interface Case {
  readonly history: History;
  readonly asked: Asked;
}

export const someCase: fc.Arbitrary<Case> = fc
  .record({
    base: fc.constantFrom<History['base']>('git', 'annex'),
    drafts: fc.array(draft, { minLength: 3, maxLength: 8 }),
  })
  .map(({ base, drafts }): History => ({ base, commits: commitsOf(drafts) }))
  .chain((history) => {
    const name = fc.constantFrom(...history.commits.map((commit) => commit.name).reverse());
    const often = fc.option(fc.oneof(fc.constant(''), name), { nil: undefined });
    const rarely = fc.oneof({ weight: 3, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: name });
    return fc.record({
      history: fc.constant(history),
      asked: fc.record({
        revision: rarely,
        since: fc.oneof({ weight: 3, arbitrary: fc.constant('') }, { weight: 3, arbitrary: often }),
        onto: often,
        branch: fc.boolean(),
        from: rarely,
      }),
    });
  })
  .filter(({ history, asked }) => whyNotCompared(history, asked) === null);

/** Every commit writes a file of its own, so that merges have no conflicts; one may append to the file of a run that it follows. */
function commitsOf(drafts: readonly Draft[]): readonly HistoryCommit[] {
  const commits: HistoryCommit[] = [];
  const parents = new Map<string, readonly string[]>([['base', []]]);
  const appended = new Set<string>();
  for (const { kind, back, other, declared } of drafts) {
    const name = `c${commits.length}`;
    const names = [...parents.keys()];
    const on = names[Math.max(0, names.length - 1 - back)] as string;
    const past = ancestors(parents, on);
    const aside = names.filter((known) => !past.has(known));
    const side = aside[aside.length - 1 - (other % Math.max(1, aside.length))];
    const own = (command: string): HistoryCommit => ({
      name,
      on: [on],
      run: command,
      ...(declared && { options: ['-o', `f-${name}`] }),
    });
    const grown = [...past].find(
      (known) =>
        !appended.has(known) &&
        commits.some((made) => made.name === known && 'run' in made && made.run.endsWith(`f-${known}`)),
    );
    let commit: HistoryCommit;
    if (kind === 'merge' && side !== undefined) commit = { name, on: [on, side], merge: true };
    else if (kind === 'static') commit = own(`echo ${name} > f-${name}`);
    else if (kind === 'reading') commit = own(`cat f-* > r-${name}; echo > f-${name}`);
    else if (kind === 'appending' && grown !== undefined) {
      appended.add(grown);
      commit = { name, on: [on], run: `echo ${name} >> f-${grown}`, options: ['-o', `f-${grown}`] };
    } else if (kind === 'growing' || kind === 'appending') commit = own(`echo ${name} >> f-${name}`);
    else commit = { name, on: [on], files: { [`p-${name}`]: plainText(name) } };
    commits.push(commit);
    parents.set(name, commit.on ?? []);
  }
  return commits;
}

/** Longer than what any command writes; see `History`. */
function plainText(name: string): string {
  return name.padEnd(500, '.');
}

type Parents = ReadonlyMap<string, readonly string[]>;

/** A commit and all that it follows. */
function ancestors(parents: Parents, of: string): ReadonlySet<string> {
  const found = new Set([of]);
  for (const name of found) for (const parent of parents.get(name) ?? []) found.add(parent);
  return found;
}

/** The commits that are asked for, as `git log --reverse --topo-order` tells them. */
function rangeOf(parents: Parents, tip: string, since: string | undefined): readonly string[] {
  const left = since === undefined ? new Set(ancestors(parents, tip)) : ancestors(parents, tip);
  const without =
    since === undefined
      ? ancestors(parents, (parents.get(tip) as readonly string[])[0] ?? '')
      : since === ''
        ? new Set<string>()
        : ancestors(parents, since);
  const inside = new Set([...left].filter((name) => !without.has(name)));
  const waiting = new Map<string, number>();
  for (const name of inside)
    for (const parent of parents.get(name) ?? []) waiting.set(parent, (waiting.get(parent) ?? 0) + 1);
  const order: string[] = [];
  const stack = inside.has(tip) ? [tip] : [];
  for (let name = stack.pop(); name !== undefined; name = stack.pop()) {
    order.unshift(name);
    for (const parent of parents.get(name) ?? []) {
      waiting.set(parent, (waiting.get(parent) ?? 0) - 1);
      if (waiting.get(parent) === 0 && inside.has(parent)) stack.push(parent);
    }
  }
  return order;
}

/**
 * Why a rerun is not compared with DataLad: one sentence of the behaviour page's list on what DataLad does wrong there; null where it is right.
 *
 * Nothing but the shape of the history and the options decides.
 */
export function whyNotCompared(history: History, asked: Asked): string | null {
  const parents: Parents = new Map([['base', []], ...history.commits.map(({ name, on }) => [name, on ?? []] as const)]);
  const isRun = (name: string) => history.commits.some((commit) => commit.name === name && 'run' in commit);
  const tip = asked.revision ?? asked.from ?? history.commits.at(-1)?.name ?? 'base';
  const head = asked.from ?? history.commits.at(-1)?.name ?? 'base';
  const isMerge = (name: string) => (parents.get(name) as readonly string[]).length > 1;
  if (asked.since === undefined && isMerge(tip)) return 'S-21: a merge alone is not re-executed';
  const all = rangeOf(parents, tip, asked.since);
  const range = asked.since ? all : all.slice(Math.max(0, all.findIndex(isRun)));
  const [first] = range;
  if (first === undefined || !range.some(isRun)) return null;
  const parentOf = (name: string) => parents.get(name)?.[0];
  const parent = parentOf(first);
  const isBelow = (commit: string, of: string | undefined) => of !== undefined && ancestors(parents, of).has(commit);
  const start =
    asked.onto === undefined ? head : asked.onto === '' ? parentOf(range.find(isRun) as string) : asked.onto;
  // DataLad checks such a merge out and goes on as if HEAD had stayed: what was picked just before is lost, or what follows lands on the merge.
  const grows = (name: string) =>
    history.commits.some((one) => one.name === name && 'run' in one && one.run.includes('>>'));
  const mayMove = (name: string) => isRun(name) && (grows(name) || !isBelow(name, start));
  const keepsParents = (name: string) => isMerge(name) && ![...ancestors(parents, name)].some(mayMove);
  if (asked.onto !== undefined && range.some(keepsParents)) return 'S-01: commits are lost behind a merge that is kept';
  if (asked.onto === undefined && !asked.branch) {
    if (isBelow(tip, head)) return null;
    if (range.some(isMerge)) return 'S-01: the branch is moved to the merge, and loses what it had';
    return range.some((name) => isBelow(head, parentOf(name))) ? 'S-12: HEAD is left for the old parent' : null;
  }
  if (parent === start) return null;
  if (isMerge(first)) return 'S-12: a merge that comes first stays where it was';
  return isBelow(start as string, parent) ? 'S-12: --onto is ignored' : null;
}

/** The command line of what is asked. */
export function argumentsOf({ revision, since, onto, branch }: Asked): readonly string[] {
  return [
    ...(revision === undefined ? [] : [revision]),
    ...(since === undefined ? [] : [`--since=${since}`]),
    ...(onto === undefined ? [] : [`--onto=${onto}`]),
    ...(branch ? ['--branch=replayed'] : []),
  ];
}
