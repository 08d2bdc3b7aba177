/** Where the image of a container is in its dataset: a path that a configuration or a user names, made safe to use. */
import { posix } from 'node:path';
import { realPath, statOrNull } from '../containers/formats/members.ts';
import { RepriseError } from '../core/errors.ts';
import { linkOnTheWay, isSafePath } from '../dataset/subdatasets.ts';
import type { Repo } from '../dataset/repo.ts';
import { isWithin, relativeTo } from '../dataset/targets.ts';
import { lstatOrNull } from '../sys/files.ts';

/** The folder of images unless `datalad.containers.location` says another. */
const DEFAULT_LOCATION = '.datalad/environments';

/** Where the image of a new container goes. */
export function defaultImagePath(location: string | undefined, name: string): string {
  return posix.join(location === undefined || location === '' ? DEFAULT_LOCATION : location, name, 'image');
}

/**
 * An image path from a configuration with POSIX separators: datalad-container up to 1.2.4 wrote those of Windows there.
 *
 * A backslash may be part of a POSIX name, so it counts as a separator only in DataLad's default location and where a file proves it.
 */
export function readImagePath(root: string, configured: string): string {
  const converted = configured.split(/\\+/).join('/');
  const fromWindows =
    configured.includes('\\') &&
    (converted.startsWith(`${DEFAULT_LOCATION}/`) || lstatOrNull(`${root}/${converted}`) !== null);
  return normalise(fromWindows ? converted : configured);
}

/** As Python's `PurePosixPath`: no empty and no `.` parts; `..` stays. */
function normalise(path: string): string {
  const parts = path.split('/').filter((part) => part !== '' && part !== '.');
  return (path.startsWith('/') ? '/' : '') + parts.join('/');
}

/**
 * The path of an image relative to the root of its dataset.
 *
 * @param given relative to the root, or absolute
 * @throws `path-outside` for a path that leaves the dataset or is part of Git's own folder, `path-encoding`
 */
export function imagePathIn(root: string, given: string): string {
  const path = posix.normalize(posix.resolve(root, given));
  const inside = isWithin(path, root) ? relativeTo(root, path) : '';
  if (!isSafePath(inside)) {
    throw new RepriseError(
      'path-outside',
      `${JSON.stringify(given)} is no place for an image in the dataset at ${root}`,
      {
        data: { path: given },
      },
    );
  }
  if (!inside.isWellFormed()) {
    throw new RepriseError(
      'path-encoding',
      `The image path ${JSON.stringify(given)} is not UTF-8, which the configuration is`,
    );
  }
  return inside;
}

/**
 * Refuses an image that is not the dataset's own, because it, or something on the way to it, is a link that leads out.
 *
 * Content of the annex may lie outside the work tree: that of a subdataset, or of a linked work tree. @throws `path-outside`
 *
 * @param path absolute
 */
export function assertOwnImage(owner: Repo, path: string): void {
  // What is not there, or not here yet, is told by whoever opens it.
  if (statOrNull(path) === null) return;
  const real = realPath(path);
  const own = [owner.root, owner.gitDir, owner.commonDir, posix.join(owner.commonDir, 'annex')];
  if (own.some((folder) => statOrNull(folder) !== null && isWithin(real, realPath(folder)))) return;
  throw new RepriseError(
    'path-outside',
    `The image ${path} is reached by a link that leads out of its dataset, to ${real}`,
    {
      data: { image: path, target: real },
    },
  );
}

/** Refuses to write to, or delete, what is behind a symbolic link. @throws `path-outside` */
export function assertNoLinkTo(repo: Repo, path: string): void {
  const folder = posix.dirname(path);
  const link = folder === '.' ? null : linkOnTheWay(repo, folder);
  if (link === null) return;
  throw new RepriseError('path-outside', `The way to ${path} leads through a symbolic link, ${link}`, {
    data: { path, link },
  });
}
