/**
 * The states that recorded runs started from, as replays in workspaces need them: subdatasets at the commits of that time, and the content of
 * what was read. Found in Git's trees; nothing is checked out.
 */
import { join, posix } from 'node:path';
import { compareCodePoints } from '../core/bytes.ts';
import type { Result } from '../core/result.ts';
import { bringCommit } from '../dataset/bring-commit.ts';
import { objectFile } from '../dataset/presence.ts';
import { hasCommit } from '../dataset/refs.ts';
import { git, type Repo } from '../dataset/repo.ts';
import { isSafePath, parseModules } from '../dataset/subdatasets.ts';
import { reaches } from '../run/globs.ts';
import { recordOf } from './plan.ts';
import type { PlanStep } from './replay-plan.gen.ts';
import { compareSpec, type Difference, type Forest } from './stale-compare.ts';
import { patternOf, placesOf, type Spec, specsOf } from './stale-specs.ts';
import type { Trees } from './stale-trees.ts';

/** What a record needs of the commit that it started from. */
export interface RecordedState {
  readonly commit: string;
  /** What it reads. */
  readonly files: readonly Spec[];
  /** Where it works and writes. */
  readonly places: readonly Spec[];
}

/** The state that the record of a step started from. @param root absolute path of the dataset */
export function recordedState(step: PlanStep, root: string): RecordedState {
  const record = recordOf(step);
  const files = specsOf(record, root).filter(({ role }) => role !== 'code');
  return { commit: step.parents[0] as string, files, places: placesOf(record, root) };
}

/** States that are looked at together. */
const AT_ONCE = 256;

/** A commit of a dataset or subdataset, and the patterns (from the top) that are looked for in it. */
interface Visit {
  /** Path of the subdataset; empty for the top. */
  readonly path: string;
  readonly commit: string;
  readonly patterns: ReadonlySet<string>;
}

/**
 * Makes sure that the subdatasets that records reach into have the commits of that time, at any depth.
 *
 * @param known absolute paths of subdatasets about which has been reported already that they are not here
 * @returns results for the commits that had to be fetched, and for what cannot be had
 */
export async function* bringSubdatasets(
  forest: Forest,
  states: readonly RecordedState[],
  { known, dryRun }: { readonly known: ReadonlySet<string>; readonly dryRun: boolean },
): AsyncGenerator<Result> {
  const { root } = forest.top.repo;
  const modules = moduleReader();
  const tops = states.map(({ commit, files, places }): Visit => {
    return { path: '', commit, patterns: new Set([...files, ...places].map(patternOf)) };
  });
  for (let level = merged(tops); level.length > 0; ) {
    const reached: Visit[] = [];
    for (let from = 0; from < level.length; from += AT_ONCE) {
      const visits = level.slice(from, from + AT_ONCE).map((visit) => reachedFrom(forest, visit, modules));
      reached.push(...(await Promise.all(visits)).flat());
    }
    level = [];
    for (const visit of merged(reached)) {
      const repo = forest.at(visit.path)?.repo ?? null;
      const result = { path: join(root, visit.path), type: 'dataset', refds: root } as const;
      const name = visit.commit.slice(0, 7);
      if (repo === null) {
        const message = `at ${name} when a run was recorded, but no part of the dataset any more`;
        if (!known.has(result.path)) yield { ...result, action: 'install', status: 'impossible', message };
      } else if (await hasCommit(repo, visit.commit)) {
        level.push(visit);
      } else if (dryRun) {
        yield { ...result, action: 'fetch [dry-run]', status: 'ok', message: `the recorded commit ${name}` };
      } else if (await bringCommit(repo, visit.commit)) {
        level.push(visit);
        yield { ...result, action: 'fetch', status: 'ok', message: `the recorded commit ${name}` };
      } else {
        yield {
          ...result,
          action: 'fetch',
          status: 'error',
          message: `the recorded commit ${name} cannot be had from origin`,
        };
      }
    }
  }
}

/** One visit for each commit of each dataset. */
function merged(visits: readonly Visit[]): Visit[] {
  const groups = new Map<string, Visit>();
  for (const visit of visits) {
    const id = `${visit.commit} ${visit.path}`;
    const before = groups.get(id);
    groups.set(id, before ? { ...visit, patterns: new Set([...before.patterns, ...visit.patterns]) } : visit);
  }
  return [...groups.values()];
}

