/** What git-annex, and Git with git-annex's filter, need before they are started. */
import { join } from 'node:path';
import { parseBoolean } from '../core/config.ts';
import { isCopied, renewSentinel } from './annex/sentinel.ts';
import { annexDates } from './fake-dates.ts';
import { readConfig } from './read-config.ts';
import type { Repo } from './repo.ts';

/** Makes git-annex see every change of unlocked files in a repository that was copied. */
export async function seeAllChanges(repo: Repo): Promise<void> {
  const annex = join(repo.commonDir, 'annex');
  if (!isCopied(annex)) return;
  // Where inodes are never the same for long, git-annex would look at all content again and again.
  const crippled = (await readConfig(repo)).get('annex.crippledfilesystem');
  if (parseBoolean(crippled ?? '') !== true) renewSentinel(annex);
}

/** Does that, and returns what has to be in the environment of the process. */
export async function annexEnv(repo: Repo): Promise<NodeJS.ProcessEnv> {
  await seeAllChanges(repo);
  return annexDates(repo);
}
