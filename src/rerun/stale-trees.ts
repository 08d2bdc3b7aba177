/** Reading trees of one repository by content: requests that come together are answered by one Git process, and equal trees are read once. */
import { createHash } from 'node:crypto';
import { decodeName, encodeName } from '../core/bytes.ts';
import { MAX_POINTER, keyFromBlob } from '../dataset/annex/keys.ts';
import { git, type Repo } from '../dataset/repo.ts';
import { parseBatch, readBlobs } from '../dataset/worktree.ts';
import type { TreeEntry } from './stale.ts';

export interface Trees {
  readonly repo: Repo;
  /** What a path is in a commit; its mode is `40000` or `100644` only, as Git tells no more. Null for nothing, and for a subdataset. The path may not hold a newline. */
  readonly resolve: (commit: string, path: string) => Promise<TreeEntry | null>;
  /** Whether links, if need be several, lead from a path to a folder of the same commit. The path may not hold a newline. */
  readonly leadsToFolder: (commit: string, path: string) => Promise<boolean>;
  /** What a small blob holds, such as a link; null for a large one. */
  readonly text: (sha: string) => Promise<string | null>;
  /** The entries of a tree, by name. */
  readonly tree: (sha: string) => Promise<ReadonlyMap<string, TreeEntry>>;
  /** Identity of what a file holds: `annex:KEY`, or `git:SHA`. */
  readonly digest: (entry: TreeEntry) => Promise<string>;
  /** As `digest`, but comparable with a given one: where that is `sha256:HEX`, so is the answer, or undefined if it cannot be had without the content. */
  readonly digestLike: (entry: TreeEntry, digest: string) => Promise<string | undefined>;
}

/** Files in Git are small; a larger one is not read to be compared. */
const MOST_HASHED = 64 * 2 ** 20;
/** Entries of trees, and keys of files, that are kept. */
const MOST_KEPT = 500_000;
/** Trees that one process is asked for: a big one has some megabytes. */
const TREES_AT_ONCE = 64;

/** The trees of a repository. */
export function openTrees(repo: Repo): Trees {
  const names = batched(4000, (asked: readonly string[]) => resolveAll(repo, asked));
  const trees = batched(TREES_AT_ONCE, (asked: readonly string[]) => readTrees(repo, asked));
  const digests = batched(2000, (asked: readonly string[]) => readKeys(repo, asked));
  const followed = batched(4000, (asked: readonly string[]) => followAll(repo, asked));
  const texts = new Map<string, Promise<string | null>>();
  const blobs = batched(2000, (asked: readonly string[]) => readBlobs(repo, asked, MAX_POINTER));
  let kept = new Map<string, Promise<ReadonlyMap<string, TreeEntry>>>();
  let entries = 0;
  const tree = (sha: string): Promise<ReadonlyMap<string, TreeEntry>> => {
    const known = kept.get(sha);
    if (known) return known;
    const read = trees(sha).then((found) => {
      entries += found.size;
      if (entries > MOST_KEPT) {
        kept = new Map();
        entries = 0;
      }
      return found;
    });
    kept.set(sha, read);
    return read;
  };
  // One file is in the trees of many commits.
  const keys = new Map<string, Promise<string | null>>();
  const keyOf = (sha: string): Promise<string | null> => {
    if (keys.size > MOST_KEPT) keys.clear();
    const key = keys.get(sha) ?? digests(sha);
    keys.set(sha, key);
    return key;
  };
  const digest = async ({ mode, sha }: TreeEntry): Promise<string> => {
    const key = mode === '160000' ? null : await keyOf(sha);
    return key === null ? `git:${sha}` : `annex:${key}`;
  };
  return {
    repo,
    digest,
    digestLike: async (entry, like) => {
      const own = await digest(entry);
      if (!like.startsWith('sha256:')) return own;
      if (own.startsWith('annex:')) return sha256OfKey(own.slice('annex:'.length));
      const [blob] = await readBlobs(repo, [entry.sha], MOST_HASHED);
      return blob ? `sha256:${createHash('sha256').update(blob).digest('hex')}` : undefined;
    },
    text: (sha) => {
      const read = texts.get(sha) ?? blobs(sha).then((blob) => blob && decodeName(blob));
      texts.set(sha, read);
      return read;
    },
    leadsToFolder: (commit, path) => followed(`${commit}:${path}`),
    resolve: (commit, path) => names(`${commit}:${path}`),
    tree,
  };
}

