/** Records in files of their own, for records that are too large or too private for a commit message. */
import { createHash } from 'node:crypto';
import { posix } from 'node:path';
import { assertWritable, invalidRecord } from './normalise.ts';
import { toCompactJson, toPrettyJson } from './python-json.ts';
import { readJson } from './read-json.ts';
import type { RunRecord } from './run-record.gen.ts';
import { compressXz, decompressXz } from './xz.ts';

/** Where sidecars are unless `datalad.run.record-directory` says otherwise. */
export const SIDECAR_DIRECTORY = '.datalad/runinfo';

/** Sidecars of real runs with thousands of paths are some megabytes; more is an attack. */
const MAX_SIDECAR = 64 * 2 ** 20;

/** Path of a sidecar relative to the root of its dataset. */
export function sidecarPath(id: string, directory: string = SIDECAR_DIRECTORY): string {
  return posix.join(directory, id);
}

/** The id of a record's sidecar: the MD5 sum of the text that would stand in the commit message. */
export function sidecarId(record: RunRecord): string {
  return createHash('md5').update(toPrettyJson(record), 'utf8').digest('hex');
}

/** The bytes of a record's sidecar, equal to DataLad's: compact JSON and a line end, as XZ. */
export async function encodeSidecar(record: RunRecord): Promise<Buffer> {
  assertWritable(record);
  return compressXz(Buffer.from(`${toCompactJson(record)}\n`, 'utf8'));
}

/**
 * Reads a sidecar: the first line of the file, as DataLad does.
 *
 * @param bytes content of the file
 * @param origin the commit that names the sidecar, for messages
 * @returns what was read, for `normaliseRecord`
 * Errors: `record-invalid` for anything but one JSON value in XZ of at most 64 MiB.
 */
export async function decodeSidecar(bytes: Buffer, origin: { readonly commit: string }): Promise<unknown> {
  const data = await decompressXz(bytes, MAX_SIDECAR);
  if (typeof data === 'string') throw invalidRecord(origin.commit, `is in a sidecar that ${data}`);
  const end = data.indexOf('\n');
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(end === -1 ? data : data.subarray(0, end));
  } catch (cause) {
    throw invalidRecord(origin.commit, 'is in a sidecar that is not valid UTF-8', cause);
  }
  const value = readJson(text);
  if (value === undefined) throw invalidRecord(origin.commit, 'is in a sidecar that is not valid JSON');
  return value;
}
