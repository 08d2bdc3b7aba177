/** A container as a run needs it: which image, how the line starts it, and what it may see. */
import { join } from 'node:path';
import type { KnownIdentity } from '../containers/identity-match.ts';
import type { RunnerName } from '../containers/plan.ts';
import type { Repo } from '../dataset/repo.ts';
import { relativeTo } from '../dataset/targets.ts';
import type { ContainerOptions } from './container-options.ts';
import type { ImagePlace } from './image-content.ts';

export interface ContainerCase {
  /** The dataset that the run is recorded in. */
  readonly repo: Repo;
  /** Folder that the command runs in, relative to its root. */
  readonly pwd: string;
  /** Value of DATALAD_CONTAINER_NAME; null where nothing tells. */
  readonly name: string | null;
  /** The dataset that tracks the image. */
  readonly owner: Repo;
  /** Absolute path of the image that is used. */
  readonly imagePath: string;
  /** Path of the image relative to the root of `repo`, for the record. */
  readonly recordedPath: string;
  /** How the image may be written in the line. */
  readonly images: readonly string[];
  /** The command in the container, before placeholders were filled in, for the record. */
  readonly command: string;
  readonly callFormat: string | undefined;
  /** The line is executed by the shell as it stands. */
  readonly verbatim: boolean;
  /** Folder in the container that the command runs in, if not the one that it was called in. */
  readonly workdir?: string;
  readonly options: ContainerOptions;
  /** Folder that the sources of its mounts are relative to. */
  readonly mountsFrom: string;
  /** Options that were asked for and mean nothing where the line is executed as it stands. */
  readonly onlyWithRunner: readonly string[];
  /** What ran it before. */
  readonly preferred?: RunnerName;
  /** What an earlier run recorded of its image. */
  readonly expected?: KnownIdentity;
}

/** Where the bytes of its image are, and what they stand for. */
export function placeOf({ repo, owner, imagePath, recordedPath }: ContainerCase): ImagePlace {
  return { path: imagePath, place: relativeTo(owner.root, join(repo.root, recordedPath)) };
}
