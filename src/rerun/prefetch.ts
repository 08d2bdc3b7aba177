/** `prefetch`: what runs and reruns will need from elsewhere, brought here while there is a network. */
import { resolve } from 'node:path';
import type { Config } from '../core/config.ts';
import { RepriseError } from '../core/errors.ts';
import type { Result, VerbOutcome } from '../core/result.ts';
import type { RunnerName } from '../containers/plan.ts';
import { installSubdataset } from '../dataset/install.ts';
import { collectResults, isFailure, type OnFailure } from '../dataset/outcome.ts';
import { readConfig } from '../dataset/read-config.ts';
import { findRunner } from '../images/choose-runner.ts';
import { type ContainerCall, containerCall } from '../images/containers-run.ts';
import { selectContainer } from '../images/select.ts';
import { announceInstall, gather } from '../run/gather.ts';
import { fillSpecs, substitutionsOf } from '../run/plan.ts';
import { resolveSubject, type Subject } from '../run/subject.ts';
import type { Context } from '../sys/context.ts';
import { imagesOfRecords, readyImages } from './prefetch-images.ts';
import { contentOfRecords, type Reported, readRecords, type Transfer } from './prefetch-records.ts';

export interface PrefetchOptions {
  readonly dataset?: string;
  /** What reruns of these commits need, named as for `rerun`; by default the last one, unless containers or inputs are named. */
  readonly revision?: string;
  readonly since?: string;
  /** Names of containers, as for `containers-run`. */
  readonly containers?: readonly string[];
  /** Paths and patterns, as inputs of a run. */
  readonly inputs?: readonly string[];
  /** What images are made ready for; by default what would run them here. */
  readonly runner?: RunnerName;
  readonly jobs?: number;
  /** Only say what would be fetched. */
  readonly dryRun?: boolean;
  readonly onFailure?: OnFailure;
}

/**
 * Fetches what records, containers and inputs need, and makes images ready for what will run them; nothing of a record is executed.
 *
 * A record needs what its rerun in place does, and its rerun in a workspace, in the state that it was recorded in. Results are those of `get` (`get`,
 * `install`), `fetch` for a commit of a subdataset, and `prefetch` for an image; what cannot be had is a result, and the rest is fetched all the
 * same. Throws `no-dataset`, `revision-unknown`, `no-run-commits`, `record-invalid`, `path-outside`, `container-unknown`, `placeholder-unknown`,
 * `placeholder-invalid`, `annex-missing`, `annex-failed`; for a runner that was asked for `runner-missing`, `runner-unreachable`,
 * `runner-permission`.
 */
export async function prefetch(options: PrefetchOptions, context: Context): Promise<VerbOutcome> {
  const subject = resolveSubject(options.dataset, context);
  const outcome = await collectResults(context, options.onFailure ?? 'continue', prefetchAll(subject, options));
  if (outcome.results.every(({ status }) => status === 'notneeded'))
    context.emit({ kind: 'info', text: 'everything is here' });
  return outcome;
}

/** Takes notes of what is reported; of what several things need, a dry run tells once. */
async function* prefetchAll(subject: Subject, options: PrefetchOptions): AsyncGenerator<Result> {
  const notes = { failedKeys: new Set<string>(), absent: new Set<string>() };
  const announced = new Set<string>();
  for await (const result of inOrder(subject, options, notes)) {
    const { action, path, annexkey } = result;
    if (action === 'get' && isFailure(result)) notes.failedKeys.add(String(annexkey));
    if (action === 'install [dry-run]' || (action === 'install' && isFailure(result))) notes.absent.add(path);
    const id = JSON.stringify([action, path, annexkey]);
    if (options.dryRun && announced.has(id)) continue;
    announced.add(id);
    yield result;
  }
}

async function* inOrder(subject: Subject, options: PrefetchOptions, reported: Reported): AsyncGenerator<Result> {
  const { repo } = subject;
  const { containers = [], inputs = [], runner, revision, since, jobs, dryRun = false } = options;
  const transfer: Transfer = { dryRun, ...(jobs === undefined ? {} : { jobs }) };
  const config = await readConfig(repo);
  // What cannot be meant is said before anything is fetched.
  if (runner !== undefined) await findRunner(runner, repo.context.env);
  const files = fillSpecs({ inputs, outputs: [], extraInputs: [] }, substitutionsOf(config)).inputs;
  const calls = yield* selectAll(subject, containers, runner, dryRun);
  const isAboutRecords = revision !== undefined || since !== undefined || containers.length + inputs.length === 0;
  const steps = isAboutRecords ? yield* readRecords(repo, config, { revision, since }, transfer) : [];
  yield* contentOfInputs(subject, config, files, transfer, reported);
  yield* gather(subject, config, { files: calls.flatMap((call) => call.inputs), ...transfer });
  yield* contentOfRecords(repo, config, steps, transfer, reported);
  if (dryRun) return;
  const named = calls.map((call) => ({ path: call.container.imagePath, find: async () => call }));
  yield* readyImages(repo, [...named, ...imagesOfRecords(repo, steps, runner)]);
}

/** Finds the containers that are named, and installs the subdatasets that they lie in. */
async function* selectAll(
  subject: Subject,
  names: readonly string[],
  runner: RunnerName | undefined,
  dryRun: boolean,
): AsyncGenerator<Result, readonly ContainerCall[]> {
  const calls: ContainerCall[] = [];
  for (const name of names) {
    try {
      const { container, installs } = await selectContainer(
        subject.repo,
        name,
        dryRun ? announceInstall : installSubdataset,
      );
      yield* installs;
      calls.push(containerCall(subject, container, ['true'], runner === undefined ? {} : { runner }));
    } catch (error) {
      if (!(error instanceof RepriseError) || error.code !== 'subdataset-install-failed') throw error;
      const about = { path: String(error.data['path']), type: 'dataset' } as const;
      yield dryRun
        ? { ...about, action: 'install [dry-run]', status: 'ok' }
        : { ...about, action: 'install', status: 'error', message: error.message };
    }
  }
  return calls;
}

async function* contentOfInputs(
  subject: Subject,
  config: Config,
  files: readonly string[],
  transfer: Transfer,
  reported: Reported,
): AsyncGenerator<Result> {
  const found = yield* gather(subject, config, { files, ...transfer });
  // A dry run does not look into subdatasets that would be installed.
  if (transfer.dryRun && reported.absent.size > 0) return;
  for (const miss of [...found.misses, ...found.partial.keys()]) {
    const message = `Input did not match existing file: ${miss}`;
    yield { action: 'get', status: 'impossible', path: resolve(subject.pwd, miss), refds: subject.repo.root, message };
  }
}
