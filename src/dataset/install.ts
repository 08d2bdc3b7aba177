/** Installing a subdataset: from the first of its known places that can be cloned, at the commit that the superdataset records. */
import { mkdirSync, readdirSync, rmdirSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fsPath } from '../core/bytes.ts';
import type { Config } from '../core/config.ts';
import { RepriseError } from '../core/errors.ts';
import type { Result } from '../core/result.ts';
import { lstatOrNull } from '../sys/files.ts';
import { takeLock } from '../sys/lock.ts';
import { isFatal } from './outcome.ts';
import { madeAside } from './made-aside.ts';
import { procedures } from './procedures.ts';
import { annexInstalled, annexMissing, runAnnex } from './annex-batch.ts';
import { isAnnexForbidden } from './annex-init.ts';
import { hasAnnex } from './presence.ts';
import { distrustReckless, noteReckless, prepareReckless, type Reckless, recklessFor } from './reckless.ts';
import { hasCommit, readHead } from './refs.ts';
import { removeTree } from './remove-tree.ts';
import { stateDir } from './save-lock.ts';
import { readConfig } from './read-config.ts';
import { git, gitText, type Repo, repoAt } from './repo.ts';
import { decodeSource, type SourceCandidate, sourceCandidates, spellings } from './source-candidates.ts';
import { installed, isFree, isSafeName, isSafePath, linkOnTheWay, type Subdataset } from './subdatasets.ts';

export interface InstallOptions {
  /** What git-annex calls the new copy. */
  readonly description?: string;
  /** Procedures to apply to it (`text2git`, `yoda`, `noannex`). */
  readonly procedures?: readonly string[];
  /** How it shares content or access; by default as its superdataset does. */
  readonly reckless?: Reckless;
}

/**
 * Installs a subdataset and returns the result to report (`install`, ok or error); nothing is thrown for a place that fails.
 *
 * On failure the mount point is as it was; a process that is killed leaves it so, or the subdataset at its commit. Results as DataLad's `get`, with
 * the `source` that was cloned. Throws `lock-timeout` where another process installs for longer than an hour.
 */
export async function installSubdataset(
  superRepo: Repo,
  subdataset: Subdataset,
  how: InstallOptions = {},
): Promise<Result> {
  const path = join(superRepo.root, subdataset.path);
  const refusal = refusalOf(superRepo, subdataset);
  if (refusal !== null) return failed(path, refusal);
  mkdirSync(fsPath(stateDir(superRepo)), { recursive: true });
  const lock = await takeLock(join(stateDir(superRepo), 'install.lock'), LONGEST_INSTALLATION_MS);
  try {
    // Somebody else may have installed it while we waited.
    if (installed(superRepo, subdataset)) return { action: 'install', status: 'ok', path, type: 'dataset' };
    if (isFree(path)) return await installFrom(superRepo, subdataset, path, how);
    return failed(path, `The mount point ${JSON.stringify(subdataset.path)} is neither absent nor an empty folder`);
  } finally {
    lock.release();
  }
}

/** Others wait this long for a subdataset that is being installed. */
const LONGEST_INSTALLATION_MS = 60 * 60 * 1000;

function failed(path: string, message: string): Result {
  return { action: 'install', status: 'error', path, type: 'dataset', message };
}

async function installFrom(
  superRepo: Repo,
  subdataset: Subdataset,
  path: string,
  how: InstallOptions,
): Promise<Result> {
  const config = await readConfig(superRepo);
  const reckless = recklessFor(how.reckless, config);
  const candidates = await candidatesFor(superRepo, subdataset, config);
  if (candidates.length === 0)
    return failed(path, `Have got no candidates to install subdataset ${subdataset.path} from.`);
  const mount = rememberMount(path);
  const reasons: string[] = [];
  for (const candidate of candidates) {
    const { url, version } = decodeSource(candidate.url);
    for (const spelling of spellings(url)) {
      try {
        const placed = await madeAside(superRepo, path, async (aside) => {
          const asked = { url: spelling, version, sha: subdataset.sha, reckless };
          const clone = await cloneAndCheckOut(superRepo, { aside, path }, asked);
          await register(superRepo, clone, subdataset, spelling, candidate, candidates);
        });
        if (!placed) return failed(path, `Something has been put into the mount point ${subdataset.path} meanwhile`);
        mount.isOurs();
        const repo = repoAt(path, superRepo.context) as Repo;
        if (await usesAnnex(repo)) await initAnnex(repo, how.description, reckless);
        for (const apply of procedures(how.procedures ?? [])) await apply(repo);
        const source = {
          default_destpath: basename(spelling),
          giturl: spelling,
          source: candidate.url,
          type: url === candidate.url ? 'giturl' : 'ria',
          version,
        };
        return { action: 'install', status: 'ok', path, type: 'dataset', source };
      } catch (error) {
        mount.restore();
        if (!(error instanceof RepriseError) || isFatal(error)) throw error;
        reasons.push(error.message);
      }
    }
  }
  return failed(path, `Failed to install subdataset from any known location: ${reasons.join('; ')}`);
}

