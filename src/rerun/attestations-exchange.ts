/**
 * Attestations on their way between copies of a dataset.
 *
 * Nothing travels unasked. Two histories are joined by a merge commit whose tree is the union of both: what is here stays, whatever
 * the other side dropped or changed, and of what came only files that can be attestations are taken over.
 */
import { RepriseError } from '../core/errors.ts';
import { splitNul } from '../core/bytes.ts';
import { git, gitText, type Repo } from '../dataset/repo.ts';
import { readRef } from '../dataset/refs.ts';
import { randomId } from '../sys/owner.ts';
import { ATTESTATIONS, attestedCommit, type Move, moveAttestations } from './attestations.ts';

/**
 * Fetches the attestations of a remote and joins them with those that are here.
 *
 * @param remote name or URL
 * @returns how many came; null where the remote has none at all. Throws `git-failed`, `lock-timeout`, `branch-moved`
 */
export async function fetchAttestations(repo: Repo, remote: string): Promise<number | null> {
  const incoming = `refs/reprise/incoming/${randomId()}`;
  const options = ['--quiet', '--no-tags', '--no-write-fetch-head', '--refmap=', '--recurse-submodules=no'];
  const fetched = await git(repo, ['fetch', ...options, '--', remote, `+${ATTESTATIONS}:${incoming}`], {
    accept: [0, 1, 128],
  });
  if (fetched.code !== 0) {
    if (/couldn't find remote ref/.test(fetched.stderr)) return null;
    throw transportFailed(repo, `be fetched from ${remote}`, fetched.stderr);
  }
  const theirs = (await readRef(repo, incoming)) as string;
  let came = 0;
  try {
    await moveAttestations(repo, async (ours) => {
      const union = await unionOf(repo, ours, theirs);
      came = union.came;
      return union.move;
    });
  } finally {
    await git(repo, ['update-ref', '-d', incoming]);
  }
  return came;
}

/** How often a push is tried when others push to the same remote. */
const PUSHES = 10;

/**
 * Pushes all attestations to a remote, after joining them with those that it has.
 *
 * @returns whether there was anything to push. Throws `git-failed`, `lock-timeout`, `branch-moved`
 */
export async function pushAttestations(repo: Repo, remote: string): Promise<boolean> {
  if ((await readRef(repo, ATTESTATIONS)) === null) return false;
  for (let attempt = 0; attempt < PUSHES; attempt += 1) {
    const options = ['--porcelain', '--recurse-submodules=no', '--no-follow-tags'];
    const pushed = await git(repo, ['push', ...options, '--', remote, `${ATTESTATIONS}:${ATTESTATIONS}`], {
      accept: [0, 1, 128],
    });
    const answer = pushed.stdout.toString('utf8');
    if (pushed.code === 0) return !/^=/m.test(answer);
    // Somebody else has added attestations there, or is about to.
    if (!/^!.*\[(remote )?rejected\]/m.test(answer) || /hook declined|prohibited|denied/.test(answer)) {
      throw transportFailed(repo, `be pushed to ${remote}`, pushed.stderr || answer);
    }
    await fetchAttestations(repo, remote);
  }
  throw transportFailed(repo, `be pushed to ${remote}`, `others were faster ${PUSHES} times`);
}

function transportFailed(repo: Repo, what: string, words: string): RepriseError {
  return new RepriseError('git-failed', `The attestations of ${repo.root} could not ${what}: ${words.trim()}`, {
    hints: ['git remote -v'],
    data: { stderr: words },
  });
}

async function unionOf(
  repo: Repo,
  ours: string | null,
  theirs: string,
): Promise<{ readonly move: Move; readonly came: number }> {
  if (ours !== null && (await isAncestor(repo, theirs, ours))) return { move: null, came: 0 };
  const { additions, others } = await compareTrees(repo, ours, theirs);
  const came = additions.length;
  // Their history may be taken as it is only where it keeps all of ours and brings nothing else.
  if (others.length === 0 && (ours === null || (await isAncestor(repo, ours, theirs)))) return { move: theirs, came };
  const message = 'Join attestations\n';
  if (ours !== null) return { move: { parents: [ours, theirs], message, changes: additions }, came };
  const changes = others.map((path) => ({ path, deleted: true as const }));
  return { move: { parents: [theirs], message, changes }, came };
}

async function isAncestor(repo: Repo, commit: string, of: string): Promise<boolean> {
  return (await git(repo, ['merge-base', '--is-ancestor', commit, of], { accept: [0, 1] })).code === 0;
}

interface Addition {
  readonly path: string;
  readonly mode: '100644';
  readonly sha: string;
}

/** Attestations that only their tree has, and paths of everything else that differs. */
async function compareTrees(
  repo: Repo,
  ours: string | null,
  theirs: string,
): Promise<{ readonly additions: readonly Addition[]; readonly others: readonly string[] }> {
  const options = ['-r', '-z', '--no-renames', '--no-ext-diff'];
  const from = ours ?? (await gitText(repo, ['hash-object', '-t', 'tree', '--stdin'], { input: '' }));
  const words = splitNul((await git(repo, ['diff-tree', ...options, from, theirs])).stdout);
  const additions: Addition[] = [];
  const others: string[] = [];
  for (let at = 0; at + 1 < words.length; at += 2) {
    const [, mode, , sha = '', status] = (words[at] as string).split(' ');
    const path = words[at + 1] as string;
    if (status === 'A' && mode === '100644' && attestedCommit(path) !== null) additions.push({ path, mode, sha });
    else others.push(path);
  }
  return { additions, others };
}