/** The digest of the content that the key itself names, if it is of that kind. */
function sha256OfKey(key: string): string | undefined {
  const hex = /^SHA256E?-.*?--([0-9a-f]{64})/.exec(key)?.[1];
  return hex === undefined ? undefined : `sha256:${hex}`;
}

/** Collects what is asked for in one turn of the event loop, so that it can be answered together. */
function batched<T>(
  most: number,
  answer: (asked: readonly string[]) => Promise<readonly T[]>,
): (name: string) => Promise<T> {
  let waiting = new Map<string, Promise<T>>();
  let pending: {
    readonly name: string;
    readonly resolve: (value: T) => void;
    readonly reject: (error: unknown) => void;
  }[] = [];
  const flush = async (): Promise<void> => {
    const all = pending;
    pending = [];
    waiting = new Map();
    for (let from = 0; from < all.length; from += most) {
      const part = all.slice(from, from + most);
      try {
        const values = await answer(part.map(({ name }) => name));
        for (const [index, { resolve }] of part.entries()) resolve(values[index] as T);
      } catch (error) {
        for (const { reject } of part) reject(error);
      }
    }
  };
  return (name) => {
    const known = waiting.get(name);
    if (known) return known;
    const asked = new Promise<T>((resolve, reject) => {
      if (pending.length === 0) setImmediate(() => void flush());
      pending.push({ name, resolve, reject });
    });
    waiting.set(name, asked);
    return asked;
  };
}

async function resolveAll(repo: Repo, names: readonly string[]): Promise<readonly (TreeEntry | null)[]> {
  const input = Buffer.concat(names.flatMap((name) => [encodeName(name), Buffer.from('\n')]));
  const { stdout } = await git(repo, ['cat-file', '--buffer', '--batch-check'], { input });
  return stdout
    .toString('latin1')
    .split('\n')
    .slice(0, names.length)
    .map((line) => {
      const [, sha = '', type] = /^([0-9a-f]{40,64}) (tree|blob) \d+$/.exec(line) ?? [];
      return type === undefined ? null : { mode: type === 'tree' ? '40000' : '100644', sha };
    });
}

/** Which names lead to a tree; a link that leads elsewhere is answered with its target on lines of its own (git-cat-file(1)). */
async function followAll(repo: Repo, names: readonly string[]): Promise<readonly boolean[]> {
  const input = Buffer.concat(names.flatMap((name) => [encodeName(name), Buffer.from('\n')]));
  const format = '--batch-check=%(objecttype)';
  const { stdout } = await git(repo, ['cat-file', format, '--follow-symlinks'], { input });
  const answers: boolean[] = [];
  for (let at = 0; at < stdout.length && answers.length < names.length; ) {
    const end = stdout.indexOf(10, at);
    const line = stdout.toString('latin1', at, end);
    const target = /^(?:symlink|dangling|loop|notdir) (\d+)$/.exec(line)?.[1];
    answers.push(line === 'tree');
    at = end + 1 + (target === undefined ? 0 : Number(target) + 1);
  }
  return answers;
}

async function readTrees(repo: Repo, names: readonly string[]): Promise<readonly ReadonlyMap<string, TreeEntry>[]> {
  const { stdout } = await git(repo, ['cat-file', '--buffer', '--batch'], {
    input: names.map((name) => `${name}\n`).join(''),
  });
  return parseBatch(stdout).map((content, index) => parseTree(content, (names[index] as string).length / 2));
}

/** Git's format of a tree object: `MODE NAME NUL` and the object name as bytes. */
function parseTree(content: Buffer | null, size: number): ReadonlyMap<string, TreeEntry> {
  const entries = new Map<string, TreeEntry>();
  if (content === null) return entries;
  for (let at = 0; at < content.length; ) {
    const blank = content.indexOf(32, at);
    const end = content.indexOf(0, blank);
    const sha = content.toString('hex', end + 1, end + 1 + size);
    entries.set(decodeName(content.subarray(blank + 1, end)), { mode: content.toString('latin1', at, blank), sha });
    at = end + 1 + size;
  }
  return entries;
}

/** The keys in links and pointers; null for what is not annexed. */
async function readKeys(repo: Repo, names: readonly string[]): Promise<readonly (string | null)[]> {
  return (await readBlobs(repo, names, MAX_POINTER)).map((blob) => (blob === null ? null : keyFromBlob(blob)));
}
