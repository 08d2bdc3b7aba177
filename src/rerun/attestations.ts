/**
 * Attestations: what replays of recorded runs gave, kept on a ref of their own.
 *
 * `refs/reprise/attestations` has a history beside that of the branches. Each attestation is one file, `ab/cdef.../ID.json` after
 * the run's commit; ID is a digest of the file, so that the union of two such trees never conflicts. Index and work tree are not touched. The commits of
 * the ref bear a neutral name: an attestation says what was replayed, never by whom or where.
 */
import { createHash } from 'node:crypto';
import { appendFileSync, mkdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { RepriseError } from '../core/errors.ts';
import { updateRefs } from '../dataset/landing.ts';
import { readRef } from '../dataset/refs.ts';
import { git, type Repo } from '../dataset/repo.ts';
import { stateDir } from '../dataset/save-lock.ts';
import { type CommitPlan, writeCommits } from '../dataset/fast-import.ts';
import { readOrNull } from '../sys/files.ts';
import { takeLock } from '../sys/lock.ts';
import { randomId } from '../sys/owner.ts';
import type { Attestation, AttestedOutput, EnvironmentClass, Verdict } from './attestation.gen.ts';
import { problemsOfAttestation } from './attestation.validate.gen.ts';

export type { Attestation, AttestedOutput, EnvironmentClass, RunnerName, Verdict } from './attestation.gen.ts';

/** The ref that holds them. */
export const ATTESTATIONS = 'refs/reprise/attestations';

/** From best to worst. */
export const VERDICTS: readonly Verdict[] = [
  'identical',
  'unexpected',
  'unverifiable',
  'different',
  'missing',
  'failed',
];

/** The verdict on a replay: the worst of its outputs'; `identical` where there are none. */
export function worstVerdict(outputs: readonly Pick<AttestedOutput, 'verdict'>[]): Verdict {
  const worst = Math.max(0, ...outputs.map(({ verdict }) => VERDICTS.indexOf(verdict)));
  return VERDICTS[worst] as Verdict;
}

/** The kind of this machine; `image` is the digest of a container image, `sha256:HEX`. */
export function environmentClass(image?: string): EnvironmentClass {
  return { os: process.platform, arch: process.arch, ...(image === undefined ? {} : { image }) };
}

/** Where an attestation lies in the tree. */
export function attestationPath(commit: string, content: Buffer): string {
  const id = createHash('sha256').update(content).digest('hex').slice(0, 32);
  return `${attestationFolder(commit)}/${id}.json`;
}

/** The folder of the attestations of one run. */
export function attestationFolder(commit: string): string {
  return `${commit.slice(0, 2)}/${commit.slice(2)}`;
}

/** The commit that a path of the tree belongs to, or null for a path that no attestation has. */
export function attestedCommit(path: string): string | null {
  const match = /^([0-9a-f]{2})\/([0-9a-f]{38}|[0-9a-f]{62})\/[0-9a-f]{32}\.json$/.exec(path);
  return match ? `${match[1]}${match[2]}` : null;
}

/** Adds an attestation; errors as `recordAttestations`. */
export function recordAttestation(repo: Repo, attestation: Attestation): Promise<void> {
  return recordAttestations(repo, [attestation]);
}

/**
 * Adds attestations with one commit, whatever others add at the same time.
 *
 * Throws `lock-timeout`, `branch-moved`, `disk-full`, `git-failed`; a TypeError (a bug of the caller) for one that breaks schemas/attestation.schema.json.
 */
export async function recordAttestations(repo: Repo, attestations: readonly Attestation[]): Promise<void> {
  if (attestations.length === 0) return;
  const changes = attestations.map((attestation) => {
    const [problem] = problemsOfAttestation(attestation);
    if (problem) throw new TypeError(`the attestation is malformed: ${problem.path || 'it'} ${problem.message}`);
    const content = Buffer.from(`${JSON.stringify(attestation, null, 1)}\n`, 'utf8');
    return { path: attestationPath(attestation.commit, content), mode: '100644', content };
  });
  noteMadeHere(
    repo,
    changes.map(({ path }) => path),
  );
  const count = changes.length === 1 ? 'an attestation' : `${changes.length} attestations`;
  await moveAttestations(repo, async (tip) => ({
    parents: tip === null ? [] : [tip],
    message: `Add ${count}\n`,
    changes,
  }));
}

/** The list of attestations that were made in this copy of the dataset, one id a line; it never travels. */
function madeHereFile(repo: Repo): string {
  return join(stateDir(repo), 'attested-here');
}

/** Before they are kept, so that a kill in between does not make them somebody else's. */
function noteMadeHere(repo: Repo, paths: readonly string[]): void {
  mkdirSync(stateDir(repo), { recursive: true });
  appendFileSync(madeHereFile(repo), paths.map((path) => `${idOf(path)}\n`).join(''));
}

/** Tells attestations that were made in this copy of the dataset, by their paths, from those that came from elsewhere. */
export function readMadeHere(repo: Repo): (path: string) => boolean {
  const ids = new Set(readOrNull(madeHereFile(repo))?.toString('latin1').split('\n'));
  return (path) => ids.has(idOf(path));
}

function idOf(path: string): string {
  return basename(path, '.json');
}

/** What moves the ref: a commit to be written, the name of one that exists, or null for leaving it as it is. */
export type Move = Pick<CommitPlan, 'parents' | 'message' | 'changes'> | string | null;

const ATTEMPTS = 100;
const PATIENCE_MS = 10 * 60 * 1000;

/**
 * Moves the ref by compare-and-swap; our lock only spares writers work that would have to be done again.
 *
 * @param next from the present commit (null for none) to the next; asked again when somebody was faster
 * Throws `lock-timeout`, `branch-moved`.
 */
export async function moveAttestations(repo: Repo, next: (tip: string | null) => Promise<Move>): Promise<void> {
  mkdirSync(stateDir(repo), { recursive: true });
  const lock = await takeLock(join(stateDir(repo), 'attestations.lock'), PATIENCE_MS);
  const landing = `refs/reprise/landing/${randomId()}`;
  try {
    for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
      const tip = await readRef(repo, ATTESTATIONS);
      const move = await next(tip);
      if (move === null || move === tip) return;
      const who = `Reprise <reprise@localhost> ${Math.floor(Date.now() / 1000)} +0000`;
      const [commit] =
        typeof move === 'string'
          ? [move]
          : await writeCommits(repo, [{ ...move, ref: landing, author: who, committer: who }]);
      const changes = [
        { ref: ATTESTATIONS, from: tip, to: commit as string },
        ...(typeof move === 'string' ? [] : [{ ref: landing, from: commit as string, to: null }]),
      ];
      if (await updateRefs(repo, changes, 'attestations')) return;
    }
  } finally {
    lock.release();
  }
  await git(repo, ['update-ref', '-d', landing]);
  throw new RepriseError(
    'branch-moved',
    `${ATTESTATIONS} of ${repo.root} was moved by somebody else ${ATTEMPTS} times`,
  );
}
