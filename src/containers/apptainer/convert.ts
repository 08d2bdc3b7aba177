/**
 * SIF files made from images that are stored as layers, so that Apptainer can run them: each is made once and kept in the user's cache.
 *
 * Apptainer would unpack `oci:...` into a SIF of its own cache as well, but only from a layout of its liking. Here a layout is made of links
 * to the stored files, whichever way they are stored, and named by the configuration's digest, which names all layers.
 * Source: OCI image specification 1.0, "Image Layout"; `apptainer build --help`.
 */
import {
  closeSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { fsPath } from '../../core/bytes.ts';
import { RepriseError } from '../../core/errors.ts';
import { lstatOrNull, partName } from '../../sys/files.ts';
import { takeLock } from '../../sys/lock.ts';
import { isPartOfGone } from '../../sys/owner.ts';
import { execute } from '../../sys/proc.ts';
import { supports, type Apptainer } from './presence.ts';
import { lastWords } from '../said.ts';

/** A stored file of an image. */
export interface StoredBlob {
  /** Absolute. */
  readonly path: string;
  /** `sha256:...` of the file as it is. */
  readonly digest: string;
  readonly size: number;
}

export interface LayeredImage {
  readonly config: StoredBlob;
  /** Lowest first; each a tar file, perhaps compressed. */
  readonly layers: readonly StoredBlob[];
}

/** Others wait this long for a conversion that is under way. */
const LONGEST_CONVERSION_MS = 60 * 60 * 1000;

/**
 * The SIF file of an image, made now if it is not in the cache.
 *
 * Any number of processes may ask at once: one makes the file, and it appears complete. What a killed process left is cleared away.
 *
 * @param image its files, with digests that have been verified
 * @param cache absolute path of the folder that keeps the files; made if needed
 * @returns its absolute path, and whether this call has made it
 * @throws `image-unusable` with what Apptainer said; `lock-timeout`
 */
export async function sifOf(
  image: LayeredImage,
  host: Apptainer,
  cache: string,
  env: NodeJS.ProcessEnv,
): Promise<{ readonly file: string; readonly made: boolean }> {
  const file = join(cache, `${hexOf(image.config.digest)}.sif`);
  if (lstatOrNull(file)) return { file, made: false };
  mkdirSync(cache, { recursive: true, mode: 0o700 });
  const lock = await takeLock(`${file}.lock`, LONGEST_CONVERSION_MS);
  try {
    const made = !lstatOrNull(file);
    if (made) await convert(image, host, cache, file, env);
    return { file, made };
  } finally {
    lock.release();
  }
}

async function convert(
  image: LayeredImage,
  host: Apptainer,
  cache: string,
  target: string,
  env: NodeJS.ProcessEnv,
): Promise<void> {
  for (const name of readdirSync(cache)) if (isPartOfGone(join(cache, name))) removeFolder(join(cache, name));
  const work = partName(target);
  mkdirSync(join(work, 'tmp'), { recursive: true });
  try {
    writeLayout(image, join(work, 'layout'));
    const built = join(work, 'image.sif');
    // Four times as fast as the default, and a tenth larger.
    const faster = supports(host, 'mksquashfs-args') ? ['--mksquashfs-args', '-Xcompression-level 1'] : [];
    const argv = [
      host.program,
      '--silent',
      'build',
      '--disable-cache',
      ...faster,
      built,
      `oci:${join(work, 'layout')}`,
    ] as const;
    const tmp = join(work, 'tmp');
    const done = await execute(argv, { cwd: work, env: { ...env, APPTAINER_TMPDIR: tmp, SINGULARITY_TMPDIR: tmp } });
    if (done.code !== 0) throw unusable(image, host, done.stderr);
    renameSync(built, target);
  } finally {
    removeFolder(work);
  }
}

/** An OCI layout of links to the stored files. */
function writeLayout(image: LayeredImage, layout: string): void {
  const blobs = join(layout, 'blobs/sha256');
  mkdirSync(blobs, { recursive: true });
  const stored = new Map([image.config, ...image.layers].map((blob) => [hexOf(blob.digest), blob.path]));
  for (const [hex, path] of stored) symlinkSync(fsPath(path), join(blobs, hex));
  const manifest = JSON.stringify({
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    config: descriptor('application/vnd.oci.image.config.v1+json', image.config),
    layers: image.layers.map((layer) =>
      descriptor(`application/vnd.oci.image.layer.v1.tar${compressionOf(layer)}`, layer),
    ),
  });
  const hex = createHash('sha256').update(manifest).digest('hex');
  writeFileSync(join(blobs, hex), manifest);
  const entry = { digest: `sha256:${hex}`, size: Buffer.byteLength(manifest) };
  const manifests = [descriptor('application/vnd.oci.image.manifest.v1+json', entry)];
  writeFileSync(join(layout, 'index.json'), JSON.stringify({ schemaVersion: 2, manifests }));
  writeFileSync(join(layout, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
}

function descriptor(mediaType: string, { digest, size }: Pick<StoredBlob, 'digest' | 'size'>): object {
  return { mediaType, digest, size };
}

/** How a layer is compressed, told by its first bytes (RFC 1952, RFC 8878), as the end of its media type. */
function compressionOf({ path }: StoredBlob): '' | '+gzip' | '+zstd' {
  const fd = openSync(fsPath(path), 'r');
  try {
    const head = Buffer.alloc(4);
    readSync(fd, head);
    if (head.readUInt16BE(0) === 0x1f8b) return '+gzip';
    return head.readUInt32LE(0) === 0xfd2fb528 ? '+zstd' : '';
  } finally {
    closeSync(fd);
  }
}

function hexOf(digest: string): string {
  const hex = /^sha256:([0-9a-f]{64})$/.exec(digest)?.[1];
  if (hex === undefined) throw new Error(`not a SHA-256 digest: ${digest}`);
  return hex;
}

function unusable(image: LayeredImage, host: Apptainer, said: string): RepriseError {
  return new RepriseError(
    'image-unusable',
    `${host.flavour} could not make a SIF file of the image ${image.config.digest}: ${lastWords(said)}`,
    { data: { image: image.config.digest, stderr: said } },
  );
}

function removeFolder(path: string): void {
  rmSync(path, { recursive: true, force: true });
}
