/** What is said about a stored image, whatever its format. */
import type { ByteRange } from './byte-range.ts';
import type { Digest } from './digest.ts';

/**
 * - `sif`: Singularity Image Format, one file
 * - `simg`: the file of Singularity 2 (a bare squashfs or ext3 file system, with or without a launch line)
 * - `docker-archive`: what `docker save` writes, as a tar file or unpacked
 * - `oci`: OCI image layout, as a folder or a tar file
 * - `other`: anything else, such as a script that is its own entry point or a folder with a root file system
 */
export type ImageFormat = 'sif' | 'simg' | 'docker-archive' | 'oci' | 'other';

export interface ImageLayer {
  /** Of the layer as it is stored. */
  readonly digest: Digest;
  /** Of the layer's tar, uncompressed; equal to `digest` where the layer is stored like that. */
  readonly diffId: Digest;
  /** Bytes as stored. */
  readonly size: number;
}

/** A file system inside a SIF. Its digest stays the same when the file is signed, or rewritten with another name and time. */
export interface ImagePartition {
  readonly kind: 'system' | 'primary' | 'data' | 'overlay';
  readonly digest: Digest;
  readonly size: number;
}

/** How the image wants to be started; lists and texts are empty where it does not say. */
export interface ImageDefaults {
  readonly entrypoint: readonly string[];
  readonly cmd: readonly string[];
  /** `NAME=value` each. */
  readonly env: readonly string[];
  readonly workdir: string;
  readonly user: string;
}

export interface Platform {
  /** In the words of OCI, which are Go's: `amd64`, `arm64`, `ppc64le`. */
  readonly architecture: string;
  readonly os: string;
  readonly variant?: string;
}

/** Which image is meant where a store holds several: the selectors of DataLad's docker adapter. */
export interface ImageSelection {
  /** `name:tag` as the image was saved under. */
  readonly repoTag?: string;
  /** The name of the config in `manifest.json`, or how it begins. */
  readonly config?: string;
}

export interface ReadOptions {
  /** Hash every stored byte, rather than trust sizes and the names of layers. */
  readonly verify: boolean;
  /** Which of several platforms is meant. */
  readonly architecture: string;
  readonly select: ImageSelection;
}

/** What a reader of one format finds out. */
export interface ImageFacts {
  readonly config?: Digest;
  readonly manifest?: Digest;
  readonly layers?: readonly ImageLayer[];
  /** Where the configuration and the layers are, for whoever hands the image to an engine. */
  readonly places?: { readonly config: ByteRange; readonly layers: readonly ByteRange[] };
  readonly partitions?: readonly ImagePartition[];
  readonly digest?: Digest;
  readonly architecture?: string;
  readonly variant?: string;
  readonly os?: string;
  readonly tags?: readonly string[];
  readonly defaults?: ImageDefaults;
  /** Bytes of all that belongs to the image. */
  readonly size?: number;
  /** Real paths of the files that were looked at. */
  readonly files: readonly string[];
}

const GO_ARCHITECTURES: Readonly<Record<string, string>> = {
  x64: 'amd64',
  ia32: '386',
  ppc64: 'ppc64le',
  mipsel: 'mipsle',
};

/** This machine's architecture in the words of OCI. */
export function hostArchitecture(): string {
  return GO_ARCHITECTURES[process.arch] ?? process.arch;
}
