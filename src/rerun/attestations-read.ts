/** Reading attestations. They may come from anybody: what is malformed is left out, and nothing in them is acted on. */
import { decodeName, splitNul } from '../core/bytes.ts';
import { readRef } from '../dataset/refs.ts';
import { git, type Repo } from '../dataset/repo.ts';
import { readBlobs } from '../dataset/worktree.ts';
import { readJson } from '../record/read-json.ts';
import { type Attestation, ATTESTATIONS, attestationFolder, attestedCommit, readMadeHere } from './attestations.ts';
import { problemsOfAttestation } from './attestation.validate.gen.ts';

/** A replay with fifty thousand outputs stays below. */
const MOST_BYTES = 16 * 2 ** 20;
/** How much is read at once. */
const PORTION_BYTES = 32 * 2 ** 20;
const PORTION = 2000;
/** More folders than this cost Git more as arguments than a look at all of them. */
const MOST_FOLDERS = 500;

/** An attestation, and whether it was made in this copy of the dataset. */
export interface FoundAttestation {
  readonly attestation: Attestation;
  readonly here: boolean;
}

interface Entry {
  readonly path: string;
  readonly sha: string;
  readonly size: number;
}

/**
 * The attestations of a dataset, newest first.
 *
 * @param only full names of the run commits to which they must belong; all of them when absent
 * @returns those that keep schemas/attestation.schema.json; a warning is emitted where others were left out
 */
export async function readAttestations(
  repo: Repo,
  only: { readonly commits?: readonly string[] } = {},
): Promise<readonly FoundAttestation[]> {
  const found: FoundAttestation[] = [];
  const isMadeHere = readMadeHere(repo);
  let ignored = 0;
  for (const portion of portions(await listEntries(repo, only.commits))) {
    const blobs = await readBlobs(
      repo,
      portion.map(({ sha }) => sha),
      MOST_BYTES,
    );
    for (const [index, { path }] of portion.entries()) {
      const attestation = parseAttestation(blobs[index] ?? null, path);
      if (attestation) found.push({ attestation, here: isMadeHere(path) });
      else ignored += 1;
    }
  }
  if (ignored > 0) {
    const text = ignored === 1 ? '1 attestation is' : `${ignored} attestations are`;
    repo.context.emit({ kind: 'warning', text: `${text} malformed and left out` });
  }
  return found.sort((a, b) => time(b.attestation) - time(a.attestation));
}

/** A leap second is none to Date. */
function time({ when }: Attestation): number {
  return Date.parse(when.replace(/:60(?=[.Z])/, ':59'));
}

/** An attestation as it lies in the tree, or null for what is none of the commit that its path names. */
export function parseAttestation(blob: Buffer | null, path: string): Attestation | null {
  const value = blob === null ? undefined : readJson(decodeName(blob));
  if (problemsOfAttestation(value).length > 0) return null;
  const attestation = value as Attestation;
  return attestation.commit === attestedCommit(path) ? attestation : null;
}

async function listEntries(repo: Repo, commits: readonly string[] | undefined): Promise<readonly Entry[]> {
  const tip = commits?.length === 0 ? null : await readRef(repo, ATTESTATIONS);
  if (tip === null) return [];
  const folders = commits && commits.length <= MOST_FOLDERS ? commits.map(attestationFolder) : [];
  const listed = await git(repo, [
    '--literal-pathspecs',
    'ls-tree',
    '-r',
    '-z',
    '-l',
    '--full-tree',
    tip,
    '--',
    ...folders,
  ]);
  const wanted = commits && new Set(commits);
  return splitNul(listed.stdout).flatMap((line): Entry[] => {
    const [, sha, size, path] = /^\d+ blob ([0-9a-f]+) +(\d+)\t([\s\S]*)$/.exec(line) ?? [];
    const commit = path === undefined ? null : attestedCommit(path);
    if (commit === null || (wanted && !wanted.has(commit))) return [];
    return [{ path: path as string, sha: sha as string, size: Number(size) }];
  });
}

function* portions(entries: readonly Entry[]): Generator<readonly Entry[]> {
  let portion: Entry[] = [];
  let bytes = 0;
  for (const entry of entries) {
    if (portion.length === PORTION || (portion.length > 0 && bytes + entry.size > PORTION_BYTES)) {
      yield portion;
      portion = [];
      bytes = 0;
    }
    portion.push(entry);
    // What is too large is not read.
    bytes += entry.size > MOST_BYTES ? 0 : entry.size;
  }
  if (portion.length > 0) yield portion;
}
