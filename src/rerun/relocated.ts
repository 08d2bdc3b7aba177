/** Results about a workspace, told as results about the dataset that it is a workspace of. */
import type { Result } from '../core/result.ts';

/** Moves the paths of a result from one root to another. */
export function relocated(result: Result, from: string, to: string): Result {
  const move = (path: string) => (path === from || path.startsWith(`${from}/`) ? to + path.slice(from.length) : path);
  const { refds, path } = result;
  return { ...result, path: move(path), ...(refds === undefined ? {} : { refds: move(refds) }) };
}
