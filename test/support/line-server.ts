/** An oracle that is asked many questions by one process: each line of input is answered with one line of output. */
import { spawn } from 'node:child_process';

/** A long-lived child that answers each line of input with one line of output. */
export interface LineServer {
  /** Sends one line and resolves with the next line of output; null when the child has ended. */
  ask(line: Buffer | string): Promise<string | null>;
  /** Closes the child's input, waits for its end, and returns its exit code and stderr. */
  close(): Promise<{ readonly code: number | null; readonly stderr: string }>;
  readonly pid: number | undefined;
}

/** Starts a program that speaks one line per request (`--batch --json`). */
export function openLines(
  argv: readonly [string, ...string[]],
  options: { readonly cwd: string; readonly env: NodeJS.ProcessEnv },
): LineServer {
  const child = spawn(argv[0], argv.slice(1), { cwd: options.cwd, env: options.env, stdio: ['pipe', 'pipe', 'pipe'] });
  const waiting: ((line: string | null) => void)[] = [];
  const ready: string[] = [];
  let rest = '';
  let stderr = '';
  let ended = false;
  let failure: Error | undefined;
  child.stdout.setEncoding('utf8');
  child.stderr.setEncoding('utf8');
  child.stderr.on('data', (chunk: string) => {
    stderr += chunk;
  });
  child.stdout.on('data', (chunk: string) => {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) {
      const next = waiting.shift();
      if (next) next(line);
      else ready.push(line);
    }
  });
  child.stdin.on('error', () => {});
  const end = new Promise<number | null>((resolve) => {
    const finish = (code: number | null) => {
      ended = true;
      for (const next of waiting.splice(0)) next(null);
      resolve(code);
    };
    child.on('error', (cause) => {
      failure = cause;
      finish(null);
    });
    child.on('close', finish);
  });
  return {
    pid: child.pid,
    async ask(line) {
      if (failure) throw failure;
      if (ended) return null;
      child.stdin.write(typeof line === 'string' ? `${line}\n` : Buffer.concat([line, Buffer.from('\n')]));
      const early = ready.shift();
      if (early !== undefined) return early;
      const answer = await new Promise<string | null>((resolve) => waiting.push(resolve));
      if (failure) throw failure;
      return answer;
    },
    async close() {
      child.stdin.end();
      const code = await end;
      if (failure) throw failure;
      return { code, stderr };
    },
  };
}
