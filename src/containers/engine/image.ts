/**
 * A stored image in an engine: found by its content, loaded if it is not there, and checked after that.
 *
 * Tags say nothing: anybody moves them. An engine's image id is the digest of the configuration in Podman and in Docker's classic
 * store, but that of a manifest in Docker's containerd store. So what is compared is the image itself: the digests of its layers,
 * and how it wants to be started.
 */
import { Readable } from 'node:stream';
import type Docker from 'dockerode';
import { RepriseError } from '../../core/errors.ts';
import { archiveSize, dockerArchive, type EngineImage, engineTag } from './archive.ts';
import { connectionError, engineSays, type Engine, type EngineFacts } from './connect.ts';
import { readConfig, sameImage } from './inspected.ts';
import { inspectByCommand, loadByCommand, removeImageByCommand } from './podman-images.ts';

export interface ImageInEngine {
  /** The engine's own name for exactly this content. */
  readonly id: string;
  /** Whether it had to be loaded. */
  readonly loaded: boolean;
}

export interface EnsureOptions {
  readonly env: NodeJS.ProcessEnv;
  /** Told, while an image is loaded, how many bytes of how many have been sent. */
  readonly progress?: (sent: number, total: number) => void;
}

type AnyEngine = Engine | (EngineFacts & { readonly api: null });

/**
 * Makes sure that an engine has an image with exactly this content.
 *
 * @throws `image-invalid` if the engine refuses it, `image-mismatch` if it has something else after loading, `runner-unreachable`
 */
export async function ensureImage(
  engine: AnyEngine,
  image: EngineImage,
  options: EnsureOptions,
): Promise<ImageInEngine> {
  try {
    const present = await findImage(engine, image, options.env);
    if (present !== null) return { id: present, loaded: false };
    const said = await load(engine, image, options);
    const id = await findImage(engine, image, options.env);
    if (id !== null) return { id, loaded: true };
    throw await mismatch(engine, image, said, options.env);
  } catch (error) {
    if (error instanceof RepriseError || (error as NodeJS.ErrnoException).code === undefined) throw error;
    throw connectionError(engine.endpoint, error);
  }
}

/** The engine's id of the image with this content, or null. */
export async function findImage(engine: AnyEngine, image: EngineImage, env: NodeJS.ProcessEnv): Promise<string | null> {
  const wanted = readConfig(image);
  for (const name of [image.configDigest, engineTag(image.configDigest)]) {
    const found = await inspect(engine, name, env);
    const id = found === null ? null : sameImage(found, wanted);
    if (id !== null) return id;
  }
  // With the containerd store an image that somebody else loaded is known by a digest that the stored image need not tell.
  if (engine.api === null || engine.kind === 'podman') return null;
  for (const id of await idsInEngine(engine)) {
    const found = await inspect(engine, id, env);
    if (found !== null && sameImage(found, wanted) !== null) return sameImage(found, wanted);
  }
  return null;
}

/**
 * Removes an image that was loaded here; fails while a container uses it: forced, Docker would take the tag only.
 *
 * By its own id as well, because the tag may be gone before it: Docker takes the tag first, and keeps an image that a container has begun to use since.
 *
 * @param configDigest of an image that nobody else has loaded
 * @returns whether there was one
 */
export async function removeImage(api: Docker | null, configDigest: string, env: NodeJS.ProcessEnv): Promise<boolean> {
  return (await removeNamed(api, engineTag(configDigest), env)) || removeNamed(api, configDigest, env);
}

async function removeNamed(api: Docker | null, name: string, env: NodeJS.ProcessEnv): Promise<boolean> {
  if (api === null) return removeImageByCommand(name, env);
  try {
    await api.getImage(name).remove({ force: false });
    return true;
  } catch (error) {
    if ((error as { readonly statusCode?: unknown }).statusCode === 404) return false;
    throw error;
  }
}

/** Ids of the images of an engine whose ids are not those of configurations; none for Docker's classic store. */
async function idsInEngine(engine: Engine): Promise<readonly string[]> {
  const list = (await engine.api.listImages()) as readonly { readonly Id?: unknown; readonly Descriptor?: unknown }[];
  // Docker tells the descriptor of a manifest only where it has one: in the containerd store, from Docker 28 on.
  return list.flatMap(({ Id, Descriptor }) => (typeof Id === 'string' && Descriptor ? [Id] : []));
}

async function inspect(engine: AnyEngine, name: string, env: NodeJS.ProcessEnv): Promise<unknown> {
  if (engine.api === null) return inspectByCommand(name, env);
  try {
    return await engine.api.getImage(name).inspect();
  } catch (error) {
    if ((error as { readonly statusCode?: unknown }).statusCode === 404) return null;
    throw error;
  }
}

/** Returns what the engine said at the end. */
async function load(engine: AnyEngine, image: EngineImage, { env, progress }: EnsureOptions): Promise<string> {
  const total = archiveSize(image);
  let sent = 0;
  const tar = Readable.from(
    dockerArchive(image, (bytes) => {
      sent += bytes;
      progress?.(sent, total);
    }),
    { objectMode: false, highWaterMark: 1 << 20 },
  );
  const said = engine.api === null ? await loadByCommand(tar, env) : await loadByApi(engine, tar);
  if (said.error === null) return said.text;
  throw new RepriseError(
    'image-invalid',
    `${engineName(engine)} refuses to load the image ${image.path}: ${said.error}`,
    {
      hints: [],
      data: { image: image.path, config: image.configDigest, runner: engine.endpoint.engine },
    },
  );
}

async function loadByApi(
  engine: Engine,
  tar: Readable,
): Promise<{ readonly text: string; readonly error: string | null }> {
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of await engine.api.loadImage(tar, { quiet: true })) chunks.push(chunk as Buffer);
  } catch (error) {
    if ((error as { readonly statusCode?: number }).statusCode === undefined) throw error;
    return { text: '', error: engineSays(error) };
  }
  const lines = Buffer.concat(chunks).toString('utf8').trim().split('\n').map(parseLine);
  const failure = lines.find((line) => line['error'] !== undefined);
  return { text: textOf(lines.at(-1)?.['stream']).trim(), error: failure ? textOf(failure['error']) : null };
}

function parseLine(line: string): Readonly<Record<string, unknown>> {
  try {
    return JSON.parse(line) as Readonly<Record<string, unknown>>;
  } catch {
    return { stream: line };
  }
}

/** What is under our tag now is not what was sent. */
async function mismatch(
  engine: AnyEngine,
  image: EngineImage,
  said: string,
  env: NodeJS.ProcessEnv,
): Promise<RepriseError> {
  const found = await inspect(engine, engineTag(image.configDigest), env);
  const id = textOf((found as { readonly Id?: unknown } | null)?.Id) || 'nothing';
  return new RepriseError(
    'image-mismatch',
    `${engineName(engine)} made ${id} of the image ${image.path}, whose configuration is ${image.configDigest}`,
    { data: { image: image.path, expected: image.configDigest, actual: id, said } },
  );
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

function engineName(engine: EngineFacts): string {
  return engine.endpoint.engine === 'docker' ? 'Docker' : 'Podman';
}
