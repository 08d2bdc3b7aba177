/** What a run is about: its dataset, the folder it runs in, and the paths it declares. */
import { readFileSync } from 'node:fs';
import { isAbsolute, join, posix, relative, resolve } from 'node:path';
import { decodeName, fsPath, splitNul } from '../core/bytes.ts';
import { RepriseError } from '../core/errors.ts';
import { hasMagic } from '../core/fnmatch.ts';
import { assertInWorkTree, type Repo } from '../dataset/repo.ts';
import { realPaths } from '../dataset/real-paths.ts';
import { datasetOf } from '../dataset/targets.ts';
import type { Context } from '../sys/context.ts';
import { look } from '../sys/stat-id.ts';

export interface Subject {
  readonly repo: Repo;
  /** Absolute folder that the command runs in, as the user reached it. */
  readonly pwd: string;
  /** The same relative to the dataset's root; `.` for the root. */
  readonly relativePwd: string;
}

/** Finds dataset and folder; throws `no-dataset`. The command always runs in the current folder, as under DataLad's command line. */
export function resolveSubject(dataset: string | undefined, context: Context): Subject {
  const repo = datasetOf(context, dataset);
  assertInWorkTree(repo, context.cwd);
  return { repo, pwd: context.cwd, relativePwd: relative(repo.root, context.cwd) || '.' };
}

/** Declared paths: given directly, then those of list files (one per line, or NUL-terminated where the file holds a NUL). `-` is standard input. */
export function declaredPaths(
  direct: readonly string[] | undefined,
  files: readonly string[] | undefined,
  context: Context,
): readonly string[] {
  return [...(direct ?? []), ...(files ?? []).flatMap((file) => readList(file, context))];
}

function readList(file: string, context: Context): readonly string[] {
  let bytes: Buffer;
  try {
    bytes = readFileSync(file === '-' ? 0 : fsPath(resolve(context.cwd, file)));
  } catch (cause) {
    throw new RepriseError('path-missing', `The list of paths ${file} cannot be read`, { cause, data: { path: file } });
  }
  const names = bytes.includes(0) ? splitNul(bytes) : decodeName(bytes).split(/\r?\n/);
  return names.filter((name) => name !== '');
}

/**
 * A function from declared paths to those that Git knows, relative to the dataset's root: links on the way are followed, and a final slash asks
 * for the folder behind a link. Null for what does not lie in the dataset.
 */
export function datasetPaths(subject: Subject): (declared: string) => string | null {
  const real = realPaths(subject.repo.root);
  return (declared) => {
    const path = lexicalPath(subject, declared);
    return path === null ? null : real(declared.endsWith('/') ? `${path}/` : path);
  };
}

/** As `datasetPaths`, for what a path stands for: where it is a link to a folder, both. */
export function meantPaths(subject: Subject): (declared: string) => readonly string[] {
  const real = datasetPaths(subject);
  return (declared) => {
    const path = real(declared);
    if (path === null) return [];
    const behind = look(join(subject.repo.root, path)).kind === 'folder-link' ? real(`${declared}/`) : null;
    return behind === null ? [path] : [path, behind];
  };
}

/** A pattern relative to the dataset's root. */
export interface RealPattern {
  /** What comes before its first wildcard, links followed; empty for the root. */
  readonly folder: string;
  /** The other components; none where it is no pattern but a path. */
  readonly wild: readonly string[];
}

/** Takes a declared pattern apart; null for one that is matched outside the dataset. */
export function realPattern(subject: Subject, pattern: string): RealPattern | null {
  const literal = literalPart(pattern);
  const parts = pattern.split('/');
  const magic = parts.findIndex(hasMagic);
  const wild = magic === -1 ? [] : posix.normalize(parts.slice(magic).join('/')).split('/');
  const folder = datasetPaths(subject)(wild.length === 0 ? literal : `${literal}/`);
  return folder === null ? null : { folder, wild };
}

/** The leading components of a pattern that have no wildcards; the current folder where there are none. */
export function literalPart(pattern: string): string {
  const parts = pattern.split('/');
  const magic = parts.findIndex(hasMagic);
  const literal = (magic === -1 ? parts : parts.slice(0, magic)).join('/');
  return literal === '' ? (pattern.startsWith('/') ? '/' : '.') : literal;
}

/** A path as declared (relative to the folder) -> relative to the dataset's root, by names alone; throws `path-outside`. `''` is the root itself. */
export function toDatasetPath(subject: Subject, declared: string): string {
  const path = lexicalPath(subject, declared);
  if (path !== null) return path;
  throw new RepriseError('path-outside', `${declared} does not belong to the dataset at ${subject.repo.root}`, {
    data: { path: declared },
  });
}

/** By names alone. */
function lexicalPath(subject: Subject, declared: string): string | null {
  const absolute = isAbsolute(declared) ? resolve(declared) : resolve(subject.pwd, declared);
  const path = relative(subject.repo.root, absolute);
  return path === '..' || path.startsWith('../') ? null : path;
}
