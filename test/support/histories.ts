/**
 * Histories described as values, and how one is made: each commit is named, and its name is a tag; `base` is the ground's last commit.
 *
 * `{ name: 'c', on: ['a'], run: 'echo bar > bar' }` is what the drawings of DataLad's own tests call `c_r`.
 */
import type { Finished } from './twins-datalad.ts';

/** Who records a run. */
export type Recorder = 'ours' | 'datalad' | 'datalad-latest';

interface Placed {
  readonly name: string;
  /** Names of the parents: the commit before this one when absent; none, for a root with the files of `base`, when empty. */
  readonly on?: readonly string[];
}

export type HistoryCommit = Placed &
  (
    | {
        /** A command that is run and recorded; one that commits itself makes a run-merge. */
        readonly run: string;
        /** Options of `run`. */
        readonly options?: readonly string[];
        readonly by?: Recorder;
        /** Folder of the dataset in which it is run. */
        readonly in?: string;
      }
    /** A plain commit of files in Git; null deletes. Two parents or more make a merge. */
    | { readonly files: Readonly<Record<string, string | null>> }
    | { readonly merge: true }
    /** Shell lines in the root of the dataset that commit by other ways; `$NAME` is the name. */
    | { readonly sh: string }
  );

/**
 * With an annex, no plain file has the size of an annexed one: where git-annex knows files by size and time only, as in a copy that is not settled
 * (`copy-tree.ts`), it takes a plain one that was written in the same second for the annexed one.
 */
export interface History {
  readonly base: keyof typeof grounds;
  readonly commits: readonly HistoryCommit[];
  /** Branches besides `main`, by name: the commit that each is at. */
  readonly branches?: Readonly<Record<string, string>>;
  /** The commit that `main` is at; the last one when absent. */
  readonly main?: string;
  /** Shell lines in the root of the dataset when all is there: content dropped, files changed. */
  readonly after?: string;
}

/** What histories start from: shell lines, run in an empty folder, with `$REPRISE` for our command. The dataset is `ds`. */
export const grounds = {
  /** `git add` is for Git: git-annex's filter would else take a plain file that Git looks at twice in one second. */
  annex: '$REPRISE create ds; git -C ds config annex.gitaddtoannex false',
  git: '$REPRISE create --no-annex ds',
  text: '$REPRISE create -c text2git ds',
  /** A dataset with a subdataset `sub`. */
  nested: '$REPRISE create ds; cd ds; $REPRISE create -d . sub',
} as const;

/** What making a history needs from outside. */
export interface Maker {
  /** Runs shell lines in a folder; throws unless they exit 0. */
  readonly shell: (line: string, cwd: string, env: Record<string, string>) => Promise<void>;
  readonly record: (
    by: Recorder,
    args: readonly string[],
    cwd: string,
    env: Record<string, string>,
  ) => Promise<Finished>;
}

/** Makes the commits of a history in the dataset `repo`, which is as its ground left it. */
export async function makeHistory(history: History, repo: string, maker: Maker): Promise<void> {
  await maker.shell('git checkout -q --detach; git tag base', repo, {});
  let at = 'base';
  let minute = 0;
  for (const commit of history.commits) {
    const date = new Date(Date.UTC(2026, 0, 2, 3, ++minute)).toISOString();
    const env = { GIT_AUTHOR_DATE: date, GIT_COMMITTER_DATE: date, NAME: commit.name };
    const parents = commit.on ?? [at];
    await maker.shell(`${placing(parents, at)}${making(commit, parents)}`, repo, env);
    if ('run' in commit) await recordRun(commit, repo, maker, env);
    await maker.shell('git tag "$NAME"', repo, env);
    at = commit.name;
  }
  const branches = Object.entries(history.branches ?? {}).map(([branch, name]) => `git branch -q ${branch} ${name}`);
  const main = [`git checkout -q -B main ${history.main ?? at}`];
  await maker.shell([...branches, ...main, history.after ?? ''].join('\n'), repo, {});
}

/** Shell lines after which HEAD is where the commit belongs. */
function placing(parents: readonly string[], at: string): string {
  const [first] = parents;
  if (first === undefined) return 'git checkout -q --detach base\ngit checkout -q --orphan "$NAME-root"\n';
  return first === at ? '' : `git checkout -q --detach ${quoted(first)}\n`;
}

function making(commit: HistoryCommit, parents: readonly string[]): string {
  if ('run' in commit) return '';
  if ('sh' in commit) return commit.sh;
  const others = parents.slice(1).map(quoted).join(' ');
  if ('merge' in commit) return `git merge -q --no-ff --allow-unrelated-histories -m "$NAME" ${others}`;
  const files = Object.entries(commit.files).map(([path, content]) =>
    content === null
      ? `git rm -q ${quoted(path)}`
      : `mkdir -p "$(dirname ${quoted(path)})"; printf %s ${quoted(content)} > ${quoted(path)}; git add ${quoted(path)}`,
  );
  return `${files.join('\n')}\ngit commit -q --allow-empty -m "$NAME"`;
}

async function recordRun(
  commit: Extract<HistoryCommit, { run: string }>,
  repo: string,
  maker: Maker,
  env: Record<string, string>,
): Promise<void> {
  const args = ['run', ...(commit.options ?? []), commit.run];
  const cwd = commit.in === undefined ? repo : `${repo}/${commit.in}`;
  const done = await maker.record(commit.by ?? 'ours', args, cwd, env);
  if (done.code !== 0) throw new Error(`${commit.name}: ${args.join(' ')} exited ${done.code}\n${done.stderr}`);
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
