/** Files that a run leaves beside its results: kept streams, the record in a sidecar, the message of a failure. */
import { copyFileSync, mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Config } from '../core/config.ts';
import type { RunRecord } from '../record/run-record.gen.ts';
import { encodeSidecar, SIDECAR_DIRECTORY, sidecarId, sidecarPath } from '../record/sidecar.ts';
import { lstatOrNull, writeAtomic } from '../sys/files.ts';
import { assertOwnPath } from './boundaries.ts';
import { type Journal, journalDir, journalFile } from './journal.ts';
import type { Subject } from './subject.ts';

/** Where a run's kept stream is saved, relative to the root. */
export function logPath(id: string, kind: 'out' | 'err'): string {
  return `.reprise/log/${id}.${kind}`;
}

/** Copies kept streams into the dataset; returns their paths relative to the root. */
export function placeLogs(subject: Subject, journal: Journal): { readonly out?: string; readonly err?: string } {
  const place = (kind: 'out' | 'err'): Record<string, string> => {
    if (journal.log !== kind && journal.log !== 'both') return {};
    const path = assertOwnPath(subject, logPath(journal.id, kind));
    const target = join(subject.repo.root, path);
    const source = journalFile(subject.repo.gitDir, journal.id, kind);
    mkdirSync(dirname(target), { recursive: true });
    if (lstatOrNull(source)) copyFileSync(source, target);
    return lstatOrNull(target) ? { [kind]: path } : {};
  };
  return { ...place('out'), ...place('err') };
}

/** Where sidecars are kept, relative to the root. */
export function sidecarFolder(config: Config): string {
  return config.get('datalad.run.record-directory') ?? SIDECAR_DIRECTORY;
}

/** Writes a record's sidecar unless it is there; returns its id and its path relative to the root. Throws `path-outside`. */
export async function writeSidecar(
  subject: Subject,
  config: Config,
  record: RunRecord,
): Promise<{ readonly id: string; readonly path: string }> {
  const id = sidecarId(record);
  const path = assertOwnPath(subject, sidecarPath(id, sidecarFolder(config)));
  const absolute = join(subject.repo.root, path);
  if (!lstatOrNull(absolute))
    writeAtomic(absolute, await encodeSidecar(record), { via: journalDir(subject.repo.gitDir) });
  return { id, path };
}

/** Leaves a message where `git commit` and DataLad look for one; returns its path. */
export function writeMessage(gitDir: string, message: string): string {
  const path = join(gitDir, 'COMMIT_EDITMSG');
  writeAtomic(path, message);
  return path;
}
