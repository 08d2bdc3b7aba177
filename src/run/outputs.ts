/** Outputs of a run: made writable before the command, and put back where the command left them alone. */
import { readlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { decodeName, fsPath } from '../core/bytes.ts';
import type { Result } from '../core/result.ts';
import { keyFromLink } from '../dataset/annex/keys.ts';
import { relink, unlockCopy } from '../dataset/annex/work-tree-links.ts';
import { hasContentOf } from '../dataset/content-store.ts';
import { expandStrict, type GlobResult } from '../dataset/globbed-paths.ts';
import { contentAt } from '../dataset/presence.ts';
import { realPaths } from '../dataset/real-paths.ts';
import { lstatOrNull, removeIfThere } from '../sys/files.ts';
import { statId } from '../sys/stat-id.ts';
import { lookAtAll, lookAtInputs } from './inputs.ts';
import type { PreparedOutput } from './journal.ts';
import { repoLocator } from './locate-repo.ts';
import { datasetPaths, type Subject } from './subject.ts';

/** What has to be done to each output before the command may write to it. */
export interface OutputStep {
  readonly path: string;
  readonly target: string;
  readonly how: PreparedOutput['how'];
}

/**
 * Plans the preparation of matched outputs: annexed files with content get a writable copy, those without give way.
 *
 * Inside a declared folder, files without content are left alone, as DataLad does, and so are subdatasets.
 *
 * @param written files, relative to the root, that a replayed run wrote: prepared as if each was declared
 */
export function planOutputs(
  subject: Subject,
  outputs: GlobResult,
  written: readonly string[] = [],
): readonly OutputStep[] {
  const locate = repoLocator(subject.repo);
  const datasetPath = datasetPaths(subject);
  const declared = expandStrict(outputs, { dot: false }).flatMap((path) => datasetPath(path) ?? []);
  const again = written.filter(reachability(subject));
  const direct = new Set([...declared, ...again]);
  const files = lookAtInputs(subject, outputs).map((file) => file.path);
  return [...new Set([...files, ...again])].flatMap((path): OutputStep[] => {
    const { repo, path: own } = locate(path);
    const content = contentAt(repo, own);
    if (content.kind !== 'annexed') return [];
    const absolute = join(subject.repo.root, path);
    const target = lstatOrNull(absolute)?.isSymbolicLink() ? decodeName(readlinkSync(fsPath(absolute), 'buffer')) : '';
    // An unlocked file without content is a pointer: nothing but git-annex could fill it, and a command overwrites it as it is.
    if (target === '') return [];
    if (content.present) return [{ path, target, how: 'unlocked' }];
    return direct.has(path) ? [{ path, target, how: 'removed' }] : [];
  });
}

/** Carries out the plan; nothing is staged. Returns what `putBack` needs. */
export function prepareOutputs(
  subject: Subject,
  steps: readonly OutputStep[],
  report: (result: Result) => void,
): readonly PreparedOutput[] {
  const locate = repoLocator(subject.repo);
  return steps.map((step) => {
    const path = join(subject.repo.root, step.path);
    const { repo, path: own } = locate(step.path);
    if (step.how === 'unlocked') {
      unlockCopy(repo.root, own);
      report({ action: 'unlock', status: 'ok', path, type: 'file', refds: subject.repo.root });
    } else {
      removeIfThere(path);
      report({
        action: 'run.remove',
        status: 'ok',
        path,
        type: 'file',
        message: 'Removed file',
        refds: subject.repo.root,
      });
    }
    return { ...step, identity: step.how === 'unlocked' ? statId(path) : '' };
  });
}

/** Puts back the links of prepared outputs that nobody touched since; returns their paths. */
export function putBack(subject: Pick<Subject, 'repo'>, prepared: readonly PreparedOutput[]): readonly string[] {
  const locate = repoLocator(subject.repo);
  const isReached = reachability(subject);
  return prepared
    .filter((output) => {
      const absolute = join(subject.repo.root, output.path);
      if (!isReached(output.path) || statId(absolute) !== output.identity || !lstatOrNull(dirname(absolute)))
        return false;
      const { repo, path } = locate(output.path);
      relink(repo.root, path, output.target);
      return true;
    })
    .map((output) => output.path);
}

/** Puts back the links of prepared outputs that came out with the content of their keys: nothing has to be stored again. */
export function putBackIdentical(subject: Pick<Subject, 'repo'>, prepared: readonly PreparedOutput[]): void {
  const locate = repoLocator(subject.repo);
  const isReached = reachability(subject);
  for (const { path, target, how } of prepared) {
    const { repo, path: own } = locate(path);
    const key = how === 'unlocked' && isReached(path) ? keyFromLink(target) : null;
    if (key !== null && hasContentOf(repo, own, key)) relink(repo.root, own, target);
  }
}

/** Paths of prepared outputs that are files now, with the content of their keys. */
export function identicalOutputs(
  subject: Pick<Subject, 'repo'>,
  prepared: readonly PreparedOutput[],
): readonly string[] {
  const locate = repoLocator(subject.repo);
  const isReached = reachability(subject);
  const same = prepared.filter(({ path, target }) => {
    const { repo, path: own } = locate(path);
    const key = isReached(path) ? keyFromLink(target) : null;
    return key !== null && lstatOrNull(join(repo.root, own))?.isFile() === true && hasContentOf(repo, own, key);
  });
  return same.map(({ path }) => path);
}

/** Puts back links of outputs that were to be prepared but for which no command ran: wherever the content is still that of the key. */
export function putBackPlanned(subject: Pick<Subject, 'repo'>, steps: readonly OutputStep[]): void {
  const locate = repoLocator(subject.repo);
  const isReached = reachability(subject);
  for (const { path, target, how } of steps) {
    const { repo, path: own } = locate(path);
    const stat = lstatOrNull(join(subject.repo.root, path));
    const key = isReached(path) ? keyFromLink(target) : null;
    if (stat?.isSymbolicLink() || key === null) continue;
    if (stat === null ? how === 'removed' : hasContentOf(repo, own, key)) relink(repo.root, own, target);
  }
}

/** A test whether a path is still reached without passing a link: behind one lies another file, perhaps outside the dataset. */
function reachability({ repo }: Pick<Subject, 'repo'>): (path: string) => boolean {
  const real = realPaths(repo.root);
  return (path) => real(path) === path;
}

/** Identity of every file that matched outputs stand for. */
export function rememberOutputs(subject: Subject, outputs: GlobResult): readonly (readonly [string, string])[] {
  return lookAtAll(subject, outputs).map(({ path, look }) => [path, look.id]);
}
