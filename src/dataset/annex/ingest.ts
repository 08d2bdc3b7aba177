/**
 * Adds the content of a file to the annex as `git annex add` leaves it: the object in its place and write-protected, the file replaced by a
 * symbolic link that carries its modification time.
 *
 * The order makes every moment safe: the object gets the content under a second name (a hard link), is checked, and only then does the link
 * replace the file, in one step. A process that ends anywhere in between leaves the file readable in its place; doing it again completes it.
 */
import { accessSync, constants, type Stats, unlinkSync } from 'node:fs';
import { dirname } from 'node:path';
import { fsPath } from '../../core/bytes.ts';
import { RepriseError } from '../../core/errors.ts';
import { lstatOrNull, removeIfThere } from '../../sys/files.ts';
import { chmodObserved, type FileIdentity, hashFile, isUnchanged } from './digest.ts';
import { BACKENDS, type Backend, type ExtensionRules, keyForDigest, linkTarget } from './keys.ts';
import {
  copyContent,
  freezeObject,
  frozenMode,
  linkObject,
  objectIn,
  pathIn,
  temporaryName,
  unlinkObject,
  withUserErrors,
} from './object-store.ts';
import { prepareLink, replaceByLink } from './work-tree-links.ts';

export interface IngestRules extends ExtensionRules {
  readonly backend: Backend;
}

/** A file of the work tree whose key is known, as long as it stays the file that was read. */
export interface HashedFile {
  /** Path from the top of the work tree. */
  readonly path: string;
  readonly rules: IngestRules;
  readonly key: string;
  readonly size: number;
  readonly identity: FileIdentity;
}

export interface IngestResult {
  readonly key: string;
  /** Target of the link that is now in the work tree: what Git stores. */
  readonly target: string;
  readonly size: number;
  /** Whether the file's content became the object, was copied into it, or was there already. */
  readonly content: 'moved' | 'copied' | 'present';
}

/** What is about to be done; tests end the process here. */
export type IngestStep = 'freeze' | 'link-object' | 'check-object' | 'replace-file' | 'done';
export type StepObserver = (step: IngestStep) => void;

/** How often a file may change under our hands before we give up. */
const ATTEMPTS = 3;

/**
 * Hashes and stores one file.
 * @param top folder of the work tree, which holds `.git`
 * @param path path of a regular file from there
 * @throws `save-failed` where the file keeps changing or is not a regular file, `annex-failed` where the annex holds a damaged object of this
 *   key, `permission-denied`, `disk-full`; the file and its content are then still in place
 */
export function ingest(top: string, path: string, rules: IngestRules, onStep: StepObserver = () => {}): IngestResult {
  for (let attempt = 1; attempt <= ATTEMPTS; attempt += 1) {
    const hashed = hashForAnnex(top, path, rules);
    const result = hashed && storeHashed(top, hashed, onStep);
    if (result) return result;
  }
  throw new RepriseError('save-failed', `${path} is being changed while it is added to the annex`, { data: { path } });
}

/**
 * Finds the key of a file without changing anything.
 * @returns null where the file changed while it was read
 */
export function hashForAnnex(top: string, path: string, rules: IngestRules): HashedFile | null {
  return withUserErrors(path, () => {
    const file = pathIn(top, path);
    const stats = lstatOrNull(file);
    if (!stats?.isFile()) {
      throw new RepriseError('save-failed', `${path} is not a regular file, so it cannot be annexed`, {
        data: { path },
      });
    }
    waitUntilOlder(stats.mtimeMs);
    const digest = hashFile(file, BACKENDS[rules.backend]);
    if (!digest) return null;
    const key = keyForDigest(rules.backend, digest.size, digest.hex, path, rules);
    return { path, rules, key, size: digest.size, identity: digest.identity };
  });
}

/** File systems tell times in steps of up to 10 ms: a change within the step of the last one would not show. */
const CLOCK_STEP = 12;

function waitUntilOlder(mtimeMs: number): void {
  const age = Date.now() - mtimeMs;
  if (age > -CLOCK_STEP && age < CLOCK_STEP) {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, CLOCK_STEP - age);
  }
}

/**
 * Whether storing this key has to be left to git-annex, because unlocked files may be waiting for its content: git-annex then fills them in.
 * @param existingLog the key's location log in the `git-annex` branch, or null where the key is new there
 */
export function mayBeAwaited(top: string, hashed: HashedFile, existingLog: string | null): boolean {
  return existingLog !== null && lstatOrNull(objectIn(top, hashed.key)) === null;
}

/**
 * Moves a hashed file into the annex; first ask `mayBeAwaited`.
 * @returns null where the file is no longer the one that was hashed; it is then left as it is
 */
