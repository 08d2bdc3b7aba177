/**
 * The image that a dataset had at some commit, whatever the work tree has now: what a rerun needs after `containers-add --update`.
 *
 * An image that is one annexed file is its object in the annex. Others are put together once from the objects, in a cache below the Git
 * directory, under the name that Git gives to exactly this content.
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join, posix } from 'node:path';
import { staysInside } from '../containers/formats/members.ts';
import { decodeName, fsPath, splitNul } from '../core/bytes.ts';
import { RepriseError } from '../core/errors.ts';
import { keyFromLink, parsePointer } from '../dataset/annex/keys.ts';
import { fetchKeys } from '../dataset/fetch.ts';
import { objectFile } from '../dataset/presence.ts';
import { removeTree } from '../dataset/remove-tree.ts';
import { hasCommit } from '../dataset/refs.ts';
import { readConfig } from '../dataset/read-config.ts';
import { git, type Repo, repoAt } from '../dataset/repo.ts';
import { linkOnTheWay } from '../dataset/subdatasets.ts';
import { readBlobs } from '../dataset/worktree.ts';
import { listFiles } from './copy.ts';
import { lstatOrNull, partName } from '../sys/files.ts';
import { isPartOfGone, randomId } from '../sys/owner.ts';

export interface ImageAtOptions {
  /** Get content that is not here from where git-annex knows it to be. */
  readonly fetch?: boolean;
}

/**
 * The absolute path of an image as a commit has it: a file or a folder, to be read only.
 *
 * @param path relative to the root of `repo`; may lead into an installed subdataset, whose recorded commit is then the one that counts
 * @throws `image-missing` if the commit has nothing there, `content-unavailable` for content that is not here or for a commit of a
 *   subdataset that is not, `annex-failed`
 */
export async function imageAt(repo: Repo, commit: string, path: string, options: ImageAtOptions = {}): Promise<string> {
  const found = await entryAt(repo, commit, path);
  if (!found) {
    throw new RepriseError('image-missing', `There is no image at ${path} in the commit ${commit.slice(0, 8)}`, {
      data: { image: path, commit },
    });
  }
  const { owner, entry } = found;
  if (entry.kind === 'tree') {
    const parts = await partsOf(owner, await listTree(owner, entry.sha, ['-r'], []), options);
    return cached(owner, entry.sha, (to) => {
      mkdirSync(to);
      for (const part of parts) writePart(to, part);
    });
  }
  const [part] = await partsOf(owner, [entry], options);
  if (part && 'object' in part) return part.object;
  const name = posix.basename(path);
  const folder = cached(owner, `${entry.sha}-${createHash('sha256').update(name).digest('hex').slice(0, 8)}`, (to) => {
    mkdirSync(to);
    if (part) writePart(to, { ...part, name });
  });
  return join(folder, name);
}

/**
 * The name of the object that a commit has at a path, which may lead into installed subdatasets; null if it has nothing there.
 *
 * @throws `content-unavailable` for a commit of a subdataset that is not here
 */
export async function objectAt(repo: Repo, commit: string, path: string): Promise<string | null> {
  return (await entryAt(repo, commit, path))?.entry.sha ?? null;
}

async function entryAt(
  repo: Repo,
  commit: string,
  path: string,
): Promise<{ readonly owner: Repo; readonly entry: TreeEntry } | null> {
  const folders = path.split('/').map((_, at, parts) => parts.slice(0, at + 1).join('/'));
  const entries = await listTree(repo, commit, ['-t'], folders);
  const below = entries.find(({ kind, path: at }) => kind === 'commit' && at !== path);
  if (below) return entryAt(await withCommit(repo, commit, below), below.sha, path.slice(below.path.length + 1));
  const entry = entries.find((each) => each.path === path);
  return entry ? { owner: repo, entry } : null;
}

/** The subdataset of an entry. @throws `content-unavailable` unless it has the commit that the entry names */
async function withCommit(repo: Repo, commit: string, below: TreeEntry): Promise<Repo> {
  // The work tree may have a link there today, which leads to somebody else's dataset.
  const sub = linkOnTheWay(repo, below.path) === null ? repoAt(join(repo.root, below.path), repo.context) : null;
  if (sub && (await hasCommit(sub, below.sha))) return sub;
  throw new RepriseError(
    'content-unavailable',
    `The subdataset ${below.path} does not have the commit ${below.sha.slice(0, 8)}, which has the image of ${commit.slice(0, 8)}`,
    {
      hints: [sub ? `git -C ${below.path} fetch origin ${below.sha}` : `reprise get -n ${below.path}`],
      data: { subdataset: below.path, commit: below.sha },
    },
  );
}

