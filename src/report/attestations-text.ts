/** The tailored rendering of `attestations`: a line per replay. */
import type { Result } from '../core/result.ts';
import { printable } from './printable.ts';
import { genericLine } from './text.ts';

interface Facts {
  readonly when: string;
  readonly replayed: string | null;
  readonly tool: string;
  readonly runner: string;
  readonly environment: { readonly os: string; readonly arch: string };
}

/** `2026-05-05T08:00:00Z 3f1d6c0b identical (3 identical) native linux-x64 reprise/1.0.0`; one that was not made here is somebody's claim. */
export function attestationLine(result: Result): string | undefined {
  const facts = result['attestation'] as Facts | undefined;
  if (facts === undefined) return exchangeLine(result);
  const counts = Object.entries(result['counts'] as Readonly<Record<string, number>>);
  const outputs =
    counts.length === 0 ? 'no outputs' : counts.map(([verdict, count]) => `${count} ${verdict}`).join(', ');
  const words = [
    facts.when.replace(/[.][0-9]+Z$/, 'Z'),
    String(result['commit']).slice(0, 8),
    `${String(result['verdict'])} (${outputs})`,
    facts.runner,
    `${facts.environment.os}-${facts.environment.arch}`,
    facts.tool,
    ...(result['here'] === true ? [] : ['# from elsewhere']),
  ];
  return printable(words.join(' '));
}

/** What went to and fro is told even when it was nothing. */
function exchangeLine(result: Result): string | undefined {
  return result.message === undefined || result.status === 'error' ? genericLine(result) : printable(result.message);
}

/** The line after the list. */
export function attestationSummary(results: readonly Result[]): string | undefined {
  return results.length === 0 ? 'no attestations' : undefined;
}