function refusalOf(superRepo: Repo, subdataset: Subdataset): string | null {
  const quoted = JSON.stringify(subdataset.path);
  if (!isSafePath(subdataset.path)) return `.gitmodules names an unsafe path: ${quoted}`;
  if (!isSafeName(subdataset.name)) return `.gitmodules names an unsafe submodule: ${JSON.stringify(subdataset.name)}`;
  const link = linkOnTheWay(superRepo, subdataset.path);
  return link === null ? null : `The way to ${quoted} leads through a symbolic link, ${link}`;
}

/** Remembers which folders were there; `restore` removes those that are ours, and the empty ones above that were made for them. */
function rememberMount(path: string): { readonly isOurs: () => void; readonly restore: () => void } {
  const existed = lstatOrNull(path) !== null;
  const made: string[] = [];
  for (let folder = dirname(path); !lstatOrNull(folder); folder = dirname(folder)) made.push(folder);
  let isOurs = false;
  return {
    isOurs() {
      isOurs = true;
    },
    restore() {
      if (isOurs) {
        removeTree(path);
        if (existed) mkdirSync(fsPath(path));
      }
      for (const folder of made)
        if (lstatOrNull(folder) && readdirSync(fsPath(folder)).length === 0) rmdirSync(fsPath(folder));
    },
  };
}

async function candidatesFor(superRepo: Repo, subdataset: Subdataset, config: Config): Promise<SourceCandidate[]> {
  const facts = {
    superRoot: superRepo.root,
    path: subdataset.path,
    properties: subdataset.properties,
    remotes: await remotesWithCommit(superRepo, subdataset.path, config),
  };
  return sourceCandidates(facts, config);
}

/** The remote that the current branch tracks, then every remote with a branch that has the commit which last touched the subdataset. */
async function remotesWithCommit(repo: Repo, path: string, config: Config): Promise<(readonly [string, string])[]> {
  const urls = [...config.section('remote')].flatMap(([key, values]) =>
    key.endsWith('.url') ? [[key.slice(0, -'.url'.length), values[0] ?? ''] as const] : [],
  );
  if (urls.length === 0) return [];
  const head = await readHead(repo);
  const branch = head.ref?.slice('refs/heads/'.length);
  const tracked = branch === undefined ? undefined : config.get(`branch.${branch}.remote`);
  const ordered = urls.filter(([name]) => name === tracked);
  const others = urls.filter(([name]) => name !== tracked);
  if (others.length === 0 || head.commit === null) return ordered;
  const commit = await gitText(repo, ['--literal-pathspecs', 'log', '-1', '--format=%H', '--', path]);
  if (commit === '') return ordered;
  const refs = (
    await gitText(repo, ['for-each-ref', '--format=%(refname:strip=2)', `--contains=${commit}`, 'refs/remotes'])
  ).split('\n');
  return [...ordered, ...others.filter(([name]) => refs.some((ref) => ref.startsWith(`${name}/`)))];
}

interface CloneRequest {
  readonly url: string;
  /** What the place itself says is to be checked out first. */
  readonly version: string | null;
  readonly sha: string;
  readonly reckless: Reckless | null;
}

