/** Inputs of a run: their content here, their state that of the last commit, and the same after the command as before. */
import { createReadStream, existsSync, readdirSync, readlinkSync, realpathSync, statSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { decodeName, fsPath } from '../core/bytes.ts';
import type { Config } from '../core/config.ts';
import { RepriseError } from '../core/errors.ts';
import type { Result } from '../core/result.ts';
import { MAX_POINTER, keyFromBlob, keyFromLink } from '../dataset/annex/keys.ts';
import { isContentOf } from '../dataset/content-store.ts';
import { fetchEach, type FetchOptions } from '../dataset/fetch.ts';
import { expandStrict, type GlobResult } from '../dataset/globbed-paths.ts';
import { isFailure } from '../dataset/outcome.ts';
import { readConfig } from '../dataset/read-config.ts';
import { git, type Repo } from '../dataset/repo.ts';
import { readBlobs, type ScanEntry, scanWorktree } from '../dataset/worktree.ts';
import { lstatOrNull } from '../sys/files.ts';
import { type Look, look, statId } from '../sys/stat-id.ts';
import { groupByRepo, repoLocator } from './locate-repo.ts';
import { datasetPaths, type Subject } from './subject.ts';

/** A file that matched paths stand for. */
export interface InputFile {
  /** Relative to the dataset's root. */
  readonly path: string;
  readonly look: Look;
}

/**
 * Looks at every file that matched paths stand for; folders are walked, but never into a Git directory.
 *
 * A folder stands for the files of the dataset that it is or lies in: those of subdatasets below it are not meant, as for `datalad get`.
 * What lies behind a link is named by its real path; a link to a folder stands for itself and for the folder. What is outside is left out.
 */
export function lookAtInputs(subject: Subject, inputs: GlobResult): readonly InputFile[] {
  return lookAt(subject, inputs, false);
}

/** As `lookAtInputs`, with the subdatasets below matched folders: whatever changes in declared outputs is saved. */
export function lookAtAll(subject: Subject, matched: GlobResult): readonly InputFile[] {
  return lookAt(subject, matched, true);
}

function lookAt(subject: Subject, matched: GlobResult, inSubdatasets: boolean): readonly InputFile[] {
  const { root } = subject.repo;
  const real = datasetPaths(subject);
  const walk: Walk = { root, inSubdatasets, seen: new Set(), files: [] };
  for (const declared of expandStrict(matched)) {
    const path = real(declared);
    if (path === null) continue;
    const kind = collectFiles(walk, path, true);
    const behind = kind === 'folder-link' ? real(`${declared}/`) : null;
    if (behind !== null) collectFiles(walk, behind, true);
  }
  return walk.files;
}

interface Walk {
  readonly root: string;
  readonly inSubdatasets: boolean;
  readonly seen: Set<string>;
  readonly files: InputFile[];
}

/** Collects what is at a path, and says what it is; null for what was collected before. */
function collectFiles(walk: Walk, path: string, isMatched: boolean): Look['kind'] | null {
  const { root, seen, files } = walk;
  if (seen.has(path)) return null;
  const absolute = join(root, path);
  const found = look(absolute);
  if (found.kind !== 'folder') {
    seen.add(path);
    files.push({ path, look: found });
    return found.kind;
  }
  const names = readdirSync(fsPath(absolute), { encoding: 'buffer' }).map((entry) => decodeName(entry));
  // It may be matched by itself later.
  if (!isMatched && !walk.inSubdatasets && names.includes('.git')) return found.kind;
  seen.add(path);
  for (const name of names) if (name !== '.git') collectFiles(walk, path === '' ? name : `${path}/${name}`, false);
  return found.kind;
}

const SURE: ReadonlySet<Look['kind']> = new Set(['link', 'folder-link']);

/** Fetches absent content; reports each fetch. True when everything is here. */
export async function fetchInputs(
  subject: Subject,
  config: Config,
  files: readonly InputFile[],
  jobs: number | undefined,
  report: (result: Result) => void,
): Promise<boolean> {
  let complete = true;
  for await (const result of fetchFiles(subject, config, files, jobs === undefined ? {} : { jobs })) {
    report(result);
    if (isFailure(result)) complete = false;
  }
  return complete;
}

/** Fetches absent content, repository by repository; yields a result for each file whose content was absent. */
export async function* fetchFiles(
  subject: Subject,
  config: Config,
  files: readonly InputFile[],
  options: Pick<FetchOptions, 'jobs' | 'dryRun'>,
): AsyncGenerator<Result> {
  // A link that leads somewhere has its content; anything else has to be asked about.
  const doubtful = files.filter(({ look: found }) => !SURE.has(found.kind)).map(({ path }) => path);
  for (const [repo, paths] of groupByRepo(subject.repo, doubtful)) {
    const own = repo === subject.repo ? config : await readConfig(repo);
    yield* fetchEach(repo, own, paths, { ...options, refds: subject.repo.root });
  }
}

export interface DirtyInput {
  /** Relative to the dataset's root. */
  readonly path: string;
  readonly digest: string;
}

/**
 * Declared inputs that differ from the last commit: modified, staged, or not in it at all.
 *
 * Costs a look at these paths only. Throws `input-dirty` unless dirty inputs are allowed.
 */
export async function dirtyInputs(
  subject: Subject,
  files: readonly string[],
  allowed: boolean,
): Promise<readonly DirtyInput[]> {
  const dirty: string[] = [];
  for (const [repo, paths] of groupByRepo(subject.repo, files)) {
    const prefix = repo.root.slice(subject.repo.root.length + 1);
    const entries = await scanWorktree(repo, { untracked: 'all', paths });
    dirty.push(...entries.filter(hasContent).map((entry) => (prefix === '' ? entry.path : `${prefix}/${entry.path}`)));
  }
  if (dirty.length > 0 && !allowed) {
    const names = dirty.slice(0, 5).join(', ') + (dirty.length > 5 ? ', ...' : '');
    throw new RepriseError(
      'input-dirty',
      `${dirty.length === 1 ? 'An input differs' : `${dirty.length} inputs differ`} from the last commit: ${names}`,
      {
        hints: [
          `reprise save ${dirty.length === 1 ? dirty[0] : ''}`.trim(),
          'reprise run --explicit --allow-dirty-input ...',
        ],
        data: { paths: dirty },
      },
    );
  }
  return Promise.all(dirty.map(async (path) => ({ path, digest: await contentDigest(join(subject.repo.root, path)) })));
}

function hasContent(entry: ScanEntry): boolean {
  return entry.worktreeState !== 'D' && !entry.submodule;
}

/** `annex:KEY` for an annexed link, else `sha256:HEX` of the bytes; those of a link that leads to no file are its target. */
async function contentDigest(path: string): Promise<string> {
  const target = lstatOrNull(path)?.isSymbolicLink() ? readlinkSync(fsPath(path), 'buffer') : null;
  const key = target === null ? null : keyFromLink(decodeName(target));
  if (key !== null) return `annex:${key}`;
  if (target !== null && look(path).kind !== 'link')
    return `sha256:${createHash('sha256').update(target).digest('hex')}`;
  return sha256(path);
}

async function sha256(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(fsPath(path))) hash.update(chunk as Buffer);
  return `sha256:${hash.digest('hex')}`;
}