type Part = { readonly name: string } & (
  | { readonly object: string }
  | { readonly bytes: Buffer; readonly mode: number }
  | { readonly link: string }
);

/** What Git holds itself is read into memory; images are annexed, as a rule. */
const MAX_BLOB_BYTES = 1 << 30;

async function partsOf(
  repo: Repo,
  entries: readonly TreeEntry[],
  { fetch = false }: ImageAtOptions,
): Promise<readonly Part[]> {
  const blobs = entries.filter(({ kind }) => kind === 'blob');
  const contents = await readBlobs(
    repo,
    blobs.map(({ sha }) => sha),
    MAX_BLOB_BYTES,
  );
  const read = blobs.map(({ path: name, mode }, at) => {
    const bytes = contents[at];
    if (!bytes) throw new RepriseError('image-unusable', `${name} is too large to be taken from Git`);
    const isLink = mode === '120000';
    return { name, mode, bytes, isLink, key: isLink ? keyFromLink(decodeName(bytes)) : parsePointer(bytes) };
  });
  const absent = new Map(
    read.flatMap(({ key, name }) => (key !== null && objectFile(repo, key) === null ? [[key, name] as const] : [])),
  );
  if (fetch && absent.size > 0) for await (const _ of fetchKeys(repo, await readConfig(repo), absent));
  return read.map(({ name, mode, bytes, isLink, key }): Part => {
    if (key !== null) return { name, object: objectOf(repo, key, name) };
    if (isLink) return { name, link: decodeName(bytes) };
    return { name, bytes, mode: mode === '100755' ? 0o777 : 0o666 };
  });
}

/** Absolute path of a key's content. */
function objectOf(repo: Repo, key: string, name: string): string {
  const here = objectFile(repo, key);
  if (here !== null) return here;
  throw new RepriseError('content-unavailable', `The content of ${name}, of an earlier image, is not present`, {
    hints: [`git annex get --key=${key}`],
    data: { image: name, key },
  });
}

function writePart(folder: string, part: Part): void {
  if (!staysInside(part.name)) throw new Error(`a tree of Git has the path ${part.name}`);
  const path = join(folder, part.name);
  mkdirSync(fsPath(dirname(path)), { recursive: true });
  if ('object' in part) symlinkSync(fsPath(part.object), fsPath(path));
  else if ('link' in part) symlinkSync(fsPath(part.link), fsPath(path));
  else writeFileSync(fsPath(path), part.bytes, { mode: part.mode });
}

/** A folder of the cache, made now unless it is there and all that it leads to is. */
function cached(repo: Repo, name: string, make: (folder: string) => void): string {
  const cache = join(repo.gitDir, 'reprise/image-cache');
  const folder = join(cache, name);
  if (lstatOrNull(folder)) {
    if (listFiles(folder, '').every((file) => existsSync(fsPath(join(folder, file))))) return folder;
    // Content has been dropped, and perhaps came back under another path.
    removeTree(folder);
  }
  mkdirSync(cache, { recursive: true });
  for (const entry of readdirSync(cache)) if (isPartOfGone(join(cache, entry))) removeTree(join(cache, entry));
  const work = partName(join(cache, `${name}.${randomId()}`));
  make(work);
  try {
    renameSync(work, folder);
  } catch (error) {
    removeTree(work);
    // Somebody else has just made the same.
    if (!['ENOTEMPTY', 'EEXIST'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
  }
  return folder;
}

interface TreeEntry {
  readonly mode: string;
  readonly kind: string;
  readonly sha: string;
  readonly path: string;
}

async function listTree(
  repo: Repo,
  tree: string,
  flags: readonly string[],
  paths: readonly string[],
): Promise<readonly TreeEntry[]> {
  const args = ['--literal-pathspecs', 'ls-tree', '-z', '--full-tree', ...flags, tree];
  const listed = await git(repo, [...args, ...(paths.length > 0 ? ['--', ...paths] : [])]);
  return splitNul(listed.stdout).map((line) => {
    const tab = line.indexOf('\t');
    const [mode = '', kind = '', sha = ''] = line.slice(0, tab).split(' ');
    return { mode, kind, sha, path: line.slice(tab + 1) };
  });
}
