/** Where the content of changed files goes: into the annex natively, into Git, or to git-annex where only it can tell. */
import { createHash } from 'node:crypto';
import { existsSync, readlinkSync } from 'node:fs';
import { decodeName, encodeName, fsPath } from '../core/bytes.ts';
import type { Config } from '../core/config.ts';
import { RepriseError } from '../core/errors.ts';
import { lstatOrNull } from '../sys/files.ts';
import { hashFile } from './annex/digest.ts';
import { type HashedFile, hashForAnnex, ingest, type IngestRules, mayBeAwaited, storeHashed } from './annex/ingest.ts';
import { BACKENDS, isNativeBackend, keyFromLink, linkTarget, parseKey } from './annex/keys.ts';
import { relink } from './annex/work-tree-links.ts';
import { isAnnexed, withAnnex } from './annex-init.ts';
import { type LocationLogs, readLocationLogs } from './annex-branch.ts';
import { type Decision, type SortedContent, sortContent } from './native-decision.ts';
import { type ObjectReader, withObjects } from './object-reader.ts';
import { oldKeys } from './old-keys.ts';
import { contentAt, objectFile } from './presence.ts';
import type { Repo } from './repo.ts';
import { shareContent } from './workspace-content.ts';

/** A path that may have changed, with what the last commit has there, if that is known. */
export interface Change {
  readonly path: string;
  readonly headMode?: string;
  readonly headSha?: string;
  /** Into Git whatever `annex.largefiles` says. */
  readonly inGit?: boolean;
  /** The index has it already as it is in the work tree: whoever staged it has decided. */
  readonly staged?: boolean;
  /** Taken out of the index: gone, even if the file is still there, untracked now. */
  readonly removed?: boolean;
}

export interface StorePlan {
  /** What Git takes as it is. */
  readonly plain: readonly string[];
  /** Unlocked annexed files that stay so, and pointers whose content is not here. */
  readonly filtered: readonly string[];
  /** What git-annex itself has to add. */
  readonly viaAnnex: readonly string[];
  /** Paths that are in the work tree: none of them may come out as a deletion. */
  readonly present: ReadonlySet<string>;
  /** Keys of annexed files by path, as far as they are known. */
  readonly keys: ReadonlyMap<string, string>;
  /** Object name of the link that must be staged, by path. */
  readonly linkShas: ReadonlyMap<string, string>;
  /** What the `git-annex` branch says about these keys, where that branch is kept by us; else null. */
  readonly logs: LocationLogs | null;
}

/**
 * Stores the content of changed files that are present, and says how each is to be staged.
 *
 * Afterwards annexed files are links in the work tree; a file with the bytes of its old key is its old link again.
 * Throws `save-failed`, `annex-failed`, `permission-denied`, `disk-full`; files not reached yet are then as they were.
 */
export async function storeContent(
  repo: Repo,
  known: Config,
  given: readonly Change[],
  toGit: boolean,
): Promise<StorePlan> {
  const present = new Set(given.map((change) => change.path));
  const changes = given.filter((change) => !change.staged);
  const isFile = (change: Change) => !change.inGit && lstatOrNull(`${repo.root}/${change.path}`)?.isFile() === true;
  const config = toGit || !changes.some(isFile) ? known : await withAnnex(repo, known);
  const keys = new Map<string, string>();
  const others = changes.filter((change) => !isFile(change)).map((change) => change.path);
  noteLinks(repo, others, keys);
  if (!isAnnexed(config) || toGit) {
    return {
      plain: changes.map((change) => change.path),
      filtered: [],
      viaAnnex: [],
      present,
      keys,
      linkShas: shasOf(repo, config, keys),
      logs: null,
    };
  }
  return withObjects(repo, async (objects) => {
    const files = changes.filter(isFile);
    const old = await oldKeys(repo, files, objects);
    const fresh: string[] = [];
    const plain = [...others];
    const filtered: string[] = [];
    for (const { path } of files) {
      const before = old.get(path);
      // Git-annex knows a file by its pointer wherever that lies: a copy of one is no content of its own.
      if (before?.kind === 'pointer' || contentAt(repo, path).kind === 'annexed') filtered.push(path);
      // Where the object is not here, these bytes are all there is of it.
      else if (before && objectFile(repo, before.key) !== null && hasContentOf(repo, path, before.key)) {
        relink(repo.root, path, before.target, mtimeOf(repo, path));
        keys.set(path, before.key);
        plain.push(path);
      } else fresh.push(path);
    }
    if (fresh.length + keys.size === 0)
      return { plain, filtered, viaAnnex: [], present, keys, linkShas: new Map(), logs: null };
    const { decision, sorted } = await sortContent(repo, config, fresh, objects);
    const { stored, left, logs } = await addNatively(repo, decision, sorted.annexed, keys, objects);
    return {
      plain: [...plain, ...stored, ...sorted.inGit],
      filtered,
      viaAnnex: [...sorted.undecided, ...left],
      present,
      keys,
      linkShas: shasOf(repo, config, keys),
      logs,
    };
  });
}

