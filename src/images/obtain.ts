/** Getting an image from wherever it is into the work folder. */
import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { findApptainer } from '../containers/apptainer/presence.ts';
import type { EngineName } from '../containers/engine/endpoint.ts';
import { identifyImage, type ImageIdentity } from '../containers/identity.ts';
import { fsPath } from '../core/bytes.ts';
import { RepriseError } from '../core/errors.ts';
import { lstatOrNull } from '../sys/files.ts';
import type { Repo } from '../dataset/repo.ts';
import { buildSif } from './build.ts';
import { copyImage } from './copy.ts';
import { download } from './download.ts';
import { type AnyEngine, anyEngine, type ImageWork, pullImage, savedImage } from './engine-images.ts';
import { copyFromLayout, makeLoadable } from './layout.ts';
import type { ImageSource } from './sources.ts';
import { unpackTar } from './unpack.ts';

export interface ObtainedImage {
  /** Absolute path in the work folder: a file, a link to annexed content, or a folder. */
  readonly path: string;
  readonly identity: ImageIdentity;
  /** Takes back what the dataset has got besides: for an image that does not become part of it after all. */
  readonly forget: () => Promise<void>;
}

/**
 * Puts the image of a source into the work folder, and makes sure that it is sound.
 *
 * @param path where it will be in the dataset, relative to the root
 * @throws `image-unavailable`, `image-invalid`, `image-unusable`, `runner-missing` and its kin, `annex-missing`
 */
export async function obtainImage(
  repo: Repo,
  source: ImageSource,
  path: string,
  workFolder: string,
  signal: AbortSignal,
): Promise<ObtainedImage> {
  const work = { context: repo.context, signal };
  const target = join(workFolder, 'tree', path);
  await mkdir(fsPath(dirname(target)), { recursive: true });
  const forget = (await fill(repo, source, path, target, workFolder, work)) ?? (async () => {});
  try {
    signal.throwIfAborted();
    const identity = await identify(target, source);
    signal.throwIfAborted();
    const complete = makeLoadable(target, identity) ? await identify(target, source) : identity;
    return { path: target, identity: complete, forget };
  } catch (error) {
    await forget();
    throw error;
  }
}

/** What the image is; of one that is none, the error says where it came from. */
async function identify(target: string, source: ImageSource): Promise<ImageIdentity> {
  try {
    return await identifyImage(target);
  } catch (error) {
    if (!(error instanceof RepriseError)) throw error;
    const image = originOf(source);
    const { code, hints, message } = error;
    const data = { ...error.data, image };
    throw new RepriseError(code, message.replaceAll(target, image), { hints, data, cause: error });
  }
}

function originOf(source: ImageSource): string {
  if ('path' in source) return source.path;
  if ('uri' in source) return source.uri;
  return 'url' in source ? source.url : source.reference;
}

async function fill(
  repo: Repo,
  source: ImageSource,
  path: string,
  target: string,
  workFolder: string,
  work: ImageWork,
): Promise<ObtainedImage['forget'] | void> {
  const { context } = work;
  switch (source.kind) {
    case 'local':
      return copyImage(source.path, target, work);
    case 'layout':
      return copyFromLayout(source.path, source.tag, target);
    case 'download':
      return download(repo, source.url, workFolder, path);
    case 'engine':
      return saveHeld(source.engines, source.reference, target, work);
    case 'pull':
      return pull(source.reference, target, work);
    case 'build': {
      const { found, ...why } = await findApptainer(['apptainer', 'singularity'], context.env);
      if (found) return buildSif(source.uri, target, found, workFolder, work);
      if (source.reference !== null) return pull(source.reference, target, work);
      throw new RepriseError('runner-missing', `${source.uri} needs Apptainer: ${why.reason}`, {
        hints: 'hint' in why ? [why.hint] : [],
        data: { url: source.uri },
      });
    }
  }
}

/** Saves an image out of the first engine that has it; if none has, throws why the first that is installed here does not. */
async function saveHeld(
  engines: readonly EngineName[],
  reference: string,
  target: string,
  work: ImageWork,
): Promise<void> {
  const reasons: RepriseError[] = [];
  for (const name of engines) {
    try {
      return await save(await anyEngine([name], work.context), reference, target, work);
    } catch (error) {
      const mayBeElsewhere =
        error instanceof RepriseError && (error.code === 'image-unavailable' || error.code.startsWith('runner-'));
      if (!mayBeElsewhere) throw error;
      reasons.push(error);
    }
  }
  throw reasons.find(({ code }) => code !== 'runner-missing') ?? reasons[0];
}

async function pull(reference: string, target: string, work: ImageWork): Promise<void> {
  const engine = await anyEngine(['docker', 'podman'], work.context);
  await pullImage(engine, reference, work);
  await save(engine, reference, target, work);
}

async function save(engine: AnyEngine, reference: string, target: string, work: ImageWork): Promise<void> {
  const label = `save ${reference}`;
  const { tar, size } = await savedImage(engine, reference, work);
  await mkdir(fsPath(target));
  try {
    await unpackTar(tar, target, reference, (done) => {
      work.context.emit({ kind: 'progress', label, done, total: Math.max(size, done), unit: 'bytes' });
    });
  } finally {
    work.context.emit({ kind: 'progress-end', label });
  }
}

/** The absolute path of what a user may mean by a local image. */
export function localFinder(resolveFrom: (path: string) => string): (path: string) => string | null {
  return (path) => {
    const absolute = resolveFrom(path);
    return path !== '' && (existsSync(fsPath(absolute)) || lstatOrNull(absolute) !== null) ? absolute : null;
  };
}
