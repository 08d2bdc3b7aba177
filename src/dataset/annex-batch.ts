/**
 * The door to git-annex for content: one process per kind of request, fed with NUL-separated names, read as lines of JSON.
 *
 * Neither its exit code nor the order of its answers says anything: `success` in each answer does, and an answer names its file.
 */
import { constants, accessSync } from 'node:fs';
import { join } from 'node:path';
import { encodeName, joinNul } from '../core/bytes.ts';
import { RepriseError } from '../core/errors.ts';
import type { Result } from '../core/result.ts';
import { execute, start } from '../sys/proc.ts';
import { annexEnv } from './annex-env.ts';
import { gitEnv, type Repo } from './repo.ts';

/** One answer of git-annex. */
export interface AnnexAnswer {
  readonly command?: string;
  readonly file?: string | null;
  readonly key?: string;
  readonly success?: boolean;
  readonly note?: string;
  readonly 'error-messages'?: readonly string[];
}

export interface AnnexRequest {
  /** The verb and its options, without --batch and --json. */
  readonly args: readonly string[];
  /** Files relative to the root. */
  readonly files: readonly string[];
  /** Bytes transferred so far of one file, or of one key where it was keys that were asked about. */
  readonly onProgress?: (name: string, bytes: number) => void;
  /** Added to the environment of Git calls. */
  readonly env?: NodeJS.ProcessEnv;
}

/**
 * Asks git-annex about each file and yields its answers as they come. A file that needs nothing gets no answer.
 *
 * Throws `annex-missing`, and `annex-failed` when it ended without a word about what went wrong.
 */
export async function* askAnnex(repo: Repo, request: AnnexRequest): AsyncGenerator<AnnexAnswer> {
  const [verb = '', ...options] = request.args;
  // In batch mode git-annex passes over a name with a newline: it asks Git for it on a line.
  const files = request.files.filter((file) => !file.includes('\n'));
  if (files.length > 0) {
    const argv = ['git-annex', verb, '--batch', '-z', ...jsonOptions(request), ...options] as const;
    yield* speak(repo, [...argv], joinNul(files), request);
  }
  if (files.length < request.files.length) {
    yield* tellAnnex(repo, { ...request, files: request.files.filter((file) => file.includes('\n')) });
  }
}

/** As `askAnnex`, about keys: content of earlier commits has no file in the work tree. */
export async function* askAnnexAboutKeys(
  repo: Repo,
  request: Omit<AnnexRequest, 'files'> & { readonly keys: readonly string[] },
): AsyncGenerator<AnnexAnswer> {
  const [verb = '', ...options] = request.args;
  const argv = ['git-annex', verb, '--batch-keys', '-z', ...jsonOptions(request), ...options] as const;
  // After a last NUL git-annex expects one more key.
  yield* speak(repo, [...argv], encodeName(request.keys.join('\0')), request);
}

/**
 * As `askAnnex`, with the names as arguments, for verbs without a batch mode. xargs hands them over: it takes any byte and keeps
 * within the system's limits.
 */
export async function* tellAnnex(repo: Repo, request: AnnexRequest): AsyncGenerator<AnnexAnswer> {
  if (!annexInstalled(repo.context.env)) throw annexMissing();
  const [verb = '', ...options] = request.args;
  const argv = ['xargs', '-0', 'git-annex', verb, ...jsonOptions(request), ...options, '--'] as const;
  yield* speak(repo, [...argv], joinNul(request.files), request);
}

function jsonOptions(request: Pick<AnnexRequest, 'onProgress'>): string[] {
  return ['--json', '--json-error-messages', ...(request.onProgress ? ['--json-progress'] : [])];
}

/** A request that is not about files: its options are all there is to say. */
export async function* askAnnexOnce(repo: Repo, args: readonly string[]): AsyncGenerator<AnnexAnswer> {
  yield* speak(repo, ['git-annex', ...args, '--json', '--json-error-messages'], Buffer.alloc(0), {});
}

