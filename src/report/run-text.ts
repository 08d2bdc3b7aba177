/** The tailored rendering of `run`: what a dry run would do. */
import { convert } from '../core/format-spec.ts';
import type { Result } from '../core/result.ts';
import { printable } from './printable.ts';
import { genericLine } from './text.ts';

export type DryRun = 'basic' | 'command';

interface DryRunInfo {
  readonly cmd_expanded: string;
  readonly pwd_full: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
}

/** A result of `run`; `show` makes the text of a command safe for where it goes. */
export function runText(
  result: Result,
  dryRun: DryRun | undefined,
  show: (text: string) => string,
): string | undefined {
  const info = result['dry_run_info'] as DryRunInfo | undefined;
  if (dryRun === undefined || info === undefined) return genericLine(result);
  if (dryRun === 'command') return show(info.cmd_expanded);
  const { cmd } = result['run_info'] as { readonly cmd: string };
  return [
    'Dry run information',
    ` location: ${printable(info.pwd_full)}`,
    ...list('expanded inputs', info.inputs),
    ...list('expanded outputs', info.outputs),
    ...block('command', show(cmd)),
    ...(cmd === info.cmd_expanded ? [] : block('expanded command', show(info.cmd_expanded))),
  ].join('\n');
}

function block(title: string, text: string): string[] {
  return [` ${title}:`, `  ${text}`];
}

/** Python's list notation, as DataLad prints it; nothing for an empty list. */
function list(title: string, paths: readonly string[]): string[] {
  if (paths.length === 0) return [];
  const text = convert(paths, 'r');
  return block(title, printable(typeof text === 'string' ? text : paths.join(', ')));
}
