/** The image that a recorded run used, and its line made to use exactly that one. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { replaceImage, replaceProgram } from '../containers/command-lines.ts';
import { fsPath } from '../core/bytes.ts';
import { RepriseError } from '../core/errors.ts';
import type { Repo } from '../dataset/repo.ts';
import { repoLocator } from '../run/locate-repo.ts';
import type { CommandLines } from '../run/options.ts';
import { checkImage } from './check-image.ts';
import { imageAt, objectAt } from './image-at.ts';

export interface RecordedImage {
  /** The dataset that tracks it. */
  readonly owner: Repo;
  /** Relative to the owner's root. */
  readonly place: string;
  /** Absolute path of the recorded image: in the work tree if that has the same, else out of the annex. */
  readonly path: string;
  /** Names of Git's objects; null where there is nothing. */
  readonly recorded: string | null;
  readonly present: string | null;
}

/**
 * Finds the image of a commit; content that is not here is fetched.
 *
 * @param image relative to the root of `repo`, in a dataset that is installed
 * @throws `image-missing`, `content-unavailable`, `annex-failed`
 */
export async function recordedImage(repo: Repo, commit: string, image: string): Promise<RecordedImage> {
  const { repo: owner, path: place } = repoLocator(repo)(image);
  const recorded = await objectAt(repo, commit, image);
  const present = await objectAt(owner, 'HEAD', place);
  const isSame = recorded === null || recorded === present;
  const path = isSame ? join(owner.root, place) : await imageAt(repo, commit, image, { fetch: true });
  return { owner, place, path, recorded, present };
}

/** How a line starts its container. */
export interface StartedBy {
  /** How the image may be written in the line. */
  readonly images: readonly string[];
  /** What is to be started in place of the line's engine, if not that one. */
  readonly program?: string;
  /** The line is executed by the shell as it stands. */
  readonly verbatim: boolean;
}

/**
 * The lines, with the path of the recorded image where they name another one.
 *
 * @throws `image-mismatch` naming both for a line that would start another image, and does not let it be replaced
 */
export async function linesFor(
  image: RecordedImage,
  { images, program, verbatim }: StartedBy,
  lines: CommandLines,
): Promise<CommandLines> {
  const named = (line: string) => (program === undefined ? line : (replaceProgram(line, images, program) ?? line));
  const isPresent = image.path === join(image.owner.root, image.place);
  // The dataset may have been elsewhere when the line was recorded.
  const isElsewhere = images.some((path) => path.startsWith('/') && !existsSync(fsPath(path)));
  const start = { ...lines, host: named(lines.host), inside: named(lines.inside) };
  if (isPresent && !isElsewhere) return start;
  const [host, inside] = [start.host, start.inside].map((line) => replaceImage(line, images, image.path));
  if (typeof host === 'string' && typeof inside === 'string') return { ...start, host, inside };
  if (verbatim) await requirePresent(image);
  return start;
}

/** Whether the image in the work tree is the recorded one after all. */
async function requirePresent({ owner, place, path, recorded, present }: RecordedImage): Promise<void> {
  const digestOf = async (at: string, object: string | null): Promise<string> => {
    const { identity } = await checkImage(owner, { path: at, place });
    return identity.config ?? identity.digest ?? `git:${object}`;
  };
  const [was, is] = [await digestOf(path, recorded), await digestOf(join(owner.root, place), present)];
  if (was === is) return;
  throw new RepriseError(
    'image-mismatch',
    `The recorded line starts the image at ${place}, which is ${is} now, but ${was} was recorded`,
    { hints: ['reprise rerun --workspace ...'], data: { image: place, recorded: was, actual: is } },
  );
}
