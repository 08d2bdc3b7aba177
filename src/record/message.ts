/** The commit message of a run: written exactly as DataLad does, read in every form that a real history may hold. */
import { invalidRecord, type NormalisedRecord, assertWritable, readRecord } from './normalise.ts';
import { CLOSER, type Located, locate, OPENER, PREFIX, stripEnd } from './locate.ts';
import { toPrettyJson } from './python-json.ts';
import { readJson } from './read-json.ts';
import type { RunRecord } from './run-record.gen.ts';

export type { Form } from './locate.ts';

export interface MessageParts {
  /** The user's message; blank or absent if there is none. */
  readonly message?: string;
  /** What takes its place then: the shortened command. */
  readonly fallback: string;
  /** The record itself, or the id of the sidecar that holds it. */
  readonly content: { readonly record: RunRecord } | { readonly sidecarId: string };
}

/**
 * The message of a run's commit (layout: DataLad's `_create_record` and `run_command`), to be committed verbatim.
 *
 * MESSAGE is never empty: Git's clean-up would strip the blank after the prefix, and DataLad would not find the record.
 */
export function renderMessage(parts: MessageParts): string {
  const { content } = parts;
  if ('record' in content) assertWritable(content.record);
  const message = [parts.message, parts.fallback].find((text) => text !== undefined && stripEnd(text) !== '');
  const body = toPrettyJson('record' in content ? content.record : content.sidecarId);
  return `${PREFIX} ${message ?? 'empty command'}\n\n${OPENER}\n${body}\n${CLOSER}\n`;
}

/** A command as the message of its run: its first 40 code points, and `...` if there are more. */
export function shortCommand(cmd: string): string {
  // 41 code points fit in 82 units; the rest of a long command need not be looked at.
  const start = Array.from(cmd.slice(0, 82));
  return start.length > 40 ? `${start.slice(0, 40).join('')}...` : cmd;
}

type Found = Omit<Located, 'body'>;

export type ParsedMessage =
  | { readonly kind: 'none' }
  /** The message speaks of a run or quotes a record, but holds none. */
  | { readonly kind: 'mention' }
  | ({ readonly kind: 'record' } & Found & NormalisedRecord)
  /** The record is in the file that `sidecarPath(id)` names. */
  | ({ readonly kind: 'sidecar'; readonly id: string } & Found)
  /** `reason` is a sentence that names the commit. */
  | { readonly kind: 'invalid'; readonly reason: string };

/**
 * Reads the message of a commit. Never throws; takes time in proportion to the length of the text.
 *
 * Where DataLad recognises the message, the result is DataLad's. A message that DataLad ignores is never `invalid` unless it starts
 * with the prefix: it may merely look like a record.
 *
 * @param text the message as `decodeName` gives it
 * @param origin the commit, for reasons
 */
export function parseMessage(text: string, origin: { readonly commit: string }): ParsedMessage {
  const located = locate(text);
  if (typeof located === 'string') return { kind: located };
  const { body, ...found } = located;
  const broken = (reason: string): ParsedMessage =>
    text.startsWith(PREFIX)
      ? { kind: 'invalid', reason: invalidRecord(origin.commit, reason).message }
      : { kind: 'mention' };
  const raw = readJson(body);
  if (raw === undefined) return broken('is not valid JSON');
  if (typeof raw === 'string') {
    return isFileName(raw) ? { kind: 'sidecar', id: raw, ...found } : broken('names a sidecar that is not a file name');
  }
  const result = readRecord(raw);
  return typeof result === 'string' ? broken(result) : { kind: 'record', ...found, ...result };
}

/** DataLad's ids are MD5 sums; anything that stays inside the folder of sidecars is let through. */
function isFileName(id: string): boolean {
  return /^[\w-][\w.-]{0,199}$/.test(id);
}
