/**
 * Images out of an engine: pulled from a registry by it, and saved as the tar file of `docker save`.
 *
 * Source: Docker Engine API 1.40, `POST /images/create`, `GET /images/{name}/json`, `GET /images/{name}/get`, which Podman serves as
 * well; podman-pull(1) and podman-save(1) where there is no socket.
 */
import type { Readable } from 'node:stream';
import { connect, connectionError, dial, type Engine, type EngineFacts } from '../containers/engine/connect.ts';
import type { EngineName } from '../containers/engine/endpoint.ts';
import { RepriseError } from '../core/errors.ts';
import type { Context } from '../sys/context.ts';
import { start } from '../sys/proc.ts';
import { endOf, type Program } from './program.ts';
import { splitReference } from './sources.ts';

export type AnyEngine = Engine | (EngineFacts & { readonly api: null });

/** The first engine that answers. @throws as `connect` for the first, if none does */
export async function anyEngine(names: readonly [EngineName, ...EngineName[]], context: Context): Promise<AnyEngine> {
  let reason: unknown;
  for (const name of names) {
    try {
      return await connect(name, context.env);
    } catch (error) {
      if (!(error instanceof RepriseError) || !error.code.startsWith('runner-')) throw error;
      reason ??= error;
    }
  }
  throw reason;
}

/**
 * Pulls an image from its registry into the engine. What is there already is not transferred again.
 *
 * @param reference complete: with a tag or a digest
 * @throws `image-unavailable` with the engine's reason, `runner-unreachable`
 */
export async function pullImage(engine: AnyEngine, reference: string, work: ImageWork): Promise<void> {
  const { context, signal } = work;
  context.emit({ kind: 'info', text: `Pulling ${reference} (this may take some time)` });
  const label = `pull ${reference}`;
  const follow = pullProgress((progress) => context.emit({ kind: 'progress', label, ...progress }));
  try {
    if (engine.api === null) return await pullByCommand(engine, reference, work, follow);
    const { name, version } = splitReference(reference);
    const stream = await request(engine, signal, {
      path: '/images/create?',
      method: 'POST',
      isStream: true,
      statusCodes: { 200: true, 400: 'bad reference', 404: 'not found', 500: 'server error' },
      options: { fromImage: name, tag: version },
    });
    for await (const line of linesOf(stream)) {
      if (line.error !== undefined) throw unavailable(reference, engine, line.error);
      follow(line);
    }
  } catch (error) {
    throw explain(error, engine, reference, signal);
  } finally {
    context.emit({ kind: 'progress-end', label });
  }
}

/** `podman pull` names each layer when it begins with it. */
async function pullByCommand(
  engine: AnyEngine,
  reference: string,
  work: ImageWork,
  follow: (line: PullLine) => void,
): Promise<void> {
  const child = podman(['pull', reference], work);
  child.process.stdout?.resume();
  child.process.stderr?.on('data', (chunk: Buffer) => {
    for (const [, id = ''] of chunk.toString('latin1').matchAll(/Copying blob (?:sha256:)?([0-9a-f]+)/g))
      follow({ id, status: 'Pulling fs layer' });
  });
  const said = await endOf(child);
  if (said.code !== 0) throw unavailable(reference, engine, lastLine(said.stderr));
}

/**
 * An image in the engine as a tar file, from its beginning; read it to its end, or destroy it.
 *
 * @throws `image-unavailable` if the engine does not have it, `runner-unreachable`
 */
export async function savedImage(
  engine: AnyEngine,
  reference: string,
  work: ImageWork,
): Promise<{ readonly tar: AsyncIterable<Uint8Array>; readonly size: number }> {
  if (engine.api === null) return { tar: savedByCommand(reference, engine, work), size: 0 };
  try {
    const facts = await engine.api.getImage(reference).inspect();
    const { Size } = facts as { readonly Size?: unknown };
    const tar = await request(engine, work.signal, {
      path: `/images/${reference}/get`,
      method: 'GET',
      isStream: true,
      statusCodes: { 200: true, 404: 'not found', 500: 'server error' },
    });
    return { tar, size: typeof Size === 'number' ? Size : 0 };
  } catch (error) {
    throw explain(error, engine, reference, work.signal);
  }
}

export interface ImageWork {
  readonly context: Context;
  readonly signal: AbortSignal;
}