export function storeHashed(top: string, hashed: HashedFile, onStep: StepObserver = () => {}): IngestResult | null {
  return withUserErrors(hashed.path, () => {
    const file = pathIn(top, hashed.path);
    accessSync(fsPath(dirname(file)), constants.W_OK);
    const mode = lstatOrNull(file)?.mode ?? 0o644;
    const target = linkTarget(hashed.path, hashed.key);
    const link = prepareLink(top, target, hashed.identity);
    try {
      const content = provideObject(top, hashed, onStep);
      if (!content) return null;
      onStep('replace-file');
      if (!replaceByLink(link, file, hashed.identity)) {
        // Whoever had the file open has written into what is now the object as well.
        const object = objectIn(top, hashed.key);
        if (content === 'moved' && !isUnchanged(object, hashed.identity)) withdrawObject(top, hashed, mode);
        return null;
      }
      onStep('done');
      return { key: hashed.key, target, size: hashed.size, content };
    } finally {
      removeIfThere(link.temporary);
    }
  });
}

/** Takes back an object that shares its content with a file that has changed since. */
function withdrawObject(top: string, hashed: HashedFile, mode: number): void {
  unlinkObject(objectIn(top, hashed.key));
  chmodObserved(`${top}/${hashed.path}`, hashed.identity, mode & 0o7777);
}

function provideObject(top: string, hashed: HashedFile, onStep: StepObserver): IngestResult['content'] | null {
  const file = `${top}/${hashed.path}`;
  const object = objectIn(top, hashed.key);
  const stats = lstatOrNull(file);
  if (!stats || !isUnchanged(file, hashed.identity)) return null;
  const known = lstatOrNull(object);
  if (known) return acceptObject(hashed, stats, known, object);
  return isOnlyName(stats) ? moveToObject(top, hashed, stats, onStep) : copyToObject(top, hashed, stats, onStep);
}

/** Content with another name elsewhere, or of another owner, cannot be write-protected without touching what is not ours. */
function isOnlyName(stats: Stats): boolean {
  const user = process.geteuid?.();
  return stats.nlink === 1 && (stats.uid === user || user === 0);
}

/** An object that is there already: our own, from a time that was interrupted, or the same content that was added before. */
function acceptObject(hashed: HashedFile, file: Stats, object: Stats, objectPath: string): 'moved' | 'present' {
  if (object.ino === file.ino && object.dev === file.dev) {
    freezeObject(objectPath);
    return 'moved';
  }
  if (object.isFile() && object.size === hashed.size) return 'present';
  throw new RepriseError('annex-failed', `The annex holds damaged content for the key of ${hashed.path}`, {
    hints: [`git annex fsck --key ${hashed.key}`],
    data: { path: hashed.path, key: hashed.key },
  });
}

function moveToObject(
  top: string,
  hashed: HashedFile,
  stats: Stats,
  onStep: StepObserver,
): IngestResult['content'] | null {
  const file = `${top}/${hashed.path}`;
  const object = objectIn(top, hashed.key);
  const thaw = () => chmodObserved(file, hashed.identity, stats.mode & 0o7777);
  onStep('freeze');
  chmodObserved(file, hashed.identity, frozenMode(stats.mode));
  try {
    if (!isUnchanged(file, hashed.identity)) {
      thaw();
      return null;
    }
    onStep('link-object');
    if (!linkObject(file, object)) {
      thaw();
      return provideObject(top, hashed, onStep);
    }
  } catch (error) {
    thaw();
    const code = (error as NodeJS.ErrnoException).code ?? '';
    // Another file system, or one without hard links.
    if (['EXDEV', 'EPERM', 'EMLINK', 'ENOTSUP', 'ENOSYS'].includes(code))
      return copyToObject(top, hashed, stats, onStep);
    throw error;
  }
  onStep('check-object');
  if (isUnchanged(object, hashed.identity)) return 'moved';
  withdrawObject(top, hashed, stats.mode);
  return null;
}

function copyToObject(
  top: string,
  hashed: HashedFile,
  stats: Stats,
  onStep: StepObserver,
): IngestResult['content'] | null {
  const file = `${top}/${hashed.path}`;
  const object = objectIn(top, hashed.key);
  const copy = temporaryName(top);
  try {
    copyContent(file, copy, stats, { mode: frozenMode(stats.mode), durable: true });
    const { rules, path, key } = hashed;
    const digest = hashFile(copy, BACKENDS[rules.backend]);
    if (!digest || keyForDigest(rules.backend, digest.size, digest.hex, path, rules) !== key) return null;
    onStep('link-object');
    if (!linkObject(copy, object)) return provideObject(top, hashed, onStep);
    unlinkSync(fsPath(copy));
    return 'copied';
  } finally {
    removeIfThere(copy);
  }
}
