/** A program that takes its time, and ends when the user wants no more of it. */
import type { start } from '../sys/proc.ts';

export interface Program {
  readonly process: ReturnType<typeof start>;
  /** Ends the program when it is aborted. */
  readonly signal: AbortSignal;
}

/** How it ended, and what it wrote to its standard error; its standard output is somebody else's to read. */
export async function endOf({
  process,
  signal,
}: Program): Promise<{ readonly code: number | null; readonly stderr: string }> {
  const kill = () => process.kill('SIGTERM');
  signal.addEventListener('abort', kill);
  if (signal.aborted) kill();
  let stderr = '';
  process.stderr?.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  try {
    const code = await new Promise<number | null>((resolve, reject) => {
      process.once('error', reject);
      process.once('close', resolve);
    });
    signal.throwIfAborted();
    return { code, stderr };
  } finally {
    signal.removeEventListener('abort', kill);
  }
}
