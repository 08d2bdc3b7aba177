/**
 * One repository of a workspace: a Git directory of its own that borrows the objects of its source (gitrepository-layout(5), `alternates`).
 *
 * It is written file by file: a clone would copy refs one by one, and starting git-annex to initialise it takes longer than all the rest.
 */
import { randomUUID } from 'node:crypto';
import { copyFileSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { encodeName, fsPath } from '../core/bytes.ts';
import { RepriseError } from '../core/errors.ts';
import { lstatOrNull } from '../sys/files.ts';
import { withAnnex } from './annex-init.ts';
import { readConfig } from './read-config.ts';
import { git, type Repo } from './repo.ts';
import { parseScoped, renderSettings, SOURCE_REMOTE, workspaceSettings } from './workspace-config.ts';
import { writeOrigin } from './workspace-content.ts';
import { WITHOUT_ANNEX_FILTER } from './worktree.ts';

/**
 * Makes a repository at `root` (absent or an empty folder) with a commit of the source checked out, HEAD detached, and all refs of the source.
 *
 * Its context is the source's, with the new root as the current folder. Throws `git-failed`.
 */
export async function makeWorkspaceRepo(source: Repo, root: string, commit: string): Promise<Repo> {
  const gitDir = join(root, '.git');
  const repo: Repo = { root, gitDir, commonDir: gitDir, context: { ...source.context, cwd: root } };
  // Without an identifier of its own the source could not be told from others as a place that has content.
  await withAnnex(source, await readConfig(source));
  const [listed, refs] = await Promise.all([
    git(source, ['config', '-z', '--show-scope', '--includes', '--list']),
    git(source, ['for-each-ref', '--format=%(objectname) %(symref) %(refname)']),
  ]);
  for (const folder of ['objects/info', 'objects/pack', 'refs/heads', 'refs/tags', 'info'])
    mkdirSync(fsPath(join(gitDir, folder)), { recursive: true });
  const settings = parseScoped(listed.stdout);
  const absolute = (url: string) => (isLocalPath(source, url) ? join(source.root, url) : url);
  const hooks = join(source.commonDir, 'hooks');
  const place = { root: source.root, hooks, uuid: randomUUID(), absolute };
  const write = (name: string, content: Buffer | string) => writeFileSync(fsPath(join(gitDir, name)), content);
  write('config', renderSettings(workspaceSettings(settings, place)));
  write('objects/info/alternates', alternatesLine(join(source.commonDir, 'objects')));
  write('packed-refs', packedRefs(refs.stdout, commit));
  write('HEAD', `${commit}\n`);
  copyAnnexState(source, gitDir);
  for (const name of ['info/attributes', 'info/exclude', 'shallow'])
    copyIfThere(join(source.commonDir, name), join(gitDir, name));
  writeOrigin(repo, { root: source.root, commonDir: source.commonDir, commit });
  // No hook runs, and pointers of unlocked files stay pointers until their content is asked for.
  await git(repo, ['-c', 'core.hooksPath=/dev/null', ...WITHOUT_ANNEX_FILTER, 'read-tree', '--reset', '-u', commit]);
  return repo;
}

/** Whether a remote's URL is a path that starts from the source's root. */
function isLocalPath(source: Repo, url: string): boolean {
  return url !== '' && !url.startsWith('/') && !/^[^/]*:/.test(url) && lstatOrNull(join(source.root, url)) !== null;
}

/** A line of `alternates`; a path with a line break is quoted as in C. */
function alternatesLine(path: string): Buffer {
  const quoted = path.includes('\n') ? `"${path.replace(/["\\]/g, '\\$&').replaceAll('\n', '\\n')}"` : path;
  return encodeName(`${quoted}\n`);
}

/** Refs that belong to one repository alone, or to work in progress there. */
const OWN_REFS = /^refs\/(?:stash$|annex\/|reprise\/|bisect\/|rewritten\/|worktree\/)/;

/**
 * The source's refs as a file of packed refs, and the commit as a ref of the remote that stands for the source: subdatasets are looked for
 * at remotes that have the commit.
 */
function packedRefs(listed: Buffer, commit: string): Buffer {
  const lines = listed
    .toString('latin1')
    .split('\n')
    .flatMap((line) => {
      const [sha = '', symref, name = ''] = line.split(' ');
      return name === '' || symref !== '' || OWN_REFS.test(name) ? [] : `${sha} ${name}\n`;
    });
  return Buffer.from(`${lines.join('')}${commit} refs/remotes/${SOURCE_REMOTE}/recorded\n`, 'latin1');
}

/** What git-annex keeps outside its branch: changes that are not in the branch yet, and the keys to special remotes (as a link, no copy). */
function copyAnnexState(source: Repo, gitDir: string): void {
  const from = join(source.commonDir, 'annex');
  if (!lstatOrNull(from)) return;
  const annex = join(gitDir, 'annex');
  mkdirSync(fsPath(annex), { recursive: true });
  const creds = join(from, 'creds');
  if (lstatOrNull(creds)) symlinkSync(fsPath(creds), fsPath(join(annex, 'creds')));
  const journal = join(from, 'journal');
  const pending = lstatOrNull(journal) ? readdirSync(fsPath(journal)) : [];
  if (pending.length > 0) mkdirSync(fsPath(join(annex, 'journal')));
  for (const name of pending) copyIfThere(join(journal, name), join(annex, 'journal', name));
}

function copyIfThere(from: string, to: string): void {
  try {
    copyFileSync(fsPath(from), fsPath(to));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}

/** The full name of a commit; throws `git-failed` where there is no such commit. */
export async function fullCommit(repo: Repo, commit: string): Promise<string> {
  const found = await git(repo, ['rev-parse', '--verify', '--quiet', '--end-of-options', `${commit}^{commit}`], {
    accept: [0, 1, 128],
  });
  if (found.code === 0) return found.stdout.toString('latin1').trim();
  throw new RepriseError('git-failed', `There is no commit ${commit} in ${repo.root}`, {
    hints: ['git fetch --all'],
    data: { commit },
  });
}