/** What was stored in two steps, as one. */
export function mergeStored(a: StorePlan, b: StorePlan): StorePlan {
  return {
    plain: [...a.plain, ...b.plain],
    filtered: [...a.filtered, ...b.filtered],
    viaAnnex: [...a.viaAnnex, ...b.viaAnnex],
    present: new Set([...a.present, ...b.present]),
    keys: new Map([...a.keys, ...b.keys]),
    linkShas: new Map([...a.linkShas, ...b.linkShas]),
    logs: a.logs ?? b.logs,
  };
}

/** How often a file may change under our hands before we give up. */
const ATTEMPTS = 3;

/** Moves content into the annex; `left` are files that git-annex has to add, because a pointer elsewhere may be waiting for their content. */
async function addNatively(
  repo: Repo,
  decision: Decision,
  files: SortedContent['annexed'],
  keys: Map<string, string>,
  objects: ObjectReader,
): Promise<{
  readonly stored: readonly string[];
  readonly left: readonly string[];
  readonly logs: LocationLogs | null;
}> {
  if (!decision.ok) return { stored: [], left: [], logs: null };
  const { emit } = repo.context;
  let hashed = files.map(({ path, rules }, done) => {
    emit({ kind: 'progress', label: 'add', done, total: files.length, unit: 'files' });
    return hashUntilStill(repo, path, rules);
  });
  emit({ kind: 'progress-end', label: 'add' });
  const logs = await readLocationLogs(
    repo,
    decision.uuid,
    [...keys.values(), ...hashed.map((file) => file.key)],
    objects,
  );
  // In a workspace no pointer waits for content that the source has: it is brought here, and the files become links to it.
  shareContent(
    repo,
    hashed.map((file) => file.key),
  );
  const left = hashed
    .filter((file) => mayBeAwaited(repo.root, file, logs?.texts.get(file.key) ?? null))
    .map((file) => file.path);
  hashed = hashed.filter((file) => !left.includes(file.path));
  for (const file of hashed) {
    const done = storeHashed(repo.root, file) ?? ingest(repo.root, file.path, file.rules);
    keys.set(file.path, done.key);
  }
  return { stored: hashed.map((file) => file.path), left, logs };
}

function hashUntilStill(repo: Repo, path: string, rules: IngestRules): HashedFile {
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    const hashed = hashForAnnex(repo.root, path, rules);
    if (hashed) return hashed;
  }
  throw new RepriseError('save-failed', `${path} is being changed while it is saved`, { data: { path } });
}

/** Notes the keys of links that are annexed files already. A link that was moved to another depth is made to point right again. */
function noteLinks(repo: Repo, paths: readonly string[], keys: Map<string, string>): void {
  for (const path of paths) {
    const absolute = `${repo.root}/${path}`;
    if (!lstatOrNull(absolute)?.isSymbolicLink()) continue;
    const target = linkAt(repo, path);
    const key = keyFromLink(target);
    if (key === null) continue;
    const right = linkTarget(path, key);
    if (target !== right && !existsSync(fsPath(absolute))) relink(repo.root, path, right, mtimeOf(repo, path));
    keys.set(path, key);
  }
}

function linkAt(repo: Repo, path: string): string {
  return decodeName(readlinkSync(fsPath(`${repo.root}/${path}`), 'buffer'));
}

function mtimeOf(repo: Repo, path: string): number | undefined {
  return lstatOrNull(`${repo.root}/${path}`)?.mtimeMs;
}

/** The blob that Git makes of each annexed link. */
function shasOf(repo: Repo, config: Config, keys: ReadonlyMap<string, string>): Map<string, string> {
  const algorithm = config.get('extensions.objectformat') ?? 'sha1';
  return new Map(
    [...keys.keys()].map((path) => {
      const target = encodeName(linkAt(repo, path));
      return [path, createHash(algorithm).update(`blob ${target.length}\0`).update(target).digest('hex')];
    }),
  );
}

/** Whether a file of the work tree has the bytes that a key stands for. */
export function hasContentOf(repo: Repo, path: string, key: string): boolean {
  return isContentOf(`${repo.root}/${path}`, key);
}

/** Whether a regular file (absolute path) has the bytes that a key stands for, by size first, then by digest. */
export function isContentOf(file: string, name: string): boolean {
  const key = parseKey(name);
  if (!key || !isNativeBackend(key.backend) || key.size !== lstatOrNull(file)?.size) return false;
  const digest = hashFile(file, BACKENDS[key.backend]);
  return digest !== null && key.name.startsWith(digest.hex) && /^(\.|$)/.test(key.name.slice(digest.hex.length));
}
