/** `containers-list`: the containers of a dataset and of the subdatasets installed below it, and what is known of their images. */
import { join, resolve } from 'node:path';
import { identifyImage, type ImageIdentity } from '../containers/identity.ts';
import { RepriseError } from '../core/errors.ts';
import type { Result, VerbOutcome } from '../core/result.ts';
import { parseKey } from '../dataset/annex/keys.ts';
import { type OnFailure, collectResults } from '../dataset/outcome.ts';
import { contentAt } from '../dataset/presence.ts';
import { readConfig } from '../dataset/read-config.ts';
import type { Repo } from '../dataset/repo.ts';
import { installed, readSubdatasets } from '../dataset/subdatasets.ts';
import { datasetOf, isWithin } from '../dataset/targets.ts';
import type { Context } from '../sys/context.ts';
import { lstatOrNull } from '../sys/files.ts';
import { type Container, readContainers } from './config.ts';
import { listFiles } from './copy.ts';
import { assertOwnImage, imagePathIn } from './image-path.ts';

export interface ListOptions {
  readonly dataset?: string;
  readonly recursive?: boolean;
  /** Of the subdatasets only those at or above one of these paths, and what is below them. */
  readonly contains?: readonly string[];
  /** Look at the images, too: their format, digest, size, and whether their content is here. */
  readonly details?: boolean;
  readonly onFailure?: OnFailure;
}

/**
 * Lists containers; results as DataLad's (`containers`), with every key of their configuration, and `image_format`, `image_digest`,
 * `bytesize` and `has_content` where details are asked for.
 *
 * @throws `no-dataset`
 */
export async function containersList(options: ListOptions, context: Context): Promise<VerbOutcome> {
  const repo = datasetOf(context, options.dataset);
  // Without slashes at the end, relative to the dataset's root, as DataLad takes them.
  const contains = (options.contains ?? []).map((path) => resolve(repo.root, path));
  const produced = list(repo, '', repo.root, { ...options, contains });
  return collectResults(context, options.onFailure ?? 'continue', produced);
}

async function* list(repo: Repo, prefix: string, refds: string, options: ListOptions): AsyncGenerator<Result> {
  if (options.recursive) {
    for (const sub of await readSubdatasets(repo)) {
      const below = installed(repo, sub);
      const { contains = [], ...rest } = options;
      const isWanted = contains.length === 0 || contains.some((path) => isWithin(path, join(repo.root, sub.path)));
      if (below && isWanted) yield* list(below, `${prefix}${sub.name}/`, refds, rest);
    }
  }
  for (const container of readContainers(repo.root, await readConfig(repo))) {
    const details = options.details ? await detailsOf(repo, container) : {};
    yield {
      ...settingsOf(container),
      ...details,
      action: 'containers',
      status: 'ok',
      name: `${prefix}${container.name}`,
      path: resolve(repo.root, container.image),
      type: 'file',
      parentds: repo.root,
      refds,
    };
  }
}

/** Every key as DataLad reports it: its value, or the list of them. */
function settingsOf({ settings }: Container): Readonly<Record<string, unknown>> {
  return Object.fromEntries([...settings].map(([key, values]) => [key, values.length === 1 ? values[0] : values]));
}

async function detailsOf(repo: Repo, container: Container): Promise<Readonly<Record<string, unknown>>> {
  let image: string;
  try {
    image = imagePathIn(repo.root, container.image);
    assertOwnImage(repo, join(repo.root, image));
  } catch (error) {
    if (error instanceof RepriseError) return { image_problem: error.message };
    throw error;
  }
  const { hasContent, size } = presenceOf(repo, image);
  const facts = { has_content: hasContent, ...(size === null ? {} : { bytesize: size }) };
  try {
    return { ...facts, ...identityFacts(await identityOf(repo, image)) };
  } catch (error) {
    if (!(error instanceof RepriseError)) throw error;
    return error.code === 'content-unavailable' ? facts : { ...facts, image_problem: error.message };
  }
}

/** By headers and JSON; the bytes of an image are hashed only where nothing else tells its digest. */
async function identityOf(repo: Repo, image: string): Promise<ImageIdentity> {
  const path = join(repo.root, image);
  const content = contentAt(repo, image);
  const key = content.kind === 'annexed' ? { key: content.key } : {};
  const identity = await identifyImage(path, { verify: false, ...key });
  const isKnown = identity.config !== undefined || identity.digest !== undefined || identity.storage === 'folder';
  return isKnown ? identity : identifyImage(path, key);
}

function identityFacts({
  format,
  config,
  digest,
  architecture,
  size,
}: ImageIdentity): Readonly<Record<string, unknown>> {
  const known = config ?? digest;
  return {
    image_format: format,
    ...(known === undefined ? {} : { image_digest: known }),
    ...(architecture === undefined ? {} : { image_architecture: architecture }),
    ...(size === undefined ? {} : { bytesize: size }),
  };
}

/** Whether all of an image is here, and its size as the keys of its files tell it; null if they do not. */
function presenceOf(repo: Repo, image: string): { readonly hasContent: boolean; readonly size: number | null } {
  const path = join(repo.root, image);
  const stat = lstatOrNull(path);
  if (!stat) return { hasContent: false, size: null };
  const files = stat.isDirectory() ? listFiles(path, '').map((name) => `${image}/${name}`) : [image];
  let size: number | null = 0;
  let hasContent = true;
  for (const file of files) {
    const content = contentAt(repo, file);
    if (content.kind === 'annexed' && !content.present) hasContent = false;
    const own = content.kind === 'annexed' ? parseKey(content.key)?.size : lstatOrNull(join(repo.root, file))?.size;
    size = own === undefined || size === null ? null : size + own;
  }
  return { hasContent, size };
}
