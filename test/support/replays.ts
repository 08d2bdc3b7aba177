/** Histories to be rerun, records that nobody of us has written, and what a rerun says and leaves. */
import { cpSync, existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { settleIn } from './copy-tree.ts';
import { linesOfTree } from './work-tree.ts';
import type { Outcome, World } from './world.ts';

/** A copy of a dataset, with an index that Git need not refresh. */
export function copyOf(world: World, template: string, name: string): string {
  const copy = world.path(name);
  cpSync(template, copy, { recursive: true, verbatimSymlinks: true, preserveTimestamps: true });
  settleIn(copy);
  world.git(copy, 'status');
  return copy;
}

/** A copy that Git has not looked at: what a kill has left in it is as it was. */
export function untouchedCopyOf(world: World, dataset: string, name: string): string {
  const copy = world.path(name);
  world.ok(['cp', '-aT', dataset, copy]);
  return copy;
}

/** A dataset in which a rerun was stopped, and what the rerun said. */
export interface Stopped {
  readonly dataset: string;
  readonly ended: Outcome;
}

/** Stops a rerun once for each list of its arguments, and gives out copies. */
export function copiesOfStopped(
  stop: (args: readonly string[]) => Stopped,
  copy: (dataset: string) => string,
): (args: readonly string[]) => Stopped {
  const known = new Map<string, Stopped>();
  return (args) => {
    const first = known.get(args.join(' ')) ?? stop(args);
    known.set(args.join(' '), first);
    const dataset = copy(first.dataset);
    // What it offers to be typed is meant for the copy.
    return { dataset, ended: { ...first.ended, stderr: first.ended.stderr.replaceAll(first.dataset, dataset) } };
  };
}

/** A message as DataLad lays it out, around anything at all. */
export function messageAround(body: string, message = 'a record'): string {
  return `[DATALAD RUNCMD] ${message}\n\n=== Do not change lines below ===\n${body}\n^^^ Do not change lines above ^^^\n`;
}

/** Commits what a shell line does with a message that is taken as it is; returns the commit. */
export function commitVerbatim(world: World, dataset: string, message: string | Buffer, line = 'true'): string {
  const script = [
    `( ${line}\n) </dev/null >&2`,
    'git -c annex.gitaddtoannex=false add -A',
    'git commit -q --allow-empty --no-verify --cleanup=verbatim -F -',
    'git rev-parse HEAD',
  ];
  return world.ok(['/bin/sh', '-ec', script.join('\n')], { cwd: dataset, input: message });
}

/** A commit that looks as if somebody's tool had recorded a run: the record is written as it is given. */
export function recordedBy(world: World, dataset: string, record: unknown, line?: string, message?: string): string {
  return commitVerbatim(world, dataset, messageAround(JSON.stringify(record, null, 1), message), line);
}

/** A result as `-f json` prints it. */
export type Printed = Readonly<Record<string, unknown>>;

/** The results that `reprise -f json` has printed. */
export function printed(outcome: Pick<Outcome, 'stdout'>): readonly Printed[] {
  return outcome.stdout
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as Printed);
}

/** `path verdict` of every output of every replayed run. */
export function verdictsOf(outcome: Pick<Outcome, 'stdout'>): readonly string[] {
  return printed(outcome)
    .filter((result) => result['action'] === 'compare')
    .flatMap((result) => result['outputs'] as readonly Printed[])
    .map((output) => `${String(output['path'])} ${String(output['verdict'])}`);
}

/** Attestations that a dataset keeps, oldest commit's first. */
export function attestationsIn(world: World, dataset: string): readonly Printed[] {
  const ref = 'refs/reprise/attestations';
  if (world.exec(['git', 'rev-parse', '--verify', '--quiet', ref], { cwd: dataset }).code !== 0) return [];
  const paths = world.git(dataset, 'ls-tree', '-r', '--name-only', ref).split('\n');
  return paths.map((path) => JSON.parse(world.git(dataset, 'cat-file', 'blob', `${ref}:${path}`)) as Printed);
}

/** Whether a rerun waits to be continued or aborted. */
export function isPending(dataset: string): boolean {
  return existsSync(join(dataset, '.git/reprise/rerun/request.json'));
}

/** Where a dataset is, as far as a rerun that is undone has to bring it back. */
export interface Place {
  readonly head: string;
  readonly commit: string;
  readonly branches: string;
  readonly staged: string;
  readonly status: string;
  readonly files: string;
}

/** Where content is stays known when a rerun is undone. */
const ANNEX_BRANCH = /^refs\/heads\/git-annex .*\n?/m;

/** Branches, index and work tree, without what merely tells when something was written. */
export function placeOf(world: World, dataset: string): Place {
  const status = world.git(dataset, 'status', '--porcelain=v2', '--branch', '--no-ahead-behind', '-uall', '--ignored');
  const heading = (name: string) => new RegExp(`^# branch\\.${name} (.*)$`, 'm').exec(status)?.[1] as string;
  return {
    head: heading('head'),
    commit: heading('oid'),
    branches: world
      .git(dataset, 'for-each-ref', '--format=%(refname) %(objectname)', 'refs/heads')
      .replace(ANNEX_BRANCH, ''),
    staged: world.git(dataset, 'ls-files', '--stage'),
    status,
    files: filesOf(dataset),
  };
}

/** Throws, with the lines that differ, unless two states are equal: to be seen where many cases fail in one test. */
export function assertSame(now: object, wanted: object): void {
  const linesOf = (state: object) =>
    Object.entries(state).flatMap(([key, value]) =>
      String(value)
        .split('\n')
        .map((line) => `${key}: ${line}`),
    );
  const [have, want] = [linesOf(now), linesOf(wanted)];
  const extra = have.filter((line) => !want.includes(line)).map((line) => `+ ${line}`);
  const missing = want.filter((line) => !have.includes(line)).map((line) => `- ${line}`);
  if (extra.length + missing.length > 0) throw new Error([...missing, ...extra].join('\n'));
}

/** Names, kinds, link targets and content of the work tree. */
export function filesOf(dataset: string): string {
  return linesOfTree(dataset, { modes: false }).join('\n');
}

/** Refs of work that was undone, and of work that was cut off. */
export function keptRefs(world: World, dataset: string): readonly string[] {
  const refs = ['refs/reprise/aborted', 'refs/reprise/unfinished'];
  const lines = world.git(dataset, 'for-each-ref', '--format=%(refname)', ...refs).split('\n');
  return lines.filter((line) => line !== '');
}

/** What no rerun may leave behind when it is done or undone. */
export function tracesIn(world: World, dataset: string): readonly string[] {
  const gitDir = join(dataset, '.git');
  const own = join(gitDir, 'reprise');
  const below = (folder: string) => (existsSync(folder) ? readdirSync(folder) : []);
  const files = [...below(gitDir), ...below(own)].filter((name) =>
    /lock|\.part$|^index\.|marks|\.break|^rerun$|CHERRY_PICK|MERGE_HEAD|sequencer/.test(name),
  );
  const refs = world.git(dataset, 'for-each-ref', '--format=%(refname)', 'refs/reprise/landing').split('\n');
  return [...files, ...below(join(own, 'runs')), ...refs.filter((ref) => ref !== '')];
}

/** The lines that a program offered to be typed next. */
export function hintsOf(outcome: Pick<Outcome, 'stderr'>): readonly string[] {
  return [...outcome.stderr.matchAll(/^hint: (.*)$/gm)].map((match) => match[1] as string);
}
