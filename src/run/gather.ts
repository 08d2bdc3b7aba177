/** Bringing here what declared paths name, without a run: the subdatasets that they lead into, then the content of the files. */
import type { Config } from '../core/config.ts';
import type { Result } from '../core/result.ts';
import type { GlobResult } from '../dataset/globbed-paths.ts';
import { installSubdataset } from '../dataset/install.ts';
import { assertInside } from './boundaries.ts';
import { type Installer, matchInstalling } from './globs.ts';
import { fetchFiles, lookAtInputs } from './inputs.ts';
import type { Subject } from './subject.ts';

export interface Wanted {
  /** Paths and patterns whose content is wanted, as a run declares its inputs. */
  readonly files: readonly string[];
  /** Those for which only the subdatasets are wanted that they lead into, as a run declares its outputs. */
  readonly places?: readonly string[];
  readonly jobs?: number;
  /** Only say what would be done. Files in subdatasets that are not here are not known then. */
  readonly dryRun?: boolean;
}

/**
 * Yields what is done, and returns what the patterns of files match in the end.
 *
 * Throws `path-outside` before anything is done, and `pattern-too-wide`, `annex-missing`, `annex-failed`.
 */
export async function* gather(subject: Subject, config: Config, wanted: Wanted): AsyncGenerator<Result, GlobResult> {
  const { files, places = [], jobs, dryRun = false } = wanted;
  assertInside(subject, [...files, ...places]);
  const install = dryRun ? announceInstall : installSubdataset;
  const installs: Result[] = [];
  await matchInstalling(subject, places, (result) => installs.push(result), install);
  const found = await matchInstalling(subject, files, (result) => installs.push(result), install);
  yield* installs;
  yield* fetchFiles(subject, config, lookAtInputs(subject, found), {
    dryRun,
    ...(jobs === undefined ? {} : { jobs }),
  });
  return found;
}

/** What a dry run says about a subdataset that would be installed. */
export const announceInstall: Installer = async (superRepo, { path }) => ({
  action: 'install [dry-run]',
  status: 'ok',
  path: `${superRepo.root}/${path}`,
  type: 'dataset',
});
