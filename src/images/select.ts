/**
 * Which container is meant: by its name, by its name in a subdataset, by the path of its image, or because there is only one.
 *
 * Subdatasets are found by their names and paths in `.gitmodules` alone, and only those on the way are installed: how many others there
 * are makes no difference. Words and order of preference are those of datalad-container 1.2, `find_container`.
 */
import { join } from 'node:path';
import type { Config } from '../core/config.ts';
import { RepriseError } from '../core/errors.ts';
import { quoteWord } from '../core/quote.ts';
import type { Result } from '../core/result.ts';
import { installSubdataset } from '../dataset/install.ts';
import { readConfig } from '../dataset/read-config.ts';
import type { Repo } from '../dataset/repo.ts';
import { installed, readSubdatasets, type Subdataset, subdatasetOnPath } from '../dataset/subdatasets.ts';
import { isWithin, relativeTo } from '../dataset/targets.ts';
import type { Installer } from '../run/globs.ts';
import { type Container, readContainers } from './config.ts';
import { imagePathIn } from './image-path.ts';

export interface SelectedContainer {
  /** As `containers-list -r` names it: `NAME`, or `sub/NAME` for one of a subdataset. Value of DATALAD_CONTAINER_NAME. */
  readonly name: string;
  /** The dataset that the container is configured in. */
  readonly owner: Repo;
  /** Path of the image relative to the root of its owner, inside of it. */
  readonly image: string;
  /** Absolute path of the image. */
  readonly imagePath: string;
  /** Its call format; absent for an image that is the program itself. */
  readonly cmdexec?: string;
  /** Its extra inputs, with placeholders. */
  readonly extraInputs: readonly string[];
}

export interface Selection {
  readonly container: SelectedContainer;
  /** Results of the subdatasets that had to be installed. */
  readonly installs: readonly Result[];
  /** The configuration of `repo` that was read for it; null where it is another one now. */
  readonly config: Config | null;
}

/**
 * Finds a container.
 *
 * @param wanted name or image path (relative to the root of `repo`, or absolute); undefined for the only one there is
 * @param install what makes the subdatasets on the way be here
 * @throws `container-unknown` for none and for more than one, `subdataset-install-failed`, `path-outside` if its image is configured to be
 *   outside of its dataset
 */
export async function selectContainer(
  repo: Repo,
  wanted: string | undefined,
  install: Installer = installSubdataset,
): Promise<Selection> {
  const config = await readConfig(repo);
  const own = readContainers(repo.root, config);
  if (wanted === undefined) {
    const [only, ...others] = own;
    if (!only) throw noneKnown(repo);
    if (others.length === 0) return { container: resolved(repo, '', only), installs: [], config };
    throw unknown(`Must explicitly specify container (known containers are: ${namesOf(own)})`, {
      hints: [`reprise containers-run -n ${only.name} ...`],
      data: { known: own.map(({ name }) => name) },
    });
  }
  const installs: Result[] = [];
  const on: OnTheWay = { wanted, install, installs };
  const known = { repo, prefix: '', containers: own };
  // What this dataset itself knows needs no subdataset.
  const found =
    withName(known, wanted) ??
    withImage(known, wanted) ??
    (await byName(known, wanted, on)) ??
    (await byPath(known, on));
  // Git notes in it which subdatasets are installed.
  if (found) return { container: found, installs, config: installs.length === 0 ? config : null };
  if (own.length === 0 && !wanted.includes('/')) throw noneKnown(repo);
  throw unknown(
    `Container selection impossible: not specified, ambiguous or unknown (known containers are: ${namesOf(own)})`,
    { hints: ['reprise containers-list -r'], data: { wanted, known: own.map(({ name }) => name) } },
  );
}

function noneKnown(repo: Repo): RepriseError {
  return unknown('No known containers. Use containers-add', {
    hints: ['reprise containers-add NAME --url URL'],
    data: { dataset: repo.root },
  });
}

