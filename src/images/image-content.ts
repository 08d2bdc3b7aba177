/** The files of a dataset that an image consists of, held against the keys that the dataset has for them. */
import { lstatSync, readdirSync, readFileSync, readlinkSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { decodeName, fsPath } from '../core/bytes.ts';
import { RepriseError } from '../core/errors.ts';
import { quoteWord } from '../core/quote.ts';
import { MAX_POINTER, keyFromLink, parsePointer } from '../dataset/annex/keys.ts';
import { contentKeys, withoutExtension } from '../dataset/content-keys.ts';
import type { Repo } from '../dataset/repo.ts';
import { trackedBelow } from '../dataset/tracked.ts';
import { readBlobs } from '../dataset/worktree.ts';
import { lstatOrNull } from '../sys/files.ts';

export interface ImageContent {
  /** Relative to the root of the dataset that tracks the image. */
  readonly path: string;
  /** Key of an annexed file; null for one that is in Git, or that is not as it was committed. */
  readonly key: string | null;
}

/** Where the bytes of an image are, and where the image is in its dataset. */
export interface ImagePlace {
  /** Absolute path of a file or a folder. */
  readonly path: string;
  /** Relative to the root of the dataset that tracks it; the bytes may be those of an earlier commit, from elsewhere. */
  readonly place: string;
}

/** One file of an image. */
export interface ImagePart {
  /** As in `ImageContent`. */
  readonly path: string;
  /** Absolute path of what is read. */
  readonly file: string;
}

/** All files of an image, links not followed, in the order of their paths. */
export function imageFiles({ path, place }: ImagePlace): readonly ImagePart[] {
  return filesBelow(path).map((name) => ({ path: join(place, name), file: join(path, name) }));
}

/**
 * The files of an image with their keys.
 *
 * @param files as `imageFiles` lists them
 * @throws `image-mismatch` naming both keys for content that is not that of its key; `annex-missing`
 */
export async function imageContent(
  owner: Repo,
  image: ImagePlace,
  files: readonly ImagePart[],
): Promise<readonly ImageContent[]> {
  const isElsewhere = image.path !== join(owner.root, image.place);
  const parts = files.map((part) => ({ ...part, key: keyAt(part.file, isElsewhere) }));
  const unlocked = isElsewhere ? new Map<string, string>() : await unlockedKeys(owner, image.place, parts);
  const claims = parts.flatMap(({ path, file, key: own }) => {
    const key = own ?? unlocked.get(path);
    const real = realOrNull(file);
    return key === undefined || real === null ? [] : [{ path, key, file: real, isLocked: own !== null }];
  });
  const actual = await contentKeys(owner, claims);
  const modified = new Set<string>();
  for (const [at, { path, key, isLocked }] of claims.entries()) {
    const found = actual[at] ?? null;
    if (found === null || found === withoutExtension(key)) continue;
    // What a user may write to is looked after by those who tell modified files.
    if (!isLocked) modified.add(path);
    else throw mismatch(owner, path, key, found);
  }
  return parts.map(({ path, key }) => ({
    path,
    key: key ?? (modified.has(path) ? null : (unlocked.get(path) ?? null)),
  }));
}

function mismatch(owner: Repo, path: string, key: string, actual: string): RepriseError {
  return new RepriseError(
    'image-mismatch',
    `${join(owner.root, path)}, which an image consists of, is ${actual}, and not the content of its key ${key}`,
    {
      hints: [`git -C ${quoteWord(owner.root)} annex fsck ${quoteWord(path)}`],
      data: { path, expected: key, actual },
    },
  );
}

/** The key that a locked file's link, an object's own name, or a stand-in for absent content tells. */
function keyAt(file: string, mayBeObject: boolean): string | null {
  const stat = lstatSync(fsPath(file));
  if (stat.isSymbolicLink()) return keyFromLink(decodeName(readlinkSync(fsPath(file), 'buffer')));
  if (!stat.isFile()) return null;
  const own = mayBeObject ? keyFromLink(file) : null;
  return own ?? (stat.size < MAX_POINTER ? parsePointer(readFileSync(fsPath(file))) : null);
}

/** Keys of unlocked files by path: Git has a pointer where the work tree has the content. */
async function unlockedKeys(
  owner: Repo,
  place: string,
  parts: readonly (ImagePart & { readonly key: string | null })[],
): Promise<ReadonlyMap<string, string>> {
  const plain = new Set(parts.filter(({ key }) => key === null).map((part) => part.path));
  if (plain.size === 0) return new Map();
  const tracked = (await trackedBelow(owner, [place])).filter(
    (entry) => plain.has(entry.path) && entry.mode.startsWith('100'),
  );
  const blobs = await readBlobs(
    owner,
    tracked.map(({ sha }) => sha),
    MAX_POINTER,
  );
  return new Map(
    tracked.flatMap((entry, at) => {
      const blob = blobs[at];
      const key = blob ? parsePointer(blob) : null;
      return key === null ? [] : [[entry.path, key] as const];
    }),
  );
}

function realOrNull(file: string): string | null {
  try {
    return decodeName(realpathSync(fsPath(file), { encoding: 'buffer' }));
  } catch {
    // Its content is not here, which whoever reads the image says.
    return null;
  }
}

function filesBelow(path: string): readonly string[] {
  if (lstatOrNull(path)?.isDirectory() !== true) return [''];
  return readdirSync(fsPath(path), { encoding: 'buffer' })
    .map(decodeName)
    .sort()
    .flatMap((name) => (name === '.git' ? [] : filesBelow(join(path, name)).map((below) => join(name, below))));
}
