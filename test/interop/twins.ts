/** Twin folders for comparing with DataLad: the same history in `theirs` and `ours`, and results in one form. */
import { readFileSync } from 'node:fs';
import type { Result, VerbOutcome } from '../../src/core/result.ts';
import { type Context, defaultContext } from '../../src/sys/context.ts';
import type { WarmDatalad } from '../support/twins-datalad.ts';
import type { World } from '../support/world.ts';

export interface Answer {
  readonly code: number;
  readonly results: readonly Record<string, unknown>[];
}

/** A context as the command line would build it in a folder of the world. */
export function contextIn(world: World, cwd: string, given: Partial<Context> = {}): Context {
  return defaultContext({ cwd, env: { ...world.env, PWD: cwd }, ...given });
}

/** Runs DataLad with JSON output and returns its results in the common form. */
export async function askDatalad(
  world: World,
  datalad: WarmDatalad,
  cwd: string,
  args: readonly string[],
): Promise<Answer> {
  const out = await datalad.exec(['-f', 'json', ...args], cwd);
  const lines = out.stdout.split('\n').filter((line) => line.startsWith('{'));
  return {
    code: out.code,
    results: lines.map((line) => normalise(world, JSON.parse(line) as Record<string, unknown>)),
  };
}

/** Runs one of our verbs and returns its results in the common form, after they went through JSON. */
export async function askOurs(world: World, verb: Promise<VerbOutcome>): Promise<Answer> {
  const { exitCode, results } = await verb;
  return {
    code: exitCode,
    results: results.map((result) => normalise(world, JSON.parse(JSON.stringify(result)) as Result)),
  };
}

/** Paths without the twin they are in, messages as text, no field that is null (but `key`), no object name that dates decide. */
function normalise(world: World, result: Record<string, unknown>): Record<string, unknown> {
  const text = (value: unknown): unknown => {
    if (typeof value === 'string') return plain(world, value);
    if (Array.isArray(value)) return value.map(text);
    if (typeof value === 'object' && value !== null)
      return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, text(inner)]));
    return value;
  };
  const entries = Object.entries(result).filter(([key, value]) => value !== null || key === 'key');
  return Object.fromEntries(entries.map(([key, value]) => [key, text(key === 'message' ? formatted(value) : value)]));
}

function plain(world: World, text: string): string {
  return (
    text
      .replaceAll(`${world.dir}/theirs`, 'W')
      .replaceAll(`${world.dir}/ours`, 'W')
      .replace(/Dataset\(([^)]*)\)/g, '$1')
      // Each version of git-annex has words of its own for this.
      .replace(
        /Could (?:only verify the existence of 0 out of|not verify the existence of the) 1 necessary copy\.?/,
        'no copy known',
      )
  );
}

/** DataLad's JSON has messages as Python's format and arguments. */
function formatted(message: unknown): unknown {
  if (!Array.isArray(message)) return message;
  const [format, ...values] = message as [string, ...unknown[]];
  return format.replace(/%s/g, () => {
    const value = values.shift();
    return Array.isArray(value) ? `[${value.map((item) => `'${String(item)}'`).join(', ')}]` : String(value);
  });
}

/** Results in an order that does not depend on which file was done first. */
export function sorted(answer: Answer): Answer {
  const key = (result: Record<string, unknown>) =>
    JSON.stringify([result['path'], result['action'], result['type'], result['key']]);
  return { ...answer, results: [...answer.results].sort((a, b) => (key(a) < key(b) ? -1 : 1)) };
}

/** What a repository's `.git/config` says, without identifiers and the path of the world. */
export function gitConfig(world: World, repo: string): string {
  return plain(world, readFileSync(`${repo}/.git/config`, 'utf8')).replace(UUID, 'UUID');
}

export const UUID = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g;

/** Every commit of the current branch: message, and its files with mode and content; identifiers and dated object names blanked. */
export function history(world: World, repo: string): string {
  const log = world.git(repo, 'log', '--reverse', '--format=commit%n%B', '--raw', '--no-abbrev', '--root', '-r');
  const blobs = world
    .git(repo, 'ls-tree', '-r', 'HEAD')
    .split('\n')
    .filter((line) => line.includes(' blob '));
  const texts = blobs.map((line) => {
    const [meta = '', path = ''] = line.split('\t');
    return `${meta.split(' ')[0]} ${path}: ${world.git(repo, 'cat-file', 'blob', meta.split(' ')[2] as string)}`;
  });
  const raw = log.replace(/^:(\d+) (\d+) [0-9a-f]+ [0-9a-f]+ (\w)/gm, ':$1 $2 $3');
  return `${raw}\n${texts.join('\n')}`.replace(UUID, 'UUID');
}
