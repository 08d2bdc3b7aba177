/** A script that is its own container has to be a program, which git-annex does not keep of a locked file. */
import { chmodSync, statSync } from 'node:fs';
import { realPath } from '../containers/formats/members.ts';
import { fsPath } from '../core/bytes.ts';
import { keyFromLink } from '../dataset/annex/keys.ts';

/** Makes annexed content executable for whoever may read it, where it is ours and is not; a file that Git has is left as it is. */
export function makeProgram(path: string): void {
  const file = realPath(path);
  if (keyFromLink(file) === null) return;
  const { mode, uid } = statSync(fsPath(file));
  const isOurs = [0, uid].includes(process.geteuid?.() ?? -1);
  if ((mode & 0o111) === 0 && isOurs) chmodSync(fsPath(file), mode | ((mode & 0o444) >> 2));
}