/** Clones aside, for a path, and checks out a commit. */
async function cloneAndCheckOut(
  { context }: Repo,
  { aside, path }: { readonly aside: string; readonly path: string },
  { url, version, sha, reckless }: CloneRequest,
): Promise<Repo> {
  const { cloneRepository } = await import('./clone.ts');
  await cloneRepository(context, url, aside, path);
  const repo = repoAt(aside, context);
  if (!repo) throw new RepriseError('git-failed', `${url} was cloned, but is no repository`);
  await leaveUnbornBranch(repo);
  const annex = await usesAnnex(repo);
  if (annex && !annexInstalled(context.env)) throw annexMissing();
  await prepareReckless(repo, reckless, annex);
  if (version !== null) await git(repo, ['checkout', '--quiet', version]);
  await checkOut(repo, sha, path);
  await noteReckless(repo, reckless);
  return repo;
}

async function usesAnnex(repo: Repo): Promise<boolean> {
  return (await hasAnnex(repo)) && !isAnnexForbidden(repo);
}

/** At its place, as git-annex notes where a repository is. Should we be killed before, git-annex does it when it is first used. */
async function initAnnex(repo: Repo, description: string | undefined, reckless: Reckless | null): Promise<void> {
  // Also enables the special remotes that ask for it.
  await runAnnex(repo, ['init', ...(description === undefined ? [] : [description])]);
  await distrustReckless(repo, reckless);
}

/** A remote whose HEAD names no branch leaves a clone without a commit: take the branch that was updated last. */
async function leaveUnbornBranch(repo: Repo): Promise<void> {
  if ((await readHead(repo)).commit !== null) return;
  const listed = await gitText(repo, [
    'for-each-ref',
    '--format=%(refname:strip=3)',
    '--sort=-committerdate',
    'refs/remotes/origin',
  ]);
  const branch = listed
    .split('\n')
    .find((name) => name !== '' && name !== 'git-annex' && name !== 'HEAD' && !name.startsWith('adjusted/'));
  if (branch !== undefined) await git(repo, ['checkout', '--quiet', '-b', branch, '--track', `origin/${branch}`]);
}

/** Checks out a commit; where it is an ancestor of the branch just cloned, the branch is set back to it rather than HEAD detached. */
async function checkOut(repo: Repo, sha: string, name: string): Promise<void> {
  const before = await readHead(repo);
  if (before.commit === sha) return;
  if (!(await hasCommit(repo, sha))) {
    await git(repo, ['fetch', '--quiet', 'origin', sha], { accept: [0, 1, 128] });
    if (!(await hasCommit(repo, sha))) {
      throw new RepriseError(
        'git-failed',
        `Target commit ${sha.slice(0, 8)} does not exist in the clone, and a fetch that commit from remote failed`,
      );
    }
  }
  await git(repo, ['checkout', '--quiet', '--detach', sha]);
  if (before.ref === null || before.commit === null) return;
  const base = await git(repo, ['merge-base', before.commit, sha], { accept: [0, 1] });
  if (base.stdout.toString('utf8').trim() !== sha) {
    repo.context.emit({
      kind: 'warning',
      text: `${name} has a detached HEAD: the commit ${sha.slice(0, 8)} that its superdataset records is not on ${before.ref}`,
    });
    return;
  }
  await git(repo, ['update-ref', before.ref, sha]);
  await git(repo, ['symbolic-ref', 'HEAD', before.ref]);
}

/** Makes the subdataset known to the superdataset's own configuration, and hands down the templates that are committed there. */
async function register(
  superRepo: Repo,
  sub: Repo,
  subdataset: Subdataset,
  url: string,
  used: SourceCandidate,
  candidates: readonly SourceCandidate[],
): Promise<void> {
  const section = `submodule.${subdataset.name}`;
  await git(superRepo, ['config', '--local', '--replace-all', `${section}.active`, 'true']);
  await git(superRepo, ['config', '--local', '--replace-all', `${section}.url`, url]);
  const keys = [...new Set([used, ...candidates].flatMap((candidate) => candidate.configKey ?? []))];
  if (keys.length === 0) return;
  const known = await readConfig(sub);
  for (const key of keys) {
    const value = known.get(key) === undefined ? await ownValue(superRepo, key) : null;
    if (value !== null) await git(sub, ['config', '--local', key, value]);
  }
}

/** The value of a key that the dataset itself sets, committed or local. */
async function ownValue(repo: Repo, key: string): Promise<string | null> {
  for (const where of [['--local'], ['-f', join(repo.root, '.datalad/config')]]) {
    const result = await git(repo, ['config', ...where, '--get', key], { accept: [0, 1] });
    if (result.code === 0) return result.stdout.toString('utf8').replace(/\n$/, '');
  }
  return null;
}
