/**
 * Reckless clones: a subdataset that shares content with the place it was cloned from, or its files with other users.
 *
 * Modes and settings are those of DataLad's `clone --reckless` (`datalad/core/distributed/clone.py` and `clone_ephemeral.py`).
 */
import { symlinkSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fsPath } from '../core/bytes.ts';
import type { Config } from '../core/config.ts';
import { RepriseError } from '../core/errors.ts';
import { lstatOrNull } from '../sys/files.ts';
import { runAnnex } from './annex-batch.ts';
import { removeTree } from './remove-tree.ts';
import { readConfig } from './read-config.ts';
import { git, type Repo, repoAt } from './repo.ts';
import { isFolder } from './targets.ts';

/** `auto`: hard links to a local source; `ephemeral`: its annex itself; `shared-...`: access rights as for `git init --shared`. */
export type Reckless = 'auto' | 'ephemeral' | `shared-${string}`;

const KEY = 'datalad.clone.reckless';

/** The mode as typed, if it is one. Throws `usage`. */
export function assertReckless(text: string): asserts text is Reckless {
  if (isReckless(text)) return;
  throw new RepriseError('usage', `--reckless takes auto, ephemeral or shared-MODE, not '${text}'`, {
    hints: ['reprise get --reckless auto PATH', 'reprise get --reckless shared-group PATH'],
  });
}

function isReckless(text: string): text is Reckless {
  return /^(auto|ephemeral|shared-(false|true|umask|group|all|world|everybody|0[0-7]{3}))$/.test(text);
}

/**
 * The mode for a new clone: the one asked for, else the one that its superdataset was cloned with; null for an ordinary clone.
 *
 * Throws `config-invalid`.
 */
export function recklessFor(asked: Reckless | undefined, superConfig: Config): Reckless | null {
  const mode = asked ?? superConfig.get(KEY);
  if (mode === undefined || mode === '' || isReckless(mode)) return mode || null;
  throw new RepriseError('config-invalid', `${KEY} is neither auto, ephemeral nor shared-MODE: ${mode}`, {
    hints: [`git config --unset ${KEY}`],
  });
}

/** Prepares a fresh clone, before git-annex is initialised there. Throws `git-failed`. */
export async function prepareReckless(repo: Repo, mode: Reckless | null, annex: boolean): Promise<void> {
  if (mode?.startsWith('shared-')) await git(repo, ['init', '--quiet', `--shared=${mode.slice('shared-'.length)}`]);
  if (annex && mode === 'auto') await setLocal(repo, 'annex.hardlink', 'true');
  // Nobody else is to hear of this copy.
  if (annex && mode === 'ephemeral') await setLocal(repo, 'annex.private', 'true');
}

/** Marks the new annex as one that nobody may count on. Throws `annex-failed`. */
export async function distrustReckless(repo: Repo, mode: Reckless | null): Promise<void> {
  if (mode === null) return;
  if (mode !== 'ephemeral') {
    await runAnnex(repo, ['untrust', 'here']);
    return;
  }
  // Content must not be copied to a place where it is already.
  await setLocal(repo, 'remote.origin.annex-ignore', 'true');
  await runAnnex(repo, ['dead', 'here']);
  await linkAnnex(repo);
}

/** Notes the mode in the clone, for the subdatasets that will be cloned into it. */
export async function noteReckless(repo: Repo, mode: Reckless | null): Promise<void> {
  if (mode !== null) await setLocal(repo, KEY, mode);
}

/** Puts a link to the source's annex in the place of the clone's own, which is empty. */
async function linkAnnex(repo: Repo): Promise<void> {
  const url = (await readConfig(repo)).get('remote.origin.url') ?? '';
  const source = annexOf(repo, url);
  if (source === null) {
    repo.context.emit({
      kind: 'warning',
      text: `${repo.root} has an annex of its own although it is ephemeral: ${url} is not a local repository with an annex`,
    });
    return;
  }
  const own = join(repo.gitDir, 'annex');
  removeTree(own);
  symlinkSync(fsPath(source), fsPath(own));
}

/** Absolute path of the annex of a local repository, with a work tree or bare, or null. */
function annexOf(repo: Repo, url: string): string | null {
  const local = url.replace(/^file:\/\/(?=\/)/, '');
  if (local === '' || /^[^/]*:/.test(local)) return null;
  const path = resolve(repo.root, local);
  const annex = join(repoAt(path, repo.context)?.commonDir ?? path, 'annex');
  return isFolder(annex) && lstatOrNull(join(annex, '..', 'HEAD')) ? annex : null;
}

async function setLocal(repo: Repo, key: string, value: string): Promise<void> {
  await git(repo, ['config', '--local', key, value]);
}
