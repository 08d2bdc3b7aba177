/** What differs between two states of a repository, for any number of pairs by one Git process. */
import { decodeName } from '../core/bytes.ts';
import { git, type Repo } from './repo.ts';

/** What a tree has at a path. */
export interface TreeEntry {
  /** Octal mode: 100644, 100755, 120000 (link) or 160000 (subdataset). */
  readonly mode: string;
  readonly sha: string;
}

export interface TreeDifference {
  readonly before: TreeEntry | null;
  readonly after: TreeEntry | null;
}

/** By path. */
export type TreeDifferences = ReadonlyMap<string, TreeDifference>;

const DIFF_TREE = ['diff-tree', '-r', '-z', '--no-renames', '--no-ext-diff', '--ignore-submodules=none'] as const;
const NONE: TreeDifferences = new Map();

/** The paths at which two commits or trees (full names) differ, with what each has there. */
export async function diffTrees(repo: Repo, from: string, to: string): Promise<TreeDifferences> {
  if (from === to) return NONE;
  return parseRaw((await git(repo, [...DIFF_TREE, from, to])).stdout).at(-1) ?? NONE;
}

/**
 * As `diffTrees`, for each of some pairs of commits.
 *
 * @param pairs full names of commits; null is a state that holds nothing
 */
export async function diffCommits<const Pairs extends readonly (readonly [from: string | null, to: string | null])[]>(
  repo: Repo,
  pairs: Pairs,
): Promise<{ readonly [At in keyof Pairs]: TreeDifferences }> {
  const asked = pairs.filter(([from, to]) => from !== null && to !== null && from !== to);
  // Git compares a commit with those that the line names as its parents, and `--always` answers where nothing differs, too.
  const input = asked.map(([from, to]) => `${to} ${from}\n`).join('');
  const answers =
    input === '' ? [] : parseRaw((await git(repo, [...DIFF_TREE, '--stdin', '--always'], { input })).stdout);
  const all = await Promise.all(
    pairs.map(async (pair) => {
      const [from, to] = pair;
      if (from === to) return NONE;
      if (from === null || to === null) return diffTrees(repo, from ?? emptyTree(to), to ?? emptyTree(from));
      return answers[asked.indexOf(pair)] as TreeDifferences;
    }),
  );
  return all as { [At in keyof Pairs]: TreeDifferences };
}

/** A name of the tree that holds nothing, which every repository knows. */
function emptyTree(likeName: string | null): string {
  return likeName?.length === 64
    ? '6ef19b41225c5369f1c104d45d8d85efa9b057b53b14b4b9b939dd74decc5321'
    : '4b825dc642cb6eb9a060e54bf8d69288fbee4904';
}

const COLON = 0x3a;

/** Reads raw output (git-diff-tree(1)), which has the name of a commit before what it changed where commits were read from standard input. */
function parseRaw(output: Buffer): TreeDifferences[] {
  const answers: Map<string, TreeDifference>[] = [];
  for (let at = 0; at < output.length; ) {
    const endOfFacts = output.indexOf(0, at);
    const isChange = output[at] === COLON;
    if (!isChange || answers.length === 0) answers.push(new Map());
    if (!isChange) {
      at = endOfFacts + 1;
      continue;
    }
    const end = output.indexOf(0, endOfFacts + 1);
    const [oldMode = '', newMode = '', oldSha = '', newSha = ''] = output
      .toString('latin1', at + 1, endOfFacts)
      .split(' ');
    answers.at(-1)?.set(decodeName(output.subarray(endOfFacts + 1, end)), {
      before: entryOf(oldMode, oldSha),
      after: entryOf(newMode, newSha),
    });
    at = end + 1;
  }
  return answers;
}

function entryOf(mode: string, sha: string): TreeEntry | null {
  return mode === '000000' ? null : { mode, sha };
}
