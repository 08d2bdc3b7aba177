/** A stored image as an engine takes it, by what its identity says. */
import { RepriseError } from '../../core/errors.ts';
import type { ImageIdentity } from '../identity.ts';
import type { EngineImage } from './archive.ts';

/**
 * The parts of an image that Docker and Podman can load.
 *
 * @param identity what `identifyImage` found at that path
 * @throws `image-unusable` for an image of another format
 */
export function engineImage(path: string, identity: ImageIdentity): EngineImage {
  const { config, layers, places, format } = identity;
  if (config === undefined || !layers || !places) {
    throw new RepriseError(
      'image-unusable',
      `The image ${path} is of the format ${format}, which Docker and Podman do not load`,
      {
        hints: ['reprise containers-run --runner apptainer ...'],
        data: { image: path, format },
      },
    );
  }
  return {
    path,
    configDigest: config,
    config: places.config,
    layers: places.layers.map((part, at) => ({ diffId: layers[at]?.diffId ?? '', part })),
  };
}
