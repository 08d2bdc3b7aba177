/** What a verb reports: DataLad's result convention, one plain object per thing that was acted on. */

export type Status = 'ok' | 'notneeded' | 'impossible' | 'error';

export interface Result {
  /** What was done: `run`, `add`, `save`, `get`, `unlock`, `install`, ... */
  readonly action: string;
  readonly status: Status;
  /** Absolute path of the thing. */
  readonly path: string;
  readonly type?: 'file' | 'symlink' | 'directory' | 'dataset' | 'key';
  readonly message?: string;
  /** Absolute path of the dataset that the path is reported against. */
  readonly refds?: string;
  /** Whatever DataLad adds for that action, under its names. */
  readonly [extra: string]: unknown;
}

/** What happens while a verb works. Facts only: all wording is in `report/`. */
export type Event =
  | { readonly kind: 'result'; readonly result: Result }
  | { readonly kind: 'info'; readonly text: string }
  /** What was asked for is itself a text: for standard output, as it is. */
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'warning'; readonly text: string; readonly hints?: readonly string[] }
  | {
      readonly kind: 'progress';
      readonly label: string;
      readonly done: number;
      readonly total: number;
      readonly unit: 'files' | 'bytes' | 'layers';
    }
  | { readonly kind: 'progress-end'; readonly label: string };

export type Emit = (event: Event) => void;

/** How a verb ended: the exit status for a command line, and all results in the order they were emitted. */
export interface VerbOutcome {
  readonly exitCode: number;
  readonly results: readonly Result[];
}
