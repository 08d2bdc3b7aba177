/** One recorded run, executed again: the machinery of `run` for a record instead of a command line. */
import { mkdirSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import { fsPath } from '../core/bytes.ts';
import type { Config } from '../core/config.ts';
import { unescapeBraces } from '../core/placeholders.ts';
import type { Result } from '../core/result.ts';
import type { Repo } from '../dataset/repo.ts';
import { lstatOrNull } from '../sys/files.ts';
import { assertFolderInside } from './boundaries.ts';
import { matchInstalling } from './globs.ts';
import { parentRun } from './nesting.ts';
import type { Launcher, Replay, RunOptions } from './options.ts';
import { openJournal, performRun } from './perform.ts';
import { recordedSpecs } from './plan.ts';
import { prepare } from './prepare.ts';
import type { Subject } from './subject.ts';

/** What a user can ask of a replay, and what the record's commit said. */
export type ReplayOptions = Pick<
  RunOptions,
  'assumeReady' | 'explicit' | 'onCmdFailure' | 'jobs' | 'sidecar' | 'message'
>;

/**
 * Executes a recorded run in a dataset, as the dataset is now, and records it.
 *
 * A folder that is gone is made again: Git keeps none that are empty. Returns the result of the run; throws what `run` throws.
 */
export async function replayRun(
  repo: Repo,
  config: Config,
  replay: Replay,
  options: ReplayOptions,
  report: (result: Result) => void,
  launcher?: Launcher,
): Promise<Result> {
  const { record } = replay;
  const root: Subject = { repo, pwd: repo.root, relativePwd: '.' };
  const relativePwd = assertFolderInside(repo, record.pwd) || '.';
  const pwd = join(repo.root, relativePwd);
  if (relativePwd !== '.') await matchInstalling(root, [`${relativePwd}/`], report);
  const made = makeFolders(repo.root, relativePwd);
  const subject: Subject = { repo, pwd, relativePwd };
  const asked = { ...options, ...commandOf(replay) };
  try {
    const kind = launcher ? { replay, launcher } : { replay };
    const prepared = await prepare(subject, asked, config, report, kind);
    const journal = await openJournal(subject, asked, config, prepared, parentRun(repo.context.env), [], replay);
    return await performRun(subject, asked, config, prepared, journal, report, replay);
  } finally {
    for (const folder of made) removeIfEmpty(folder);
  }
}

/** A record's command and paths as options of a run. */
function commandOf({ record }: Replay): RunOptions {
  const literal = record.reprise?.no_placeholders === true;
  return {
    cmd: [literal ? unescapeBraces(record.cmd) : record.cmd],
    ...recordedSpecs(record),
    noPlaceholders: literal,
  };
}

/** Makes a folder and those above it; returns those that were not there, innermost first. */
function makeFolders(root: string, path: string): readonly string[] {
  const folders = path.split('/').map((_, index, parts) => join(root, ...parts.slice(0, index + 1)));
  const missing = folders.filter((folder) => !lstatOrNull(folder));
  if (missing.length > 0) mkdirSync(fsPath(join(root, path)), { recursive: true });
  return missing.reverse();
}

function removeIfEmpty(folder: string): void {
  try {
    rmdirSync(fsPath(folder));
  } catch {
    // Something is in it now.
  }
}
