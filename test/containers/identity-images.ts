/** Small images in every layout, made from parts, so that a test can say what is wrong with one. */
import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';

export type Files = Record<string, Buffer>;

export interface Parts {
  readonly config: Buffer;
  readonly layers: readonly Buffer[];
}

export const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');
const json = (value: unknown) => Buffer.from(JSON.stringify(value));

/** A configuration and two layers; what is given replaces fields of the configuration. */
export function parts(config: Record<string, unknown> = {}): Parts {
  const layers = ['bottom', 'top'].map((text) => Buffer.from(`${text} layer\n`.repeat(2000)));
  const whole = {
    architecture: 'amd64',
    os: 'linux',
    config: { Env: ['PATH=/bin'], Entrypoint: ['/bin/tool'], Cmd: ['--help'], WorkingDir: '/data', User: '7' },
    rootfs: { type: 'layers', diff_ids: layers.map((layer) => `sha256:${sha256(layer)}`) },
    ...config,
  };
  return { config: json(whole), layers };
}

/** What `docker save` wrote before Docker 25. */
export function classicArchive({ config, layers }: Parts, tags: readonly string[] = ['tool:1']): Files {
  const names = layers.map((layer) => `${sha256(Buffer.concat([layer, layer]))}/layer.tar`);
  const files: Files = { [`${sha256(config)}.json`]: config };
  for (const [at, layer] of layers.entries()) files[names[at] as string] = layer;
  files['manifest.json'] = json([{ Config: `${sha256(config)}.json`, RepoTags: tags, Layers: names }]);
  return files;
}

/** A layout with one image, or with an index of several. */
export function ociLayout(
  images: readonly (Parts & { readonly platform?: object; readonly tag?: string })[],
  compress: (layer: Buffer) => Buffer = gzipSync,
): Files {
  const files: Files = { 'oci-layout': json({ imageLayoutVersion: '1.0.0' }) };
  const descriptors = images.map((image) => {
    const layers = image.layers.map((layer) => add(files, compress(layer), `${TYPE}.image.layer.v1.tar+gzip`));
    const config = add(files, image.config, `${TYPE}.image.config.v1+json`);
    const manifest = json({ schemaVersion: 2, mediaType: `${TYPE}.image.manifest.v1+json`, config, layers });
    return {
      ...add(files, manifest, `${TYPE}.image.manifest.v1+json`),
      ...(image.platform ? { platform: image.platform } : {}),
      ...(image.tag ? { annotations: { 'org.opencontainers.image.ref.name': image.tag } } : {}),
    };
  });
  files['index.json'] = json({ schemaVersion: 2, manifests: descriptors });
  return files;
}

/** Moves what `index.json` lists into an index of its own, as registries keep images of several platforms. */
export function nestIndex(files: Files): Files {
  const nested = { ...files };
  const inner = add(nested, files['index.json'] as Buffer, `${TYPE}.image.index.v1+json`);
  return { ...nested, 'index.json': json({ schemaVersion: 2, manifests: [inner] }) };
}

/** What `docker save` writes since Docker 25: blobs, an OCI index, and `manifest.json` beside it. */
export function modernArchive(image: Parts, tags: readonly string[] = ['tool:1']): Files {
  const files: Files = { 'oci-layout': json({ imageLayoutVersion: '1.0.0' }) };
  const layers = image.layers.map((layer) => add(files, layer, `${TYPE}.image.layer.v1.tar`));
  const config = add(files, image.config, `${TYPE}.image.config.v1+json`);
  const manifest = json({ schemaVersion: 2, mediaType: `${TYPE}.image.manifest.v1+json`, config, layers });
  const descriptor = add(files, manifest, `${TYPE}.image.manifest.v1+json`);
  files['index.json'] = json({ schemaVersion: 2, manifests: [descriptor] });
  const sources = Object.fromEntries(layers.map((layer) => [layer.digest, layer]));
  files['manifest.json'] = json([
    {
      Config: blob(config.digest),
      RepoTags: tags,
      Layers: layers.map((layer) => blob(layer.digest)),
      LayerSources: sources,
    },
  ]);
  return files;
}

const TYPE = 'application/vnd.oci';

function add(files: Files, bytes: Buffer, mediaType: string) {
  const digest = `sha256:${sha256(bytes)}`;
  files[blob(digest)] = bytes;
  return { mediaType, digest, size: bytes.length };
}

/** Path of a blob in a layout. */
export function blob(digest: string): string {
  return `blobs/sha256/${digest.slice('sha256:'.length)}`;
}

/** Writes files below a folder and answers the folder. */
export function store(folder: string, files: Files): string {
  for (const [name, bytes] of Object.entries(files)) {
    const path = join(folder, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, bytes);
  }
  return folder;
}

/** Parsed JSON of a file among others, changed, and written back. */
export function edit(files: Files, name: string, change: (value: never) => unknown): Files {
  return { ...files, [name]: json(change(JSON.parse((files[name] as Buffer).toString('utf8')) as never)) };
}

/** One frame of Zstandard with one uncompressed block (RFC 8878, section 3.1.1), for less than 256 bytes. */
export function zstdFrame(bytes: Buffer): Buffer {
  const block = Buffer.alloc(3);
  block.writeUIntLE((bytes.length << 3) | 1, 0, 3);
  return Buffer.concat([Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x20, bytes.length]), block, bytes]);
}
