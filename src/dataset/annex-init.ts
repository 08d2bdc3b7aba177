/**
 * A clone of an annexed dataset has no annex of its own yet: git-annex makes one when it is first called there, and so do we before anything
 * is stored. The identifier and the description are git-annex's to choose, as in a clone that DataLad works in.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Config } from '../core/config.ts';
import { lstatOrNull } from '../sys/files.ts';
import { takeLock } from '../sys/lock.ts';
import { annexInstalled, annexMissing, runAnnex } from './annex-batch.ts';
import { hasAnnexBranch } from './presence.ts';
import { readConfig } from './read-config.ts';
import type { Repo } from './repo.ts';
import { stateDir } from './save-lock.ts';

/** Making an annex may mean asking remotes who they are. */
const PATIENCE_MS = 10 * 60 * 1000;

/** Whether `.noannex` keeps a repository without an annex (git-annex's own rule). */
export function isAnnexForbidden(repo: Repo): boolean {
  return lstatOrNull(join(repo.root, '.noannex')) !== null;
}

/**
 * Makes sure that a clone of an annexed dataset has an annex, and returns the configuration as it is then; others are left as they are.
 *
 * Of several processes one does it: two would give the clone two identifiers. Throws `annex-missing`, `annex-failed`, `lock-timeout`.
 */
export async function withAnnex(repo: Repo, config: Config): Promise<Config> {
  if (isAnnexed(config) || isAnnexForbidden(repo) || !(await hasAnnexBranch(repo))) return config;
  if (!annexInstalled(repo.context.env)) throw annexMissing();
  mkdirSync(stateDir(repo), { recursive: true });
  const lock = await takeLock(join(stateDir(repo), 'annex-init.lock'), PATIENCE_MS);
  try {
    const now = await readConfig(repo);
    if (isAnnexed(now)) return now;
    await runAnnex(repo, ['init']);
    return await readConfig(repo);
  } finally {
    lock.release();
  }
}

/** A repository is annexed when git-annex has given it an identifier. */
export function isAnnexed(config: Config): boolean {
  return config.get('annex.uuid') !== undefined;
}