type Modules = (repo: Repo, blob: string) => Promise<readonly string[]>;

/** The subdatasets of a commit that one of the patterns can reach into, as a run installs them. */
async function reachedFrom(
  forest: Forest,
  { path, commit, patterns }: Visit,
  modules: Modules,
): Promise<readonly Visit[]> {
  const trees = forest.at(path);
  const file = trees && (await trees.resolve(commit, '.gitmodules'));
  if (!file) return [];
  const found = (await modules(trees.repo, file.sha)).map(async (own): Promise<readonly Visit[]> => {
    const sub = posix.join(path, own);
    const reaching = [...patterns].filter((pattern) => reaches(pattern, sub));
    const sha = reaching.length === 0 ? null : await gitlinkAt(trees, commit, own);
    return sha === null ? [] : [{ path: sub, commit: sha, patterns: new Set(reaching) }];
  });
  return (await Promise.all(found)).flat();
}

/** Reads the paths that a `.gitmodules` names; each version of the file is read once. */
function moduleReader(): Modules {
  const known = new Map<string, Promise<readonly string[]>>();
  const read = async (repo: Repo, blob: string) => {
    const listed = await git(repo, ['config', '-z', '--no-includes', '--blob', blob, '--list']);
    const paths = parseModules(listed.stdout).map(({ properties }) => properties.get('path') ?? '');
    // A line break cannot be asked for (`Trees.resolve`).
    return [...new Set(paths)].filter((path) => isSafePath(path) && !path.includes('\n'));
  };
  return (repo, blob) => {
    const paths = known.get(blob) ?? read(repo, blob);
    known.set(blob, paths);
    return paths;
  };
}

async function gitlinkAt(trees: Trees, commit: string, path: string): Promise<string | null> {
  const folder = await trees.resolve(commit, path.includes('/') ? posix.dirname(path) : '');
  const entry = folder?.mode === '40000' ? (await trees.tree(folder.sha)).get(posix.basename(path)) : undefined;
  return entry?.mode === '160000' ? entry.sha : null;
}

/** Content of recorded states that is not here. */
export interface AbsentContent {
  readonly repo: Repo;
  /** Keys, each with the path (relative to the root of `repo`) that had it. */
  readonly keys: ReadonlyMap<string, string>;
}

/** The content of what was read that is not here, by repository, in the order of paths. */
export async function absentContent(
  forest: Forest,
  states: readonly RecordedState[],
): Promise<readonly AbsentContent[]> {
  const { root } = forest.top.repo;
  const absent = new Map<string, { readonly repo: Repo; readonly keys: Map<string, string> }>();
  const found = async ({ path, repo, now }: Difference): Promise<boolean> => {
    const key = now?.startsWith('annex:') ? now.slice('annex:'.length) : null;
    if (key === null || objectFile(repo, key) !== null) return true;
    const group = absent.get(repo.root) ?? { repo, keys: new Map<string, string>() };
    absent.set(repo.root, group);
    const own = join(root, path).slice(repo.root.length + 1);
    const before = group.keys.get(key);
    // Several are looked for at once: which is found first must not show.
    if (before === undefined || compareCodePoints(own, before) < 0) group.keys.set(key, own);
    return true;
  };
  const wanted = new Map(
    states.flatMap(({ commit, files }) => files.map((spec) => [`${commit} ${patternOf(spec)}`, { commit, spec }])),
  );
  const all = [...wanted.values()];
  for (let from = 0; from < all.length; from += AT_ONCE) {
    const asked = all.slice(from, from + AT_ONCE).map(({ commit, spec }) => {
      return compareSpec({ forest, base: null, head: commit, found }, spec);
    });
    await Promise.all(asked);
  }
  return [...absent.values()]
    .sort((a, b) => compareCodePoints(a.repo.root, b.repo.root))
    .map(({ repo, keys }) => ({ repo, keys: new Map([...keys].sort(([, a], [, b]) => compareCodePoints(a, b))) }));
}
