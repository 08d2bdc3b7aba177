/** Making a repository inside a dataset its subdataset: `.gitmodules`, one commit, and the superdataset's own configuration. */
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Result } from '../core/result.ts';
import { readOrNull } from '../sys/files.ts';
import { commitChanges } from './commit.ts';
import { readConfig } from './read-config.ts';
import { git, type Repo } from './repo.ts';
import { readSubdatasets } from './subdatasets.ts';
import { parentRepo, relativeTo } from './targets.ts';

/**
 * Registers a repository in the dataset around it and records the new state of every dataset up to `top`, each in a commit of its own.
 *
 * Returns the results that DataLad's `save` gives. Throws what `commitChanges` throws; `.gitmodules` is then as it was.
 */
export async function registerSubdataset(top: Repo, sub: Repo, message: string): Promise<readonly Result[]> {
  const results: Result[] = [];
  for (let below = sub, above = parentRepo(sub); above; below = above, above = parentRepo(above)) {
    results.push(...(await recordIn(above, below, message, top.root)));
    if (above.root === top.root) break;
  }
  return results;
}

async function recordIn(above: Repo, below: Repo, message: string, refds: string): Promise<Result[]> {
  const path = relativeTo(above.root, below.root);
  const isNew = !(await readSubdatasets(above)).some((sub) => sub.path === path);
  const modules = join(above.root, '.gitmodules');
  const before = readOrNull(modules);
  try {
    if (isNew) await describeSubdataset(above, path, below);
    const changes = [{ path }, ...(isNew ? [{ path: '.gitmodules' }] : [])];
    await commitChanges(above, await readConfig(above), { changes, message: `${message}\n`, toGit: true });
  } catch (error) {
    if (before) writeFileSync(modules, before);
    else rmSync(modules, { force: true });
    throw error;
  }
  if (isNew) await activateSubdataset(above, path);
  return [
    { action: 'add', status: 'ok', path: below.root, type: 'dataset', key: null, refds },
    // Reported by DataLad whenever the record of a subdataset changes.
    { action: 'add', status: 'ok', path: modules, type: 'file', refds },
    { action: 'save', status: 'ok', path: above.root, type: 'dataset', refds },
  ];
}

/** Writes a new subdataset's section of `.gitmodules`, as DataLad does; nothing is staged. */
export async function describeSubdataset(above: Repo, path: string, sub: Repo): Promise<void> {
  const id = (await readConfig(sub)).get('datalad.dataset.id');
  const facts = { path, url: `./${path}`, ...(id === undefined ? {} : { 'datalad-id': id }) };
  for (const [key, value] of Object.entries(facts)) {
    await git(above, ['config', '-f', join(above.root, '.gitmodules'), `submodule.${path}.${key}`, value]);
  }
}

/** Tells the superdataset's own configuration that a subdataset is installed. */
export async function activateSubdataset(above: Repo, path: string): Promise<void> {
  await git(above, ['config', '--local', `submodule.${path}.active`, 'true']);
  await git(above, ['config', '--local', `submodule.${path}.url`, `./${path}`]);
}
