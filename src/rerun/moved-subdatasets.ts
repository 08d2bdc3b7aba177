/** Subdatasets that are not in the state in which a run found them: the replay in place will see what is there today. */
import { join } from 'node:path';
import { decodeName } from '../core/bytes.ts';
import { streamGit } from '../dataset/git-stream.ts';
import { installedHeads } from '../dataset/hierarchy.ts';
import type { Repo } from '../dataset/repo.ts';
import { readSubdatasets } from '../dataset/subdatasets.ts';
import { lstatOrNull } from '../sys/files.ts';
import { readChanges } from './changes.ts';
import type { ReplayPlan } from './replay-plan.gen.ts';

/** Warns, before anything is executed, of installed subdatasets whose commit differs from the recorded one. */
export async function warnOfMovedSubdatasets(repo: Repo, plan: ReplayPlan): Promise<void> {
  if (!lstatOrNull(join(repo.root, '.gitmodules'))) return;
  const heads = await installedHeads(repo);
  const paths = (await readSubdatasets(repo)).map(({ path }) => path).filter((path) => heads.has(path));
  if (paths.length === 0) return;
  const runs = plan.steps.filter(({ action }) => action === 'run');
  const start = plan.start.commit;
  const states = new Map(
    runs.map(({ parents }) => [parents[0] as string, { commit: parents[0] as string, parents: [start] }]),
  );
  // Recorded states against the present one: what does not differ is as it is in the present commit.
  const [differing, now] = await Promise.all([
    readChanges(repo, [...states.values()], paths),
    recordedHeads(repo, start, paths),
  ]);
  const moved = runs.flatMap((step) => {
    const then = new Map(differing.get(step.parents[0] as string)?.map(({ path, newSha }) => [path, newSha]));
    return paths.flatMap((path) => {
      const recorded = then.get(path) ?? now.get(path);
      return recorded !== undefined && !/^0+$/.test(recorded) && recorded !== heads.get(path)
        ? [{ step, path, recorded }]
        : [];
    });
  });
  if (moved.length === 0) return;
  // Each is named once, with the first run that found it elsewhere.
  const first = new Map(moved.toReversed().map((one) => [one.path, one]));
  const named = [...first.values()].toSorted((a, b) => (a.path < b.path ? -1 : 1));
  const said = named.slice(0, SHOWN).map(({ path, recorded, step }) => {
    const runs = moved.filter((one) => one.path === path).length;
    const others = runs === 1 ? '' : ` and ${runs - 1} more`;
    return `${path} is at ${short(heads.get(path))}, but was at ${short(recorded)} for ${short(step.commit)}${others}`;
  });
  const more = named.length > SHOWN ? [`and ${named.length - SHOWN} more subdatasets`] : [];
  const which = named.length === 1 ? 'a subdataset is not where it was' : 'subdatasets are not where they were';
  repo.context.emit({
    kind: 'warning',
    text: `${which} recorded, and commands get what is there now: ${[...said, ...more].join('; ')}`,
    hints: ['reprise rerun --workspace ...   # in the recorded state'],
  });
}

/** The commits of subdatasets that a commit records (git-ls-tree(1), "Output format"). */
async function recordedHeads(
  repo: Repo,
  commit: string,
  paths: readonly string[],
): Promise<ReadonlyMap<string, string>> {
  const heads = new Map<string, string>();
  await streamGit(repo, ['--literal-pathspecs', 'ls-tree', '-z', '--full-tree', commit, '--', ...paths], (entry) => {
    const [facts = '', path = ''] = decodeName(entry).split(/\t(.*)/s);
    const [, type, name = ''] = facts.split(' ');
    if (type === 'commit') heads.set(path, name);
  });
  return heads;
}

/** How many subdatasets are named. */
const SHOWN = 5;

function short(commit: string | null | undefined): string {
  return commit?.slice(0, 7) ?? 'no commit';
}
