/** What a command left that was cut off: kept as a commit on a ref of its own, and taken out of the work tree. */
import { rmSync, rmdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fsPath } from '../core/bytes.ts';
import { commitAside } from '../dataset/commit.ts';
import { globPatterns } from '../dataset/globbed-paths.ts';
import { pathsBelow, scanDataset } from '../dataset/hierarchy.ts';
import { readConfig } from '../dataset/read-config.ts';
import { git, type Repo, repoAt } from '../dataset/repo.ts';
import type { ScanEntry } from '../dataset/worktree.ts';
import { renderMessage, shortCommand } from '../record/message.ts';
import { joinNul } from '../core/bytes.ts';
import type { Journal } from './journal.ts';
import { inputFiles } from './inputs.ts';
import { putBack } from './outputs.ts';
import type { Subject } from './subject.ts';

/**
 * Keeps everything the command changed under `refs/reprise/unfinished/<id>`, then restores the work tree.
 *
 * With `--explicit` only declared outputs are touched: other changes were there before and are the user's. Returns the ref, or null
 * when nothing was left. Nothing is removed before it is kept.
 */
export async function setAside(subject: Subject, journal: Journal): Promise<string | null> {
  const { repo } = subject;
  putBack(subject, journal.prepared);
  const declared = journal.explicit
    ? [
        ...inputFiles(subject, globPatterns(journal.outputPatterns, subject.pwd)),
        ...journal.outputsBefore.map(([path]) => path),
      ]
    : null;
  const { reprise: _, ...plain } = journal.record;
  const message = renderMessage({
    fallback: shortCommand(journal.expanded),
    content: { record: plain },
    ...(journal.message === null ? {} : { message: journal.message }),
  });
  const ref = `refs/reprise/unfinished/${journal.id}`;
  const kept = await keepAside(repo, ref, message.replace('[DATALAD RUNCMD] ', '[REPRISE UNFINISHED] '), declared);
  return kept ? ref : null;
}

/**
 * Commits what differs from the last commit to a ref of its own, and then takes it out of the work tree. In a subdataset the ref is that subdataset's.
 *
 * @param paths relative to the root; null for everything
 * @returns whether there was anything
 */
export async function keepAside(
  repo: Repo,
  ref: string,
  message: string,
  paths: readonly string[] | null,
): Promise<boolean> {
  const scanned = await scanDataset(repo, 'all', paths);
  let isBelow = false;
  for (const { path, submodule } of scanned) {
    const sub = submodule?.modified || submodule?.untracked ? repoAt(join(repo.root, path), repo.context) : null;
    const inside = paths === null ? null : pathsBelow(paths, path);
    if (sub && (await keepAside(sub, ref, message, inside))) isBelow = true;
  }
  const entries = scanned.filter((entry) => entry.kind !== 'unmerged' && !entry.submodule && !entry.path.endsWith('/'));
  if (entries.length === 0) return isBelow;
  const changes = entries.map((entry) =>
    entry.headSha === ''
      ? { path: entry.path }
      : { path: entry.path, headMode: entry.headMode, headSha: entry.headSha },
  );
  await commitAside(repo, await readConfig(repo), { ref, changes, message });
  await restore(repo, entries);
  return true;
}

/** Takes new files away and checks the others out as they were committed. */
async function restore(repo: Repo, entries: readonly ScanEntry[]): Promise<void> {
  const known = entries.filter((entry) => entry.headMode !== '000000').map((entry) => entry.path);
  for (const entry of entries.filter((one) => one.headMode === '000000')) {
    rmSync(fsPath(join(repo.root, entry.path)), { force: true });
    removeEmptyFolders(repo.root, dirname(entry.path));
  }
  if (known.length > 0)
    await git(repo, ['checkout', 'HEAD', '--pathspec-from-file=-', '--pathspec-file-nul'], {
      input: joinNul(known.map((path) => `:(top,literal)${path}`)),
    });
}

function removeEmptyFolders(root: string, folder: string): void {
  for (let at = folder; at !== '.'; at = dirname(at)) {
    try {
      rmdirSync(fsPath(join(root, at)));
    } catch {
      return;
    }
  }
}
