/** Bringing the content of given files here, through one git-annex process that is started only when something is absent. */
import { join } from 'node:path';
import type { Config } from '../core/config.ts';
import type { Result } from '../core/result.ts';
import type { Context } from '../sys/context.ts';
import { parseKey } from './annex/keys.ts';
import { withAnnex } from './annex-init.ts';
import { answerMatcher, askAnnex, askAnnexAboutKeys, resultOf, runAnnex } from './annex-batch.ts';
import { type Content, contentAt, isHere, objectFile } from './presence.ts';
import { git, type Repo } from './repo.ts';
import { shareContent, shareFiles } from './workspace-content.ts';

export interface FetchOptions {
  /** Dataset that results are reported against; the repository itself by default. */
  readonly refds?: string;
  readonly source?: string;
  readonly jobs?: number | 'auto';
  /** Which absent content: all that is asked for, what git-annex's rules want here, or the latter only where there is a rule (default). */
  readonly data?: 'anything' | 'auto' | 'auto-if-wanted';
  /** Fetch nothing: the results (`get [dry-run]`) say what would be fetched. */
  readonly dryRun?: boolean;
}

/**
 * Makes sure that the content of files is here; yields one `get` result per file whose content was absent.
 *
 * Nothing is started, and one readlink and stat per file is all it costs, where everything is here.
 *
 * @param files relative to the root, already expanded
 * Throws `annex-missing`, `annex-failed`; content that cannot be had is a result with status `error`.
 */
export async function* fetchEach(
  repo: Repo,
  known: Config,
  files: readonly string[],
  options: FetchOptions = {},
): AsyncGenerator<Result> {
  const absent = new Map<string, Extract<Content, { kind: 'annexed' }>>();
  for (const file of files) {
    if (isHere(repo, file)) continue;
    const content = contentAt(repo, file);
    if (content.kind === 'annexed' && !content.present) absent.set(file, content);
  }
  const refds = options.refds ?? repo.root;
  if (options.dryRun) {
    for (const [file, { key }] of absent) yield announcement(join(repo.root, file), key, refds);
    return;
  }
  // A workspace has what its source has.
  if (absent.size > 0) for (const file of await shareFiles(repo, absent)) absent.delete(file);
  for (const file of await fillLeftPointers(repo, absent)) absent.delete(file);
  if (absent.size === 0) return;
  // Where `.git` is a file, git-annex loses its way in the call that first makes an annex.
  const config = await withAnnex(repo, known);
  const { data = 'auto-if-wanted' } = options;
  const auto = data === 'auto' || (data === 'auto-if-wanted' && (await wantsOnlySome(repo, config)));
  const names = [...absent.keys()];
  const whichFile = answerMatcher(names, (file) => absent.get(file)?.key ?? null);
  const progress = progressOf(
    repo.context,
    [...absent.values()].map((content) => content.key),
  );
  const args = [
    'get',
    ...(await jobsArgument(repo, options.jobs, config)),
    ...(options.source === undefined ? [] : [`--from=${options.source}`]),
    ...(auto ? ['--auto'] : []),
  ];
  const silent = new Set(names);
  try {
    for await (const answer of askAnnex(repo, { args, files: names, onProgress: progress.bytes })) {
      const file = whichFile(answer);
      if (file === null) continue;
      silent.delete(file);
      progress.finished(absent.get(file)?.key ?? '', file);
      yield resultOf(answer, 'get', join(repo.root, file), refds);
    }
  } finally {
    progress.end();
  }
  for (const file of silent) {
    const content = contentAt(repo, file);
    // Two files of one key: git-annex answers for the first only.
    if (auto || content.kind !== 'annexed' || content.present) continue;
    yield {
      action: 'get',
      status: 'error',
      path: join(repo.root, file),
      type: 'file',
      refds,
      annexkey: content.key,
      message: 'not available',
      error_message: 'File unknown to git',
    };
  }
}

/** Unlocked files that Git has left as pointers although their content is in the annex: git-annex does not get them, but it fills them in. */
async function fillLeftPointers(
  repo: Repo,
  absent: ReadonlyMap<string, Extract<Content, { kind: 'annexed' }>>,
): Promise<readonly string[]> {
  const left = [...absent].filter(([, { locked, key }]) => !locked && objectFile(repo, key) !== null);
  if (left.length === 0) return [];
  await runAnnex(repo, ['smudge', '--update']);
  return left.map(([file]) => file).filter((file) => isHere(repo, file));
}

/**
 * As `fetchEach`, for keys: content of an earlier commit has no file in the work tree.
 *
 * @param wanted keys, each with the path (relative to the root) that its result is about
 */
