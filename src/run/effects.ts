/** What a command did to the dataset, held against what was declared. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fsPath, joinNul, splitNul } from '../core/bytes.ts';
import { nameMatcher } from '../core/fnmatch.ts';
import type { GlobResult } from '../dataset/globbed-paths.ts';
import { git, type Repo } from '../dataset/repo.ts';
import { readSubdatasets } from '../dataset/subdatasets.ts';
import { lstatOrNull } from '../sys/files.ts';
import { statId } from '../sys/stat-id.ts';
import { lookAtAll } from './inputs.ts';
import { groupByRepo } from './locate-repo.ts';
import { meantPaths, realPattern, type Subject } from './subject.ts';

export interface DeclaredVersusActual {
  /** Declared outputs (as declared) of which no file was written. */
  readonly untouched: readonly string[];
  /** Files, relative to the root, that were written but not declared. */
  readonly undeclared: readonly string[];
  /** Files of declared outputs, relative to the root, that were written. */
  readonly written: readonly string[];
  /** Files of declared outputs that Git ignores: they cannot be saved. */
  readonly ignored: readonly string[];
}

/**
 * Compares declared outputs with what happened.
 *
 * @param before identity of each declared output's files before the command
 * @param changed paths that differ from the last commit, relative to the root
 */
export async function compareDeclared(
  subject: Subject,
  outputs: GlobResult,
  before: ReadonlyMap<string, string>,
  changed: readonly string[],
): Promise<DeclaredVersusActual> {
  const after = lookAtAll(subject, outputs).map((file) => file.path);
  const touched = new Set(
    [...after, ...before.keys()].filter((path) => statId(join(subject.repo.root, path)) !== (before.get(path) ?? '')),
  );
  const known = new Set([...after, ...before.keys()]);
  const differing = new Set(changed);
  const meant = meantPaths(subject);
  const patterns = outputs.patterns.map((pattern) => ({
    pattern,
    covers: coverage(subject, pattern, (outputs.hits.get(pattern) ?? []).flatMap(meant)),
  }));
  const isDeclared = (path: string) => outputs.dot || known.has(path) || patterns.some(({ covers }) => covers(path));
  return {
    untouched: [...new Set(patterns.filter(({ covers }) => ![...touched].some(covers)).map(({ pattern }) => pattern))],
    written: after.filter((path) => touched.has(path)),
    undeclared: changed.filter((path) => !isDeclared(path)),
    // What was written and is not among the changes is either as it was, or ignored.
    ignored: await ignoredAmong(
      subject.repo,
      after.filter((path) => touched.has(path) && !differing.has(path)),
    ),
  };
}

/**
 * A test whether a path (relative to the root) is matched by a declared pattern, or lies below what it matches.
 *
 * @param hits what it matches now, links followed
 */
function coverage(subject: Subject, pattern: string, hits: readonly string[]): (path: string) => boolean {
  const real = realPattern(subject, pattern);
  const found = new Set(hits);
  if (real === null) return (path) => isBelowAny(path, found);
  const literal = real.folder.split('/').filter((part) => part !== '');
  const parts = [
    ...literal.map((part) => (name: string) => name === part),
    ...real.wild.map((part) => (part === '**' || part === '' ? '**' : nameMatcher(part))),
  ];
  return (path) => isBelowAny(path, found) || matchesFrom(parts, 0, path.split('/'), 0);
}

function isBelowAny(path: string, folders: ReadonlySet<string>): boolean {
  for (let at = path.length; at > 0; at = path.lastIndexOf('/', at - 1))
    if (folders.has(path.slice(0, at))) return true;
  return false;
}

function matchesFrom(
  parts: readonly ('**' | ((name: string) => boolean))[],
  at: number,
  names: readonly string[],
  from: number,
): boolean {
  const part = parts[at];
  // Everything below a match is covered: a declared folder stands for its content.
  if (part === undefined) return true;
  if (part === '**')
    return (
      names.slice(from).some((_, skip) => matchesFrom(parts, at + 1, names, from + skip)) || at === parts.length - 1
    );
  const name = names[from];
  return name !== undefined && part(name) && matchesFrom(parts, at + 1, names, from + 1);
}

async function ignoredAmong(top: Repo, files: readonly string[]): Promise<readonly string[]> {
  const ignored: string[] = [];
  for (const [repo, paths] of groupByRepo(top, files)) {
    const prefix = repo.root === top.root ? '' : `${repo.root.slice(top.root.length + 1)}/`;
    const result = await git(repo, ['check-ignore', '-z', '--stdin'], { input: joinNul(paths), accept: [0, 1] });
    ignored.push(...splitNul(result.stdout).map((path) => prefix + path));
  }
  return ignored;
}

/** Mount points of subdatasets that are not installed but hold files: what a command wrote there belongs to no dataset. */
export async function writtenMountPoints(repo: Repo): Promise<readonly string[]> {
  if (!lstatOrNull(join(repo.root, '.gitmodules'))) return [];
  const subdatasets = await readSubdatasets(repo);
  return subdatasets.map((sub) => sub.path).filter((path) => isFilled(join(repo.root, path)));
}

function isFilled(folder: string): boolean {
  if (!lstatOrNull(folder)?.isDirectory() || lstatOrNull(join(folder, '.git'))) return false;
  return readdirSync(fsPath(folder)).length > 0;
}

/** Whether outputs that a command wrote are in a later commit already, with other content than before: somebody else has committed them. */
export async function isSwept(repo: Repo, base: string, written: readonly string[]): Promise<boolean> {
  const paths = written.filter((path) => path.isWellFormed()).slice(0, 500);
  if (paths.length === 0) return false;
  const result = await git(
    repo,
    ['--literal-pathspecs', 'diff', '--quiet', '--no-ext-diff', base, 'HEAD', '--', ...paths],
    { accept: [0, 1] },
  );
  return result.code === 1;
}
