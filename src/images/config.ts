/**
 * DataLad's configuration of containers: `datalad.containers.NAME.*`, read with Git's precedence, written to the dataset's committed
 * `.datalad/config`.
 *
 * Everything in the section belongs to DataLad, which reports each key as a property of the container: nothing of ours is added to it.
 * Source: datalad-container 1.2, `utils.get_container_configuration`, `containers_add`.
 */
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Config } from '../core/config.ts';
import { RepriseError } from '../core/errors.ts';
import { git, type Repo } from '../dataset/repo.ts';
import { lstatOrNull, readOrNull, removeIfThere, writeAtomic } from '../sys/files.ts';
import { assertNoLinkTo, readImagePath } from './image-path.ts';

export const CONFIG_PATH = '.datalad/config';

export interface Container {
  readonly name: string;
  /** POSIX path relative to the root of the dataset, as configured: it may still lead anywhere. */
  readonly image: string;
  /** Its call format; absent for an image that is the program itself. */
  readonly cmdexec?: string;
  readonly extraInputs: readonly string[];
  /** Where the image came from, if DataLad resolved that to another URL. */
  readonly updateUrl?: string;
  /** All keys but `image`, with all their values. */
  readonly settings: ReadonlyMap<string, readonly string[]>;
}

/** DataLad's rule for names, which keeps them usable as part of a key. @throws `usage` */
export function assertContainerName(name: string): void {
  if (/^[0-9a-zA-Z-]+$/.test(name)) return;
  throw new RepriseError('usage', `Container names can only contain alphanumeric characters and '-', got: '${name}'`, {
    data: { name },
  });
}

/** The containers of a dataset, in the order that they are configured in; entries without an image are none. */
export function readContainers(root: string, config: Config): readonly Container[] {
  const byName = new Map<string, Map<string, readonly string[]>>();
  for (const [key, values] of config.section('datalad.containers')) {
    const dot = key.indexOf('.');
    // `datalad.containers.location` is no container.
    if (dot === -1) continue;
    const name = key.slice(0, dot);
    byName.set(name, (byName.get(name) ?? new Map()).set(key.slice(dot + 1), values));
  }
  return [...byName].flatMap(([name, settings]) => {
    const image = settings.get('image')?.at(-1);
    if (image === undefined || image === '') return [];
    const cmdexec = settings.get('cmdexec')?.at(-1);
    const updateUrl = settings.get('updateurl')?.at(-1);
    return [
      {
        name,
        image: readImagePath(root, image),
        ...(cmdexec === undefined || cmdexec === '' ? {} : { cmdexec }),
        extraInputs: settings.get('extra-input') ?? [],
        ...(updateUrl === undefined ? {} : { updateUrl }),
        settings: new Map([...settings].filter(([key]) => key !== 'image')),
      },
    ];
  });
}

/** What is set for a container; what is absent stays as it is. */
export interface ContainerSettings {
  readonly image: string;
  readonly cmdexec?: string;
  /** Replaces all that are there. */
  readonly extraInputs?: readonly string[];
}

/**
 * Writes the settings of a container into the dataset's committed configuration, in one step, as DataLad lays it out.
 *
 * @param workFolder where the new file is put together
 * @returns puts the file back as it was
 * @throws `path-outside` if the way to it leads through a symbolic link, `path-encoding`, `git-failed` if it is malformed
 */
export async function writeContainer(
  repo: Repo,
  name: string,
  settings: ContainerSettings,
  workFolder: string,
): Promise<() => void> {
  const key = `datalad.containers.${name}`;
  const { image, cmdexec, extraInputs } = settings;
  const unset = extraInputs !== undefined && [['--unset-all', `${key}.extra-input`]];
  return editConfig(repo, workFolder, [
    ['--replace-all', `${key}.image`, image],
    ...(cmdexec === undefined ? [] : [['--replace-all', `${key}.cmdexec`, cmdexec]]),
    ...(unset || []),
    ...(extraInputs ?? []).map((input) => ['--add', `${key}.extra-input`, input]),
  ]);
}

/** Removes the section of a container; otherwise as `writeContainer`. */
export async function removeContainer(repo: Repo, name: string, workFolder: string): Promise<() => void> {
  return editConfig(repo, workFolder, [['--remove-section', `datalad.containers.${name}`]]);
}

/** Whether a container is in the dataset's committed configuration, rather than in that of this clone or this user. */
export async function isCommittedContainer(repo: Repo, name: string): Promise<boolean> {
  const file = join(repo.root, CONFIG_PATH);
  if (!lstatOrNull(file)?.isFile()) return false;
  const args = ['config', '-z', '--no-includes', '-f', file, '--name-only', '--list'];
  const keys = (await git(repo, args)).stdout.toString('utf8').split('\0');
  return keys.some((key) => key.startsWith(`datalad.containers.${name}.`));
}

/** Git's answer to unsetting what is not set. */
const NOT_SET = 5;

async function editConfig(repo: Repo, workFolder: string, edits: readonly (readonly string[])[]): Promise<() => void> {
  assertNoLinkTo(repo, CONFIG_PATH);
  const file = join(repo.root, CONFIG_PATH);
  const stat = lstatOrNull(file);
  if (stat && !stat.isFile()) {
    throw new RepriseError('path-outside', `${file} is not a file`, { data: { path: file } });
  }
  if (edits.some((edit) => edit.some((word) => !word.isWellFormed()))) {
    throw new RepriseError('path-encoding', 'The configuration of a container has to be UTF-8');
  }
  const before = readOrNull(file);
  const work = join(workFolder, 'config');
  if (stat) copyFileSync(file, work);
  else writeFileSync(work, '');
  for (const edit of edits) await git(repo, ['config', '-f', work, ...edit], { accept: [0, NOT_SET] });
  mkdirSync(join(repo.root, '.datalad'), { recursive: true });
  writeAtomic(file, readFileSync(work), { via: workFolder, mode: stat?.mode ?? 0o666 });
  return () => {
    if (before) writeAtomic(file, before, { via: workFolder, mode: stat?.mode ?? 0o666 });
    else removeIfThere(file);
  };
}
