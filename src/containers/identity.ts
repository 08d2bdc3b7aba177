/**
 * What identifies a stored image, computed from its bytes.
 *
 * Tags move, and Docker's image id depends on the image store; the digests here do not. The configuration's digest names an image
 * of a docker-archive or OCI layout whatever its layers are compressed with; the primary partition's digest names a SIF.
 */
import { openImage } from './formats/detect.ts';
import { hashRange, type ByteRange } from './formats/byte-range.ts';
import { readDockerArchive } from './formats/docker-archive.ts';
import type { Digest } from './formats/digest.ts';
import { hostArchitecture, type ImageFacts, type ImageFormat, type ImageSelection } from './formats/image.ts';
import { invalid, wrongDigest } from './formats/invalid.ts';
import { readOciLayout } from './formats/oci-layout.ts';
import { readSif } from './formats/sif.ts';

export interface ImageIdentity extends ImageFacts {
  readonly format: ImageFormat;
  /** Whether the image is one file (a SIF, a tar) or a folder. */
  readonly storage: 'file' | 'folder';
}

export interface IdentifyOptions {
  /**
   * True (the default): hash every stored byte. False: read headers and JSON only, check them, and look at the sizes of the rest; for
   * images whose files have not changed since they were verified.
   */
  readonly verify?: boolean;
  /** Key of git-annex for an image of one file: its size is checked, and its digest taken, or compared, if it has a SHA-256. */
  readonly key?: string;
  /** Which architecture is meant where an image has several; this machine's by default. */
  readonly architecture?: string;
  /** Which image is meant where several are stored together. */
  readonly select?: ImageSelection;
  /** Whether a member of a folder may be a link to a file outside that is no annexed object; never by default. */
  readonly isAllowed?: (realPath: string) => boolean;
}

/**
 * Identifies the image at an absolute path: a file or a folder, or links to annexed ones.
 *
 * @throws `image-missing` where nothing is; `content-unavailable`, naming the member, where content is not present; `image-invalid`
 *   for an image that is damaged, contradicts its own digests (both are named), holds several images, or leads out of itself
 */
export async function identifyImage(path: string, options: IdentifyOptions = {}): Promise<ImageIdentity> {
  const verify = options.verify ?? true;
  const image = openImage(path, options.isAllowed);
  const storage = image.file ? 'file' : 'folder';
  const read = {
    verify,
    architecture: options.architecture ?? hostArchitecture(),
    select: options.select ?? {},
  };
  if (image.format === 'docker-archive' || image.format === 'oci') {
    const facts = await (image.format === 'oci' ? readOciLayout : readDockerArchive)(image.members, read);
    const file = image.file && (await fileFacts(image.file, path, verify, options.key));
    return { format: layeredFormat(image.format, facts), storage, ...facts, ...file };
  }
  if (image.format === 'sif') {
    const facts = await readSif(image.file, path, verify);
    return { format: 'sif', storage, ...facts, ...checkKey(image.file, path, options.key, facts.digest) };
  }
  if (!image.file) return { format: image.format, storage, files: [] };
  return { format: image.format, storage, ...(await fileFacts(image.file, path, verify, options.key)) };
}

/**
 * An OCI layout that also has a `manifest.json`, so that `docker load` takes it, is still one: unlike `docker save`, nobody named an image in
 * that file. It is read by both, which must mean the same.
 */
function layeredFormat(format: 'docker-archive' | 'oci', { manifest, tags }: ImageFacts): ImageFormat {
  return manifest !== undefined && tags?.length === 0 ? 'oci' : format;
}

async function fileFacts(
  file: ByteRange,
  path: string,
  verify: boolean,
  key: string | undefined,
): Promise<Pick<ImageFacts, 'digest' | 'size' | 'files'>> {
  const digest = verify ? await hashRange(file) : undefined;
  return { ...checkKey(file, path, key, digest), size: file.size, files: [file.path] };
}

/** Compares a file with its key; answers its digest as far as it is known. */
function checkKey(
  file: ByteRange,
  path: string,
  key: string | undefined,
  actual: Digest | undefined,
): { readonly digest?: Digest } {
  const claim = key === undefined ? {} : readKey(key);
  if (claim.size !== undefined && claim.size !== file.size) {
    throw invalid(path, `it has ${file.size} bytes, but its key ${key} is of ${claim.size}`);
  }
  if (claim.digest && actual && claim.digest !== actual) throw wrongDigest(path, 'its file', claim.digest, actual);
  const digest = actual ?? claim.digest;
  return digest ? { digest } : {};
}

/** Size and SHA-256 in a key: `SHA256E-s<size>--<hex>.<extension>` (git-annex, "internals", "key format"). */
function readKey(key: string): { readonly size?: number; readonly digest?: Digest } {
  const size = /^[A-Z0-9_]+(?:-[a-zA-Z][0-9]+)*?-s([0-9]+)/.exec(key)?.[1];
  const hex = /^SHA256E?-(?:[a-zA-Z][0-9]+-)*-([0-9a-f]{64})(?:\.|$)/.exec(key)?.[1];
  return {
    ...(size === undefined ? {} : { size: Number(size) }),
    ...(hex === undefined ? {} : { digest: `sha256:${hex}` }),
  };
}