export type InputStates = ReadonlyMap<string, string>;

/** Remembers the identity of every input, for `changedInputs`: as it was seen, or as it is after it was fetched. */
export function rememberInputs(root: string, files: readonly InputFile[]): InputStates {
  return new Map(
    files.map((file) => [file.path, file.look.kind === 'dangling' ? statId(join(root, file.path)) : file.look.id]),
  );
}

export interface ChangedInput {
  readonly path: string;
  /** Digests; null where there was or is nothing. */
  readonly before: string | null;
  readonly after: string | null;
}

/** Inputs that somebody wrote to since they were remembered, and that are not outputs as well. */
export async function changedInputs(
  subject: Subject,
  before: InputStates,
  outputs: ReadonlySet<string>,
): Promise<readonly ChangedInput[]> {
  const { root } = subject.repo;
  const locate = repoLocator(subject.repo);
  const touched = [...before].filter(([path, state]) => !outputs.has(path) && statId(join(root, path)) !== state);
  const compared = await Promise.all(
    touched.map(async ([path]): Promise<ChangedInput | null> => {
      const { repo, path: own } = locate(path);
      const digest = await committedDigest(repo, own);
      // Another time or another inode is a reason to look, not yet a change.
      if (digest !== null && (await isContentAt(join(root, path), digest))) return null;
      const isFile = lstatOrNull(join(root, path))?.isDirectory() === false;
      return { path, before: digest, after: isFile ? await sha256(join(root, path)).catch(() => null) : null };
    }),
  );
  return compared.filter((change) => change !== null);
}

/** Whether the content at a path, links followed, has a digest of the form that `committedDigest` gives. */
async function isContentAt(path: string, digest: string): Promise<boolean> {
  if (!existsSync(fsPath(path))) return false;
  const file = realpathSync(fsPath(path));
  if (digest.startsWith('annex:')) return isContentOf(file, digest.slice('annex:'.length));
  const sha = digest.slice('git:'.length);
  const hash = createHash(sha.length === 40 ? 'sha1' : 'sha256').update(`blob ${statSync(file).size}\0`);
  for await (const chunk of createReadStream(file)) hash.update(chunk as Buffer);
  return hash.digest('hex') === sha;
}

/** What the last commit has at a path: the key of an annexed file, or the blob; null where it has nothing. */
async function committedDigest(repo: Repo, path: string): Promise<string | null> {
  const result = await git(repo, ['rev-parse', '--verify', '--quiet', `HEAD:${path}`], { accept: [0, 1, 128] });
  if (result.code !== 0) return null;
  const sha = result.stdout.toString('latin1').trim();
  const [blob] = await readBlobs(repo, [sha], MAX_POINTER);
  const key = blob ? keyFromBlob(blob) : null;
  return key === null ? `git:${sha}` : `annex:${key}`;
}
