/**
 * What is to be executed in a container, said without naming how any engine does it.
 *
 * A plan is a plain value: it is shown by `--dry-run`, written beside the journal, and turned into an API request or an argument
 * list by pure functions of the runners.
 */

export type RunnerName = 'docker' | 'podman' | 'apptainer' | 'singularity';

/** Where the dataset's root is inside a container: the same on every machine and under every runner. */
export const DATASET_PATH = '/dataset';
/** The private, empty home folder inside a container. */
export const HOME_PATH = '/home/reprise';

export interface Mount {
  /** Absolute path on this machine. */
  readonly source: string;
  /** Absolute path in the container. */
  readonly target: string;
  readonly readonly: boolean;
}

export interface ContainerPlan {
  readonly runner: RunnerName;
  /** The image by the runner's own name for verified content: an engine's image id, or the path of a file. */
  readonly image: string;
  readonly command: readonly [string, ...string[]];
  /** `image`: the image's own entry point gets the command as its arguments; `none`: the command is the program. */
  readonly entrypoint: 'image' | 'none';
  readonly workdir: string;
  /** In order: a later one may lie inside an earlier one. */
  readonly mounts: readonly Mount[];
  /** Folders that are private, empty and writable, and gone afterwards. */
  readonly tmpfs: readonly string[];
  /** Fixed variables, HOME among them. */
  readonly env: Readonly<Record<string, string>>;
  /** Names of variables whose values are taken from the environment when the container starts; never written down. */
  readonly passEnv: readonly string[];
  readonly network: boolean;
  /** `all`, or identifiers of devices separated by commas; null for none. */
  readonly gpus: string | null;
  readonly writableRoot: boolean;
  /** Whom the files belong to that the command makes. */
  readonly user: { readonly uid: number; readonly gid: number; readonly groups: readonly number[] };
  /** Whether the command reads our standard input; otherwise it reads nothing. */
  readonly stdin: boolean;
}
