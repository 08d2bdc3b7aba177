/**
 * The configuration of an image: its platform, its layers and how it wants to be started.
 *
 * OCI image specification 1.1, "OCI Image Configuration"; Docker's own (image specification 1.2) has the same fields.
 */
import { digestOf } from './byte-range.ts';
import type { Digest } from './digest.ts';
import type { ImageDefaults, Platform } from './image.ts';
import { invalid, shorten } from './invalid.ts';
import { asObject, asText, asTexts, parseJson } from './json.ts';

export interface ImageConfig extends Platform {
  /** Of the configuration itself: what identifies the image. */
  readonly digest: Digest;
  /** Digests of the uncompressed layers, lowest first. */
  readonly diffIds: readonly Digest[];
  readonly defaults: ImageDefaults;
}

/** Engines stop at 127 layers; some builders write more. */
const MAX_LAYERS = 1000;

/** Reads the bytes of a configuration. @throws `image-invalid` */
export function readImageConfig(image: string, bytes: Uint8Array): ImageConfig {
  const root = asObject(parseJson(bytes));
  const rootfs = asObject(root?.['rootfs']);
  const diffIds = asTexts(rootfs?.['diff_ids'] ?? (rootfs ? [] : undefined));
  if (!root || !diffIds) throw invalid(image, 'its configuration does not list its layers');
  if (diffIds.length > MAX_LAYERS)
    throw invalid(image, `it has ${diffIds.length} layers; at most ${MAX_LAYERS} are read`);
  const variant = asText(root['variant']);
  return {
    digest: digestOf(bytes),
    diffIds: diffIds.map((diffId) => asDigest(image, diffId)),
    architecture: asText(root['architecture']) ?? '',
    os: asText(root['os']) ?? '',
    ...(variant === null || variant === '' ? {} : { variant }),
    defaults: readDefaults(image, root['config'] ?? {}),
  };
}

/** Reads the part of a configuration that says how to start the image. @throws `image-invalid` */
export function readDefaults(image: string, value: unknown): ImageDefaults {
  const config = asObject(value);
  if (!config) throw invalid(image, 'its configuration does not say how to start it');
  return {
    entrypoint: texts(image, config, 'Entrypoint'),
    cmd: texts(image, config, 'Cmd'),
    env: texts(image, config, 'Env'),
    workdir: text(image, config, 'WorkingDir'),
    user: text(image, config, 'User'),
  };
}

function texts(image: string, config: Readonly<Record<string, unknown>>, key: string): readonly string[] {
  const list = asTexts(config[key] ?? []);
  if (!list) throw invalid(image, `${key} in its configuration is not a list of texts`);
  return list;
}

function text(image: string, config: Readonly<Record<string, unknown>>, key: string): string {
  const value = asText(config[key] ?? '');
  if (value === null) throw invalid(image, `${key} in its configuration is not a text`);
  return value;
}

/** A digest as an image writes it. @throws `image-invalid` for anything but SHA-256 */
export function asDigest(image: string, value: unknown): Digest {
  const digest = asText(value) ?? '';
  if (/^sha256:[0-9a-f]{64}$/.test(digest)) return digest as Digest;
  throw invalid(image, `it names content by "${shorten(digest)}", which is not a SHA-256 digest`);
}
