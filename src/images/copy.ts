/** Copying an image that is on this machine: a file as it is, an archive unpacked, a folder with what belongs to the image. */
import {
  chmodSync,
  closeSync,
  createReadStream,
  openSync,
  readdirSync,
  readlinkSync,
  readSync,
  statSync,
} from 'node:fs';
import { constants, copyFile, mkdir, symlink } from 'node:fs/promises';
import { dirname, join, posix } from 'node:path';
import { createGunzip } from 'node:zlib';
import { openImage } from '../containers/formats/detect.ts';
import { folderMembers, type Members, realPath, staysInside } from '../containers/formats/members.ts';
import { decodeName, fsPath } from '../core/bytes.ts';
import { RepriseError } from '../core/errors.ts';
import { quoteWord } from '../core/quote.ts';
import { removeTree } from '../dataset/remove-tree.ts';
import type { ImageWork } from './engine-images.ts';
import { unpackTar } from './unpack.ts';

/**
 * Copies the image at an absolute path to a place where nothing is yet.
 *
 * Archives of `docker save` and of OCI, compressed by gzip or not, become the folders that they hold.
 * @throws `image-missing`, `image-invalid`, `content-unavailable` for content of a dataset that is not here, `image-unusable`
 */
export async function copyImage(source: string, target: string, work: ImageWork): Promise<void> {
  const image = openImage(source);
  await mkdir(fsPath(dirname(target)), { recursive: true });
  if ('members' in image && image.file) return unpackFile(source, target, work);
  if (image.file) {
    if (isGzip(image.file.path) && (await unpackIfImage(source, target, work))) return;
    return copyOne(image.file.path, target);
  }
  if ('members' in image) return copyFolder(source, target, work);
  throw new RepriseError('image-unusable', `The folder ${source} is neither a saved Docker image nor an OCI layout`, {
    hints: [`apptainer build image.sif ${quoteWord(source)}`, 'reprise containers-add NAME --url image.sif'],
    data: { image: source },
  });
}

/** Copies with blocks shared where the file system can, and executable where the source is: an image may be its own program. */
async function copyOne(source: string, target: string): Promise<void> {
  await copyFile(fsPath(source), fsPath(target), constants.COPYFILE_FICLONE);
  const executable = (statSync(fsPath(source)).mode & 0o111) !== 0;
  // Annexed content is read-only, and what is added to an annex must not be.
  chmodSync(fsPath(target), (executable ? 0o777 : 0o666) & ~process.umask());
}

async function unpackFile(source: string, target: string, { context, signal }: ImageWork): Promise<void> {
  await mkdir(fsPath(target));
  const file = createReadStream(fsPath(source), { signal, highWaterMark: 1 << 20 });
  const total = statSync(fsPath(source)).size;
  const label = 'unpack';
  file.on('data', () => context.emit({ kind: 'progress', label, done: file.bytesRead, total, unit: 'bytes' }));
  file.pause();
  const tar = isGzip(source) ? file.pipe(createGunzip()) : file;
  file.once('error', (error) => tar.destroy(error));
  try {
    await unpackTar(untilAborted(tar, signal), target, source);
  } finally {
    file.destroy();
    context.emit({ kind: 'progress-end', label });
  }
}

/** A small archive is read at once, and may take long to be unpacked. */
async function* untilAborted(source: AsyncIterable<Uint8Array>, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  for await (const piece of source) {
    signal.throwIfAborted();
    yield piece;
  }
}

/** Unpacks what turns out to hold an image; anything else that was compressed stays a file. */
async function unpackIfImage(source: string, target: string, work: ImageWork): Promise<boolean> {
  try {
    await unpackFile(source, target, work);
    if (openImage(target).format !== 'other') return true;
  } catch (error) {
    const isOther = (error as NodeJS.ErrnoException).code?.startsWith('Z_') === true;
    if (!isOther && !(error instanceof RepriseError && error.code === 'image-invalid')) throw error;
  }
  removeTree(target);
  return false;
}

function isGzip(path: string): boolean {
  const head = Buffer.alloc(2);
  const fd = openSync(fsPath(path), 'r');
  try {
    return readSync(fd, head) === 2 && head.readUInt16BE(0) === 0x1f8b;
  } finally {
    closeSync(fd);
  }
}

/** Copies a folder without what begins with a dot: an image has no such files, the dataset that it may come from has. */
async function copyFolder(source: string, target: string, work: ImageWork): Promise<void> {
  const members = folderMembers(source);
  const root = realPath(source);
  const files = listFiles(root, '').filter((name) => !name.startsWith('.'));
  for (const [at, name] of files.entries()) {
    work.signal.throwIfAborted();
    await mkdir(fsPath(dirname(join(target, name))), { recursive: true });
    await copyMember(members, root, name, target);
    work.context.emit({ kind: 'progress', label: 'copy', done: at + 1, total: files.length, unit: 'files' });
  }
  work.context.emit({ kind: 'progress-end', label: 'copy' });
}

async function copyMember(members: Members, root: string, name: string, target: string): Promise<void> {
  const link = linkTarget(join(root, name));
  const staysLink =
    link !== null && !link.startsWith('/') && staysInside(posix.normalize(posix.join(posix.dirname(name), link)));
  if (staysLink) return symlink(fsPath(link), fsPath(join(target, name)));
  const found = members.find(name);
  if (found) await copyOne(found.path, join(target, name));
}

function linkTarget(path: string): string | null {
  try {
    return decodeName(readlinkSync(fsPath(path), 'buffer'));
  } catch {
    return null;
  }
}

/** All that is no folder, relative to the root. */
export function listFiles(root: string, below: string): readonly string[] {
  return readdirSync(fsPath(join(root, below)), { withFileTypes: true, encoding: 'buffer' }).flatMap((entry) => {
    const name = posix.join(below, decodeName(entry.name));
    return entry.isDirectory() ? listFiles(root, name) : [name];
  });
}
