/** Makes a history once, gives each tool a copy of it, lets the tools rerun, and tells what each decided and left. */
import { spawn } from 'node:child_process';
import { copyTree } from './copy-tree.ts';
import { type History, grounds, makeHistory, type Recorder } from './histories.ts';
import { type CommitNames, nameCommits, readShape, type Shape } from './histories-shape.ts';
import { type DataladVersion, type Finished, tellingResults, type WarmDatalad, warmDatalad } from './twins-datalad.ts';
import { readState } from './twins-state.ts';
import { cliPath, type World } from './world.ts';

/** A rerun, or a shell line that is the same for every tool; in the root of the dataset unless a folder beside it is named. */
export type Step =
  | {
      readonly rerun: readonly string[];
      readonly cwd?: string;
      /** Another tool than the one whose turn it is. */
      readonly by?: Recorder;
    }
  | { readonly sh: string };

export const aspects = [
  'code',
  'decisions',
  'report',
  'printed',
  'head',
  'branches',
  'commits',
  'inner',
  'tree',
  'status',
  'files',
  'unfinished',
] as const;
export type Aspect = (typeof aspects)[number];

/** What one rerun came to. */
export interface Replayed extends Shape {
  readonly code: number;
  /** `run a`, `pick b`, `skip c`, `merge d`; `failed a (3)` for a command that failed, `refused` for anything that was not begun. */
  readonly decisions: readonly string[];
  /** With `--report`: what was told of each commit, with names for ids. */
  readonly report: readonly Readonly<Record<string, unknown>>[];
  /** Lines of stdout that are no results. */
  readonly printed: string;
  /** By path of a subdataset: its commits. */
  readonly inner: Readonly<Record<string, readonly unknown[]>>;
  /** By path of the repository: `git ls-tree -r HEAD`, and `git status`. */
  readonly tree: Readonly<Record<string, readonly string[]>>;
  readonly status: Readonly<Record<string, readonly string[]>>;
  /** Work tree: what each path is and what is in it. */
  readonly files: Readonly<Record<string, string>>;
  readonly stdout: string;
  readonly stderr: string;
}

/** Names of one length, so that texts that are cut to a length agree. */
const folders: Record<Recorder, string> = { datalad: 'old', 'datalad-latest': 'new', ours: 'own' };
const REPLAYED = '2026-02-03T04:05:06Z';

export interface Prepared {
  readonly folder: string;
  readonly names: CommitNames;
}

export interface HistoryStage {
  /** The history in a folder of its own, made once for each id. */
  prepare(id: string, history: History): Promise<Prepared>;
  /** Takes the steps with one tool in a fresh copy; one entry per rerun. */
  replay(prepared: Prepared, id: string, tool: Recorder, steps: readonly Step[]): Promise<readonly Replayed[]>;
  close(): Promise<void>;
}

export function openHistories(world: World): HistoryStage {
  const warm = new Map<DataladVersion, Promise<WarmDatalad>>();
  const datalad = (which: DataladVersion) => {
    const running = warm.get(which) ?? warmDatalad(world, which);
    warm.set(which, running);
    return running;
  };
  const start = (argv: readonly string[], cwd: string, env: Record<string, string>) =>
    new Promise<Finished>((resolve, reject) => {
      const all = { ...world.env, REPRISE: `${process.execPath} ${cliPath}`, ...env, PWD: cwd };
      const child = spawn(argv[0] as string, argv.slice(1), { cwd, env: all, stdio: ['ignore', 'pipe', 'pipe'] });
      const texts = ['', ''];
      child.stdout.setEncoding('utf8').on('data', (text: string) => (texts[0] += text));
      child.stderr.setEncoding('utf8').on('data', (text: string) => (texts[1] += text));
      child.on('error', reject);
      child.on('close', (code) => resolve({ code: code ?? -1, stdout: texts[0] ?? '', stderr: texts[1] ?? '' }));
    });
  const shell = async (line: string, cwd: string, env: Record<string, string> = {}) => {
    const done = await start(['/bin/bash', '-ec', line], cwd, env);
    if (done.code !== 0) throw new Error(`${line}\nexited ${done.code}\n${done.stdout}\n${done.stderr}`);
  };
  const record = async (tool: Recorder, args: readonly string[], cwd: string, env: Record<string, string>) =>
    tool === 'ours'
      ? start([process.execPath, cliPath, '-c', 'reprise.record.extension=none', ...args], cwd, env)
      : (await datalad(tool)).exec(args, cwd, env);

  const once = <T>(made: Map<string, Promise<T>>, key: string, make: () => Promise<T>): Promise<T> => {
    const known = made.get(key) ?? make();
    made.set(key, known);
    return known;
  };
  const started = new Map<string, Promise<string>>();
  const ground = (name: keyof typeof grounds) =>
    once(started, name, async () => {
      const folder = folderOf('grounds', name);
      await shell(grounds[name], folder);
      return folder;
    });
  const made = new Map<string, Promise<Prepared>>();
  const folderOf = (...parts: string[]) => world.path(...parts, 'x').slice(0, -2);

  return {
    prepare: (id, history) =>
      once(made, id, async () => {
        const folder = folderOf('made', id);
        await copyTree(await ground(history.base), folder);
        await makeHistory(history, `${folder}/ds`, { shell, record });
        return { folder, names: await nameCommits(`${folder}/ds`, world.env) };
      }),
    async replay({ folder, names }, id, tool, steps) {
      const top = folderOf(folders[tool], id);
      await copyTree(folder, top);
      const env = { GIT_AUTHOR_DATE: REPLAYED, GIT_COMMITTER_DATE: REPLAYED };
      const ended: Replayed[] = [];
      for (const step of steps) {
        if ('sh' in step) {
          await shell(step.sh, `${top}/ds`, env);
          continue;
        }
        const done = await record(
          step.by ?? tool,
          ['-f', 'json', 'rerun', ...step.rerun.map((arg) => arg.replaceAll('$W', top))],
          step.cwd === undefined ? `${top}/ds` : `${top}/${step.cwd}`,
          env,
        );
        const saying = said(done, names, top);
        ended.push({
          ...(await look(top, names)),
          ...saying,
          report: step.rerun.includes('--report') ? saying.report : [],
        });
      }
      return ended;
    },
    async close() {
      for (const running of warm.values()) await (await running).close();
    },
  };

  async function look(top: string, names: CommitNames) {
    const state = await readState(top, world.env, [[top, 'W']]);
    const repos = Object.entries(state.repos);
    const shape = await readShape(`${top}/ds`, world.env, names, repos.length === 1);
    return {
      ...shape,
      inner: Object.fromEntries(repos.filter(([path]) => path !== 'ds').map(([path, repo]) => [path, repo.commits])),
      tree: Object.fromEntries(repos.map(([path, repo]) => [path, repo.tree])),
      status: Object.fromEntries(repos.map(([path, repo]) => [path, repo.status])),
      files: state.files,
    };
  }
}

