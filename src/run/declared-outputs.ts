/** Whose outputs are whose: what a run has declared, and what explicit runs beside one that saves all that was changed have, which is theirs to record. */
import { join } from 'node:path';
import { expandStrict, type GlobResult, globPatterns } from '../dataset/globbed-paths.ts';
import { lstatOrNull } from '../sys/files.ts';
import { goingRuns } from './at-work.ts';
import type { Journal } from './journal.ts';
import { meantPaths, type Subject } from './subject.ts';

/** Existing matches of a run's declared outputs, and those that matched before and are gone; relative to the root. */
export function outputPaths(subject: Subject, journal: Journal, outputs: GlobResult): readonly string[] {
  const now = expandStrict(outputs).flatMap(meantPaths(subject));
  const gone = journal.outputsBefore
    .map(([path]) => path)
    .filter((path) => !lstatOrNull(join(subject.repo.root, path)));
  return [...new Set([...now, ...gone])];
}

/** Tells whether a changed path (relative to the root) is an output of another run, and not one that this run has declared as well. */
export function declaredByOthers(subject: Subject, journal: Journal): (path: string) => boolean {
  const others = journal.explicit ? [] : goingRuns(subject.repo).filter((one) => one.explicit && one.id !== journal.id);
  if (others.length === 0) return () => false;
  const pathsOf = (one: Journal) => {
    const there = { ...subject, pwd: join(subject.repo.root, one.pwd), relativePwd: one.pwd };
    return outputPaths(there, one, globPatterns(one.outputPatterns, there.pwd));
  };
  const [own, theirs] = [pathsOf(journal), others.flatMap(pathsOf)];
  return (path) => isAmong(path, theirs) && !isAmong(path, own);
}

/** Whether a path is one of these or lies in one; not where a run claims all there is. */
function isAmong(path: string, paths: readonly string[]): boolean {
  return paths.some((one) => path === one || path.startsWith(`${one}/`));
}
