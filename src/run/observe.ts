/** What a command has done: the changes that are its own, held against what was declared, and the record that says so. */
import { join } from 'node:path';
import { escapeBraces } from '../core/placeholders.ts';
import { expand, type GlobResult, globPatterns } from '../dataset/globbed-paths.ts';
import { changedFiles, scanDataset } from '../dataset/hierarchy.ts';
import type { ScanEntry } from '../dataset/worktree.ts';
import type { RunRecord } from '../record/run-record.gen.ts';
import { statId } from '../sys/stat-id.ts';
import { placeLogs, sidecarFolder } from './artefacts.ts';
import { compareDeclared, type DeclaredVersusActual } from './effects.ts';
import { closingBlock } from './extension.ts';
import type { FinishRequest } from './finish-request.ts';
import type { CommandExit, Journal } from './journal.ts';
import type { CommitsMeanwhile } from './nesting.ts';
import { declaredByOthers, outputPaths } from './declared-outputs.ts';
import { identicalOutputs } from './outputs.ts';
import type { Subject } from './subject.ts';

export interface Observation {
  readonly record: RunRecord;
  readonly declared: DeclaredVersusActual;
  /** With `--explicit`, what is to be saved, relative to the root; else null for everything. */
  readonly paths: readonly string[] | null;
  readonly scanned: readonly ScanEntry[];
  /** Whether a changed path, relative to the root, is not this run's to save. */
  readonly isLeft: (path: string) => boolean;
  /** Whether a sidecar, if there is to be one, would come with changes. */
  readonly hasChanges: boolean;
}

/** What the command did, and the record of it. */
export async function observe(request: FinishRequest, meanwhile: CommitsMeanwhile): Promise<Observation> {
  const { subject, journal, exit } = request;
  const outputs = globPatterns(journal.outputPatterns, subject.pwd);
  const log = placeLogs(subject, journal);
  const logs = Object.values(log);
  const paths = journal.explicit ? [...outputPaths(subject, journal, outputs), ...logs] : null;
  const scanned = await scanDataset(subject.repo, 'all', paths);
  const isOthers = declaredByOthers(subject, journal);
  const isLeft = (path: string) => isOlder(journal, subject, path) || isOthers(path);
  const mine = scanned.filter(({ path }) => !isLeft(path));
  const isOwn = (path: string) => logs.includes(path) || path.startsWith(`${sidecarFolder(request.config)}/`);
  const files = (await changedFiles(subject.repo, mine, paths)).filter((path) => !isOwn(path));
  const declared = await compareDeclared(subject, outputs, new Map(journal.outputsBefore), files);
  const { children, own } = meanwhile;
  const block = closingBlock(journal, { exit, children, changedInputs: journal.changedInputs, declared, log });
  // What `--explicit` leaves alone may have changed: only without it, nothing to save means that nothing happened. A replay without a difference is none.
  const isOpen = journal.explicit && journal.expectedExit === undefined;
  const hasChanges = own.length > 0 || isOpen || (journal.sidecar && makesDifference(request, mine, files));
  return {
    record: endRecord(journal, exit, outputs, block),
    declared,
    paths,
    scanned,
    isLeft,
    hasChanges,
  };
}

/** Whether there is anything to commit: not for outputs that came out with the content of their keys, although they are no links now. */
function makesDifference(
  { subject, journal }: FinishRequest,
  entries: readonly ScanEntry[],
  files: readonly string[],
): boolean {
  const same = new Set(identicalOutputs(subject, journal.prepared));
  return entries.some(({ path, submodule }) => {
    if (!submodule) return !same.has(path);
    const inside = files.filter((file) => file.startsWith(`${path}/`));
    return submodule.commitChanged || inside.length === 0 || inside.some((file) => !same.has(file));
  });
}

/** Changes that were there before a nested run began, and are as they were. */
function isOlder(journal: Journal, subject: Subject, path: string): boolean {
  const before = journal.dirtyBefore.find(([one]) => one === path)?.[1];
  return before !== undefined && before === statId(join(subject.repo.root, path));
}

function endRecord(
  journal: Journal,
  exit: CommandExit,
  outputs: GlobResult,
  extension: RunRecord['reprise'],
): RunRecord {
  const { reprise: _, ...plain } = journal.record;
  return {
    ...plain,
    ...(journal.expandOutputs
      ? { outputs: journal.record.reprise?.no_placeholders ? expand(outputs).map(escapeBraces) : expand(outputs) }
      : {}),
    exit: exit.code,
    ...(extension === undefined ? {} : { reprise: extension }),
  };
}
