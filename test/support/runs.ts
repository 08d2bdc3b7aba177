/** Processes that go on at the same time, and what a history says about the runs it records. */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { cliPath, type Outcome, type RunOptions, type World } from './world.ts';

export interface Going {
  readonly child: ChildProcess;
  readonly done: Promise<Outcome & { readonly errBytes: Buffer }>;
}

/** Starts a program and does not wait for it. */
export function start(world: World, argv: readonly string[], options: RunOptions = {}): Going {
  const cwd = options.cwd ?? world.dir;
  const child = spawn(argv[0] as string, argv.slice(1), {
    cwd,
    env: { ...world.env, PWD: cwd, ...options.env },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const out: Buffer[] = [];
  const err: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => out.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => err.push(chunk));
  child.stdin.on('error', () => {});
  child.stdin.end(options.input ?? '');
  const done = new Promise<Outcome & { readonly errBytes: Buffer }>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => {
      const bytes = Buffer.concat(out);
      const errBytes = Buffer.concat(err);
      resolve({
        code: code ?? 128 + 9,
        stdout: bytes.toString('utf8'),
        stderr: errBytes.toString('utf8'),
        bytes,
        errBytes,
      });
    });
  });
  return { child, done };
}

/** Starts the built `reprise` and does not wait for it. */
export function startReprise(world: World, cwd: string, args: readonly string[], options: RunOptions = {}): Going {
  return start(world, [process.execPath, cliPath, ...args], { ...options, cwd });
}

/** Kills a program and all that it has started, as a machine that loses power does, and waits for its end. */
export async function killAll({ child, done }: Going): Promise<void> {
  for (const pid of familyOf(child.pid as number)) process.kill(pid, 'SIGKILL');
  await done;
}

/** A process and all below it, outermost first. */
function familyOf(pid: number): readonly number[] {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').split(' ').filter(Boolean);
  return [pid, ...children.map(Number).flatMap(familyOf)];
}

/** Outcomes that are not a success, with what they said. */
export function failuresOf(outcomes: readonly Outcome[]): readonly string[] {
  return outcomes
    .filter((outcome) => outcome.code !== 0)
    .map((outcome) => `exit ${outcome.code}: ${outcome.stdout}${outcome.stderr}`);
}

/** A run record as it is in a commit message; loosely typed on purpose: tests look at what is really there. */
export interface FoundRecord {
  readonly cmd: string;
  readonly exit: number;
  readonly pwd: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly reprise?: {
    readonly run: string;
    readonly parent?: string;
    readonly children?: readonly string[];
    readonly base: string | null;
    readonly [key: string]: unknown;
  };
}

export interface FoundCommit {
  readonly id: string;
  readonly parents: readonly string[];
  readonly subject: string;
  readonly message: string;
  /** What is between the markers of a run commit; null for any other commit. */
  readonly record: FoundRecord | null;
  /** `A path`, `M path`, `D path` against the first parent. */
  readonly changes: readonly string[];
}

/** Commits of a range, oldest first. */
export function commitsOf(world: World, repo: string, range = 'HEAD'): readonly FoundCommit[] {
  const order = ['--reverse', '--topo-order', '--diff-merges=first-parent', '--no-renames', '--name-status'];
  const log = world.git(repo, '-c', 'core.quotePath=false', 'log', ...order, '--format=%x01%H%x02%P%x02%B%x02', range);
  return parse(log);
}

function parse(log: string): FoundCommit[] {
  return log
    .split('\x01')
    .slice(1)
    .map((entry) => {
      const [id = '', parents = '', message = '', names = ''] = entry.split('\x02');
      return {
        id,
        parents: parents.split(' ').filter((parent) => parent !== ''),
        subject: message.split('\n', 1)[0] ?? '',
        message,
        record: recordIn(message),
        changes: names
          .split('\n')
          .filter((line) => line !== '')
          .map((line) => line.replace('\t', ' ')),
      };
    });
}

function recordIn(message: string): FoundRecord | null {
  const match =
    /^\[DATALAD RUNCMD\] [^]*\n=== Do not change lines below ===\n([^]*)\n\^\^\^ Do not change lines above \^\^\^/.exec(
      message,
    );
  return match ? (JSON.parse(match[1] as string) as FoundRecord) : null;
}

/** Traces of work that should be gone once nothing is going on: locks, prepared indexes, journals, refs of our own. */
export function leftovers(world: World, repo: string): readonly string[] {
  const gitDir = world.git(repo, 'rev-parse', '--absolute-git-dir');
  const commonDir = world.git(repo, 'rev-parse', '--path-format=absolute', '--git-common-dir');
  const below = (folder: string) => (existsSync(folder) ? readdirSync(folder).map((name) => join(folder, name)) : []);
  const files = [...new Set([...below(gitDir), ...below(join(commonDir, 'reprise'))])]
    .filter((path) => /index\.lock|index\.reprise|save\.lock|\.part$/.test(path))
    .concat(below(join(gitDir, 'reprise/runs')));
  const refs = world.git(repo, 'for-each-ref', '--format=%(refname)', 'refs/reprise').split('\n');
  return [...files, ...refs.filter((ref) => ref !== '')];
}
