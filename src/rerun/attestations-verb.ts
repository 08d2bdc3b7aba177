/** `attestations`: what replays of runs gave; and their way to and from other copies of the dataset. */
import type { Result, VerbOutcome } from '../core/result.ts';
import { readHead } from '../dataset/refs.ts';
import { gitText, type Repo } from '../dataset/repo.ts';
import { datasetOf } from '../dataset/targets.ts';
import type { Context } from '../sys/context.ts';
import { VERDICTS } from './attestations.ts';
import { fetchAttestations, pushAttestations } from './attestations-exchange.ts';
import { type FoundAttestation, readAttestations } from './attestations-read.ts';
import { resolveRange } from './revisions.ts';

export interface AttestationsOptions {
  /** Run commits, or ranges of them; all attestations when there are none. */
  readonly revisions?: readonly string[];
  readonly dataset?: string;
  /** Fetch from this remote first. */
  readonly fetch?: string;
  /** Push to this remote at the end. */
  readonly push?: string;
}

/** Lists attestations, newest first. Throws `no-dataset`, `revision-unknown`, `git-failed`. */
export async function attestations(options: AttestationsOptions, context: Context): Promise<VerbOutcome> {
  const repo = datasetOf(context, options.dataset);
  const results: Result[] = [];
  const report = (result: Result): void => {
    results.push(result);
    context.emit({ kind: 'result', result });
  };
  if (options.fetch !== undefined)
    report(fetchResult(repo, options.fetch, await fetchAttestations(repo, options.fetch)));
  if (options.push !== undefined) report(pushResult(repo, options.push, await pushAttestations(repo, options.push)));
  const listing = options.fetch === undefined && options.push === undefined;
  if (!listing && (options.revisions ?? []).length === 0) return { exitCode: 0, results };
  const wanted = await commitsOf(repo, options.revisions ?? []);
  for (const found of await readAttestations(repo, wanted === null ? {} : { commits: wanted }))
    report(attestationResult(repo, found));
  return { exitCode: 0, results };
}

async function commitsOf(repo: Repo, revisions: readonly string[]): Promise<readonly string[] | null> {
  if (revisions.length === 0) return null;
  const head = await readHead(repo);
  const commits = new Set<string>();
  for (const revision of revisions) {
    const range = await resolveRange(repo, head, revision, undefined);
    const listed = await gitText(repo, ['rev-list', ...range.arguments, '--']);
    for (const commit of listed.split('\n')) commits.add(commit);
  }
  return [...commits].filter((commit) => commit !== '');
}

function attestationResult(repo: Repo, { attestation, here }: FoundAttestation): Result {
  const counts = VERDICTS.map((verdict) => {
    const count = attestation.outputs.filter((output) => output.verdict === verdict).length;
    return count === 0 ? [] : [[verdict, count] as const];
  }).flat();
  return {
    action: 'attestation',
    status: 'ok',
    path: repo.root,
    type: 'dataset',
    refds: repo.root,
    commit: attestation.commit,
    verdict: attestation.verdict,
    counts: Object.fromEntries(counts),
    here,
    attestation,
  };
}

function fetchResult(repo: Repo, remote: string, came: number | null): Result {
  const many = came === 1 ? '1 new attestation' : `${came} new attestations`;
  return {
    ...exchanged(repo, 'fetch', came === null || came === 0),
    message: came === null ? `${remote} has no attestations` : `${many} from ${remote}`,
  };
}

function pushResult(repo: Repo, remote: string, pushed: boolean): Result {
  return {
    ...exchanged(repo, 'push', !pushed),
    message: pushed ? `attestations are at ${remote}` : `nothing to push to ${remote}`,
  };
}

function exchanged(repo: Repo, action: 'fetch' | 'push', needless: boolean): Result {
  return {
    action: `attestations.${action}`,
    status: needless ? 'notneeded' : 'ok',
    path: repo.root,
    type: 'dataset',
    refds: repo.root,
  };
}
