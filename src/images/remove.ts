/** `containers-remove`: takes a container out of the dataset's committed configuration, and its image out of the tree if asked to. */
import { join } from 'node:path';
import { RepriseError } from '../core/errors.ts';
import { quoteWord } from '../core/quote.ts';
import type { Result, VerbOutcome } from '../core/result.ts';
import { commitChanges } from '../dataset/commit.ts';
import { readConfig } from '../dataset/read-config.ts';
import type { Repo } from '../dataset/repo.ts';
import { takeSaveLock } from '../dataset/save-lock.ts';
import { entryResult } from '../dataset/save-request.ts';
import { readSubdatasets, subdatasetOnPath } from '../dataset/subdatasets.ts';
import { datasetOf } from '../dataset/targets.ts';
import { trackedBelow } from '../dataset/tracked.ts';
import { scanWorktree } from '../dataset/worktree.ts';
import type { Context } from '../sys/context.ts';
import { lstatOrNull } from '../sys/files.ts';
import { CONFIG_PATH, type Container, isCommittedContainer, readContainers, removeContainer } from './config.ts';
import { assertNoLinkTo, imagePathIn } from './image-path.ts';
import { removeImage } from './place.ts';
import { withWorkFolder } from './work-folder.ts';

export interface RemoveOptions {
  readonly name: string;
  readonly dataset?: string;
  /** Delete the image from the tree, too; its content stays in the annex for the commits that need it. */
  readonly removeImage?: boolean;
}

/**
 * Removes a container; results as DataLad's (`delete`, `add`, `save`, `containers_remove`).
 *
 * @throws `no-dataset`, `container-unknown` for one that is not in the committed configuration, `path-outside` and `dataset-dirty` for an
 *   image that is not the dataset's own or has unsaved changes, and what a commit throws
 */
export async function containersRemove(options: RemoveOptions, context: Context): Promise<VerbOutcome> {
  const repo = datasetOf(context, options.dataset);
  const { name } = options;
  const container = readContainers(repo.root, await readConfig(repo)).find((each) => each.name === name);
  const isCommitted = await isCommittedContainer(repo, name);
  if (container && !isCommitted) {
    throw new RepriseError(
      'container-unknown',
      `The container ${name} is not configured in ${CONFIG_PATH}, but elsewhere`,
      {
        hints: [`git config --show-origin --get-regexp ${quoteWord(`^datalad\\.containers\\.${name}\\.`)}`],
        data: { name },
      },
    );
  }
  const results = isCommitted
    ? await withWorkFolder(repo, (folder) => remove(repo, name, options.removeImage ? container : undefined, folder))
    : [];
  const last: Result = {
    action: 'containers_remove',
    status: isCommitted ? 'ok' : 'notneeded',
    path: repo.root,
    type: 'dataset',
  };
  const all = [...results, last];
  for (const result of all) context.emit({ kind: 'result', result });
  return { exitCode: 0, results: all };
}

async function remove(
  repo: Repo,
  name: string,
  withImage: Container | undefined,
  folder: string,
): Promise<readonly Result[]> {
  const image = withImage && imagePathIn(repo.root, withImage.image);
  if (image !== undefined) await assertRemovable(repo, image);
  const lock = await takeSaveLock(repo);
  try {
    const gone = image === undefined ? [] : await trackedBelow(repo, [image]);
    const restore = await removeContainer(repo, name, folder);
    const undo =
      image !== undefined && lstatOrNull(join(repo.root, image)) ? removeImage(join(repo.root, image), folder) : null;
    try {
      const changes = [...gone.map(({ path }) => ({ path })), { path: CONFIG_PATH, inGit: true }];
      const message = `[DATALAD] Remove container ${name}\n`;
      const { commit, entries } = await commitChanges(repo, await readConfig(repo), { changes, message, locked: true });
      return [
        ...entries.map((entry) => entryResult(repo, entry)),
        { action: 'save', status: commit ? 'ok' : 'notneeded', path: repo.root, type: 'dataset', refds: repo.root },
      ];
    } catch (error) {
      undo?.();
      restore();
      throw error;
    }
  } finally {
    lock.release();
  }
}

async function assertRemovable(repo: Repo, image: string): Promise<void> {
  assertNoLinkTo(repo, image);
  const sub = subdatasetOnPath(await readSubdatasets(repo), image);
  if (sub) {
    throw new RepriseError(
      'path-outside',
      `${image} belongs to the subdataset ${sub.path}, and is not removed from here`,
      {
        data: { path: image, subdataset: sub.path },
      },
    );
  }
  const unsaved = await scanWorktree(repo, { untracked: 'all', paths: [image] });
  const [first] = unsaved.filter(({ worktreeState }) => worktreeState !== 'D');
  if (!first) return;
  throw new RepriseError('dataset-dirty', `The image at ${image} has unsaved changes, which would be lost`, {
    hints: [`reprise save ${quoteWord(join(repo.root, image))}`],
    data: { paths: unsaved.map(({ path }) => path).slice(0, 20) },
  });
}
