/**
 * What `docker save` writes, as DataLad's docker adapter stores it unpacked.
 *
 * Two layouts. The classic one has `<config digest>.json` and `<id>/layer.tar`; since Docker 25 the files lie under `blobs/sha256`
 * and an OCI index is beside them. `manifest.json` leads to the files in both (Docker image specification 1.2, "Combined image
 * JSON + filesystem changeset format"). The configuration's digest is what `datalad_container.adapters.docker.get_image` answers.
 */
import { MAX_JSON_BYTES, readRange } from './byte-range.ts';
import type { Digest } from './digest.ts';
import type { ImageFacts, ImageSelection, ReadOptions } from './image.ts';
import { type ImageConfig, readImageConfig } from './image-config.ts';
import { invalid, shorten, wrongDigest } from './invalid.ts';
import { asObjects, asText, asTexts, type JsonObject, parseJson } from './json.ts';
import { readLayers } from './layers.ts';
import { demand, type Members, readMember } from './members.ts';
import { manifestOfConfig } from './oci-layout.ts';

export const ARCHIVE_MANIFEST = 'manifest.json';

/** Whether there is a list of images, or something damaged in its place. */
export function isDockerArchive(members: Members): boolean {
  const range = members.find(ARCHIVE_MANIFEST);
  if (!range) return false;
  if (range.size > MAX_JSON_BYTES) return true;
  const manifest = parseJson(readRange(range, MAX_JSON_BYTES));
  return manifest === undefined || Array.isArray(manifest);
}

/** @throws `image-invalid`, `content-unavailable` */
export async function readDockerArchive(members: Members, options: ReadOptions): Promise<ImageFacts> {
  const entry = choose(members, options.select);
  const configName = asText(entry['Config']);
  const layerNames = asTexts(entry['Layers'] ?? []);
  if (configName === null || !layerNames) throw invalid(members.image, `${ARCHIVE_MANIFEST} lacks Config or Layers`);
  const config = readImageConfig(members.image, readMember(members, configName));
  const named = /(?:^|[/:])([0-9a-f]{64})(?:\.json)?$/.exec(configName)?.[1];
  if (named !== undefined && config.digest !== `sha256:${named}`) {
    throw wrongDigest(members.image, shorten(configName), `sha256:${named}`, config.digest);
  }
  if (layerNames.length !== config.diffIds.length) {
    const counts = `${layerNames.length} layers, its configuration ${config.diffIds.length}`;
    throw invalid(members.image, `${ARCHIVE_MANIFEST} names ${counts}`);
  }
  const manifest = manifestBeside(members, config);
  const claims = layerNames.map((name, at) => ({ name, diffId: config.diffIds[at] as Digest, ...digestIn(name) }));
  const { layers, places, ranges } = await readLayers(members, claims, options.verify);
  const files = [demand(members, ARCHIVE_MANIFEST), demand(members, configName), ...ranges];
  const tags = asTexts(entry['RepoTags'] ?? []) ?? [];
  return {
    config: config.digest,
    ...(manifest ? { manifest } : {}),
    layers,
    places: { config: demand(members, configName), layers: places },
    architecture: config.architecture,
    ...(config.variant === undefined ? {} : { variant: config.variant }),
    os: config.os,
    tags,
    defaults: config.defaults,
    size: files.reduce((sum, file) => sum + file.size, 0),
    files: [...new Set(files.map((file) => file.path))],
  };
}

/** The one image that is meant, chosen as `get_image` does. */
function choose(members: Members, select: ImageSelection): JsonObject {
  const all = asObjects(parseJson(readMember(members, ARCHIVE_MANIFEST)));
  if (!all) throw invalid(members.image, `${ARCHIVE_MANIFEST} is not a list of images`);
  const { repoTag, config } = select;
  const chosen = all
    .filter((entry) => repoTag === undefined || asTexts(entry['RepoTags'])?.includes(repoTag))
    .filter((entry) => config === undefined || asText(entry['Config'])?.startsWith(config));
  const [entry] = chosen;
  if (!entry) {
    throw invalid(
      members.image,
      all.length === 0 ? 'it holds no image' : 'it holds no image with the given tag and configuration',
    );
  }
  if (chosen.length > 1) {
    const tags = chosen.flatMap((each) => asTexts(each['RepoTags']) ?? []);
    throw invalid(members.image, `it holds ${chosen.length} images, and which one is meant is not said`, {
      tags: tags.slice(0, 20).map(shorten),
    });
  }
  return entry;
}

/** The manifest in the OCI index beside `manifest.json`: some engines load by the one, some by the other, so both must mean the same. */
function manifestBeside(members: Members, config: ImageConfig): Digest | null {
  if (!members.find('oci-layout') || !members.find('index.json')) return null;
  const manifest = manifestOfConfig(members, config.digest);
  if (manifest) return manifest;
  throw invalid(
    members.image,
    `${ARCHIVE_MANIFEST} names an image with the configuration ${config.digest}, which index.json does not`,
  );
}

/** A layer's digest as stored, where its name says it. */
function digestIn(name: string): { readonly digest?: Digest } {
  const hex = /^blobs\/sha256\/([0-9a-f]{64})$/.exec(name)?.[1];
  return hex === undefined ? {} : { digest: `sha256:${hex}` };
}
