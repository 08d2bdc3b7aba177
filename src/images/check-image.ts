/**
 * The image that is about to be used, identified from its stored bytes and held against the keys that the dataset has for it.
 *
 * Reading all of an image takes its time: what was found is kept in the Git directory together with the identity (inode, size, times) of every
 * file that it consists of, and holds as long as none of them has changed.
 */
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { identifyImage, type ImageIdentity } from '../containers/identity.ts';
import type { ImageSelection } from '../containers/formats/image.ts';
import type { Repo } from '../dataset/repo.ts';
import { stateDir } from '../dataset/save-lock.ts';
import { lstatOrNull, readOrNull, writeAtomic } from '../sys/files.ts';
import { statId } from '../sys/stat-id.ts';
import { type ImageContent, imageContent, imageFiles, type ImagePlace } from './image-content.ts';
import { assertOwnImage } from './image-path.ts';

/** An image as it is stored: what it is, and the files of the dataset that it consists of. */
export interface CheckedImage {
  readonly identity: ImageIdentity;
  readonly content: readonly ImageContent[];
}

interface Kept {
  readonly version: 1;
  readonly checked: CheckedImage;
  readonly files: readonly (readonly [path: string, identity: string])[];
}

/**
 * Identifies an image, unless nothing has changed since it was identified last.
 *
 * @param owner the dataset that tracks it
 * @throws `image-missing`, `image-invalid`, `content-unavailable`, `path-outside` for one that a link leads to; `image-mismatch` for a file that is not the content of its key
 */
export async function checkImage(owner: Repo, image: ImagePlace, select: ImageSelection = {}): Promise<CheckedImage> {
  const { path } = image;
  assertOwnImage(owner, path);
  const known = knownImage(owner, image, select);
  if (known !== null) return known;
  const parts = lstatOrNull(path) ? imageFiles(image) : [];
  const files = [path, ...parts.map((part) => part.file)].map((one) => [one, statId(one)] as const);
  const content = await imageContent(owner, image, parts);
  const identity = await identifyImage(path, { verify: true, select });
  const checked = { identity, content };
  writeAtomic(keptFile(owner, image, select), JSON.stringify({ version: 1, checked, files } satisfies Kept));
  return checked;
}

/** What was found in an image before, if nothing has changed since; reads nothing of the image. */
export function knownImage(owner: Repo, image: ImagePlace, select: ImageSelection = {}): CheckedImage | null {
  const kept = readKept(keptFile(owner, image, select));
  return kept?.files.every(([one, before]) => statId(one) === before) ? kept.checked : null;
}

function keptFile(owner: Repo, { path, place }: ImagePlace, select: ImageSelection): string {
  const name = createHash('sha256')
    .update(JSON.stringify([path, place, select]))
    .digest('hex')
    .slice(0, 32);
  return join(stateDir(owner), 'images', `${name}.json`);
}

function readKept(file: string): Kept | null {
  const bytes = readOrNull(file);
  if (bytes === null) return null;
  try {
    const kept = JSON.parse(bytes.toString('utf8')) as Kept;
    return kept.version === 1 ? kept : null;
  } catch {
    return null;
  }
}
