/** What a container is to execute, and what it sees: a pure function of what was asked for, but for a look at `.git`. */
import { readlinkSync, realpathSync } from 'node:fs';
import { join, posix } from 'node:path';
import { type ContainerPlan, DATASET_PATH, HOME_PATH, type Mount } from '../containers/plan.ts';
import { decodeName, fsPath } from '../core/bytes.ts';
import type { Repo } from '../dataset/repo.ts';
import { lstatOrNull } from '../sys/files.ts';
import type { Runner } from './choose-runner.ts';
import type { ContainerCase } from './container-case.ts';
import { readMount } from './container-options.ts';

/** What is to be executed; its image is named when the runner has it. */
export function planContainer(
  given: Pick<ContainerCase, 'repo' | 'pwd' | 'name' | 'options' | 'mountsFrom' | 'workdir'>,
  runner: Runner,
  entrypoint: ContainerPlan['entrypoint'],
  scratch: string,
  hasHostPaths: boolean,
): ContainerPlan {
  const { repo, pwd, options } = given;
  const own = (path: string): Mount => ({ source: path, target: path, readonly: false });
  const asked = (options.mounts ?? []).map((mount) => readMount(mount, given.mountsFrom));
  const isFree = (folder: string) =>
    !asked.some(({ target }) => target === folder) && !scratch.startsWith(`${folder}/`);
  return {
    runner: runner.name,
    image: '',
    // The shell hands the command itself on.
    command: ['true'],
    entrypoint,
    workdir: given.workdir ?? posix.join(DATASET_PATH, pwd),
    mounts: [
      { source: repo.root, target: DATASET_PATH, readonly: false },
      ...gitDirMount(repo),
      ...(hasHostPaths ? [own(repo.root)] : []),
      ...(scratch === '' ? [] : [own(scratch)]),
      ...asked,
    ],
    tmpfs: [HOME_PATH, '/tmp', '/var/tmp'].filter(isFree),
    env: { HOME: HOME_PATH, ...(given.name === null ? {} : { DATALAD_CONTAINER_NAME: given.name }) },
    passEnv: options.env ?? [],
    network: options.network ?? false,
    gpus: options.gpus ?? null,
    writableRoot: options.writableRoot ?? false,
    user: { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0, groups: process.getgroups?.() ?? [] },
    stdin: true,
  };
}

/** Where `.git` is a link out of the root, as git-annex makes it of a submodule's or a linked work tree's, annexed files lead through it. */
function gitDirMount({ root, gitDir, commonDir }: Repo): readonly Mount[] {
  const link = join(root, '.git');
  if (!lstatOrNull(link)?.isSymbolicLink()) return [];
  const target = decodeName(readlinkSync(fsPath(link), 'buffer'));
  // From a linked work tree on to the annex that it shares.
  const onwards = gitDir === commonDir ? '' : posix.relative(realpathSync(fsPath(link)), commonDir);
  return [{ source: commonDir, target: posix.resolve(DATASET_PATH, target, onwards), readonly: false }];
}
