/** Where new content goes, decided without starting git-annex: `annex.largefiles`, `annex.backend`, and whether we may add natively at all. */
import { closeSync, openSync, readSync } from 'node:fs';
import { fsPath, joinNul, splitNul } from '../core/bytes.ts';
import { type Config, parseBoolean } from '../core/config.ts';
import { lstatOrNull } from '../sys/files.ts';
import {
  backendFor,
  type NativeAddDecision,
  nativeAddPossible,
  observeAnnex,
  parseBranchConfig,
} from './annex/eligibility.ts';
import type { IngestRules } from './annex/ingest.ts';
import { decideLargeness } from './annex/largefiles.ts';
import type { ObjectReader } from './object-reader.ts';
import { readHead } from './refs.ts';
import { git, type Repo } from './repo.ts';

export type Decision = NativeAddDecision & { readonly branchLargefiles: string | undefined };

/** Whether content may be added natively: from configuration, files, and settings in the `git-annex` branch. */
async function decideNative(repo: Repo, config: Config, objects: ObjectReader): Promise<Decision> {
  const [head, [log]] = await Promise.all([readHead(repo), objects.read(['refs/heads/git-annex:config.log'])]);
  const branchConfig = parseBranchConfig(log?.toString('utf8') ?? '');
  if (!branchConfig)
    return { ok: false, reason: 'config.log of the git-annex branch has an unknown form', branchLargefiles: undefined };
  const hooks = config.get('core.hookspath') ?? `${repo.commonDir}/hooks`;
  const facts = observeAnnex(repo.root, head.ref?.replace('refs/heads/', ''), branchConfig, hooks);
  return { ...nativeAddPossible(config, facts), branchLargefiles: branchConfig.get('annex.largefiles') };
}

export interface SortedContent {
  readonly annexed: readonly { readonly path: string; readonly rules: IngestRules }[];
  readonly inGit: readonly string[];
  /** Left to git-annex. */
  readonly undecided: readonly string[];
}

/** Sorts new files; whatever is not certain is left to git-annex. */
export async function sortContent(
  repo: Repo,
  config: Config,
  paths: readonly string[],
  objects: ObjectReader,
): Promise<{ readonly decision: Decision; readonly sorted: SortedContent }> {
  const [decision, attributes] = await Promise.all([decideNative(repo, config, objects), readAttributes(repo, paths)]);
  if (!decision.ok) return { decision, sorted: { annexed: [], inGit: [], undecided: paths } };
  // DataLad sets annex.dotfiles for each of its calls, so that dotfiles are annexed like others.
  const dotfiles =
    config.get('annex.dotfiles') === undefined || parseBoolean(config.get('annex.dotfiles') ?? '') === true;
  const annexed: { path: string; rules: IngestRules }[] = [];
  const inGit: string[] = [];
  const undecided: string[] = [];
  for (const path of paths) {
    const given = attributes.get(path);
    const sources = {
      config: config.get('annex.largefiles'),
      attribute: given?.largefiles,
      branch: decision.branchLargefiles,
    };
    const backend = backendFor(decision, given?.backend);
    const largeness = decideLargeness(sources, dotfiles, factsOf(repo, path));
    if (largeness === 'large' && backend)
      annexed.push({ path, rules: { backend, maxExtensionLength: decision.maxExtensionLength } });
    else if (largeness === 'small' && decision.addSmallFiles) inGit.push(path);
    else undecided.push(path);
  }
  return { decision, sorted: { annexed, inGit, undecided } };
}

function factsOf(repo: Repo, path: string) {
  const absolute = fsPath(`${repo.root}/${path}`);
  return {
    path,
    size: lstatOrNull(`${repo.root}/${path}`)?.size ?? 0,
    readHead: (length: number) => {
      const fd = openSync(absolute, 'r');
      try {
        const buffer = Buffer.alloc(length);
        let filled = 0;
        for (let size = -1; size !== 0 && filled < length; filled += size)
          size = readSync(fd, buffer, filled, length - filled, null);
        return buffer.subarray(0, filled);
      } finally {
        closeSync(fd);
      }
    },
  };
}

async function readAttributes(
  repo: Repo,
  paths: readonly string[],
): Promise<Map<string, { largefiles?: string; backend?: string }>> {
  const output = await git(repo, ['check-attr', '-z', '--stdin', 'annex.largefiles', 'annex.backend'], {
    input: joinNul(paths),
  });
  const found = new Map<string, { largefiles?: string; backend?: string }>();
  const words = splitNul(output.stdout);
  for (let at = 0; at + 2 < words.length; at += 3) {
    const [path, name, value] = words.slice(at, at + 3) as [string, string, string];
    const entry = found.get(path) ?? {};
    if (name === 'annex.largefiles') entry.largefiles = value;
    else entry.backend = value;
    found.set(path, entry);
  }
  return found;
}
