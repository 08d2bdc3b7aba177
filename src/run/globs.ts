/** Matching declared paths, with subdatasets installed where a pattern reaches into them. */
import { join, relative } from 'node:path';
import type { Result } from '../core/result.ts';
import { nameMatcher } from '../core/fnmatch.ts';
import { type GlobResult, globPatterns } from '../dataset/globbed-paths.ts';
import { installSubdataset } from '../dataset/install.ts';
import type { Repo } from '../dataset/repo.ts';
import { installed, readSubdatasets, type Subdataset } from '../dataset/subdatasets.ts';
import { lstatOrNull } from '../sys/files.ts';
import { realPattern, type Subject } from './subject.ts';

/** Makes a subdataset be here, or says what would be done for it. */
export type Installer = (superRepo: Repo, subdataset: Subdataset) => Promise<Result>;

/**
 * Matches patterns, installing every subdataset that a pattern can reach into, level by level.
 *
 * Unlike DataLad, which installs only where nothing matches yet, the result does not depend on what happens to be installed (its S-13).
 */
export async function matchInstalling(
  subject: Subject,
  patterns: readonly string[],
  report: (result: Result) => void,
  install: Installer = installSubdataset,
): Promise<GlobResult> {
  if (patterns.length > 0 && lstatOrNull(join(subject.repo.root, '.gitmodules')))
    await installReached(subject, subject.repo, patterns, report, install);
  return globPatterns(patterns, subject.pwd);
}

async function installReached(
  subject: Subject,
  repo: Repo,
  patterns: readonly string[],
  report: (result: Result) => void,
  install: Installer,
): Promise<void> {
  for (const sub of await readSubdatasets(repo)) {
    const path = relative(subject.repo.root, join(repo.root, sub.path));
    // Links may lead into a subdataset that has just been installed.
    const reached = patterns.some((pattern) => reachesFrom(subject, pattern, path));
    if (!reached) continue;
    if (!installed(repo, sub)) report(await install(repo, sub));
    const inner = installed(repo, sub);
    if (inner) await installReached(subject, inner, patterns, report, install);
  }
}

/** Of patterns, those that match nothing now and will not either when the subdatasets that are missing have been installed. */
export async function hopeless(subject: Subject, patterns: readonly string[]): Promise<readonly string[]> {
  const { misses, partial } = globPatterns(patterns, subject.pwd);
  const open = [...misses, ...partial.keys()];
  const missing = open.length > 0 ? await notInstalled(subject.repo, subject.repo) : [];
  return open.filter((pattern) => !missing.some((path) => reachesFrom(subject, pattern, path)));
}

/** Subdatasets that are not installed although what they lie in is, by path from the top. */
async function notInstalled(top: Repo, repo: Repo): Promise<readonly string[]> {
  const paths: string[] = [];
  for (const sub of await readSubdatasets(repo)) {
    const inner = installed(repo, sub);
    if (inner) paths.push(...(await notInstalled(top, inner)));
    else paths.push(relative(top.root, join(repo.root, sub.path)));
  }
  return paths;
}

/** Whether a pattern, seen from the folder of the run, can match the folder at a path from the top, or something below it. */
function reachesFrom(subject: Subject, pattern: string, path: string): boolean {
  const real = realPattern(subject, pattern);
  return real !== null && reaches([escapeMagic(real.folder), ...real.wild].join('/'), path);
}

/** A path as a pattern that matches nothing else. */
function escapeMagic(path: string): string {
  return path.replaceAll(/[*?[]/g, '[$&]');
}

/** Whether a pattern can match a folder or something below it; both relative to the same folder. `.` reaches nothing by itself. */
export function reaches(pattern: string, folder: string): boolean {
  const wanted = pattern.split('/').filter((part) => part !== '' && part !== '.');
  const parts = folder.split('/');
  for (const [index, part] of parts.entries()) {
    const want = wanted[index];
    if (want === undefined) return false;
    if (want === '**') return !parts.slice(index).some((one) => one.startsWith('.'));
    if (!nameMatcher(want)(part)) return false;
  }
  return true;
}
