/** Objects that are asked for one after the other, answered by one Git process. */
import { RepriseError } from '../core/errors.ts';
import { startError, start } from '../sys/proc.ts';
import { gitEnv, type Repo } from './repo.ts';

export interface ObjectReader {
  /** Contents by object name, in order; null for what is missing. Names have no newline. Throws `git-failed`, `git-missing`. */
  read(names: readonly (string | Buffer)[]): Promise<readonly (Buffer | null)[]>;
}

/** Answers that are waited for. */
interface Request {
  readonly count: number;
  readonly found: (Buffer | null)[];
  readonly resolve: (contents: readonly (Buffer | null)[]) => void;
  readonly reject: (error: unknown) => void;
}

/** Lends a reader (git-cat-file(1), "BATCH OUTPUT"), whose process starts with the first question and ends when `use` has ended. */
export async function withObjects<T>(repo: Repo, use: (objects: ObjectReader) => Promise<T>): Promise<T> {
  const { reader, close } = openReader(repo);
  try {
    return await use(reader);
  } finally {
    close();
  }
}

function openReader(repo: Repo): { readonly reader: ObjectReader; readonly close: () => void } {
  const waiting: Request[] = [];
  let child: ReturnType<typeof start> | null = null;
  let failure: unknown = null;
  const fail = (error: unknown) => {
    failure ??= error;
    for (const request of waiting.splice(0)) request.reject(failure);
  };
  const ask = (names: Buffer) => {
    child ??= startReader(repo, waiting, fail);
    child.stdin?.write(names);
  };
  const reader: ObjectReader = {
    read: (names) =>
      new Promise((resolve, reject) => {
        if (names.length === 0) resolve([]);
        else if (failure !== null) reject(failure);
        else {
          waiting.push({ count: names.length, found: [], resolve, reject });
          const lines = names.map((name) => [typeof name === 'string' ? Buffer.from(name) : name, NEWLINE]);
          ask(Buffer.concat(lines.flat()));
        }
      }),
  };
  return { reader, close: () => child?.stdin?.end() };
}

/** Starts the process that answers those who wait, in order. */
function startReader(repo: Repo, waiting: Request[], fail: (error: unknown) => void): ReturnType<typeof start> {
  const child = start(['git', 'cat-file', '--batch'], {
    cwd: repo.root,
    env: gitEnv(repo.context),
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  let rest: Buffer = Buffer.alloc(0);
  let words = '';
  child.stdin?.on('error', () => {});
  child.stderr?.on('data', (chunk: Buffer) => (words += chunk.toString('utf8')));
  child.on('error', (cause) => fail(startError('git', repo.root, cause)));
  child.on('close', (code) =>
    fail(
      new RepriseError('git-failed', `git cat-file exited ${code} in ${repo.root}: ${words.trim() || 'no message'}`),
    ),
  );
  child.stdout?.on('data', (chunk: Buffer) => {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    for (let answer = nextAnswer(rest, 0); answer !== null; answer = nextAnswer(rest, 0)) {
      rest = rest.subarray(answer.end);
      const request = waiting[0];
      if (request === undefined) return;
      request.found.push(answer.content);
      if (request.found.length === request.count) waiting.shift()?.resolve(request.found);
    }
  });
  return child;
}

const NEWLINE = Buffer.from('\n');

/** One answer at a position of the output, with where the next one begins; null while it is not complete. */
export function nextAnswer(
  output: Buffer,
  at: number,
): { readonly content: Buffer | null; readonly end: number } | null {
  const line = output.indexOf(0x0a, at);
  if (line === -1) return null;
  const size = /^\S+ \S+ (\d+)$/.exec(output.subarray(at, line).toString('latin1'))?.[1];
  if (size === undefined) return { content: null, end: line + 1 };
  const end = line + 1 + Number(size);
  return output.length <= end ? null : { content: output.subarray(line + 1, end), end: end + 1 };
}
