/** Which files of a dataset a record declares as outputs. */
import { join } from 'node:path';
import { unescapeBraces } from '../core/placeholders.ts';
import type { Repo } from '../dataset/repo.ts';
import type { RunRecord } from '../record/run-record.gen.ts';
import { realPattern, type Subject } from '../run/subject.ts';
import { namesPath, type Spec } from './stale-specs.ts';

/** A test whether a path (relative to the root) is declared as output or lies below such a folder; links are followed as they are now. */
export function declaredOutputs(repo: Repo, record: RunRecord): (path: string) => boolean {
  const relativePwd = record.pwd;
  const subject: Subject = { repo, pwd: join(repo.root, relativePwd), relativePwd };
  const literal = record.reprise?.no_placeholders === true;
  const specs = record.outputs.flatMap((output): Spec[] => {
    const real = realPattern(subject, literal ? unescapeBraces(output) : output);
    if (real === null) return [];
    const folder = real.folder.split('/').filter((part) => part !== '');
    return [{ role: 'input', parts: [...folder, ...real.wild], literal: folder.length }];
  });
  return (path) => specs.some((spec) => namesPath(spec, path));
}
