/** Tells the format of a stored image from its content, never from its name. */
import { RepriseError } from '../../core/errors.ts';
import type { ByteRange } from './byte-range.ts';
import { isDockerArchive } from './docker-archive.ts';
import type { ImageFormat } from './image.ts';
import { invalid, unavailable } from './invalid.ts';
import { folderMembers, isLink, isPointer, type Members, realPath, statOrNull } from './members.ts';
import { isOciLayout } from './oci-layout.ts';
import { isSif } from './sif.ts';
import { isSimg } from './simg.ts';
import { tarMembers } from './tar.ts';

/** A stored image, opened as far as needed to tell what it is. */
export type StoredImage =
  | { readonly format: 'sif' | 'simg'; readonly file: ByteRange }
  | { readonly format: 'docker-archive' | 'oci'; readonly file: ByteRange | null; readonly members: Members }
  | { readonly format: 'other'; readonly file: ByteRange | null };

/**
 * The format of the image at an absolute path.
 *
 * @throws `image-missing` where nothing is, `content-unavailable` where only git-annex's link or stand-in is, `image-invalid` where
 *   members lead out of the image
 */
export function detectFormat(path: string, isAllowed?: (realPath: string) => boolean): ImageFormat {
  return openImage(path, isAllowed).format;
}

/** As `detectFormat`, and hands back what was found on the way. */
export function openImage(path: string, isAllowed?: (realPath: string) => boolean): StoredImage {
  const stat = statOrNull(path);
  if (!stat) {
    if (isLink(path)) throw unavailable(path);
    throw new RepriseError('image-missing', `There is no image at ${path}`, { data: { image: path } });
  }
  if (stat.isDirectory()) {
    const members = folderMembers(path, isAllowed);
    const format = formatOf(members);
    return format ? { format, file: null, members } : { format: 'other', file: null };
  }
  if (!stat.isFile()) throw invalid(path, 'it is neither a file nor a folder');
  const file = { path: realPath(path), offset: 0, size: stat.size };
  if (isPointer(file)) throw unavailable(path);
  if (isSif(file)) return { format: 'sif', file };
  if (isSimg(file)) return { format: 'simg', file };
  const members = tarMembers(file, path);
  const format = members && formatOf(members);
  return members && format ? { format, file, members } : { format: 'other', file };
}

/** An archive since Docker 25 is both; DataLad and every engine can load it by its `manifest.json`. */
function formatOf(members: Members): 'docker-archive' | 'oci' | null {
  if (isDockerArchive(members)) return 'docker-archive';
  return isOciLayout(members) ? 'oci' : null;
}
