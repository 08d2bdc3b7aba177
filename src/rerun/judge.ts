/** The verdict on a replay: what came out, held against what the rerun commit holds. */
import type { Result } from '../core/result.ts';
import { VERSION } from '../core/version.ts';
import type { Config } from '../core/config.ts';
import type { Repo } from '../dataset/repo.ts';
import { type Attestation, environmentClass, VERDICTS, type Verdict, worstVerdict } from './attestations.ts';
import { bookkeeping, compareCommits, compareWorkTree, type OutputVerdict } from './compare.ts';
import { declaredOutputs } from './declared-outputs.ts';
import { recordOf } from './plan.ts';
import type { RunRecord } from '../record/run-record.gen.ts';
import type { PlanStep } from './replay-plan.gen.ts';

/** What came out of one replay. */
export interface Judgement {
  /** The commit that was rerun. */
  readonly commit: string;
  /** The commit with the new results; null where nothing changed. */
  readonly replayed: string | null;
  readonly verdict: Verdict;
  readonly outputs: readonly OutputVerdict[];
  /** Whether the command failed, and the user said to go on. */
  readonly failed: boolean;
  readonly attestation: Attestation;
}

export interface Replayed {
  readonly step: PlanStep;
  /** The commit that the replay started from. */
  readonly base: string;
  /** The commit with what it made and the one before that; the same where nothing changed. Others may have committed since it started. */
  readonly now: string;
  readonly before: string;
  /** The record of the replay. */
  readonly record: RunRecord;
  readonly failed: boolean;
  /** Whether results may lie in the work tree that were not saved: with `--explicit`, those of outputs that were not declared. */
  readonly unsaved?: boolean;
}

/** Compares by name of Git blob and key of the annex; content is read only where neither says enough. */
export async function judge(
  repo: Repo,
  config: Config,
  { step, base, before, now, record, failed, unsaved = false }: Replayed,
): Promise<Judgement> {
  const recorded = { commit: step.commit, parent: step.parents[0] ?? null };
  const except = bookkeeping(config, [recordOf(step), record]);
  // A commit may hold a record and nothing else: then the command found its outputs as it would have written them.
  const isBare = (step.changes ?? []).every(({ path }) => except(path));
  const declared = isBare ? declaredOutputs(repo, recordOf(step)) : undefined;
  const what = { except, ...(declared ? { declared } : {}) };
  const committed = await compareCommits(repo, recorded, now, before, what);
  const onDisk = new Map(
    (unsaved ? await compareWorkTree(repo, recorded, before, what) : []).map((output) => [output.path, output]),
  );
  // What else differs in the work tree is the user's.
  const outputs = committed.map((output) => onDisk.get(output.path) ?? output);
  const verdict = failed ? 'failed' : worstVerdict(outputs);
  // A replay beside the branch is merged only where it differs.
  const isPassing = step.parents.length > 1 && verdict === 'identical';
  const replayed = now === before || isPassing ? null : now;
  const attestation: Attestation = {
    version: 1,
    commit: step.commit,
    base,
    replayed,
    when: new Date().toISOString(),
    verdict,
    exit: record.exit ?? null,
    outputs,
    tool: `reprise/${VERSION}`,
    runner: record.reprise?.container?.runner ?? 'native',
    environment: environmentClass(record.reprise?.container?.config ?? record.reprise?.container?.digest),
  };
  return { commit: step.commit, replayed, verdict, outputs, failed, attestation };
}

/** The verdict as a result; an error only where verification was asked for. */
export function judgementResult(repo: Repo, judgement: Judgement, verifies: boolean): Result {
  const { commit, replayed, verdict, outputs } = judgement;
  const differing = outputs.filter((output) => output.verdict !== 'identical');
  const named = differing.slice(0, 5).map((output) => `${output.path} ${output.verdict}`);
  const more = differing.length > named.length ? [`and ${differing.length - named.length} more`] : [];
  const detail = differing.length === 0 ? '' : `: ${[...named, ...more].join(', ')}`;
  const failure = judgement.failed ? `failed with exit code ${judgement.attestation.exit}, ` : '';
  return {
    action: 'compare',
    status: verifies && verdict !== 'identical' ? 'error' : 'ok',
    path: repo.root,
    type: 'dataset',
    message: `${commit.slice(0, 7)} ${failure}${counted(outputs.map((output) => output.verdict))}${detail}`,
    commit,
    replayed,
    verdict,
    outputs,
  };
}

/** All verdicts in one line. */
export function summary(judgements: readonly Judgement[]): string {
  const runs = judgements.length === 1 ? '1 run' : `${judgements.length} runs`;
  const failed = judgements.filter((judgement) => judgement.failed).length;
  return `${runs} replayed${failed === 0 ? '' : `, ${failed} failed`}: ${counted(judgements.flatMap(({ outputs }) => outputs.map(({ verdict }) => verdict)))}`;
}

/** `3 identical, 1 different`. */
function counted(verdicts: readonly Verdict[]): string {
  const counts = VERDICTS.map((verdict) => ({ verdict, count: verdicts.filter((one) => one === verdict).length }));
  const said = counts.filter(({ count }) => count > 0).map(({ verdict, count }) => `${count} ${verdict}`);
  return said.length === 0 ? 'no outputs' : said.join(', ');
}
