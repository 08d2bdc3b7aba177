/** Records that would work outside their dataset: somebody's mistake, or an attack. */
import { posix } from 'node:path';
import type { RunRecord } from '../record/run-record.gen.ts';

/**
 * The first path of a record that leaves the dataset or reaches into a Git directory, or null.
 *
 * Decided on names alone; links on the way are looked at when the path is used.
 * @param root absolute path of the dataset
 */
export function refusedPath(record: RunRecord, root: string): string | null {
  const { pwd, inputs, outputs, extra_inputs: extra, reprise } = record;
  const folder = posix.resolve(root, pwd);
  if (isOutside(folder, root)) return pwd;
  const image = reprise?.container?.image;
  if (image !== undefined && isOutside(posix.resolve(root, image), root)) return image;
  return [...inputs, ...extra, ...outputs].find((path) => isOutside(posix.resolve(folder, path), root)) ?? null;
}

function isOutside(absolute: string, root: string): boolean {
  if (absolute === root) return false;
  const prefix = root === '/' ? '/' : `${root}/`;
  return !absolute.startsWith(prefix) || absolute.slice(prefix.length).split('/').includes('.git');
}
