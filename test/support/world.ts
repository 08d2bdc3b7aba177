/**
 * A hermetic world for a test: its own HOME and temporary folder, a fixed identity, no configuration from outside.
 *
 * `createWorld()` in `beforeAll`/`beforeEach`, `world.remove()` after. Everything lives below `world.dir`.
 */
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';

export interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly bytes: Buffer;
}

export interface RunOptions {
  readonly cwd?: string;
  readonly env?: Record<string, string>;
  readonly input?: string | Buffer;
  /** Run as this user id (tests of permissions; needs root). */
  readonly uid?: number;
}

export interface World {
  /** Real path of the folder that holds everything. */
  readonly dir: string;
  readonly env: NodeJS.ProcessEnv;
  /** Runs a program to its end. */
  exec(argv: readonly string[], options?: RunOptions): Outcome;
  /** Runs a program and throws, with all it printed, unless it exits 0. Returns stdout without the final newline. */
  ok(argv: readonly string[], options?: RunOptions): string;
  /** Runs `git` in a folder; throws unless it exits 0. */
  git(cwd: string, ...args: string[]): string;
  /** Runs a shell line in a folder; throws unless it exits 0. */
  sh(cwd: string, line: string): string;
  /** Runs the built `reprise`. */
  reprise(cwd: string, args: readonly string[], options?: RunOptions): Outcome;
  /** Path of something below the world; parents are made. */
  path(...parts: string[]): string;
  write(path: string, content: string | Buffer): void;
  remove(): void;
}

export const projectRoot = resolve(import.meta.dirname, '../..');
export const cliPath = join(projectRoot, 'bin/reprise.js');
/** An ordinary user's id for tests of permissions. */
export const ORDINARY_UID = 65534;

export function createWorld(): World {
  const dir = realpathSync(mkdtempSync(join(process.env['REPRISE_TEST_TMP'] ?? tmpdir(), 'reprise-test-')));
  chmodSync(dir, 0o777);
  const home = join(dir, 'home');
  const tmp = join(dir, 'tmp');
  for (const folder of [home, tmp]) {
    mkdirSync(folder);
    chmodSync(folder, 0o777);
  }
  const gitConfig = join(home, '.gitconfig');
  writeFileSync(
    gitConfig,
    '[user]\n\tname = Ada Example\n\temail = ada@example.org\n[init]\n\tdefaultBranch = main\n[gc]\n\tauto = 0\n[maintenance]\n\tauto = false\n' +
      '[commit]\n\tgpgsign = false\n[protocol "file"]\n\tallow = always\n[safe]\n\tdirectory = *\n[advice]\n\tdetachedHead = false\n',
  );
  const env: NodeJS.ProcessEnv = {
    PATH: process.env['PATH'],
    HOME: home,
    TMPDIR: tmp,
    XDG_CONFIG_HOME: join(home, '.config'),
    XDG_CACHE_HOME: join(home, '.cache'),
    GIT_CONFIG_NOSYSTEM: '1',
    LANG: 'C.UTF-8',
    TZ: 'UTC',
    COLUMNS: '100',
    NO_COLOR: '1',
    DATALAD_UI_PROGRESSBAR: 'none',
  };
  const exec = (argv: readonly string[], options: RunOptions = {}): Outcome => {
    const cwd = options.cwd ?? dir;
    const result = spawnSync(argv[0] as string, argv.slice(1), {
      cwd,
      env: { ...env, PWD: cwd, ...options.env },
      input: options.input ?? '',
      maxBuffer: 1 << 28,
      ...(options.uid === undefined ? {} : { uid: options.uid, gid: options.uid }),
    });
    if (result.error) throw result.error;
    return {
      code: result.status ?? 128 + 9,
      stdout: result.stdout.toString('utf8'),
      stderr: result.stderr.toString('utf8'),
      bytes: result.stdout,
    };
  };
  const ok = (argv: readonly string[], options: RunOptions = {}): string => {
    const out = exec(argv, options);
    if (out.code !== 0) throw new Error(`${argv.join(' ')} exited ${out.code}\n${out.stdout}\n${out.stderr}`);
    return out.stdout.replace(/\n$/, '');
  };
  return {
    dir,
    env,
    exec,
    ok,
    git: (cwd, ...args) => ok(['git', ...args], { cwd }),
    sh: (cwd, line) => ok(['/bin/sh', '-ec', line], { cwd }),
    reprise: (cwd, args, options = {}) => exec([process.execPath, cliPath, ...args], { ...options, cwd }),
    path(...parts) {
      const path = join(dir, ...parts);
      mkdirSync(dirname(path), { recursive: true });
      return path;
    },
    write(path, content) {
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, content);
    },
    remove() {
      makeWritable(dir);
      rmSync(dir, { recursive: true, force: true, maxRetries: 3 });
    },
  };
}

/** Object folders of git-annex are read-only: an ordinary user cannot delete them as they are. */
function makeWritable(dir: string): void {
  spawnSync('chmod', ['-R', 'u+rwX', dir]);
}
