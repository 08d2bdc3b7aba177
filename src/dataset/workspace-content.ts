/**
 * Annexed content of a workspace: that of its source, shared without copying where that is safe.
 *
 * A block-sharing copy (reflink) is taken first: nothing that happens to it reaches the source. Else an ordinary user gets a hard link: the
 * object is write-protected, and unlocking copies. Root writes through any protection, so root gets a copy.
 */
import { randomUUID } from 'node:crypto';
import { chmodSync, constants, copyFileSync, mkdirSync, type Stats, utimesSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { decodeName, encodeName, fsPath } from '../core/bytes.ts';
import { lstatOrNull, partName, readOrNull, removeIfThere, writeAtomic } from '../sys/files.ts';
import { objectPath, parseKey } from './annex/keys.ts';
import { copyContent, frozenMode, linkObject, withUserErrors } from './annex/object-store.ts';
import { tellAnnex } from './annex-batch.ts';
import { contentAt, isHere, objectFile } from './presence.ts';
import type { Repo } from './repo.ts';
import { stateDir } from './save-lock.ts';
import { trackedBelow } from './tracked.ts';

/** What a repository of a workspace was made from. */
export interface Origin {
  /** Root of the source's work tree. */
  readonly root: string;
  /** The source's Git directory that holds objects and annex. */
  readonly commonDir: string;
  /** The commit that was checked out. */
  readonly commit: string;
}

const ORIGIN_FILE = 'workspace.json';

/** Notes in a repository of a workspace what it was made from. The Git directory holds it, as committed configuration is anybody's. */
export function writeOrigin(repo: Repo, origin: Origin): void {
  const { root, commonDir, commit } = origin;
  const text = JSON.stringify({ root: latin1(root), commonDir: latin1(commonDir), commit });
  writeAtomic(join(stateDir(repo), ORIGIN_FILE), text);
}

/** What a repository of a workspace was made from; null for any other repository. */
export function readOrigin(repo: Repo): Origin | null {
  const text = readOrNull(join(stateDir(repo), ORIGIN_FILE));
  if (text === null) return null;
  const { root, commonDir, commit } = JSON.parse(text.toString('utf8')) as Origin;
  return { root: fromLatin1(root), commonDir: fromLatin1(commonDir), commit };
}

/** Any bytes of a path as JSON text. */
function latin1(path: string): string {
  return encodeName(path).toString('latin1');
}

function fromLatin1(text: string): string {
  return decodeName(Buffer.from(text, 'latin1'));
}

/** Where the content of a key can be read: here, or in what this repository is a workspace of; null where it is in neither. */
export function contentFile(repo: Repo, key: string): string | null {
  const own = objectFile(repo, key);
  if (own !== null) return own;
  const origin = readOrigin(repo);
  return origin === null ? null : objectFile({ ...repo, commonDir: origin.commonDir }, key);
}

/**
 * Brings the content of keys into a workspace from its source, by the file system alone; does nothing in any other repository.
 *
 * @returns the keys whose content is here now; the others are for git-annex to get
 * @throws `disk-full`, `permission-denied`
 */
export function shareContent(repo: Repo, keys: Iterable<string>): ReadonlySet<string> {
  const here = new Set<string>();
  const origin = readOrigin(repo);
  if (origin === null) return here;
  for (const key of new Set(keys)) {
    if (objectFile(repo, key) !== null) here.add(key);
    else {
      const from = objectFile({ ...repo, commonDir: origin.commonDir }, key);
      const stat = from === null ? null : lstatOrNull(from);
      if (from === null || !stat?.isFile() || stat.size !== (parseKey(key)?.size ?? stat.size)) continue;
      shareObject(from, stat, objectOf(repo.commonDir, key), { durable: false });
      here.add(key);
    }
  }
  return here;
}

/** An annexed file without content in the work tree. */
export interface AbsentFile {
  readonly key: string;
  readonly locked: boolean;
}

/**
 * Brings the content of files into a workspace from its source; does nothing in any other repository.
 *
 * An unlocked file needs a copy of its own, which git-annex makes: `fsck --fast` fills in a pointer whose content is here, `get` does not.
 * @returns the files that need nothing more
 */
export async function shareFiles(repo: Repo, absent: ReadonlyMap<string, AbsentFile>): Promise<ReadonlySet<string>> {
  const keys = shareContent(
    repo,
    [...absent.values()].map((file) => file.key),
  );
  const done = new Set<string>();
  const pointers: string[] = [];
  for (const [path, { key, locked }] of absent) {
    if (!keys.has(key)) continue;
    if (locked) done.add(path);
    else pointers.push(path);
  }
  if (pointers.length === 0) return done;
  for await (const _ of tellAnnex(repo, { args: ['fsck', '--fast'], files: pointers }));
  for (const path of pointers) if (isHere(repo, path)) done.add(path);
  return done;
}

/** As `shareFiles`, for every annexed file of the work tree: for commands that read what nobody declared. */
export async function shareEverything(repo: Repo): Promise<void> {
  const absent = new Map<string, AbsentFile>();
  for (const { path, mode } of await trackedBelow(repo, null)) {
    const content = mode === '160000' || isHere(repo, path) ? null : contentAt(repo, path);
    if (content?.kind === 'annexed' && !content.present) absent.set(path, content);
  }
  await shareFiles(repo, absent);
}

/** Absolute path of a key's object below a Git directory. */
export function objectOf(commonDir: string, key: string): string {
  return join(commonDir, objectPath(key).slice('.git/'.length));
}

/** File systems, by device number, on which block-sharing copies have been refused. */
const withoutClones = new Set<number>();

/** Gives an object to another object store, in the safest way that copies no bytes if there is one; does nothing where it is there already. */
export function shareObject(from: string, stat: Stats, object: string, how: { readonly durable: boolean }): void {
  withUserErrors(object, () => {
    if (!withoutClones.has(stat.dev)) {
      if (viaPart(object, (part) => tryClone(from, part, stat))) return;
      withoutClones.add(stat.dev);
    }
    if (process.geteuid?.() !== 0 && tryLink(from, object)) return;
    viaPart(object, (part) => {
      copyContent(from, part, stat, { mode: frozenMode(stat.mode), durable: how.durable });
      return true;
    });
  });
}

/** Makes an object under the name of a file in the making, and gives it its own name once it is complete. */
function viaPart(object: string, make: (part: string) => boolean): boolean {
  // <gitdir>/annex/objects/XX/YY/KEY/KEY
  const annex = dirname(dirname(dirname(dirname(dirname(object)))));
  const parts = join(annex, 'reprise');
  mkdirSync(fsPath(parts), { recursive: true });
  const part = partName(join(parts, randomUUID()));
  try {
    if (!make(part)) return false;
    linkObject(part, object);
    return true;
  } finally {
    removeIfThere(part);
  }
}

function tryClone(from: string, to: string, stat: Stats): boolean {
  try {
    copyFileSync(fsPath(from), fsPath(to), constants.COPYFILE_FICLONE_FORCE);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? '';
    if (['ENOTSUP', 'EOPNOTSUPP', 'EXDEV', 'EINVAL', 'ENOSYS', 'ENOTTY', 'EPERM'].includes(code)) return false;
    throw error;
  }
  utimesSync(fsPath(to), stat.atimeMs / 1000, stat.mtimeMs / 1000);
  chmodSync(fsPath(to), frozenMode(stat.mode));
  return true;
}

/** False on another file system, on one without hard links, and for a file that this user may not link to (proc(5), protected_hardlinks). */
function tryLink(from: string, object: string): boolean {
  try {
    linkObject(from, object);
    return true;
  } catch (error) {
    if (['EXDEV', 'EPERM', 'EMLINK', 'ENOTSUP', 'ENOSYS'].includes((error as NodeJS.ErrnoException).code ?? ''))
      return false;
    throw error;
  }
}
