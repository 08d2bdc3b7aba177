/** What a user can ask of `run`. */
import type { RecordedContainer, RunRecord } from '../record/run-record.gen.ts';

export type InputsOrOutputs = 'inputs' | 'outputs' | 'both';

export interface RunOptions {
  /** Dataset to record in: a path, `^` for the topmost superdataset, or absent for the dataset around the current folder. */
  readonly dataset?: string;
  /** The words of the command as they were typed; exactly one word is a shell line, more are quoted and joined. */
  readonly cmd: readonly string[];
  readonly inputs?: readonly string[];
  readonly outputs?: readonly string[];
  /** Inputs that no placeholder names, such as a container image; always fetched. */
  readonly extraInputs?: readonly string[];
  /** Files with one path per line (or NUL-terminated) to add to the inputs; `-` is standard input. */
  readonly inputFrom?: readonly string[];
  readonly outputFrom?: readonly string[];
  /** Record these paths with their patterns expanded. */
  readonly expand?: InputsOrOutputs;
  /** Do not prepare these: inputs are not fetched, outputs not unlocked. */
  readonly assumeReady?: InputsOrOutputs;
  /** Save declared outputs only, and do not ask for a clean dataset. */
  readonly explicit?: boolean;
  readonly message?: string;
  /** Keep the record in a file of its own; absent: as configured. */
  readonly sidecar?: boolean;
  readonly dryRun?: 'basic' | 'command';
  /** What a non-zero exit code of the command means: nothing is saved and it is an error (default); saved and fine; saved and an error. */
  readonly onCmdFailure?: 'error' | 'save' | 'all';
  readonly onFailure?: 'ignore' | 'continue' | 'stop';
  readonly jobs?: number;
  /** With `explicit`: accept declared inputs that differ from the last commit, and record their digests. */
  readonly allowDirtyInput?: boolean;
  /** Differences between declared and actual outputs are an error, before anything is committed. */
  readonly strictIo?: boolean;
  /** Keep the command's streams as files that are saved with the run. */
  readonly log?: 'out' | 'err' | 'both';
  /** The command is literal: braces mean nothing. */
  readonly noPlaceholders?: boolean;
}

/** What makes a run the replay of an earlier one. */
export interface Replay {
  /** The record that is replayed: its fields that nobody here knows are kept, and its exit code is no failure. */
  readonly record: RunRecord;
  /** Full names of the commits whose records were replayed, oldest first, for the new record. */
  readonly chain: readonly string[];
  /** Files, relative to the root, that the earlier run wrote: prepared as if they were declared. */
  readonly written: readonly string[];
}

/** How a command is executed, where that is not simply by the shell of this machine: decided by whoever knows containers. */
export interface Launcher {
  /** Where the command finds the root of the dataset; null where it is. */
  readonly root: string | null;
  /** Called while Git is still being asked about the dataset: begins what takes time and changes nothing, without waiting for it. */
  readonly begin?: () => Promise<void>;
  /** Called once inputs are here, before anything else is changed. Throws what keeps the command from being started. */
  readonly launch: (lines: CommandLines) => Promise<Launched>;
}

/** The expanded command. */
export interface CommandLines {
  /** With the paths of this machine. */
  readonly host: string;
  /** With the paths that the command will see. */
  readonly inside: string;
  /** Folder that `{tmpdir}` stands for, or empty. */
  readonly tmpdir: string;
}

export interface Launched {
  /** The line that the shell executes in place of the command. */
  readonly line: string;
  /** Added to the command's environment; undefined removes a variable. */
  readonly env: NodeJS.ProcessEnv;
  /** What is recorded of the container; null for a command that is executed as it is. */
  readonly container: RecordedContainer | null;
  /** Whether the command must end when this process is killed. */
  readonly bound: boolean;
  /** Folders outside the dataset that `clear` removes, for whoever has to do that in its place. */
  readonly scratch: readonly string[];
  /** Clears away what was made for the command; called when it has ended, or will not be started. */
  readonly clear: () => void;
}
