/**
 * The end of a run: from a journal and an exit code to results that are saved and recorded.
 *
 * The undisturbed run and `recover` both end here; what is needed is in the journal.
 */
import { join } from 'node:path';
import { RepriseError } from '../core/errors.ts';
import { quoteWord } from '../core/quote.ts';
import type { Result } from '../core/result.ts';
import { correspondingBranch, propagateAdjusted } from '../dataset/adjusted.ts';
import { installedHeads } from '../dataset/hierarchy.ts';
import { readHead, readRef } from '../dataset/refs.ts';
import { git, type Repo, repoAt } from '../dataset/repo.ts';
import { saveTree } from '../dataset/save-tree.ts';
import { relativeTo } from '../dataset/targets.ts';
import { readOrigin } from '../dataset/workspace-content.ts';
import { renderMessage, shortCommand } from '../record/message.ts';
import type { RunRecord } from '../record/run-record.gen.ts';
import { writeMessage, writeSidecar } from './artefacts.ts';
import { type DeclaredVersusActual, isSwept } from './effects.ts';
import { type CommandExit, type Journal, removeJournal, writeJournal } from './journal.ts';
import type { FinishRequest } from './finish-request.ts';
import { findLanded } from './landed.ts';
import {
  type CommitsMeanwhile,
  commitsMeanwhile,
  NOTHING_MEANWHILE,
  recordedByOthers,
  reflogActions,
  type RunFamily,
} from './nesting.ts';
import { type Observation, observe } from './observe.ts';
import { putBack, putBackIdentical } from './outputs.ts';
import { historyProblem, refusalOf } from './refusals.ts';
import type { Subject } from './subject.ts';

const REMAINDER = 'Remaining changes after command execution';

export interface Finished {
  /** The result of the run itself. */
  readonly result: Result;
  /** The commit with the record; null where there was nothing to record, or what there was is left to the user. */
  readonly commit: string | null;
}

/** Records a run whose command has ended. Throws what saving throws; the journal then stays. */
export async function finishRun(request: FinishRequest): Promise<Finished> {
  const { subject, config, journal, exit, report } = request;
  const { repo } = subject;
  putBack(subject, journal.prepared);
  if (journal.expectedExit !== undefined) putBackIdentical(subject, journal.prepared);
  const history = await readHistory(request);
  if (history.meanwhile.recorded) {
    await propagateAdjusted(repo, history.meanwhile.recorded.commit);
    removeJournal(repo.gitDir, journal.id);
    const result = runResult(subject, journal, journal.record, exit, undefined);
    return { result: { ...result, status: 'ok', msg_path: null }, commit: history.meanwhile.recorded.commit };
  }
  const seen = await observe(request, history.meanwhile);
  const sidecar = journal.sidecar && seen.hasChanges ? await writeSidecar(subject, config, seen.record) : null;
  const message = renderMessage({
    ...(journal.message === null ? {} : { message: journal.message }),
    fallback: shortCommand(journal.expanded),
    content: sidecar ? { sidecarId: sidecar.id } : { record: seen.record },
  });
  emitDeclared(subject, seen.declared);
  const base = runResult(subject, journal, seen.record, exit, sidecar?.id);
  const refusal = history.problem ?? (await refusalOf(request, history.meanwhile, seen.declared, seen.paths ?? []));
  const failed = exit.code !== 0 && exit.code !== journal.expectedExit;
  if (refusal || (failed && journal.onCmdFailure === 'error')) {
    // What a workspace holds is thrown away with it.
    const keep = readOrigin(repo) === null && (refusal !== null || seen.paths === null || seen.paths.length > 0);
    const result = leaveUnsaved(request, refusal, base, keep ? writeMessage(repo.gitDir, message) : null);
    return { result, commit: null };
  }
  const result: Result = { ...base, status: failed && journal.onCmdFailure === 'all' ? 'error' : 'ok', msg_path: null };
  // As DataLad: of a failed command the save is reported first, because its result may end everything.
  if (!failed) report(result);
  const commit = await saveResults(request, history, seen, message, sidecar?.path ?? null);
  if (failed) report(result);
  removeJournal(repo.gitDir, journal.id);
  return { result, commit };
}

interface History {
  readonly family: RunFamily;
  readonly meanwhile: CommitsMeanwhile;
  readonly problem: RepriseError | null;
}

/** What happened to the branch, and which runs inside this one recorded themselves, here and in subdatasets. */
async function readHistory(request: FinishRequest): Promise<History> {
  const { subject, journal } = request;
  const head = await readHead(subject.repo);
  const family = { id: journal.id, shared: journal.explicit };
  const since = journal.base.commit;
  const moved =
    since !== null && head.commit !== null && head.commit !== since ? { from: since, to: head.commit } : null;
  const others = moved && family.shared ? await recordedByOthers(subject.repo, family.id, moved.from, moved.to) : null;
  const problem = moved ? await historyProblem(request, head.ref, moved.to, others !== null) : null;
  const carried = problem ? await recordedBehindAdjusted(subject.repo, journal, family) : null;
  if (carried) return { family, problem: null, meanwhile: { ...NOTHING_MEANWHILE, recorded: carried } };
  const meanwhile =
    moved && !problem ? await commitsMeanwhile(subject.repo, family, moved.from, moved.to) : NOTHING_MEANWHILE;
  const below = problem ? [] : await childrenBelow(subject.repo, journal, family);
  return { family, problem, meanwhile: { ...meanwhile, children: [...new Set([...meanwhile.children, ...below])] } };
}

