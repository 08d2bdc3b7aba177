/** What a record says that its run depends on, as paths and patterns relative to the root of the dataset. */
import { posix } from 'node:path';
import { escapeMagic, hasMagic, nameMatcher } from '../core/fnmatch.ts';
import type { RunRecord } from '../record/run-record.gen.ts';
import { recordedSpecs } from '../run/plan.ts';

export interface Spec {
  readonly role: 'input' | 'image' | 'code';
  /** Components of the pattern; none for the whole dataset. */
  readonly parts: readonly string[];
  /** How many of them, counted from the first, have no wildcards. */
  readonly literal: number;
}

/**
 * The inputs of a record, its extra inputs, and the files that its command names. Paths outside the dataset are left out.
 *
 * @param root absolute path of the dataset, from which absolute paths are read
 */
export function specsOf(record: RunRecord, root: string): readonly Spec[] {
  const declared = recordedSpecs(record);
  const folder = escapeMagic(record.pwd);
  const inputs = declared.inputs.flatMap((path) => readSpec('input', root, folder, path));
  const images = declared.extraInputs.flatMap((path) => readSpec('image', root, folder, path));
  const outputs = declared.outputs.flatMap((path) => readSpec('input', root, folder, path));
  const code = filesInCommand(record.cmd)
    .flatMap((path) => readSpec('code', root, record.pwd, path))
    .filter(({ parts }) => {
      const path = parts.join('/');
      return path !== '' && ![...inputs, ...images, ...outputs].some((one) => namesPath(one, path));
    });
  return [...inputs, ...images, ...code];
}

/** Where a recorded run worked and wrote: its folder and its outputs, which may lie in subdatasets. */
export function placesOf(record: RunRecord, root: string): readonly Spec[] {
  const folder = escapeMagic(record.pwd);
  return ['.', ...recordedSpecs(record).outputs].flatMap((path) => readSpec('input', root, folder, path));
}

/** A spec as a pattern that is read from the root. */
export function patternOf({ parts }: Spec): string {
  return parts.join('/') || '.';
}

/** @param folder pattern of the folder that the path is read from; its name as it is for code */
function readSpec(role: Spec['role'], root: string, folder: string, path: string): readonly Spec[] {
  const inside = posix.relative(root, posix.resolve(root, folder, path));
  if (inside === '..' || inside.startsWith('../')) return [];
  const parts = inside === '' ? [] : inside.split('/').filter((part, at, all) => part !== '**' || all[at - 1] !== '**');
  const wild = role === 'code' ? -1 : parts.findIndex(hasMagic);
  return [{ role, parts, literal: wild === -1 ? parts.length : wild }];
}

/**
 * Words of a command line that may be names of files: no options, nothing that a shell or a placeholder fills in, and not where output is
 * redirected to.
 */
export function filesInCommand(cmd: string): readonly string[] {
  const words = cmd.matchAll(/([0-9]?>>?[&|]?\s*)?((?:'[^']*'|"[^"]*"|\\.|[^\s;|&<>()'"\\`])+)/gs);
  const names = new Set<string>();
  for (const [, redirection, word] of words) {
    if (redirection !== undefined || word === undefined) continue;
    const bare = word.replaceAll(/'([^']*)'|"([^"]*)"|\\(.)/gs, '$1$2$3');
    // --script=code/x.py, X=code/x.py
    const name = /^(?:-[^=]*|\w+)=(.+)$/s.exec(bare)?.[1] ?? bare;
    if (name !== '' && !name.startsWith('-') && !/[$*?[{}\0\n]/.test(name)) names.add(name);
  }
  return [...names];
}

/** How names of one component are matched; a leading dot is named by a pattern only if the pattern has it, too. */
export function componentMatcher(part: string): (name: string) => boolean {
  if (!hasMagic(part)) return (name) => name === part;
  const matches = nameMatcher(part);
  return (name) => (part.startsWith('.') || !name.startsWith('.')) && matches(name);
}

/** Whether a spec names a path, or a folder that it lies in. */
export function namesPath(spec: Spec, path: string): boolean {
  const names = path.split('/');
  if (spec.literal === spec.parts.length) return spec.parts.every((part, index) => part === names[index]);
  return matches(spec.parts, names);
}

function matches(parts: readonly string[], names: readonly string[]): boolean {
  // Positions in the names that the pattern so far can end at.
  let ends = new Set([0]);
  for (const wanted of parts) {
    const next = new Set<number>();
    const accepts = componentMatcher(wanted);
    for (const end of ends) {
      if (wanted !== '**') {
        const candidate = names[end];
        if (candidate !== undefined && accepts(candidate)) next.add(end + 1);
        continue;
      }
      next.add(end);
      for (let at = end; at < names.length && !names[at]?.startsWith('.'); at += 1) next.add(at + 1);
    }
    ends = next;
  }
  return ends.size > 0;
}
