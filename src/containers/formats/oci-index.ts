/**
 * What an OCI index says is there: manifests, by platform.
 *
 * OCI image specification 1.1, "OCI Image Index Specification" and "OCI Content Descriptors"; Docker's manifest list (schema 2) has the
 * same fields.
 */
import { digestOf } from './byte-range.ts';
import type { Digest } from './digest.ts';
import type { Platform } from './image.ts';
import { asDigest } from './image-config.ts';
import { invalid, wrongDigest } from './invalid.ts';
import { asObject, asObjects, asText, type JsonObject, parseJson } from './json.ts';
import { demand, type Members, readMember } from './members.ts';

/** Names content by digest and size. */
export interface Descriptor {
  readonly digest: Digest;
  readonly size: number;
  readonly mediaType: string;
  readonly platform?: Platform;
  /** `org.opencontainers.image.ref.name`: a tag, given in the top index. */
  readonly tag?: string;
}

const INDEX_TYPES: ReadonlySet<string> = new Set([
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
]);
const MAX_DEPTH = 4;
const MAX_MANIFESTS = 1000;

/** Name of the member that holds some content. */
export function blobName(digest: Digest): string {
  return `blobs/sha256/${digest.slice('sha256:'.length)}`;
}

/** The JSON that a descriptor names. @throws `image-invalid` if it has another digest or size, `content-unavailable` */
export function readBlob(
  members: Members,
  descriptor: Descriptor,
): { readonly bytes: Buffer; readonly value: JsonObject } {
  const name = blobName(descriptor.digest);
  const bytes = readMember(members, name);
  const actual = digestOf(bytes);
  if (actual !== descriptor.digest) throw wrongDigest(members.image, name, descriptor.digest, actual);
  checkSize(members, descriptor);
  const value = asObject(parseJson(bytes));
  if (!value) throw invalid(members.image, `${name} is not a JSON object`);
  return { bytes, value };
}

/** @throws `image-invalid` if the content that a descriptor names has another size, `content-unavailable` */
export function checkSize(members: Members, descriptor: Descriptor): void {
  const { size } = demand(members, blobName(descriptor.digest));
  if (size !== descriptor.size) {
    throw invalid(
      members.image,
      `${blobName(descriptor.digest)} has ${size} bytes, but should have ${descriptor.size}`,
    );
  }
}

/** All manifests of images in `index.json` and the indexes that it names. @throws `image-invalid`, `content-unavailable` */
export function listManifests(members: Members): readonly Descriptor[] {
  const top = asObject(parseJson(readMember(members, 'index.json')));
  if (!top) throw invalid(members.image, 'index.json is not a JSON object');
  const found: Descriptor[] = [];
  collect(members, top, {}, 1, found);
  return found;
}

function collect(
  members: Members,
  index: JsonObject,
  inherited: { readonly tag?: string },
  depth: number,
  found: Descriptor[],
): void {
  if (depth > MAX_DEPTH) throw invalid(members.image, `its indexes are nested more than ${MAX_DEPTH} deep`);
  const entries = asObjects(index['manifests'] ?? []);
  if (!entries) throw invalid(members.image, 'an index of it does not list manifests');
  for (const entry of entries) {
    const descriptor = { ...readDescriptor(members, entry), ...inherited };
    if (isAttestation(entry)) continue;
    if (INDEX_TYPES.has(descriptor.mediaType)) {
      const { value } = readBlob(members, descriptor);
      collect(members, value, descriptor.tag === undefined ? {} : { tag: descriptor.tag }, depth + 1, found);
    } else {
      found.push(descriptor);
    }
    if (found.length > MAX_MANIFESTS) throw invalid(members.image, `it names more than ${MAX_MANIFESTS} manifests`);
  }
}

/** A descriptor as JSON has it. @throws `image-invalid` */
export function readDescriptor(members: Members, value: unknown): Descriptor {
  const entry = asObject(value);
  const size = entry?.['size'];
  if (!entry || typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0) {
    throw invalid(members.image, 'it names content without a size');
  }
  const platform = readPlatform(entry['platform']);
  const tag = asText(asObject(entry['annotations'])?.['org.opencontainers.image.ref.name']);
  return {
    digest: asDigest(members.image, entry['digest']),
    size,
    mediaType: asText(entry['mediaType']) ?? '',
    ...(platform ? { platform } : {}),
    ...(tag === null ? {} : { tag }),
  };
}

function readPlatform(value: unknown): Platform | null {
  const platform = asObject(value);
  const architecture = asText(platform?.['architecture']);
  const os = asText(platform?.['os']);
  const variant = asText(platform?.['variant']);
  if (architecture === null || os === null) return null;
  return { architecture, os, ...(variant === null || variant === '' ? {} : { variant }) };
}

/** Provenance and SBOMs that BuildKit puts beside the images, as manifests of no platform. */
function isAttestation(entry: JsonObject): boolean {
  const annotations = asObject(entry['annotations']);
  return annotations?.['vnd.docker.reference.type'] !== undefined || asObject(entry['platform'])?.['os'] === 'unknown';
}
