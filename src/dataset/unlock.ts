/** `unlock`: makes the content of annexed files editable in place. */
import { join } from 'node:path';
import type { Result, VerbOutcome } from '../core/result.ts';
import type { Context } from '../sys/context.ts';
import { lstatOrNull } from '../sys/files.ts';
import { answerMatcher, tellAnnex } from './annex-batch.ts';
import { annexFacts } from './annex-facts.ts';
import { collectResults, type OnFailure } from './outcome.ts';
import { contentAt } from './presence.ts';
import { type Repo, repoAt } from './repo.ts';
import { datasetStatus, type StatusEntry } from './status.ts';
import { datasetOf, groupTargets, isFolder, relativeTo, resolveTargets } from './targets.ts';

export interface UnlockOptions {
  readonly paths?: readonly string[];
  readonly dataset?: string;
  readonly recursive?: boolean;
  readonly recursionLimit?: number;
  readonly onFailure?: OnFailure;
}

/** Unlocks annexed files whose content is here; results as DataLad's `unlock`. Throws `no-dataset`, `annex-missing`, `annex-failed`. */
export async function unlock(options: UnlockOptions, context: Context): Promise<VerbOutcome> {
  const reference = datasetOf(context, options.dataset);
  return collectResults(context, options.onFailure ?? 'continue', unlockResults(reference, options, context));
}

async function* unlockResults(reference: Repo, options: UnlockOptions, context: Context): AsyncGenerator<Result> {
  const refds = reference.root;
  const targets = resolveTargets(reference, context, options.paths ?? []);
  const there = targets.filter(({ path }) => lstatOrNull(path));
  for (const path of new Set(targets.filter((target) => !there.includes(target)).map((target) => target.path))) {
    yield { action: 'unlock', status: 'impossible', path, type: 'file', refds, message: 'path does not exist' };
  }
  if (targets.length > 0 && there.length === 0) return;
  const { groups, outside } = groupTargets(reference, there, options.dataset !== undefined);
  for (const path of outside) {
    yield {
      action: 'status',
      status: 'error',
      path,
      refds,
      message: `path not underneath the reference dataset ${refds}`,
    };
  }
  const named = new Set(targets.filter(({ path }) => !isFolder(path)).map((target) => target.path));
  const levels = options.recursionLimit ?? (options.recursive ? Number.POSITIVE_INFINITY : 0);
  const jobs: { readonly repo: Repo; readonly files: readonly string[] }[] = [];
  for (const { repo, paths } of groups) {
    const relative = paths?.includes(repo.root) ? null : (paths?.map((path) => relativeTo(repo.root, path)) ?? null);
    yield* survey(repo, relative, named, levels, jobs, refds);
  }
  for (const { repo, files } of jobs) {
    const whichFile = answerMatcher(files, (file) => {
      const content = contentAt(repo, file);
      return content.kind === 'annexed' ? content.key : null;
    });
    for await (const answer of tellAnnex(repo, { args: ['unlock'], files })) {
      const file = whichFile(answer);
      if (file === null) continue;
      const errors = answer['error-messages'] ?? [];
      yield {
        action: 'unlock',
        status: answer.success === true ? 'ok' : 'error',
        path: join(repo.root, file),
        type: 'file',
        refds,
        ...(errors.length === 0 ? {} : { error_message: errors.join('\n') }),
      };
    }
  }
}

/** Reports what cannot be unlocked among the files given by name, and collects what can be. */
async function* survey(
  repo: Repo,
  paths: readonly string[] | null,
  named: ReadonlySet<string>,
  levels: number,
  jobs: { readonly repo: Repo; readonly files: readonly string[] }[],
  refds: string,
): AsyncGenerator<Result> {
  const entries = await datasetStatus(repo, {
    paths,
    untracked: named.size > 0 ? 'normal' : 'no',
    evalSubdatasetState: 'no',
    clean: true,
  });
  const facts = await annexFacts(repo, entries, true);
  const files: string[] = [];
  for (const entry of entries) {
    const path = join(repo.root, entry.path);
    const present = facts.get(entry.path)?.has_content;
    if (present === true) {
      if (isLocked(repo, entry)) files.push(entry.path);
    } else if (named.has(path)) {
      const [status, reason] =
        present === false
          ? (['impossible', 'no content present'] as const)
          : entry.state === 'untracked'
            ? (['impossible', 'untracked'] as const)
            : (['notneeded', 'non-annex file'] as const);
      yield { action: 'unlock', status, path, type: 'file', refds, message: `${reason}; cannot unlock` };
    }
  }
  if (files.length > 0) jobs.push({ repo, files });
  for (const entry of levels > 0 ? entries.filter(({ type }) => type === 'dataset') : []) {
    const sub = repoAt(join(repo.root, entry.path), repo.context);
    if (sub) yield* survey(sub, null, named, levels - 1, jobs, refds);
  }
}

/** git-annex says nothing about files that are unlocked already; they need not be told to it. */
function isLocked(repo: Repo, entry: StatusEntry): boolean {
  return contentAt(repo, entry.path).kind === 'annexed';
}
