/** Images made ready for what will run them, each told as a result. */
import { join } from 'node:path';
import type { RunnerName } from '../containers/plan.ts';
import { RepriseError } from '../core/errors.ts';
import type { Result } from '../core/result.ts';
import { isFatal } from '../dataset/outcome.ts';
import type { Repo } from '../dataset/repo.ts';
import type { ContainerCase } from '../images/container-case.ts';
import { makeReady } from '../images/ready-image.ts';
import { knownIdentity } from '../images/recorded-container.ts';
import { containerOf } from '../images/replay-launcher.ts';
import { recordOf } from './plan.ts';
import type { PlanStep } from './replay-plan.gen.ts';

/** An image that a run or a rerun will need. */
export interface NeededImage {
  /** Path of the image, or of the dataset where only the container itself tells it. */
  readonly path: string;
  /** Finds the container, and the line that will start it; undefined for a record without one. Throws `content-unavailable`, `image-missing`. */
  readonly find: () => Promise<{ readonly container: ContainerCase; readonly line: string } | undefined>;
}

/** The images of the containers of records; equal ones once. */
export function imagesOfRecords(
  repo: Repo,
  steps: readonly PlanStep[],
  runner: RunnerName | undefined,
): readonly NeededImage[] {
  const images = new Map<string, NeededImage>();
  for (const step of steps) {
    const record = recordOf(step);
    const { commit } = step;
    const described = record.reprise?.container;
    // Without a description, only the image itself tells which one it is.
    const id = described ? JSON.stringify([described.image, described.runner, knownIdentity(described)]) : commit;
    if (images.has(id)) continue;
    images.set(id, {
      path: join(repo.root, described?.image ?? ''),
      find: async () => {
        const container = await containerOf({ repo, home: repo.root, record, commit, runner });
        return container && { container, line: record.cmd };
      },
    });
  }
  return [...images.values()];
}

/** Makes images ready; yields a result for each, and says once if nothing here can run them. */
export async function* readyImages(repo: Repo, images: readonly NeededImage[]): AsyncGenerator<Result> {
  let told = false;
  for (const { path, find } of images) {
    const result = { action: 'prefetch', path, refds: repo.root } as const;
    try {
      const found = await find();
      if (!found) continue;
      const { container, line } = found;
      const about = { ...result, path: join(repo.root, container.recordedPath) };
      const readiness = await makeReady(container, line);
      if (readiness.how === 'no-runner') {
        if (!told) repo.context.emit({ kind: 'info', text: readiness.reason });
        told = true;
        yield { ...about, status: 'notneeded', message: readiness.reason };
      } else if (readiness.how === 'checked') yield { ...about, status: 'notneeded', message: 'checked' };
      else
        yield {
          ...about,
          status: readiness.how === 'made' ? 'ok' : 'notneeded',
          message: `ready for ${readiness.runner}`,
        };
    } catch (error) {
      if (!(error instanceof RepriseError) || isFatal(error)) throw error;
      yield { ...result, status: 'error', message: error.message };
    }
  }
}
