/**
 * Whether what an engine has is what is stored: pure comparison.
 *
 * Source: `GET /images/{name}/json` of Docker Engine API 1.40 and later; OCI image specification 1.1, "Image Configuration".
 */
import { RepriseError } from '../../core/errors.ts';
import { digestOf, MAX_JSON_BYTES, readRange } from '../formats/byte-range.ts';
import { invalid } from '../formats/invalid.ts';
import { asObject, type JsonObject, parseJson } from '../formats/json.ts';
import type { EngineImage } from './archive.ts';

export interface WantedImage {
  readonly configDigest: string;
  readonly diffIds: readonly string[];
  readonly config: JsonObject;
}

/** Reads the stored configuration. @throws `image-mismatch` if it has changed since its digest was taken, `image-invalid` */
export function readConfig(image: EngineImage): WantedImage {
  const { size } = image.config;
  if (size > MAX_JSON_BYTES) throw invalid(image.path, `its configuration has ${size} bytes`);
  const bytes = readRange(image.config, size);
  const actual = digestOf(bytes);
  if (actual !== image.configDigest) {
    throw new RepriseError(
      'image-mismatch',
      `The image ${image.path} is not the one that is named: its configuration is ${actual}, not ${image.configDigest}`,
      { data: { image: image.path, expected: image.configDigest, actual } },
    );
  }
  const config = parseJson(bytes);
  return { configDigest: actual, diffIds: image.layers.map(({ diffId }) => diffId), config: objectOf(config) };
}

/** Fields of a configuration that decide how a container starts. */
const FIELDS = ['Env', 'Entrypoint', 'Cmd', 'WorkingDir', 'User', 'Volumes'] as const;

/** The engine's id of an inspected image if it is the wanted one, else null. */
export function sameImage(inspected: unknown, wanted: WantedImage): string | null {
  const found = objectOf(inspected);
  const id = typeof found['Id'] === 'string' ? withAlgorithm(found['Id']) : null;
  const layers = objectOf(found['RootFS'])['Layers'] ?? [];
  if (id === null || canonical(layers) !== canonical(wanted.diffIds)) return null;
  // An id that is the configuration's own digest says the rest.
  if (id === wanted.configDigest) return id;
  const [theirs, ours] = [objectOf(found['Config']), objectOf(wanted.config['config'])];
  const same =
    FIELDS.every((field) => canonical(theirs[field]) === canonical(ours[field])) &&
    found['Architecture'] === wanted.config['architecture'] &&
    found['Os'] === wanted.config['os'];
  return same ? id : null;
}

/** Podman's command line leaves the algorithm out. */
function withAlgorithm(id: string): string {
  return /^[0-9a-f]{64}$/.test(id) ? `sha256:${id}` : id;
}

function objectOf(value: unknown): JsonObject {
  return asObject(value) ?? {};
}

/** Engines write what is empty in several ways. */
function canonical(value: unknown): string {
  const isEmpty = value === undefined || value === null || value === '' || Object.keys(value).length === 0;
  return isEmpty ? '' : JSON.stringify(value);
}
