/** OCI image layout: `oci-layout`, `index.json` and `blobs/sha256/...` (OCI image specification 1.1, "OCI Image Layout Specification"). */
import type { Digest } from './digest.ts';
import type { ImageFacts, Platform, ReadOptions } from './image.ts';
import { type ImageConfig, readImageConfig } from './image-config.ts';
import { invalid } from './invalid.ts';
import { asObjects, type JsonObject } from './json.ts';
import { readLayers } from './layers.ts';
import { demand, type Members } from './members.ts';
import { blobName, checkSize, type Descriptor, listManifests, readBlob, readDescriptor } from './oci-index.ts';

/** Whether the two files of a layout are there. */
export function isOciLayout(members: Members): boolean {
  return members.find('oci-layout') !== null && members.find('index.json') !== null;
}

/** @throws `image-invalid`, `content-unavailable` */
export async function readOciLayout(members: Members, options: ReadOptions): Promise<ImageFacts> {
  const chosen = choose(members, options);
  const { value } = readBlob(members, chosen);
  const configDescriptor = readDescriptor(members, value['config']);
  const config = configOf(members, value);
  const layers = (asObjects(value['layers'] ?? []) ?? []).map((layer) => readDescriptor(members, layer));
  if (layers.length !== config.diffIds.length) {
    const counts = `${layers.length} layers, its configuration ${config.diffIds.length}`;
    throw invalid(members.image, `its manifest names ${counts}`);
  }
  for (const layer of layers) checkSize(members, layer);
  const claims = layers.map(({ digest }, at) => {
    return { name: blobName(digest), digest, diffId: config.diffIds[at] as Digest };
  });
  const read = await readLayers(members, claims, options.verify);
  const small = ['oci-layout', 'index.json', blobName(chosen.digest), blobName(configDescriptor.digest)];
  const files = [...small.map((name) => demand(members, name)), ...read.ranges];
  return {
    config: config.digest,
    manifest: chosen.digest,
    layers: read.layers,
    places: { config: demand(members, blobName(configDescriptor.digest)), layers: read.places },
    architecture: config.architecture,
    ...(config.variant === undefined ? {} : { variant: config.variant }),
    os: config.os,
    tags: chosen.tag === undefined ? [] : [chosen.tag],
    defaults: config.defaults,
    size: files.reduce((sum, file) => sum + file.size, 0),
    files: [...new Set(files.map((file) => file.path))],
  };
}

/** The manifest, among those in an index whose content is there, that leads to a configuration; null if none does. */
export function manifestOfConfig(members: Members, config: Digest): Digest | null {
  for (const descriptor of listManifests(members)) {
    // `docker save` names the manifests of other platforms without storing them.
    if (!members.find(blobName(descriptor.digest))) continue;
    const { value } = readBlob(members, descriptor);
    if (readDescriptor(members, value['config']).digest === config) return descriptor.digest;
  }
  return null;
}

function configOf(members: Members, manifest: JsonObject): ImageConfig {
  return readImageConfig(members.image, readBlob(members, readDescriptor(members, manifest['config'])).bytes);
}

/** The manifest that is meant: the only one, or the one for the wanted architecture. */
function choose(members: Members, options: ReadOptions): Descriptor {
  const { repoTag, config } = options.select;
  const all = listManifests(members)
    .filter(({ tag }) => repoTag === undefined || (tag !== undefined && namesTag(repoTag, tag)))
    .filter((descriptor) => config === undefined || hasConfig(members, descriptor, config));
  const distinct = [...new Map(all.map((descriptor) => [descriptor.digest, descriptor])).values()];
  const [only] = distinct;
  if (!only) throw invalid(members.image, 'it holds no image that could be meant');
  if (distinct.length === 1) return only;

  const fitting = distinct
    .map((descriptor) => ({ descriptor, platform: descriptor.platform ?? platformOf(members, descriptor) }))
    .filter(({ platform }) => platform.os === 'linux' && platform.architecture === options.architecture)
    // The variant that asks least of the processor is the one that runs everywhere.
    .sort((a, b) => ((a.platform.variant ?? '') < (b.platform.variant ?? '') ? -1 : 1));
  const [first, second] = fitting;
  if (!first) {
    throw invalid(members.image, `it holds ${distinct.length} images, none of them for linux/${options.architecture}`);
  }
  if (second && second.platform.variant === first.platform.variant) {
    const digests = fitting.map(({ descriptor }) => descriptor.digest);
    throw invalid(
      members.image,
      `it holds ${fitting.length} images for linux/${options.architecture}, and which one is meant is not said`,
      {
        digests: digests.slice(0, 20),
      },
    );
  }
  return first.descriptor;
}

/** Layouts hold `latest` or `name:latest`, depending on who wrote them. */
function namesTag(wanted: string, tag: string): boolean {
  return wanted === tag || wanted.endsWith(`:${tag}`) || wanted.endsWith(`/${tag}`);
}

function hasConfig(members: Members, descriptor: Descriptor, config: string): boolean {
  if (!members.find(blobName(descriptor.digest))) return false;
  const { digest } = readDescriptor(members, readBlob(members, descriptor).value['config']);
  return digest.startsWith(config) || digest.startsWith(`sha256:${config}`);
}

function platformOf(members: Members, descriptor: Descriptor): Platform {
  return configOf(members, readBlob(members, descriptor).value);
}