export async function* fetchKeys(
  repo: Repo,
  config: Config,
  wanted: ReadonlyMap<string, string>,
  options: Pick<FetchOptions, 'refds' | 'jobs' | 'dryRun'> = {},
): AsyncGenerator<Result> {
  const absent = [...wanted.keys()].filter((key) => objectFile(repo, key) === null);
  const refds = options.refds ?? repo.root;
  const pathOf = (key: string) => join(repo.root, wanted.get(key) ?? '');
  if (options.dryRun) {
    for (const key of absent) yield announcement(pathOf(key), key, refds);
    return;
  }
  const shared = shareContent(repo, absent);
  const keys = absent.filter((key) => !shared.has(key));
  if (keys.length === 0) return;
  const progress = progressOf(repo.context, keys);
  const args = ['get', ...(await jobsArgument(repo, options.jobs, config))];
  const silent = new Set(keys);
  try {
    for await (const answer of askAnnexAboutKeys(repo, { args, keys, onProgress: progress.bytes })) {
      const { key = '' } = answer;
      if (!silent.delete(key)) continue;
      progress.finished(key, key);
      yield resultOf(answer, 'get', pathOf(key), refds);
    }
  } finally {
    progress.end();
  }
  for (const key of silent) {
    if (objectFile(repo, key) === null)
      yield {
        action: 'get',
        status: 'error',
        path: pathOf(key),
        type: 'file',
        refds,
        annexkey: key,
        message: 'not available',
      };
  }
}

/** What a dry run says about content that would be fetched. */
function announcement(path: string, key: string, refds: string): Result {
  const size = parseKey(key)?.size;
  const facts = { annexkey: key, ...(size === undefined ? {} : { bytesize: size }) };
  return { action: 'get [dry-run]', status: 'ok', path, type: 'file', refds, ...facts };
}

/**
 * `auto` is what the configuration says, else git-annex's own default.
 *
 * That default has a batch look for content only where git-annex knew it to be before the last fetch (10.20230126); a batch of one job looks
 * at what was fetched first, and takes a tenth of a second longer.
 */
async function jobsArgument(repo: Repo, jobs: number | 'auto' | undefined, config: Config): Promise<string[]> {
  const wanted = jobs === undefined || jobs === 'auto' ? config.get('datalad.runtime.max-annex-jobs') : String(jobs);
  if (wanted !== undefined && /^[1-9]\d*$/.test(wanted)) return [`-J${wanted}`];
  if (config.get('annex.jobs') !== undefined) return [];
  const news = ['for-each-ref', '--no-merged=refs/heads/git-annex', 'refs/remotes/*/git-annex'];
  return (await git(repo, news, { accept: [0, 128, 129] })).stdout.length > 0 ? ['-J1'] : [];
}

/** Whether this repository has a preferred-content rule, under which git-annex decides what to get (DataLad's `auto-if-wanted`). */
async function wantsOnlySome(repo: Repo, config: Config): Promise<boolean> {
  const uuid = config.get('annex.uuid');
  if (uuid === undefined) return false;
  const log = await git(repo, ['cat-file', 'blob', 'git-annex:preferred-content.log'], { accept: [0, 128] });
  return ruleFor(log.stdout.toString('utf8'), uuid) !== '';
}

/** The newest rule for an annex in `preferred-content.log`, whose lines are `UUID EXPRESSION timestamp=SECONDSs`; empty when there is none. */
export function ruleFor(log: string, uuid: string): string {
  let newest = { at: -1, rule: '' };
  for (const line of log.split('\n')) {
    const match = /^(\S+) (.*?) ?timestamp=([\d.]+)s$/.exec(line);
    if (match?.[1] === uuid && Number(match[3]) > newest.at)
      newest = { at: Number(match[3]), rule: (match[2] ?? '').trim() };
  }
  return newest.rule;
}

function progressOf(context: Context, keys: readonly string[]) {
  const sizes = new Map(keys.map((key) => [key, parseKey(key)?.size ?? 0]));
  const total = [...sizes.values()].reduce((sum, size) => sum + size, 0);
  const inFlight = new Map<string, number>();
  let finished = 0;
  const report = (): void => {
    const moving = [...inFlight.values()].reduce((sum, bytes) => sum + bytes, 0);
    context.emit({ kind: 'progress', label: 'get', done: Math.min(finished + moving, total), total, unit: 'bytes' });
  };
  report();
  return {
    bytes: (file: string, bytes: number): void => {
      inFlight.set(file, bytes);
      report();
    },
    finished: (key: string, file: string): void => {
      inFlight.delete(file);
      finished += sizes.get(key) ?? 0;
      report();
    },
    end: () => context.emit({ kind: 'progress-end', label: 'get' }),
  };
}
