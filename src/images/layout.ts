/**
 * OCI layouts as they are stored: one image of several can be chosen, and `docker load` finds its way.
 *
 * `docker load` before Docker 25, and with it DataLad's adapter, reads `manifest.json` and not `index.json`. The former may lead to the
 * same files as the latter, which is what `docker save` writes since Docker 25.
 */
import { copyFile, mkdir, constants } from 'node:fs/promises';
import { writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { openImage } from '../containers/formats/detect.ts';
import { identifyImage, type ImageIdentity } from '../containers/identity.ts';
import { ARCHIVE_MANIFEST } from '../containers/formats/docker-archive.ts';
import { demand } from '../containers/formats/members.ts';
import { blobName, listManifests } from '../containers/formats/oci-index.ts';
import { fsPath } from '../core/bytes.ts';
import { RepriseError } from '../core/errors.ts';

/**
 * Copies one image out of a layout.
 *
 * @param tag as in the layout's index
 * @throws `image-invalid` if there is no such image, or it is damaged
 */
export async function copyFromLayout(source: string, tag: string, target: string): Promise<void> {
  const image = openImage(source);
  if (image.format !== 'oci' && image.format !== 'docker-archive') {
    throw new RepriseError('image-invalid', `${source} is no OCI layout`, { data: { image: source } });
  }
  const { manifest, config, layers } = await identifyImage(source, { verify: false, select: { repoTag: tag } });
  const entry = listManifests(image.members).find(({ digest }) => digest === manifest);
  if (!entry || !config) throw new RepriseError('image-invalid', `${source} has no image with the tag ${tag}`);
  const { digest, size, mediaType } = entry;
  for (const blob of [digest, config, ...(layers ?? []).map((layer) => layer.digest)]) {
    const path = join(target, blobName(blob));
    await mkdir(fsPath(dirname(path)), { recursive: true });
    await copyFile(fsPath(demand(image.members, blobName(blob)).path), fsPath(path), constants.COPYFILE_FICLONE);
  }
  const annotations = { 'org.opencontainers.image.ref.name': tag };
  const index = { schemaVersion: 2, manifests: [{ mediaType, digest, size, annotations }] };
  writeFileSync(fsPath(join(target, 'index.json')), JSON.stringify(index));
  writeFileSync(fsPath(join(target, 'oci-layout')), '{"imageLayoutVersion":"1.0.0"}');
}

/** Makes a layout of a single image loadable by its `manifest.json`; others are left as they are. Returns whether it was done. */
export function makeLoadable(folder: string, { config, layers }: ImageIdentity): boolean {
  const image = openImage(folder);
  if (image.format !== 'oci' || !config || !layers || listManifests(image.members).length !== 1) return false;
  const manifest = [{ Config: blobName(config), RepoTags: null, Layers: layers.map(({ digest }) => blobName(digest)) }];
  writeFileSync(fsPath(join(folder, ARCHIVE_MANIFEST)), JSON.stringify(manifest));
  return true;
}
