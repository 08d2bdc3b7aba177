/** What a command left that was cut off: kept as a commit on a ref of its own, and taken out of the work tree. */
import { rmSync, rmdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fsPath } from '../core/bytes.ts';
import { commitAside } from '../dataset/commit.ts';
import { globPatterns } from '../dataset/globbed-paths.ts';
import { pathsBelow, scanDataset } from '../dataset/hierarchy.ts';
import { readConfig } from '../dataset/read-config.ts';
import { freeRef } from '../dataset/refs.ts';
import { git, type Repo, repoAt } from '../dataset/repo.ts';
import type { ScanEntry } from '../dataset/worktree.ts';
import { renderMessage, shortCommand } from '../record/message.ts';
import { joinNul } from '../core/bytes.ts';
import type { Journal } from './journal.ts';
import { lookAtAll } from './inputs.ts';
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
        ...lookAtAll(subject, globPatterns(journal.outputPatterns, subject.pwd)).map((file) => file.path),
        ...journal.outputsBefore.map(([path]) => path),
      ]
    : null;
  const { reprise: _, ...plain } = journal.record;
  const message = renderMessage({
    fallback: shortCommand(journal.expanded),
    content: { record: plain },
    ...(journal.message === null ? {} : { message: journal.message }),
  });
  const name = `refs/reprise/unfinished/${journal.id}`;
  return keepAside(repo, name, message.replace('[DATALAD RUNCMD] ', '[REPRISE UNFINISHED] '), declared);
}

/**
 * Commits what differs from the last commit to a ref of its own, and then takes it out of work tree and index. In a subdataset the ref is that
 * subdataset's. Where this was cut off before, what was kept then stays, and the rest gets the next name.
 *
 * @param name of the ref, or of the first one if it is taken
 * @param paths relative to the root; null for everything
 * @returns the ref, or one below; null where there was nothing
 */
export async function keepAside(
  repo: Repo,
  name: string,
  message: string,
  paths: readonly string[] | null,
): Promise<string | null> {
  const scanned = await scanDataset(repo, 'all', paths);
  let below: string | null = null;
  for (const { path, submodule } of scanned) {
    const sub = submodule?.modified || submodule?.untracked ? repoAt(join(repo.root, path), repo.context) : null;
    const inside = paths === null ? null : pathsBelow(paths, path);
    if (sub) below = (await keepAside(sub, name, message, inside)) ?? below;
  }
  const entries = scanned.filter((entry) => entry.kind !== 'unmerged' && !entry.submodule && !entry.path.endsWith('/'));
  const changes = entries
    .filter((entry) => !isOnlyStaged(entry))
    .map(({ path, headMode, headSha }) => (headSha === '' ? { path } : { path, headMode, headSha }));
  const ref = changes.length > 0 ? await freeRef(repo, name) : null;
  if (ref !== null) await commitAside(repo, await readConfig(repo), { ref, changes, message });
  await restore(repo, entries);
  return ref ?? below;
}

/** A new file of which the index knows, but which is gone: there is nothing to keep. */
function isOnlyStaged({ headMode, worktreeMode, indexState }: ScanEntry): boolean {
  return headMode === '000000' && worktreeMode === '000000' && indexState !== '?';
}

/** Takes new files away, and checks the others out as they were committed. */
async function restore(repo: Repo, entries: readonly ScanEntry[]): Promise<void> {
  const added = entries.filter((entry) => entry.headMode === '000000' && entry.indexState !== '?');
  const known = entries.filter((entry) => entry.headMode !== '000000').map((entry) => entry.path);
  for (const entry of entries.filter((one) => one.headMode === '000000')) {
    rmSync(fsPath(join(repo.root, entry.path)), { force: true });
    removeEmptyFolders(repo.root, dirname(entry.path));
  }
  if (added.length > 0) {
    const input = joinNul(added.map((entry) => entry.path));
    await git(repo, ['update-index', '--force-remove', '-z', '--stdin'], { input });
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
