/** Datasets with containers, for the tests of this folder. */
import { cpSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Event } from '../../src/core/result.ts';
import { create } from '../../src/dataset/create.ts';
import { repoAt, type Repo } from '../../src/dataset/repo.ts';
import { type Context, defaultContext } from '../../src/sys/context.ts';
import { lstatOrNull } from '../../src/sys/files.ts';
import type { World } from '../support/world.ts';

export function contextIn(world: World, cwd: string, events: Event[] = []): Context {
  return defaultContext({ cwd, env: world.env, emit: (event) => events.push(event) });
}

export async function newDataset(world: World, ...parts: string[]): Promise<string> {
  const root = world.path(...parts);
  await create({ words: [root] }, contextIn(world, world.dir));
  return root;
}

export function repoIn(world: World, root: string): Repo {
  return repoAt(root, contextIn(world, root)) as Repo;
}

/** A copy of an unpacked `docker save` whose configuration says something else about how it is started. */
export function imageWith(
  world: World,
  archive: string,
  name: string,
  changes: Readonly<Record<string, unknown>>,
): string {
  const folder = world.path(name, 'image');
  cpSync(archive, folder, { recursive: true });
  const [entry] = JSON.parse(readFileSync(join(folder, 'manifest.json'), 'utf8'));
  const config = JSON.parse(readFileSync(join(folder, entry.Config), 'utf8'));
  rmSync(join(folder, entry.Config));
  world.write(join(folder, 'config.json'), JSON.stringify({ ...config, config: { ...config.config, ...changes } }));
  world.write(join(folder, 'manifest.json'), JSON.stringify([{ ...entry, Config: 'config.json', RepoTags: null }]));
  return folder;
}

/** All that an addition may change: the last commit, what is not saved, the configuration, and what is being made. */
export function stateOf(world: World, root: string): object {
  const making = join(root, '.git/reprise/images');
  return {
    head: world.git(root, 'rev-parse', 'HEAD'),
    unsaved: world.git(root, 'status', '--porcelain'),
    config: readFileSync(join(root, '.datalad/config'), 'utf8'),
    making: lstatOrNull(making) ? readdirSync(making) : [],
  };
}
