/** `containers-add`: an image becomes content of the dataset, and its configuration DataLad's. */
import { join, resolve } from 'node:path';
import { detectFormat } from '../containers/formats/detect.ts';
import type { ImageIdentity } from '../containers/identity.ts';
import { RepriseError } from '../core/errors.ts';
import { quoteWord } from '../core/quote.ts';
import type { Result, VerbOutcome } from '../core/result.ts';
import { commitChanges } from '../dataset/commit.ts';
import { storeContent, type StorePlan } from '../dataset/content-store.ts';
import { assertIdentity } from '../dataset/fast-import.ts';
import { assertNothingHalfDone } from '../dataset/half-done.ts';
import { readConfig } from '../dataset/read-config.ts';
import type { Repo } from '../dataset/repo.ts';
import { entryResult } from '../dataset/save-request.ts';
import { takeSaveLock } from '../dataset/save-lock.ts';
import { splitByPresence } from '../dataset/staging.ts';
import { readSubdatasets, subdatasetOnPath } from '../dataset/subdatasets.ts';
import { datasetOf } from '../dataset/targets.ts';
import { trackedBelow } from '../dataset/tracked.ts';
import { scanWorktree } from '../dataset/worktree.ts';
import type { Context } from '../sys/context.ts';
import { lstatOrNull } from '../sys/files.ts';
import { type AddOptions, type AddPlan, callFormatFor, callFormatProblem, planAdd } from './add-plan.ts';
import { CONFIG_PATH, readContainers, writeContainer } from './config.ts';
import { listFiles } from './copy.ts';
import { assertNoLinkTo } from './image-path.ts';
import { localFinder, obtainImage } from './obtain.ts';
import { placeImage } from './place.ts';
import { classifySource } from './sources.ts';
import { withWorkFolder } from './work-folder.ts';

export type { AddOptions } from './add-plan.ts';

/**
 * Adds a container, or changes one; results as DataLad's (`add`, `delete`, `save`, `containers_add`).
 *
 * Until the image is complete and sound nothing changes in the dataset; after that, image and configuration are one commit.
 * @throws `no-dataset`, `usage`, `container-exists`, `image-missing`, `image-unavailable`, `image-invalid`, `image-unusable`,
 *   `placeholder-unknown`, `path-outside`, `dataset-dirty` where an image with unsaved changes would be replaced, `runner-missing` and its
 *   kin, `interrupted`, and what a commit throws
 */
export async function containersAdd(options: AddOptions, context: Context): Promise<VerbOutcome> {
  const repo = datasetOf(context, options.dataset);
  const plan = await readPlan(repo, options);
  if (options.callFormat) warnOf(callFormatProblem(options.callFormat), context);
  const image = join(repo.root, plan.image);
  const isThere = lstatOrNull(image) !== null;
  if (plan.url !== null && isThere && !plan.update) {
    context.emit({
      kind: 'warning',
      text: `There is something at ${plan.image} already, which is used as the image; ${plan.url} is not looked at`,
      hints: [`reprise containers-add ${plan.name} --update --url ${quoteWord(plan.url)}`],
    });
  }
  const url = isThere && !plan.update ? null : plan.url;
  if (url === null && !isThere) {
    throw new RepriseError('image-missing', `There is no image at ${image}`, {
      hints: [`reprise containers-add ${plan.name} --url URL`],
      data: { image },
    });
  }
  const results = await withWorkFolder(repo, (folder, signal) =>
    url === null ? configure(repo, options, folder) : fetchAndConfigure(repo, options, plan, url, folder, signal),
  );
  for (const result of results) context.emit({ kind: 'result', result });
  return { exitCode: 0, results };
}

async function readPlan(repo: Repo, options: AddOptions): Promise<AddPlan> {
  const config = await readConfig(repo);
  const existing = readContainers(repo.root, config).find(({ name }) => name === options.name);
  return planAdd(repo.root, config, existing, options);
}

function warnOf(problem: string | null, { emit }: Context): void {
  if (problem !== null) emit({ kind: 'warning', text: problem });
}

async function fetchAndConfigure(
  repo: Repo,
  options: AddOptions,
  plan: AddPlan,
  url: string,
  folder: string,
  signal: AbortSignal,
): Promise<readonly Result[]> {
  const { cwd } = repo.context;
  const source = classifySource(
    url,
    localFinder((path) => resolve(cwd, path)),
  );
  const isUpdate = plan.update && lstatOrNull(join(repo.root, plan.image)) !== null;
  await assertReplaceable(repo, plan.image);
  // Not after an hour of downloading.
  assertNothingHalfDone(repo);
  await assertIdentity(repo, await readConfig(repo));
  const { path, identity, forget } = await obtainImage(repo, source, plan.image, folder, signal);
  const before = await trackedBelow(repo, [plan.image]);
  const undo = placeImage(path, join(repo.root, plan.image), folder);
  try {
    const changes = changesOf(repo, plan.image, before);
    const { present } = splitByPresence(repo, changes);
    const stored = await storeContent(repo, await readConfig(repo), present, false);
    signal.throwIfAborted();
    const verb = isUpdate ? 'Update' : 'Configure';
    return await commitContainer(repo, options, folder, { verb, changes, stored, identity });
  } catch (error) {
    undo();
    await forget();
    throw error;
  }
}