async function* savedByCommand(reference: string, engine: AnyEngine, work: ImageWork): AsyncGenerator<Uint8Array> {
  const child = podman(['save', '--quiet', reference], work);
  // It may have ended before its output is read.
  const ended = endOf(child);
  ended.catch(() => {});
  yield* child.process.stdout as Readable;
  const said = await ended;
  if (said.code !== 0) throw unavailable(reference, engine, lastLine(said.stderr));
}

function podman(args: readonly string[], { context, signal }: ImageWork): Program {
  const process = start(['podman', ...args], { cwd: '/', env: context.env, stdio: ['ignore', 'pipe', 'pipe'] });
  return { process, signal };
}

async function request(engine: Engine, signal: AbortSignal, what: Parameters<typeof dial>[1]): Promise<Readable> {
  return dial<Readable>(engine.api, { ...what, abortSignal: signal });
}

/** A line of the answer to `POST /images/create`. */
interface PullLine {
  readonly status?: string;
  readonly id?: string;
  readonly error?: string;
  readonly progressDetail?: { readonly current?: number; readonly total?: number };
}

type PullProgress = { readonly done: number; readonly total: number; readonly unit: 'bytes' | 'layers' };

/** Sums up what an engine says of each layer: bytes, or where it does not tell them, layers. */
export function pullProgress(tell: (progress: PullProgress) => void): (line: PullLine) => void {
  const layers = new Map<string, { readonly current: number; readonly total: number; readonly isHere: boolean }>();
  return ({ id, status, progressDetail: { current, total } = {} }) => {
    const isBegun = status === 'Pulling fs layer' || status === 'Downloading';
    const isHere = /^(Download complete|Already exists|Pull complete)$/.test(status ?? '');
    if (id === undefined || !(isBegun || isHere)) return;
    const before = layers.get(id) ?? { current: 0, total: 0, isHere: false };
    if (isHere) layers.set(id, { ...before, current: before.total, isHere });
    else layers.set(id, { current: current ?? before.current, total: total ?? before.total, isHere: before.isHere });
    const all = [...layers.values()];
    const sum = (key: 'current' | 'total') => all.reduce((so, layer) => so + layer[key], 0);
    if (sum('total') > 0) tell({ done: sum('current'), total: sum('total'), unit: 'bytes' });
    else tell({ done: all.filter((layer) => layer.isHere).length, total: all.length, unit: 'layers' });
  };
}

async function* linesOf(stream: AsyncIterable<Buffer>): AsyncGenerator<PullLine> {
  let rest = '';
  for await (const chunk of stream) {
    const lines = (rest + chunk.toString('utf8')).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) if (line.trim() !== '') yield JSON.parse(line) as PullLine;
  }
  if (rest.trim() !== '') yield JSON.parse(rest) as PullLine;
}

function explain(error: unknown, engine: AnyEngine, reference: string, signal: AbortSignal): unknown {
  if (signal.aborted || error instanceof RepriseError) return error;
  const { statusCode, json, code } = error as {
    readonly statusCode?: number;
    readonly json?: { readonly message?: unknown };
    readonly code?: unknown;
  };
  if (statusCode !== undefined)
    return unavailable(reference, engine, typeof json?.message === 'string' ? json.message : (error as Error).message);
  return typeof code === 'string' ? connectionError(engine.endpoint, error) : error;
}

function unavailable(reference: string, { endpoint }: AnyEngine, said: string): RepriseError {
  const name = endpoint.engine === 'docker' ? 'Docker' : 'Podman';
  const needsLogin = /unauthorized|denied|authentication required/i.test(said);
  const reason = said.trim().replace(/^(?:\(HTTP code \d+\)[^-]*- |Error: )/, '');
  return new RepriseError('image-unavailable', `${name} cannot provide the image ${reference}: ${reason}`, {
    hints: needsLogin
      ? [
          `${endpoint.engine} pull ${reference}`,
          `reprise containers-add NAME --url ${transport(endpoint.engine)}:${reference}`,
        ]
      : [],
    data: { reference, runner: endpoint.engine },
  });
}

function transport(engine: EngineName): string {
  return engine === 'docker' ? 'docker-daemon' : 'podman';
}

function lastLine(text: string): string {
  return text.trim().split('\n').at(-1) ?? '';
}
