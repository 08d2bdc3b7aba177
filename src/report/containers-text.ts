/** The tailored rendering of `containers-list`: DataLad's `NAME -> path`, and what is known of the image where that was asked for. */
import { posix } from 'node:path';
import type { Result } from '../core/result.ts';
import { printable } from './printable.ts';
import { humanSize } from './size.ts';
import { genericLine } from './text.ts';

export function containerLine(result: Result): string | undefined {
  if (result.action !== 'containers' || result.status !== 'ok') return genericLine(result);
  const path = result.refds === undefined ? result.path : posix.relative(result.refds, result.path);
  const line = printable(`${String(result['name'])} -> ${path}`);
  const details = detailsOf(result);
  return details.length === 0 ? line : `${line} (${details.map(printable).join(', ')})`;
}

function detailsOf(result: Result): readonly string[] {
  const { image_format, image_digest, image_problem, image_architecture, bytesize, has_content } = result;
  if (has_content === undefined && image_problem === undefined) return [];
  return [
    ...(typeof image_format === 'string' ? [image_format] : []),
    ...(typeof image_digest === 'string' ? [shortDigest(image_digest)] : []),
    ...(typeof image_architecture === 'string' ? [image_architecture] : []),
    ...(typeof bytesize === 'number' ? [humanSize(bytesize)] : []),
    ...(has_content === false ? ['content not here'] : []),
    ...(typeof image_problem === 'string' ? [image_problem] : []),
  ];
}

/** As container engines shorten it. */
function shortDigest(digest: string): string {
  return digest.replace(/^(sha256:[0-9a-f]{12})[0-9a-f]*$/, '$1');
}