/** Configures an image that is in the dataset already; what of it is not saved yet is saved with it. */
async function configure(repo: Repo, options: AddOptions, folder: string): Promise<readonly Result[]> {
  const plan = await readPlan(repo, options);
  const inSubdataset = subdatasetOnPath(await readSubdatasets(repo), plan.image) !== null;
  const unsaved = inSubdataset ? [] : await scanWorktree(repo, { untracked: 'all', paths: [plan.image] });
  const changes = unsaved.filter(({ kind }) => kind !== 'unmerged').map(({ path }) => ({ path }));
  return commitContainer(repo, options, folder, { verb: 'Configure', changes, identity: null });
}

interface Commit {
  readonly verb: 'Configure' | 'Update';
  readonly changes: readonly { readonly path: string }[];
  /** Content of the changes that was stored before. */
  readonly stored?: StorePlan;
  /** Of an image that has just been fetched. */
  readonly identity: ImageIdentity | null;
}

/** Under the lock, so that two additions at once are both in the configuration in the end. */
async function commitContainer(
  repo: Repo,
  options: AddOptions,
  folder: string,
  { verb, changes, stored, identity }: Commit,
): Promise<readonly Result[]> {
  const lock = await takeSaveLock(repo);
  try {
    const plan = await readPlan(repo, options);
    const image = join(repo.root, plan.image);
    const cmdexec = callFormatFor(plan, identity?.format ?? formatAt(image));
    const { name, extraInputs } = plan;
    const settings = {
      image: plan.image,
      ...(cmdexec === undefined ? {} : { cmdexec }),
      ...(extraInputs === undefined ? {} : { extraInputs }),
    };
    const restore = await writeContainer(repo, name, settings, folder);
    try {
      const config = await readConfig(repo);
      const request = {
        changes: [...changes, { path: CONFIG_PATH, inGit: true }],
        message: `[DATALAD] ${verb} containerized environment '${name}'\n`,
        locked: true,
        ...(stored ? { stored } : {}),
      };
      const { commit, entries } = await commitChanges(repo, config, request);
      return [
        ...entries.map((entry) => entryResult(repo, entry)),
        { action: 'save', status: commit ? 'ok' : 'notneeded', path: repo.root, type: 'dataset', refds: repo.root },
        { action: 'containers_add', status: 'ok', path: image, type: 'file', ...factsOf(identity) },
      ];
    } catch (error) {
      restore();
      throw error;
    }
  } finally {
    lock.release();
  }
}

function factsOf(identity: ImageIdentity | null): Readonly<Record<string, unknown>> {
  if (!identity) return {};
  const digest = identity.config ?? identity.digest;
  return { image_format: identity.format, ...(digest === undefined ? {} : { image_digest: digest }) };
}

/** Null where the content is not here, or nothing is known of it. */
function formatAt(image: string): ReturnType<typeof detectFormat> | null {
  try {
    return detectFormat(image);
  } catch (error) {
    if (error instanceof RepriseError) return null;
    throw error;
  }
}

/** @throws `path-outside`, `dataset-dirty` */
async function assertReplaceable(repo: Repo, image: string): Promise<void> {
  assertNoLinkTo(repo, image);
  const sub = subdatasetOnPath(await readSubdatasets(repo), image);
  if (sub) {
    throw new RepriseError('path-outside', `${image} belongs to the subdataset ${sub.path}`, {
      hints: [`reprise containers-add -d ${quoteWord(join(repo.root, sub.path))} NAME --url URL`],
      data: { path: image, subdataset: sub.path },
    });
  }
  const unsaved = await scanWorktree(repo, { untracked: 'all', paths: [image] });
  const [first] = unsaved;
  if (!first) return;
  throw new RepriseError('dataset-dirty', `The image at ${image} has unsaved changes, which would be lost`, {
    hints: [`reprise save ${quoteWord(join(repo.root, image))}`],
    data: { paths: unsaved.map(({ path }) => path).slice(0, 20) },
  });
}

/** Everything below the image's path, now and before. */
function changesOf(
  repo: Repo,
  image: string,
  before: readonly { readonly path: string; readonly mode: string; readonly sha: string }[],
): readonly { readonly path: string; readonly headMode?: string; readonly headSha?: string }[] {
  const path = join(repo.root, image);
  const now = lstatOrNull(path)?.isDirectory() ? listFiles(path, '').map((name) => `${image}/${name}`) : [image];
  const known = new Map(before.map((entry) => [entry.path, { headMode: entry.mode, headSha: entry.sha }]));
  return [...new Set([...known.keys(), ...now])].sort().map((each) => ({ path: each, ...known.get(each) }));
}