function unknown(message: string, details: ConstructorParameters<typeof RepriseError>[2]): RepriseError {
  return new RepriseError('container-unknown', message, details);
}

function namesOf(containers: readonly Container[]): string {
  return containers.map(({ name }) => name).join(', ');
}

function resolved(owner: Repo, prefix: string, container: Container): SelectedContainer {
  const { name, cmdexec, extraInputs } = container;
  const image = imagePathIn(owner.root, container.image);
  return {
    name: `${prefix}${name}`,
    owner,
    image,
    imagePath: join(owner.root, image),
    ...(cmdexec === undefined ? {} : { cmdexec }),
    extraInputs,
  };
}

/** A dataset on the way, with what is configured in it. */
interface Level {
  readonly repo: Repo;
  /** Names of the subdatasets that led here, each with a slash after it. */
  readonly prefix: string;
  readonly containers: readonly Container[];
}

/** What is looked for, and how subdatasets are installed for it. */
interface OnTheWay {
  readonly wanted: string;
  readonly install: Installer;
  /** Results so far. */
  readonly installs: Result[];
}

/** A subdataset's name may hold slashes, and one name may begin with another: each way to read `a/b/NAME` is tried, installed ones first. */
async function byName(level: Level, name: string, on: OnTheWay): Promise<SelectedContainer | null> {
  const own = withName(level, name);
  if (own) return own;
  if (!name.includes('/')) return null;
  const fitting = (await readSubdatasets(level.repo))
    .filter((sub) => name.startsWith(`${sub.name}/`))
    .sort((a, b) => a.name.length - b.name.length);
  const present = fitting.filter((sub) => installed(level.repo, sub));
  for (const sub of [...present, ...fitting.filter((each) => !present.includes(each))]) {
    const found = await byName(await enter(level, sub, on), name.slice(sub.name.length + 1), on);
    if (found) return found;
  }
  return null;
}

/** The container whose image is at a path, if exactly one has it: in the outermost dataset that has any. */
async function byPath(top: Level, on: OnTheWay): Promise<SelectedContainer | null> {
  const { wanted } = on;
  const path = wanted.startsWith('/') ? wanted : join(top.repo.root, wanted);
  for (let level = top; isWithin(path, level.repo.root); ) {
    const found = withImage(level, path);
    if (found) return found;
    const below = relativeTo(level.repo.root, path);
    const sub = subdatasetOnPath(await readSubdatasets(level.repo), below);
    if (!sub || sub.path === below) return null;
    level = await enter(level, sub, on);
  }
  return null;
}

function withName({ repo, prefix, containers }: Level, wanted: string): SelectedContainer | null {
  const found = containers.find(({ name }) => name === wanted);
  return found ? resolved(repo, prefix, found) : null;
}

function withImage({ repo, prefix, containers }: Level, path: string): SelectedContainer | null {
  const image = path.startsWith('/') ? (isWithin(path, repo.root) ? relativeTo(repo.root, path) : null) : path;
  const [only, ...others] = containers.filter((each) => each.image === image);
  return only && others.length === 0 ? resolved(repo, prefix, only) : null;
}

async function enter(level: Level, sub: Subdataset, on: OnTheWay): Promise<Level> {
  const repo = installed(level.repo, sub) ?? (await install(level.repo, sub, on));
  const containers = readContainers(repo.root, await readConfig(repo));
  return { repo, prefix: `${level.prefix}${sub.name}/`, containers };
}

async function install(repo: Repo, sub: Subdataset, { wanted, install: how, installs }: OnTheWay): Promise<Repo> {
  const result = await how(repo, sub);
  const now = installed(repo, sub);
  if (result.status !== 'ok' || !now) {
    throw new RepriseError(
      'subdataset-install-failed',
      `The subdataset ${sub.path}, which may hold the container ${wanted}, could not be installed: ${result.message ?? ''}`,
      { hints: [`reprise get -n ${quoteWord(sub.path)}`], data: { path: result.path } },
    );
  }
  installs.push(result);
  return now;
}
