/**
 * Everything that a user can cause, as one class with a stable code.
 *
 * The catalogue below is the only place where codes are born: `docs/reference/errors.md` is generated from it, and the
 * command line maps each code to its exit status through it.
 */

/** code -> [exit status, what it means in one line]. */
export const ERROR_CODES = {
  usage: [2, 'The command line is not understood.'],
  'no-dataset': [2, 'No dataset was found at or above the given folder.'],
  'not-a-dataset': [1, 'The folder is a Git repository in a state that Reprise cannot work with.'],
  'dataset-dirty': [1, 'The dataset has unsaved changes, so the changes of a command could not be told apart.'],
  'dataset-busy': [1, 'Another run or rerun is going on, so the changes of a command could not be told apart.'],
  'input-missing': [1, 'A declared input does not match any existing file.'],
  'input-dirty': [
    1,
    'A declared input differs from the last commit, so a record would name content that was not used.',
  ],
  'input-unavailable': [1, 'The content of a declared input could not be fetched.'],
  'placeholder-unknown': [1, 'A command or path names a placeholder that does not exist.'],
  'placeholder-invalid': [1, 'A command or path has unbalanced braces or a malformed placeholder.'],
  'pattern-too-wide': [1, 'A pattern names more paths than can be handled, or has too many parts.'],
  'path-outside': [1, 'A path does not belong to the dataset.'],
  'path-encoding': [1, 'A name holds bytes that this operation cannot carry.'],
  'command-failed': [1, 'The command ended with an exit code other than 0; its own code is passed on.'],
  'command-not-started': [1, 'The command could not be started.'],
  'branch-switched': [1, 'The active branch was switched by the command, or while a rerun was stopped.'],
  'history-rewritten': [
    1,
    'History was rewritten by the command, or while a rerun was stopped: the state before is not an ancestor of the state after.',
  ],
  'undeclared-committed': [1, 'The command committed files that were not declared as outputs.'],
  'strict-io': [1, 'Declared and actual outputs differ, and --strict-io was given.'],
  'uninstalled-subdataset-written': [
    1,
    'Files were written below the mount point of a subdataset that is not installed.',
  ],
  'revision-unknown': [1, 'A revision names no commit of the dataset.'],
  'no-run-commits': [1, 'The given range holds no commit with a run record.'],
  'branch-exists': [1, 'The branch that was to be made exists already.'],
  'adjusted-branch': [1, 'What was asked for cannot be done on an adjusted branch of git-annex.'],
  'replay-conflict': [1, 'A commit could not be picked or merged without a conflict while history was replayed.'],
  'replay-pending': [1, 'A rerun was stopped half-way and has to be continued or aborted first.'],
  'replay-missing': [1, 'There is no rerun to be continued or aborted.'],
  'record-invalid': [1, 'A run record cannot be read.'],
  'record-sidecar-missing': [1, 'A run record refers to a sidecar file that is neither in the tree nor in its commit.'],
  'save-failed': [1, 'The results could not be saved; they are kept and can be completed with `reprise recover`.'],
  'stage-mismatch': [1, 'git-annex reported success, but did not stage what it was asked to.'],
  'annex-failed': [1, 'git-annex reported a failure.'],
  'annex-missing': [1, 'This dataset uses git-annex, which is not installed.'],
  'git-failed': [1, 'A git command failed.'],
  'git-missing': [1, 'Git is not installed.'],
  'identity-missing': [1, 'Git does not know who commits.'],
  'lock-timeout': [1, 'Another process has been holding a lock for too long.'],
  'branch-moved': [1, 'The branch was moved by somebody else again and again while a commit was landing.'],
  'target-exists': [1, 'The target folder exists already and is not empty.'],
  'path-missing': [1, 'A given path does not exist.'],
  'content-unavailable': [1, 'The content of a file is not present and could not be fetched.'],
  'drop-refused': [1, 'Dropping content was refused because too few other copies are known.'],
  'subdataset-install-failed': [1, 'A subdataset could not be installed from any known location.'],
  'recovery-failed': [1, 'An interrupted run could not be recovered.'],
  'disk-full': [1, 'There is no space left on the device.'],
  'permission-denied': [1, 'A file or folder may not be written or read by this user.'],
  'image-unavailable': [1, 'A container image could not be had from the place that was named.'],
  'container-unknown': [1, 'No container, or more than one, is known by the given name.'],
  'container-exists': [1, 'A container of the given name is configured already.'],
  'image-missing': [1, 'A container image is not where it should be.'],
  'image-invalid': [1, 'A container image is damaged, contradicts itself, or is in a form that cannot be identified.'],
  'image-mismatch': [1, 'A container image is not the one that was recorded.'],
  'image-unusable': [1, 'A container image cannot be run by the engine that was chosen.'],
  'runner-missing': [1, 'A container engine is not installed here.'],
  'runner-unreachable': [1, 'A container engine is installed, but cannot be reached.'],
  'runner-permission': [1, 'This user may not use the container engine.'],
  'container-failed': [125, 'The container engine could not run the container.'],
  'config-invalid': [1, 'A configuration value is not valid.'],
  interrupted: [130, 'The user interrupted the command.'],
} as const satisfies Record<string, readonly [number, string]>;

export type ErrorCode = keyof typeof ERROR_CODES;

export interface ErrorDetails {
  /** What to type next: whole lines that can be pasted. At most two. */
  readonly hints?: readonly string[];
  /** Facts for machines; printed by `-f json`. */
  readonly data?: Readonly<Record<string, unknown>>;
  readonly cause?: unknown;
  /** Overrides the exit status of the code, for a wrapped command's own exit code. */
  readonly exitCode?: number;
}

/** An error that the user can cause and mend; anything else that is thrown is a bug of ours. */
export class RepriseError extends Error {
  readonly code: ErrorCode;
  readonly hints: readonly string[];
  readonly data: Readonly<Record<string, unknown>>;
  readonly exitCode: number;

  /**
   * @param code one of ERROR_CODES
   * @param message one sentence that names the thing, without a final full stop
   */
  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = 'RepriseError';
    this.code = code;
    this.hints = details.hints ?? [];
    this.data = details.data ?? {};
    this.exitCode = details.exitCode ?? ERROR_CODES[code][0];
  }
}
