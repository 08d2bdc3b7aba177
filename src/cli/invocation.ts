/** What an invocation is, from its global options: the context of the verb and the way of reporting. */
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { fsPath } from '../core/bytes.ts';
import { RepriseError } from '../core/errors.ts';
import type { Result } from '../core/result.ts';
import type { Globals } from './options.ts';

/**
 * The folder to work in: each `-C` is relative to the one before.
 *
 * @throws `path-missing` for a folder that does not exist, `path-encoding` for one whose name is not UTF-8
 */
export function workingFolder(cwd: string, directories: readonly string[]): string {
  assertUsable(cwd, 'The current folder');
  return directories.reduce((from, directory) => {
    const folder = resolve(from, directory);
    assertUsable(folder, 'The folder given with -C');
    return folder;
  }, cwd);
}

function assertUsable(folder: string, what: string): void {
  // With a slash at its end, what is no folder does not exist.
  const exists = existsSync(fsPath(`${folder}/`));
  if (exists && folder.isWellFormed()) return;
  if (exists || folder.includes('\ufffd')) {
    throw new RepriseError(
      'path-encoding',
      `${what}, ${folder}, has a name that is not UTF-8, where Node can start no program`,
      {
        hints: ['Reach it through a symbolic link with another name'],
      },
    );
  }
  throw new RepriseError('path-missing', `${what}, ${folder}, does not exist`);
}

/**
 * `-c key=value` as pairs; `-c :key` gives the empty value, which is how DataLad unsets.
 *
 * @throws `usage` for anything else
 */
export function configOverrides(given: readonly string[]): (readonly [string, string])[] {
  return given.map((text) => {
    const match = /^(?::([^\s=]+\.[^\s=]+)|([^\s=]+\.[^=]*[^\s=])=(.*))$/s.exec(text);
    if (!match) {
      throw new RepriseError('usage', `-c takes SECTION.NAME=VALUE or :SECTION.NAME, not '${text}'`, {
        hints: ['reprise -c datalad.run.record-sidecar=yes run ...'],
      });
    }
    return [match[1] ?? (match[2] as string), match[3] ?? ''];
  });
}

/** Which results are printed: `--report-status` and `--report-type`. */
export function resultFilter({ reportStatus, reportType }: Globals): (result: Result) => boolean {
  const statuses =
    reportStatus === 'success'
      ? ['ok', 'notneeded']
      : reportStatus === 'failure'
        ? ['impossible', 'error']
        : reportStatus && [reportStatus];
  return (result) => (statuses?.includes(result.status) ?? true) && (reportType?.includes(result.type ?? '') ?? true);
}
