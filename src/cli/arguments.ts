/** What the process was started with: its words, and where. */
import { readFileSync } from 'node:fs';
import { splitNul } from '../core/bytes.ts';
import { logicalCwd } from '../sys/context.ts';

/**
 * The words of the command line. Node decodes them as UTF-8, which loses other bytes: then they are read again from the kernel,
 * where it tells.
 */
export function trueArguments(argv: readonly string[]): readonly string[] {
  if (!argv.some((word) => word.includes('\ufffd'))) return argv;
  try {
    const words = splitNul(readFileSync('/proc/self/cmdline'));
    return words.length >= argv.length ? words.slice(words.length - argv.length) : argv;
  } catch {
    return argv;
  }
}

/** The current folder as the shell names it; the shell's word for it, or nothing, where it exists no longer. */
export function currentFolder(env: NodeJS.ProcessEnv): string {
  try {
    return logicalCwd(env);
  } catch {
    return env['PWD'] ?? '';
  }
}