/** The commit with this run's record on the branch that an adjusted one was made from: where it got that far, git-annex has rewritten the adjusted branch. */
async function recordedBehindAdjusted(
  repo: Repo,
  { base }: Journal,
  family: RunFamily,
): Promise<CommitsMeanwhile['recorded']> {
  const branch = correspondingBranch(base.ref);
  const tip = branch === null ? null : await readRef(repo, branch);
  if (tip === null || base.commit === null) return null;
  const origin = await git(repo, ['merge-base', base.commit, tip], { accept: [0, 1] });
  if (origin.code !== 0) return null;
  return (await commitsMeanwhile(repo, family, origin.stdout.toString('latin1').trim(), tip)).recorded;
}

async function childrenBelow(repo: Repo, journal: Journal, family: RunFamily): Promise<readonly string[]> {
  const children: string[] = [];
  const before = new Map(journal.subHeads);
  if (before.size === 0) return children;
  for (const [path, commit] of await installedHeads(repo)) {
    const from = before.get(path);
    const sub = from && commit && from !== commit ? repoAt(join(repo.root, path), repo.context) : null;
    if (sub && from && commit) children.push(...(await commitsMeanwhile(sub, family, from, commit)).children);
  }
  return children;
}

/** Saves what is to be saved, with the record; returns the commit. */
async function saveResults(
  request: FinishRequest,
  history: History,
  seen: Observation,
  message: string,
  sidecar: string | null,
): Promise<string | null> {
  const { subject, config, journal, report } = request;
  const chosen = seen.paths === null || sidecar === null ? seen.paths : [...seen.paths, sidecar];
  // Commits of a command that declared outputs but wrote none of them are recorded all the same.
  const paths =
    chosen?.length === 0 && history.meanwhile.own.length > 0 && journal.outputPatterns.length > 0 ? null : chosen;
  if (paths?.length === 0) return null;
  const { base } = journal;
  const landings = new Map(journal.landings);
  const pathOf = (where: Repo) => relativeTo(subject.repo.root, where.root);
  const { commit } = await saveTree(
    subject.repo,
    {
      message,
      paths,
      recursive: true,
      config,
      // Somebody else has committed what this run wrote: the record is kept all the same.
      worthEmpty: async () =>
        journal.explicit && base.commit !== null && (await isSwept(subject.repo, base.commit, seen.declared.written)),
      except: ({ path }, where) => seen.isLeft(where.root === subject.repo.root ? path : `${pathOf(where)}/${path}`),
      // The scan holds as long as nothing was added to the work tree since.
      ...(sidecar === null && paths === seen.paths ? { scanned: seen.scanned } : {}),
      ...(sidecar === null ? {} : { inGit: [sidecar] }),
      join: {
        from: journal.base.commit,
        subHeads: new Map(journal.subHeads),
        remainder: REMAINDER,
        actions: reflogActions(journal.id, subject.repo.context.env),
        meanwhile: async (where, from, to) => {
          const { own, foreign, recorded } = await commitsMeanwhile(where, history.family, from, to);
          return { own: own.length, foreign: foreign.length, recorded };
        },
        landed: async (where) => {
          // What is noted now is about to land; only what another process noted may have.
          const noted = new Map(journal.landings).get(pathOf(where));
          return noted === undefined ? null : findLanded(where, null, noted);
        },
        landing: (where, name) => {
          landings.set(pathOf(where), name);
          writeJournal(subject.repo.gitDir, { ...journal, landings: [...landings] });
        },
      },
    },
    report,
  );
  return commit;
}

/** Leaves everything in the work tree, and the message where it can be used; returns or throws what is to be said. */
function leaveUnsaved(
  request: FinishRequest,
  refusal: RepriseError | null,
  base: ReturnType<typeof runResult>,
  messagePath: string | null,
): Result {
  const { subject, journal, report } = request;
  const { repo } = subject;
  removeJournal(repo.gitDir, journal.id);
  if (refusal)
    throw new RepriseError(refusal.code, refusal.message, {
      hints: refusal.hints,
      data: { ...refusal.data, msg_path: messagePath },
    });
  const result: Result = { ...base, status: 'error', msg_path: messagePath };
  report(result);
  if (messagePath) {
    const text = 'The command had a non-zero exit code. If this is expected, its changes can be saved';
    repo.context.emit({
      kind: 'warning',
      text,
      hints: [`reprise save -d ${quoteWord(repo.root)} -r -F ${quoteWord(messagePath)}`],
    });
  }
  return result;
}

function runResult(
  subject: Subject,
  journal: Journal,
  record: RunRecord,
  exit: CommandExit,
  recordId: string | undefined,
) {
  return {
    action: 'run',
    path: subject.repo.root,
    type: 'dataset',
    message: shortCommand(journal.expanded),
    run_info: record,
    exit_code: exit.code,
    ...(recordId === undefined ? {} : { record_id: recordId }),
  } as const;
}

function emitDeclared(subject: Subject, declared: DeclaredVersusActual): void {
  const say = (what: string, paths: readonly string[], kind: 'info' | 'warning') => {
    if (paths.length === 0) return;
    const shown = paths.slice(0, 10).join(', ') + (paths.length > 10 ? `, and ${paths.length - 10} more` : '');
    subject.repo.context.emit({ kind, text: `${what}: ${shown}` });
  };
  say('declared as output but not written', declared.untouched, 'info');
  say('written but not declared as output', declared.undeclared, 'info');
  say('output is ignored by Git, so it is not saved', declared.ignored, 'warning');
}
