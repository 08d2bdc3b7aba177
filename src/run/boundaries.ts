/** What may be read and written: the dataset, and nothing that a symbolic link makes of it. Checked before anything is executed. */
import { accessSync, constants } from 'node:fs';
import { dirname, join } from 'node:path';
import { fsPath } from '../core/bytes.ts';
import { RepriseError } from '../core/errors.ts';
import { quoteWord } from '../core/quote.ts';
import type { Repo } from '../dataset/repo.ts';
import { linkOnTheWay } from '../dataset/subdatasets.ts';
import { lstatOrNull } from '../sys/files.ts';
import { datasetPaths, literalPart, realPattern, type Subject, toDatasetPath } from './subject.ts';

/** Makes sure that a record can be written before anything is executed for it; `permission-denied`. */
export function assertWritable(repo: Repo): void {
  for (const folder of [
    repo.gitDir,
    join(repo.commonDir, 'objects'),
    join(repo.commonDir, 'reprise'),
    join(repo.gitDir, 'reprise/runs'),
  ]) {
    if (!lstatOrNull(folder)) continue;
    try {
      accessSync(fsPath(folder), constants.W_OK);
    } catch (cause) {
      throw new RepriseError(
        'permission-denied',
        `${folder} may not be written by this user, so nothing could be recorded`,
        { cause, hints: [`ls -ld ${quoteWord(folder)}`], data: { path: folder } },
      );
    }
  }
}

/** Refuses declared paths and patterns that leave the dataset, lie behind a link that does, or reach into a Git directory; `path-outside`. */
export function assertInside(subject: Subject, declared: readonly string[]): void {
  for (const pattern of declared) {
    for (const path of [literalPart(pattern), pattern]) toDatasetPath(subject, path);
    if (pattern.split('/').includes('.git') || realPattern(subject, pattern) === null) throw outside(subject, pattern);
  }
}

/** Refuses a folder to work in that leaves the dataset, by its name or through a link, or is a Git directory; `path-outside`. Returns its path from the root. */
export function assertFolderInside(repo: Repo, folder: string): string {
  const subject: Subject = { repo, pwd: repo.root, relativePwd: '.' };
  const path = toDatasetPath(subject, folder);
  if (datasetPaths(subject)(`${folder}/`) === null) throw outside(subject, folder);
  return path;
}

function outside(subject: Subject, declared: string): RepriseError {
  return new RepriseError('path-outside', `${declared} does not belong to the dataset at ${subject.repo.root}`, {
    data: { path: declared },
  });
}

/** Refuses a file of our own (record, log) where a link or a file is in the way of its folder; `path-outside`. Returns the path. */
export function assertOwnPath(subject: Subject, path: string): string {
  const inside = toDatasetPath({ ...subject, pwd: subject.repo.root }, path);
  const folder = dirname(inside);
  const blocked = folder === '.' ? null : (linkOnTheWay(subject.repo, folder) ?? fileOnTheWay(subject, folder));
  if (blocked !== null || inside === '' || inside.split('/').includes('.git')) {
    throw new RepriseError('path-outside', `${path} cannot be written: ${blocked ?? 'a Git directory'} is in the way`, {
      data: { path },
    });
  }
  return inside;
}

function fileOnTheWay(subject: Subject, folder: string): string | null {
  const parts = folder.split('/').map((_, index, all) => join(subject.repo.root, ...all.slice(0, index + 1)));
  return parts.find((part) => lstatOrNull(part)?.isDirectory() === false) ?? null;
}
