/** Which runs may be executed side by side: decided from what they declare and what their commits changed. */
import { posix } from 'node:path';
import { hasMagic } from '../core/fnmatch.ts';
import { recordOf } from './plan.ts';
import type { PlanStep } from './replay-plan.gen.ts';
import { filesInCommand } from './stale-specs.ts';

/** What a step reads and writes: the fixed leading folders of its paths and patterns, relative to the root; `''` is everything. */
export interface Footprint {
  readonly reads: readonly string[];
  readonly writes: readonly string[];
  /** Nothing is known of it: it waits for all before it, and all after it wait for it. */
  readonly isBarrier: boolean;
}

/**
 * The footprint of a step. What it wrote when it was recorded counts as declared, and so do files that the command names, as for `stale`.
 *
 * A step is a barrier if its record declares neither inputs nor outputs, if its command commits itself, or if it changes subdatasets; and
 * so is a commit that may be picked or merged.
 *
 * @param real where a path really lies, links followed; null for outside, where nothing is known of what it meets
 * @param contained commits that the start holds already: nothing is done for one of them that is not run
 */
export function footprintOf(
  step: PlanStep,
  real: (path: string) => string | null,
  contained: ReadonlySet<string> = new Set(),
): Footprint {
  if (step.action !== 'run')
    return { reads: [], writes: [], isBarrier: step.action !== 'skip' && !contained.has(step.commit) };
  const { cmd, pwd, inputs, extra_inputs: extra, outputs } = recordOf(step);
  const changes = step.changes ?? [];
  const fixed = (paths: readonly string[]) =>
    paths.flatMap((path) => {
      const named = fixedPart(pwd, path);
      // A link at the path itself may lead to a folder of the dataset; that of an annexed file does not.
      return [...new Set([named, real(named) ?? '', real(`${named}/`) ?? named])];
    });
  return {
    // A command that names the whole dataset (`find .`) would wait for all others.
    reads: [...fixed([...inputs, ...extra]), ...fixed(filesInCommand(cmd)).filter((path) => path !== '')],
    writes: [...fixed(outputs), ...changes.map(({ path }) => path)],
    isBarrier:
      inputs.length + outputs.length === 0 || step.parents.length > 1 || changes.some(({ type }) => type === 'dataset'),
  };
}

/** The components before the first one with glob characters; an absolute path may be anywhere. */
function fixedPart(pwd: string, path: string): string {
  if (path.startsWith('/')) return '';
  const parts = posix.normalize(posix.join(pwd, path)).split('/');
  const magic = parts.findIndex((part) => hasMagic(part));
  const joined = (magic === -1 ? parts : parts.slice(0, magic)).filter((part) => part !== '.' && part !== '').join('/');
  return joined.startsWith('..') ? '' : joined;
}

/** What some steps write, to be asked about later ones: in time that follows the number of paths, which may be thousands. */
export interface Claims {
  add(footprint: Footprint): void;
  /** Whether a later step has to see what one of these wrote, or writes to the same place. */
  concern(later: Footprint): boolean;
}

/** No claims yet. */
export function createClaims(): Claims {
  const written = new Set<string>();
  const around = new Set<string>();
  let isBarred = false;
  return {
    add({ writes, isBarrier }) {
      isBarred ||= isBarrier;
      for (const path of writes) {
        written.add(path);
        for (const folder of foldersAround(path)) around.add(folder);
      }
    },
    concern({ reads, writes, isBarrier }) {
      if (isBarred || isBarrier) return true;
      return [...reads, ...writes].some(
        (path) => written.has(path) || around.has(path) || foldersAround(path).some((folder) => written.has(folder)),
      );
    },
  };
}

/** The folders that a path lies in, the root included; the root lies in none. */
function foldersAround(path: string): readonly string[] {
  if (path === '') return [];
  const parts = path.split('/');
  return parts.map((_, size) => parts.slice(0, size).join('/'));
}
