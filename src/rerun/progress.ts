/**
 * How far a rerun has come: kept in the Git directory, so that it can be continued or undone after any stop.
 *
 * `progress.jsonl` gets a line when a step begins, when it is done, and before anything in between that a kill could leave in the middle;
 * `judgements.jsonl` one for each replayed run. A line that was cut off by a kill counts as not written.
 */
import { appendFileSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { readOrNull } from '../sys/files.ts';
import type { Judgement } from './judge.ts';
import { type Kept, rerunFolder } from './kept.ts';

/** What is known of the way so far. */
export interface Progress {
  /** Position of the step that is next, or was begun. */
  readonly at: number;
  /** Whether that step was begun. */
  readonly begun: boolean;
  /** Whether the work tree, which was clean, was about to be changed by Git. */
  readonly changing: boolean;
  /** The commit that the next step follows. */
  readonly head: string;
  /** Where the rerun has put HEAD: what the step is built on. */
  readonly place: string;
  /** Where it was about to put HEAD. */
  readonly heading: string | null;
  /** Commits of the old history -> those that took their place. */
  readonly replaced: ReadonlyMap<string, string>;
  /** What a step beside the branch is to be built on, instead of what it was recorded on. */
  readonly onto: string | null;
  /** What a step beside the branch has made, and is still to be joined. */
  readonly made: string | null;
  /** How many runs were executed. */
  readonly executed: number;
}

type Line =
  | { readonly begin: number; readonly head: string }
  | { readonly changing: boolean; readonly place?: string }
  | { readonly base: readonly [old: string, now: string] }
  | { readonly followed: readonly [place: string, commit: string] }
  | { readonly onto: string }
  | { readonly made: string }
  | {
      readonly done: number;
      readonly head: string;
      readonly replaced: readonly (readonly [string, string])[];
      readonly ran: boolean;
    };

/** Takes away what a kill has left of lines, so that the next ones do not become part of them. */
export function cutHalfLines(gitDir: string): void {
  for (const name of ['progress.jsonl', 'judgements.jsonl']) {
    const path = join(rerunFolder(gitDir), name);
    const bytes = readOrNull(path);
    if (bytes !== null && bytes.at(-1) !== 10) truncateSync(path, bytes.lastIndexOf(10) + 1);
  }
}

/** Keeps what came out of a step. */
export function noteJudgement(gitDir: string, judgement: Judgement): void {
  append(gitDir, judgement, 'judgements.jsonl');
}

/** What came out of the steps so far, one for each run commit: the last word counts. */
export function readJudgements(gitDir: string): readonly Judgement[] {
  const all = readLines(gitDir, 'judgements.jsonl') as readonly Judgement[];
  return [...new Map(all.map((judgement) => [judgement.commit, judgement])).values()];
}

/** Notes that a step begins. */
export function noteBegin(gitDir: string, at: number, head: string): void {
  append(gitDir, { begin: at, head });
}

/** Notes that Git is about to change the work tree, which is clean, or has done so; `place` is where HEAD is put by that. */
export function noteChanging(gitDir: string, changing: boolean, place?: string): void {
  append(gitDir, { changing, ...(place === undefined ? {} : { place }) });
}

/** Notes that a commit of the old history has another in its place from now on, although no step made that. */
export function noteBase(gitDir: string, old: string, now: string): void {
  append(gitDir, { base: [old, now] });
}

/** Notes that somebody has committed on top of where the rerun stopped, and that it goes on from there. */
export function noteFollowed(gitDir: string, place: string, commit: string): void {
  append(gitDir, { followed: [place, commit] });
}

/** Notes the same of a step beside the branch. */
export function noteOnto(gitDir: string, commit: string): void {
  append(gitDir, { onto: commit });
}

/** Notes what a step beside the branch has made. */
export function noteMade(gitDir: string, commit: string): void {
  append(gitDir, { made: commit });
}

/** Notes that a step is done, what took the place of what, and where HEAD is now. */
export function noteDone(
  gitDir: string,
  done: number,
  outcome: { readonly head: string; readonly replaced: readonly (readonly [string, string])[]; readonly ran: boolean },
): void {
  append(gitDir, { done, ...outcome });
}

function append(gitDir: string, line: Line | Judgement, name = 'progress.jsonl'): void {
  // Beginning a line of its own, whatever an earlier process was killed in the middle of.
  appendFileSync(join(rerunFolder(gitDir), name), `\n${JSON.stringify(line)}\n`);
}

/** The lines of a file that were written completely. */
function readLines(gitDir: string, name: string): readonly unknown[] {
  const text = readOrNull(join(rerunFolder(gitDir), name))?.toString('utf8') ?? '';
  return text.split('\n').flatMap((line) => {
    try {
      return [JSON.parse(line) as unknown];
    } catch {
      return [];
    }
  });
}

/** Reads how far a kept rerun has come. */
export function readProgress(gitDir: string, kept: Kept): Progress {
  const head = kept.plan.checkout?.commit ?? kept.refs[0]?.[1] ?? kept.plan.start.commit;
  const first: Way = { ...atRest(head), at: 0, begun: false, executed: 0 };
  const replaced = new Map<string, string>();
  const lines = readLines(gitDir, 'progress.jsonl') as readonly Line[];
  return { ...lines.reduce<Way>((before, line) => afterLine(before, line, replaced), first), replaced };
}

/** All but what took the place of what, which grows with every line. */
type Way = Omit<Progress, 'replaced'>;

/** Between two steps. */
function atRest(head: string): Omit<Way, 'at' | 'begun' | 'executed'> {
  return { changing: false, head, place: head, heading: null, onto: null, made: null };
}

function afterLine(before: Way, line: Line, replaced: Map<string, string>): Way {
  if ('onto' in line || 'made' in line) return { ...before, ...line };
  if ('changing' in line) {
    const { changing, place } = line;
    return changing
      ? { ...before, changing, heading: place ?? null }
      : { ...before, changing, heading: null, place: place ?? before.place };
  }
  if ('base' in line) {
    replaced.set(...line.base);
    return before;
  }
  if ('followed' in line) {
    const [place, commit] = line.followed;
    for (const [old, now] of replaced) if (now === place) replaced.set(old, commit);
    replaced.set(place, commit);
    const moved = (at: string) => (at === place ? commit : at);
    return { ...before, head: moved(before.head), place: moved(before.place) };
  }
  const rest = atRest(line.head);
  if ('begin' in line) return { ...before, ...rest, at: line.begin, begun: true };
  for (const [old, now] of line.replaced) replaced.set(old, now);
  return { ...rest, at: line.done + 1, begun: false, executed: before.executed + (line.ran ? 1 : 0) };
}