async function* speak(
  repo: Repo,
  argv: [string, ...string[]],
  input: Buffer,
  request: Pick<AnnexRequest, 'onProgress' | 'env'>,
): AsyncGenerator<AnnexAnswer> {
  if (argv[0] === 'git-annex' && !annexInstalled(repo.context.env)) throw annexMissing();
  const child = start(argv, {
    cwd: repo.root,
    env: gitEnv(repo.context, { ...(await annexEnv(repo)), ...request.env }),
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const ended = new Promise<number | null>((resolve) => {
    child.on('error', () => resolve(null));
    child.on('close', resolve);
  });
  let stderr = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  child.stdin?.on('error', () => {});
  child.stdin?.end(input);
  let failures = 0;
  try {
    for await (const line of linesOf(child.stdout as AsyncIterable<Buffer>)) {
      const answer = parseAnswer(line);
      if (!answer) continue;
      if ('byte-progress' in answer) {
        request.onProgress?.(answer.action?.file ?? answer.action?.key ?? '', answer['byte-progress'] ?? 0);
        continue;
      }
      if (answer.success !== true) failures += 1;
      yield answer;
    }
  } finally {
    // A reader that stops early ends the process; its next file would be work nobody asked for.
    if (child.exitCode === null && child.signalCode === null) child.stdin?.destroy();
  }
  const code = await ended;
  if (code === 0 || failures > 0) return;
  throw new RepriseError(
    'annex-failed',
    `git-annex ${argv[1] ?? ''} exited ${code} in ${repo.root}: ${stderr.trim() || 'no message'}`,
    {
      data: { argv, stderr },
    },
  );
}

interface ProgressLine extends AnnexAnswer {
  readonly action?: { readonly file?: string | null; readonly key?: string };
  readonly 'byte-progress'?: number;
}

function parseAnswer(line: string): ProgressLine | null {
  try {
    const answer: unknown = JSON.parse(line);
    return typeof answer === 'object' && answer !== null ? answer : null;
  } catch {
    return null;
  }
}

async function* linesOf(stream: AsyncIterable<Buffer>): AsyncGenerator<string> {
  let rest: Uint8Array = Buffer.alloc(0);
  for await (const chunk of stream) {
    let whole: Buffer = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    for (let end = whole.indexOf(10); end !== -1; end = whole.indexOf(10)) {
      yield whole.toString('utf8', 0, end);
      whole = whole.subarray(end + 1);
    }
    rest = whole;
  }
  if (rest.length > 0) yield Buffer.from(rest).toString('utf8');
}

/** Whether git-annex is on the PATH. */
export function annexInstalled(env: NodeJS.ProcessEnv): boolean {
  return (env['PATH'] ?? '').split(':').some((folder) => {
    try {
      accessSync(join(folder || '.', 'git-annex'), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** The error for a missing git-annex, with a way on that fits. */
export function annexMissing(hints: readonly string[] = ['apt-get install git-annex']): RepriseError {
  return new RepriseError('annex-missing', 'git-annex is not installed, or is not on the PATH', { hints });
}

/** Runs `git-annex` for its effect. Throws `annex-missing`, `annex-failed`. */
export async function runAnnex(repo: Repo, args: readonly string[]): Promise<void> {
  const env = gitEnv(repo.context, await annexEnv(repo));
  const result = await execute(['git-annex', ...args], { cwd: repo.root, env });
  if (result.code === 0) return;
  const words = result.stderr.trim() || result.stdout.toString('utf8').trim();
  throw new RepriseError('annex-failed', `git-annex ${args[0]} failed in ${repo.root}: ${words || 'no message'}`, {
    data: { argv: ['git-annex', ...args], stderr: result.stderr },
  });
}

const COPIES_NOTE = '(Use --force to override this check, or adjust numcopies.)';

/**
 * The result that DataLad makes of an answer (its `annexjson2result`).
 * @param path absolute path of the file
 */
export function resultOf(answer: AnnexAnswer, action: string, path: string, refds: string): Result {
  const errors = answer['error-messages'] ?? [];
  const message = errors.length > 0 ? '' : messageOf(answer.note ?? '');
  return {
    action: answer.command ?? action,
    status: answer.success === true ? 'ok' : 'error',
    path,
    type: 'file',
    refds,
    ...(answer.key === undefined || answer.key === null ? {} : { annexkey: answer.key }),
    ...(errors.length > 0 ? { error_message: errors.map((line) => line.trim()).join('\n') } : {}),
    ...(message === '' ? {} : { message }),
  };
}

function messageOf(note: string): string {
  const lines = note
    .split('\n')
    .filter((line) => line !== '' && line !== 'checksum...' && !line.startsWith('checking file'));
  const text = lines.join('; ');
  return (text === COPIES_NOTE ? 'configured minimum number of copies not found' : text).trim();
}

/**
 * Finds which requested file an answer is about. JSON cannot carry every name: bytes that are no UTF-8 are replaced in it, and names
 * that become the same that way are told apart by their keys.
 */
export function answerMatcher(files: readonly string[], keyOf: (file: string) => string | null) {
  const byName = new Map<string, string[]>();
  for (const file of files) {
    const name = file.isWellFormed() ? file : encodeName(file).toString('utf8');
    byName.set(name, [...(byName.get(name) ?? []), file]);
  }
  return (answer: AnnexAnswer): string | null => {
    const candidates = byName.get(answer.file ?? '') ?? [];
    if (candidates.length < 2) return candidates[0] ?? null;
    return candidates.find((file) => keyOf(file) === answer.key) ?? candidates[0] ?? null;
  };
}
