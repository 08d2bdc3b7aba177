/** Whether an image is the one that was recorded. */
import { RepriseError } from '../core/errors.ts';
import type { Digest } from './formats/digest.ts';
import type { ImageFacts } from './formats/image.ts';

/** The part of a record, or of what an engine says, that can be compared. */
export type KnownIdentity = Pick<ImageFacts, 'config' | 'partitions' | 'digest' | 'layers'>;

export type Match = 'same' | 'different' | 'unknown';

/**
 * Compares two identities by the strongest thing that both know.
 *
 * The configuration decides for images of layers, because it names them all; then the layers themselves; for a SIF its partitions, so that
 * a signed copy is the same image; else the file. `unknown` means that the two have nothing in common.
 */
export function matchIdentity(recorded: KnownIdentity, actual: KnownIdentity): Match {
  const pair = decisivePair(recorded, actual);
  return pair ? (pair[0] === pair[1] ? 'same' : 'different') : 'unknown';
}

/** @throws `image-mismatch` naming both digests, if two identities differ */
export function requireSameImage(path: string, recorded: KnownIdentity, actual: KnownIdentity): void {
  const pair = decisivePair(recorded, actual);
  if (!pair || pair[0] === pair[1]) return;
  throw new RepriseError('image-mismatch', `The image ${path} is ${pair[1]}, but ${pair[0]} was recorded`, {
    data: { image: path, recorded: pair[0], actual: pair[1] },
  });
}

function decisivePair(a: KnownIdentity, b: KnownIdentity): readonly [string, string] | null {
  if (a.config && b.config) return [a.config, b.config];
  if (a.layers && b.layers) return [diffIds(a.layers), diffIds(b.layers)];
  if (a.partitions?.length && b.partitions?.length) return [digests(a.partitions), digests(b.partitions)];
  return a.digest && b.digest ? [a.digest, b.digest] : null;
}

function diffIds(layers: readonly { readonly diffId: Digest }[]): string {
  return layers.map((layer) => layer.diffId).join(' ');
}

function digests(partitions: readonly { readonly digest: Digest }[]): string {
  return partitions.map((partition) => partition.digest).join(' ');
}