function said(done: Finished, names: CommitNames, top: string) {
  const results = tellingResults(done.stdout);
  const all = results.flatMap((result) => decisionOf(result, names));
  // Why something was not done may be told in several results.
  const decisions = all.filter((decision, at) => decision !== 'refused' || all[at - 1] !== 'refused');
  // A command of Git's that fails ends DataLad without a result.
  const silent = done.code !== 0 && !decisions.some((decision) => /^(failed|refused)/.test(decision));
  return {
    code: done.code,
    decisions: silent ? [...decisions, 'refused'] : decisions,
    report: results
      .filter((result) => result['rerun_action'] !== undefined)
      .map((result) => reported(result, names, top)),
    printed: done.stdout
      .split('\n')
      .filter((line) => !line.startsWith('{"action"'))
      .join('\n')
      .replaceAll(top, 'W'),
    stdout: done.stdout,
    stderr: done.stderr.replaceAll(top, 'W'),
  };
}

type Result = Readonly<Record<string, unknown>>;

/** DataLad tells the commit of what it did not run; of what it ran, the record with its chain. */
function decisionOf(result: Result, names: CommitNames): readonly string[] {
  const { action, status } = result;
  const named = (id: unknown) => names.get(String(id)) ?? '(new)';
  if ('error_code' in result) return ['refused'];
  if (action !== 'run') return status === 'error' || status === 'impossible' ? ['refused'] : [];
  const info = result['run_info'] as { readonly chain?: readonly string[] } | undefined;
  const which = result['commit'] ?? info?.chain?.at(-1);
  if (typeof result['exit_code'] === 'number' && status !== 'ok')
    return [`failed ${named(which)} (${result['exit_code']})`];
  if (status === 'error' || status === 'impossible') return ['refused'];
  return which === undefined
    ? []
    : [`${typeof result['rerun_action'] === 'string' ? result['rerun_action'] : 'run'} ${named(which)}`];
}

/** What `--report` tells of a commit in DataLad's words. */
const told = [
  'action',
  'author',
  'branch',
  'date',
  'parents',
  'rerun_action',
  'rerun_message',
  'run_info',
  'run_message',
  'status',
  'type',
];
const toldOfFiles = ['action', 'bytesize', 'gitshasum', 'path', 'prev_gitshasum', 'state', 'type'];

function reported(result: Result, names: CommitNames, top: string): Result {
  const plain = (value: unknown): unknown => {
    if (typeof value === 'string') return names.get(value) ?? value.replaceAll(top, 'W').replace(/\+00:00$/, 'Z');
    if (Array.isArray(value)) return value.map(plain);
    if (typeof value === 'object' && value !== null)
      return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, plain(inner)]));
    return value;
  };
  const only = (keys: readonly string[], from: Result) =>
    Object.fromEntries(
      keys.flatMap((key) => (from[key] === undefined || from[key] === null ? [] : [[key, plain(from[key])]])),
    );
  const files = (result['diff'] as readonly Result[] | undefined)?.map((file) => only(toldOfFiles, file));
  const [format, ...values] = [result['message']].flat();
  const message = typeof format === 'string' ? { message: format.replace(/%s/g, () => String(values.shift())) } : {};
  return {
    commit: plain(result['commit']),
    ...only(told, result),
    ...message,
    ...(files && { diff: files.sort((a, b) => (String(a['path']) < String(b['path']) ? -1 : 1)) }),
  };
}
