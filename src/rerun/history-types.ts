/** A stretch of history as values: what `history.ts` reads, and plans, scripts and the search for stale results are made from. */
import type { Form } from '../record/message.ts';
import type { Oddity } from '../record/normalise.ts';
import type { RunRecord } from '../record/run-record.gen.ts';

/** One commit of a range. */
export interface HistoryCommit {
  /** Full name. */
  readonly commit: string;
  readonly parents: readonly string[];
  /** Name of the author, and the author's date in the strict format of ISO 8601. */
  readonly author: string;
  readonly date: string;
  /** The record of a run, or null for a commit that has none. */
  readonly run: RecordedRun | null;
  /** Why the record cannot be used, as a sentence that names the commit; null where it can, or where there is none. */
  readonly problem: string | null;
  /** Whether the problem is only that the record is in a sidecar whose content is not here. */
  readonly unread?: boolean;
}

/** A run as its commit records it. */
export interface RecordedRun {
  readonly record: RunRecord;
  /** The message without prefix and record. */
  readonly message: string;
  readonly oddities: readonly Oddity[];
  readonly how: Form;
  /** Id of the sidecar that holds the record, or null. */
  readonly sidecar: string | null;
}

/** What a commit did to one path, against its first parent. Modes are octal, `000000` for nothing; names are full object names. */
export interface Change {
  readonly path: string;
  readonly oldMode: string;
  readonly newMode: string;
  readonly oldSha: string;
  readonly newSha: string;
}
