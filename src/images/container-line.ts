/** The shell line that is executed in place of a recorded one: every call of an engine in it replaced by the chosen runner. */
import { existsSync } from 'node:fs';
import { posix } from 'node:path';
import { defaultCallFormat } from '../containers/call-format.ts';
import { type EngineCall, engineCalls, replaceEngine } from '../containers/command-lines.ts';
import { onPath } from '../containers/engine/endpoint.ts';
import { simpleCommands } from '../containers/shell-words.ts';
import { fsPath } from '../core/bytes.ts';
import { escapeBraces } from '../core/placeholders.ts';
import type { CommandLines } from '../run/options.ts';

/** How a line is going to be used. */
export interface LineChoice {
  /** The line whose engine words are replaced. */
  readonly line: string;
  /** Whether paths of this machine stand in it, so that the dataset must be seen under its own path as well. */
  readonly hasHostPaths: boolean;
}

/**
 * Which of the two lines is used: the one with the container's paths, unless the shell of this machine does something with it, too.
 *
 * @param images paths of the image as they may be written in the line
 */
export function chooseLine({ host, inside }: CommandLines, images: readonly string[]): LineChoice {
  if (host === inside) return { line: host, hasHostPaths: false };
  const isAlone = engineCalls(inside, images).every(({ alone }) => alone);
  return isAlone ? { line: inside, hasHostPaths: false } : { line: host, hasHostPaths: true };
}

/** Replaces the engine's words of every call; null where the line has none that is understood. */
export function rewriteLine(line: string, images: readonly string[], words: string): string | null {
  const isAll = simpleCommands(line)?.length === 1;
  // A shell that had nothing else to do would die of a signal before the container has ended.
  return replaceEngine(line, images, ({ start }) =>
    isAll && /^[ \t]*$/.test(line.slice(0, start)) ? `exec ${words}` : words,
  );
}

/**
 * Whether a line is executed by the shell as it stands: a call format with options of its own, or one that is not understood, says exactly
 * how the container is to be started.
 */
export function isVerbatim(calls: readonly EngineCall[]): boolean {
  if (calls.length === 0) return true;
  return calls.some(
    ({ kind, options, transport }) => transport !== null || (kind !== 'docker-adapter' && options.length > 0),
  );
}

/**
 * Whether a call format says how the container is to be started: any but DataLad's own ones, and any line that is not understood.
 *
 * @param line what the format makes of a command; placeholders of the run may still be in it, which a shell would not mind
 */
export function isOwnFormat(line: string, image: string, cmdexec: string | undefined): boolean {
  const plain = ['docker://', 'dhub://'].map((url) => defaultCallFormat(url));
  if (cmdexec !== undefined && plain.includes(cmdexec)) return false;
  const written = escapeBraces(image);
  return isVerbatim(engineCalls(line, [written, posix.join('.', written)]));
}

/** Whether the program that a line calls is here. */
export function isOnPath({ program }: Pick<EngineCall, 'program'>, env: NodeJS.ProcessEnv): boolean {
  return program.includes('/') ? existsSync(fsPath(program)) : onPath(program, env);
}

/** Selectors of DataLad's docker adapter, which stand among its options. */
export function selectionOf(call: EngineCall | undefined): { readonly repoTag?: string; readonly config?: string } {
  const value = (name: string) => call?.options.find((option) => option.name === name)?.value ?? undefined;
  const repoTag = value('--repo-tag');
  const config = value('--config');
  return { ...(repoTag === undefined ? {} : { repoTag }), ...(config === undefined ? {} : { config }) };
}
