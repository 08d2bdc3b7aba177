/** Records in files of their own, read from the commits that name them; content in the annex is fetched first. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fsPath } from '../core/bytes.ts';
import type { Config } from '../core/config.ts';
import { RepriseError } from '../core/errors.ts';
import { keyFromBlob } from '../dataset/annex/keys.ts';
import { fetchKeys } from '../dataset/fetch.ts';
import { objectFile } from '../dataset/presence.ts';
import type { Repo } from '../dataset/repo.ts';
import { readBlobs } from '../dataset/worktree.ts';
import { type NormalisedRecord, normaliseRecord } from '../record/normalise.ts';
import { decodeSidecar, SIDECAR_DIRECTORY, sidecarPath } from '../record/sidecar.ts';
import { readOrNull } from '../sys/files.ts';

export interface SidecarName {
  readonly commit: string;
  readonly id: string;
}

/** Larger ones are an attack (`record/sidecar.ts`). */
const LIMIT = 64 * 2 ** 20;

/**
 * Reads sidecars; of one that cannot be read the reason takes its place.
 *
 * DataLad looks into the work tree, where the file may be gone or its content absent; the commit holds it in any case.
 */
export async function readSidecars(
  repo: Repo,
  config: Config,
  names: readonly SidecarName[],
  fetch: FetchSidecars = fetchSilently,
): Promise<readonly (NormalisedRecord | RepriseError)[]> {
  if (names.length === 0) return [];
  const folder = config.get('datalad.run.record-directory') ?? SIDECAR_DIRECTORY;
  const paths = names.map(({ id }) => sidecarPath(id, folder));
  const blobs = await readBlobs(
    repo,
    names.map(({ commit }, at) => `${commit}:${paths[at]}`),
    LIMIT,
  );
  const keys = blobs.map((blob) => (blob === null ? null : keyFromBlob(blob)));
  const absent = keys.flatMap((key, at) =>
    key !== null && objectFile(repo, key) === null ? [[key, paths[at] as string] as const] : [],
  );
  if (absent.length > 0) await fetch(repo, config, new Map(absent));
  return Promise.all(
    names.map(async (name, index) => {
      try {
        const key = keys[index] ?? null;
        const bytes = key === null ? (blobs[index] ?? inWorkTree(repo, name, folder)) : contentOf(repo, key, name);
        return normaliseRecord(await decodeSidecar(bytes, name), name);
      } catch (error) {
        if (error instanceof RepriseError) return error;
        throw error;
      }
    }),
  );
}

/** Gets sidecars whose content is not here; what cannot be had is missed when they are read. @param wanted keys, each with the path of its file */
export type FetchSidecars = (repo: Repo, config: Config, wanted: ReadonlyMap<string, string>) => Promise<void>;

const fetchSilently: FetchSidecars = async (repo, config, wanted) => {
  try {
    for await (const _ of fetchKeys(repo, config, wanted));
  } catch (error) {
    if (!(error instanceof RepriseError) || error.code === 'annex-missing') throw error;
  }
};

function contentOf(repo: Repo, key: string, name: SidecarName): Buffer {
  const file = objectFile(repo, key);
  if (file !== null) return readFileSync(fsPath(file));
  throw new RepriseError(
    'content-unavailable',
    `The run record of commit ${name.commit} is in a sidecar whose content is not here`,
    {
      hints: [`git annex get --key=${key}`],
      data: { ...name, key },
    },
  );
}

function inWorkTree(repo: Repo, name: SidecarName, folder: string): Buffer {
  const path = sidecarPath(name.id, folder);
  const bytes = readOrNull(join(repo.root, path));
  if (bytes !== null) return bytes;
  throw new RepriseError(
    'record-sidecar-missing',
    `The run record of commit ${name.commit} should be in ${path}, which is neither in that commit nor in the work tree`,
    { data: { ...name, path } },
  );
}
