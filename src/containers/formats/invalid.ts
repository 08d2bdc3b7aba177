/** Errors about images that came from somebody else: what they say is shortened before it is shown. */
import { RepriseError } from '../../core/errors.ts';
import { quoteWord } from '../../core/quote.ts';
import type { Digest } from './digest.ts';

/** An `image-invalid` error. */
export function invalid(image: string, problem: string, data: Readonly<Record<string, unknown>> = {}): RepriseError {
  return new RepriseError('image-invalid', `The image ${image} is not valid: ${problem}`, {
    data: { image, ...data },
  });
}

/** An `image-invalid` error that names both digests. */
export function wrongDigest(image: string, what: string, expected: Digest, actual: Digest): RepriseError {
  return invalid(image, `${what} has the digest ${actual}, but should have ${expected}`, { expected, actual });
}

/** Content that a dataset knows, but that is not here. */
export function unavailable(path: string, member?: string): RepriseError {
  const what = member === undefined ? `the image ${path}` : `${shorten(member)} of the image ${path}`;
  return new RepriseError('content-unavailable', `The content of ${what} is not present`, {
    hints: [`reprise get ${quoteWord(path)}`],
    data: { image: path, ...(member === undefined ? {} : { member: shorten(member) }) },
  });
}

/** A name from an image, at a length that can be read. */
export function shorten(name: string): string {
  return name.length <= 200 ? name : `${name.slice(0, 200)}...`;
}
