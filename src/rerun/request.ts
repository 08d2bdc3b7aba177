/** What a user can ask of `rerun`. */
import type { RunnerName } from '../containers/plan.ts';
import type { InputsOrOutputs, RunOptions } from '../run/options.ts';

/** What holds for every step; kept, so that a rerun can be continued as it began. */
export interface ReplayRequest {
  /** Do not prepare these: inputs are not fetched, outputs not unlocked. */
  readonly assumeReady?: InputsOrOutputs;
  /** Save declared outputs only, and do not ask for a clean dataset. */
  readonly explicit?: boolean;
  /** What an exit code means that is neither 0 nor the recorded one. */
  readonly onCmdFailure?: NonNullable<RunOptions['onCmdFailure']>;
  readonly onFailure?: NonNullable<RunOptions['onFailure']>;
  /** How many records may be executed at once, and how many transfers. */
  readonly jobs?: number;
  /** What runs containers; by default what is here and fits the image. */
  readonly runner?: RunnerName;
  /** Anything but identical outputs is a failure. */
  readonly verify?: boolean;
}

export interface RerunOptions extends ReplayRequest {
  readonly dataset?: string;
  /** The last commit of the range; by default the active branch. */
  readonly revision?: string;
  /** Where the range begins (not included); blank for all of the history of the revision; absent for the one commit. */
  readonly since?: string;
  /** Name of a branch to be made for the results. */
  readonly branch?: string;
  /** Commit to start from; blank for the parent of the first run of the range. */
  readonly onto?: string;
  readonly message?: string;
  /** Write the commands to this file instead, `-` for standard output. */
  readonly script?: string;
  /** Only report what would be done. */
  readonly report?: boolean;
  /** Only show what would be done. */
  readonly dryRun?: boolean;
  /** Execute each record in a throw-away checkout of the state it was recorded in. */
  readonly workspace?: boolean;
  /** Only results that no longer follow from their inputs. */
  readonly stale?: boolean;
  /** Go on with a rerun that was stopped. */
  readonly continue?: boolean;
  /** Undo a rerun that was stopped. */
  readonly abort?: boolean;
}
