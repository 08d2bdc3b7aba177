/** Dropping content of files and keys. git-annex itself checks that enough other copies exist. */
import { readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { RepriseError } from '../core/errors.ts';
import type { Result } from '../core/result.ts';
import { lstatOrNull } from '../sys/files.ts';
import { answerMatcher, askAnnex, askAnnexOnce, resultOf } from './annex-batch.ts';
import { contentAt } from './presence.ts';
import type { Repo } from './repo.ts';
import { isRealFolder, pythonList, type Silence, summarise } from './requested.ts';
import { relativeTo } from './targets.ts';
import { selectBelow, trackedBelow } from './tracked.ts';

export interface DropOptions {
  /** Drop although too few other copies are known. */
  readonly force: boolean;
  readonly jobs: number | null;
}

const NOTHING_TO_DROP: Silence = {
  action: 'drop',
  failed: (folder, failures) => `could not drop some content in ${folder} ${pythonList(failures)}`,
  nothing: (folder) => `nothing to drop from ${folder}`,
  file: "no annex'ed content",
};

/** An annex that is a link to another repository's would lose that one's content. */
function refuseSharedAnnex(repo: Repo): void {
  const annex = join(repo.commonDir, 'annex');
  if (!lstatOrNull(annex)?.isSymbolicLink()) return;
  throw new RepriseError(
    'drop-refused',
    `The annex of ${repo.root} is that of another repository, ${readlinkSync(annex)}`,
  );
}

/**
 * Drops the content of files; `paths` (absolute) null for all of the work tree. Results as DataLad's `drop`.
 *
 * Throws `drop-refused` for a dataset without an annex of its own, `annex-missing`, `annex-failed`.
 */
export async function* dropFiles(
  repo: Repo,
  paths: readonly string[] | null,
  options: DropOptions,
  refds: string,
): AsyncGenerator<Result> {
  refuseSharedAnnex(repo);
  const asked = paths ?? [repo.root];
  const tracked = await trackedBelow(
    repo,
    asked.map((path) => relativeTo(repo.root, path)),
  );
  // Unlocked files look like any other; git-annex knows them, and passes over the rest.
  const files = tracked
    .filter(({ path, mode }) => mode !== '160000' && mayHaveContent(repo, path))
    .map((entry) => entry.path);
  const outcomes: Result[] = [];
  if (files.length > 0) {
    const whichFile = answerMatcher(files, (file) => {
      const content = contentAt(repo, file);
      return content.kind === 'annexed' ? content.key : null;
    });
    for await (const answer of askAnnex(repo, { args: ['drop', ...flags(options)], files })) {
      const file = whichFile(answer);
      if (file === null) continue;
      const result = withOurOption(resultOf(answer, 'drop', join(repo.root, file), refds));
      outcomes.push(result);
      yield result;
    }
  }
  for (const path of asked) {
    const relative = relativeTo(repo.root, path);
    if (isRealFolder(path) || selectBelow(tracked, [relative]).length > 0) continue;
    const result: Result = {
      action: 'drop',
      status: 'error',
      path,
      type: 'file',
      refds,
      error_message: 'File unknown to git',
    };
    outcomes.push(result);
    yield result;
  }
  yield* summarise(asked, outcomes, refds, NOTHING_TO_DROP);
}

function mayHaveContent(repo: Repo, path: string): boolean {
  const content = contentAt(repo, path);
  return content.kind === 'annexed' ? content.present : content.kind === 'plain';
}

function flags(options: DropOptions): string[] {
  return [...(options.force ? ['--force'] : []), ...(options.jobs === null ? [] : [`-J${options.jobs}`])];
}

/** git-annex proposes its own `--force`; the option here is another. */
function withOurOption(result: Result): Result {
  return result.message?.includes('Use --force to')
    ? { ...result, message: result.message.replaceAll('--force', '--reckless availability') }
    : result;
}

/** Drops every key of a repository, whatever version of whatever file it belongs to. Throws as `dropFiles`. */
export async function* dropAllKeys(repo: Repo, options: DropOptions, refds: string): AsyncGenerator<Result> {
  refuseSharedAnnex(repo);
  for await (const answer of askAnnexOnce(repo, ['drop', '--all', ...flags(options)])) {
    const message = (answer.note ?? '').replaceAll('--force', '--reckless availability');
    const errors = answer['error-messages'] ?? [];
    yield {
      action: 'drop',
      status: answer.success === true ? 'ok' : 'error',
      path: repo.root,
      // DataLad's type for a thing that is no path; the convention's own types know only paths.
      type: 'key',
      key: answer.key,
      refds,
      ...(message === '' ? {} : { message }),
      ...(errors.length === 0 ? {} : { error_message: errors.map((line) => line.trim()).join('\n') }),
    };
  }
}
