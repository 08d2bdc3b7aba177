/** The invocation in this process: its streams, its end. */
import { writeSync } from 'node:fs';
import { BUG_STATUS, failureText } from '../report/failure.ts';
import type { Sink } from '../report/reporter.ts';
import { currentFolder, trueArguments } from './arguments.ts';
import { invoke, versions } from './invoke.ts';

/** Runs the process's command line and sets its exit code. */
export async function main(): Promise<void> {
  process.on('uncaughtException', (error) => {
    // Whatever is still going on cannot be trusted any more, and the text has been written when writeSync returns.
    writeSync(2, `${failureText(error, { verbose: true, versions: versions() })}\n`);
    process.exit(BUG_STATUS);
  });
  // What Node thinks of a library's calls is not for users.
  process.noDeprecation = true;
  const { env } = process;
  const code = await invoke(trueArguments(process.argv.slice(2)), {
    cwd: currentFolder(env),
    env,
    stdout: guarded(process.stdout, 'output'),
    stderr: guarded(process.stderr, 'messages'),
  });
  // Output that cannot be written is heard of a turn later, and sets the exit code.
  await new Promise((resolve) => setImmediate(resolve));
  process.exitCode = code || process.exitCode || 0;
  if (isIdle()) process.exit();
}

/** Whether all is written and every child has ended: Node would then only take its memory apart, which takes longer the more there is. */
function isIdle(): boolean {
  const unwritten = process.stdout.writableLength + process.stderr.writableLength;
  return unwritten === 0 && !process.getActiveResourcesInfo().includes('ProcessWrap');
}

/**
 * A stream whose reader may go away, as `head` does: nothing more is written, and the work goes on to its end. What cannot be
 * written for any other reason is a failure.
 */
function guarded(stream: NodeJS.WriteStream, what: string): Sink {
  let open = true;
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (!open) return;
    open = false;
    if (error.code === 'EPIPE') return;
    process.exitCode ||= 1;
    if (stream !== process.stderr)
      process.stderr.write(`reprise: error: The ${what} could not be written: ${error.message}\n`);
  });
  return {
    isTTY: stream.isTTY,
    columns: stream.columns,
    write: (chunk) => open && stream.write(chunk),
  };
}
