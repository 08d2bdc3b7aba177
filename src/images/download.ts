/**
 * Images from a URL, through `git annex addurl`: it knows what may be downloaded (`annex.security.*`), and remembers where the content is.
 *
 * It is given a work tree and an index of its own, so that neither the user's files nor their index change before the image is here.
 */
import { copyFileSync, mkdirSync, readdirSync, readlinkSync, rmSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { decodeName, fsPath } from '../core/bytes.ts';
import { RepriseError } from '../core/errors.ts';
import { keyFileName, keyFromLink } from '../dataset/annex/keys.ts';
import { type AnnexAnswer, runAnnex, tellAnnex } from '../dataset/annex-batch.ts';
import { annexEnv } from '../dataset/annex-env.ts';
import { objectFile } from '../dataset/presence.ts';
import { gitText, type Repo } from '../dataset/repo.ts';
import { lstatOrNull } from '../sys/files.ts';

/**
 * Downloads to a path below a folder, which is the image's path below the root: attributes and the key's extension go by it.
 *
 * @returns drops the content again, if it was not here before
 * @throws `image-unavailable` with git-annex's reason, `annex-missing`
 */
export async function download(repo: Repo, url: string, folder: string, path: string): Promise<() => Promise<void>> {
  const began = Date.now();
  const index = join(folder, 'index');
  const tree = join(folder, 'tree');
  mkdirSync(join(tree, dirname(path)), { recursive: true });
  const shared = join(repo.gitDir, 'index');
  if (lstatOrNull(shared)) copyFileSync(shared, index);
  const gitDir = await gitText(repo, ['rev-parse', '--absolute-git-dir']);
  const annex = await annexEnv(repo);
  const elsewhere: Repo = { ...repo, root: tree };
  const label = `download ${url}`;
  const answers: AnnexAnswer[] = [];
  const partsBefore = new Set(partsOf(repo, url));
  try {
    const asked = tellAnnex(elsewhere, {
      args: ['addurl', `--file=${path}`],
      files: [url],
      env: { ...annex, GIT_DIR: gitDir, GIT_WORK_TREE: tree, GIT_INDEX_FILE: index },
      onProgress: (_, done) => repo.context.emit({ kind: 'progress', label, done, total: 0, unit: 'bytes' }),
    });
    for await (const answer of asked) answers.push(answer);
  } finally {
    repo.context.emit({ kind: 'progress-end', label });
  }
  const failure = answers.find((answer) => answer.success !== true);
  if (!failure && lstatOrNull(join(tree, path))) {
    const key = keyAt(join(tree, path));
    return () => forget(repo, key, began);
  }
  for (const part of partsOf(repo, url)) if (!partsBefore.has(part)) rmSync(part, { recursive: true, force: true });
  const reason = failure?.['error-messages']?.map((text) => text.trim()).join('; ') || 'git-annex gives no reason';
  throw new RepriseError('image-unavailable', `The image cannot be downloaded from ${url}: ${reason}`, {
    hints: /annex\.security\.allowed-ip-addresses/.test(reason)
      ? ['git config annex.security.allowed-ip-addresses all']
      : [],
    data: { url },
  });
}

function keyAt(file: string): string | null {
  const isLink = lstatOrNull(file)?.isSymbolicLink() === true;
  return isLink ? keyFromLink(decodeName(readlinkSync(fsPath(file), 'buffer'))) : null;
}

/** Drops content that came here after a moment; what is older may be needed by another file. */
async function forget(repo: Repo, key: string | null, began: number): Promise<void> {
  const object = key === null ? null : objectFile(repo, key);
  if (key === null || object === null || statSync(fsPath(object)).birthtimeMs < began) return;
  await runAnnex(repo, ['drop', '--force', '--quiet', `--key=${key}`]);
}

/** What git-annex keeps of a download that did not come to its end (git-annex, "internals": `annex/tmp`, `annex/transfer`). */
function partsOf({ commonDir }: Repo, url: string): readonly string[] {
  const end = `--${keyFileName(url)}`;
  return ['tmp', 'transfer/failed/download'].flatMap((name) => {
    const folder = join(commonDir, 'annex', name);
    if (!lstatOrNull(folder)) return [];
    const files = readdirSync(folder, { recursive: true, encoding: 'utf8' });
    return files.filter((file) => file.endsWith(end)).map((file) => join(folder, file));
  });
}
