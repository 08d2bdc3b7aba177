/** Puts each tool into a copy of the same folder, lets it act, and reads what it left. */
import { type ChildProcess, spawn } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll } from 'vitest';
import { copyTree } from './copy-tree.ts';
import { bases, type Ending, plainResult, type Scenario } from './scenario.ts';
import { type DataladVersion, type Finished, type WarmDatalad, warmDatalad } from './twins-datalad.ts';
import { type FolderState, readState } from './twins-state.ts';
import { cliPath, createWorld, type World } from './world.ts';

export type Tool = DataladVersion | 'ours';

/** Commits of all tools bear the same date, so that equal commits have equal names. */
const DATE = { GIT_AUTHOR_DATE: '2026-01-02T03:04:05Z', GIT_COMMITTER_DATE: '2026-01-02T03:04:05Z' };

/** Names of one length, so that texts that are cut to a length agree. */
const folders: Record<Tool, string> = { datalad: 'old', 'datalad-latest': 'new', ours: 'own' };

export interface Stage {
  /** Makes one folder per tool in which the scenario is set up alike. */
  prepare(scenario: Scenario, tools: readonly Tool[]): Promise<void>;
  /** Plays the scenario's steps with a tool in its folder. */
  play(scenario: Scenario, tool: Tool): Promise<Ending>;
  /** The folder of a tool in a scenario. */
  folder(scenario: Scenario, tool: Tool): string;
  /** Runs a program, without blocking. */
  start(argv: readonly string[], cwd: string, env?: Record<string, string>): Promise<Finished>;
  datalad(which: DataladVersion): Promise<WarmDatalad>;
  close(): Promise<void>;
}

/** A stage in a world of its own for all tests of the surrounding `describe`; there once these run. */
export function stageOfTests(): { readonly stage: Stage; readonly world: World } {
  let world: World;
  let stage: Stage;
  beforeAll(() => {
    world = createWorld();
    stage = openStage(world);
  });
  afterAll(async () => {
    await stage.close();
    world.remove();
  });
  return {
    get stage() {
      return stage;
    },
    get world() {
      return world;
    },
  };
}

function openStage(world: World): Stage {
  const warm = new Map<DataladVersion, Promise<WarmDatalad>>();
  const env = { ...world.env, ...DATE, REPRISE: `${process.execPath} ${cliPath}` };
  const start = (argv: readonly string[], cwd: string, more: Record<string, string> = {}) =>
    finish(
      spawn(argv[0] as string, argv.slice(1), {
        cwd,
        env: { ...env, ...more, PWD: cwd },
        stdio: ['ignore', 'pipe', 'pipe'],
      }),
    );
  const shell = async (line: string, cwd: string) => {
    const done = await start(['/bin/bash', '-ec', line], cwd);
    if (done.code !== 0) throw new Error(`${line}\nexited ${done.code}\n${done.stdout}\n${done.stderr}`);
  };
  const folder = (scenario: Scenario, tool: Tool) => `${world.dir}/${folders[tool]}/${scenario.id}`;
  const datalad = (which: DataladVersion) => {
    const running = warm.get(which) ?? warmDatalad(world, which);
    warm.set(which, running);
    return running;
  };
  /** What each scenario starts from, as all of its tools find it. */
  const states = new Map<string, FolderState>();
  const prepared = new Map<string, Promise<string>>();
  const base = (name: keyof typeof bases): Promise<string> => {
    const known = prepared.get(name);
    if (known) return known;
    const made = (async () => {
      const copied = /cp -a \.\.\/(\w+)\//.exec(bases[name])?.[1] as keyof typeof bases | undefined;
      if (copied) await base(copied);
      const path = world.path('bases', name, 'x').slice(0, -2);
      await shell(bases[name], path);
      return path;
    })();
    prepared.set(name, made);
    return made;
  };

  return {
    folder,
    start,
    datalad,
    async prepare(scenario, tools) {
      const from = await base(scenario.base);
      const common = world.path('set-up', scenario.id, 'x').slice(0, -2);
      await copyTree(from, common);
      if (scenario.setUp) await shell(scenario.setUp, common);
      states.set(scenario.id, await readState(common, world.env, [[common, 'W']]));
      for (const tool of tools) await copyTree(common, world.path(folders[tool], scenario.id, 'x').slice(0, -2));
      await shell('chmod -R u+w .; rm -rf -- * .[!.]*', common);
    },
    async play(scenario, tool) {
      const top = folder(scenario, tool);
      const names = [[top, 'W']] as const;
      const before = states.get(scenario.id);
      if (before === undefined) throw new Error(`${scenario.id} was not prepared`);
      const codes: number[] = [];
      const results: Record<string, unknown>[][] = [];
      const printed: string[] = [];
      const stderr: string[] = [];
      for (const step of scenario.steps) {
        if ('sh' in step) {
          await shell(step.sh, top);
          continue;
        }
        rmSync(`${top}/ds/.git/COMMIT_EDITMSG`, { force: true });
        const cwd = `${top}/${step.cwd ?? 'ds'}`;
        const given = Object.fromEntries(
          Object.entries(step.env ?? {}).map(([name, value]) => [name, value.replaceAll('$W', top)]),
        );
        const args = step.args.map((arg) => arg.replaceAll('$W', top));
        const plain = args.includes('-f') ? args : ['-f', 'json', ...args];
        const done =
          tool === 'ours'
            ? await start([process.execPath, cliPath, '-c', 'reprise.record.extension=none', ...plain], cwd, given)
            : await (await datalad(tool)).exec(plain, cwd, { ...DATE, ...given });
        const lines = done.stdout.split('\n');
        codes.push(done.code);
        results.push(
          lines
            .filter((line) => line.startsWith('{"action"'))
            .map((line) => plainResult(JSON.parse(line) as Record<string, unknown>, names)),
        );
        printed.push(
          lines
            .filter((line) => !line.startsWith('{"action"'))
            .join('\n')
            .replaceAll(top, 'W'),
        );
        stderr.push(done.stderr);
      }
      const state = await readState(top, world.env, names);
      return {
        codes,
        results,
        printed,
        stderr,
        refused: results.map((told) => told.some((result) => 'error_code' in result)),
        untouched: unchanged(before, state),
        committed: recorded(state) > recorded(before),
        state,
      };
    },
    async close() {
      for (const running of warm.values()) await (await running).close();
    },
  };
}

/** Paths whose entry in the tree is the same in both states, as results name them. */
function unchanged(before: FolderState, after: FolderState): ReadonlySet<string> {
  const paths = Object.entries(after.repos).flatMap(([repo, { tree }]) => {
    const known = new Set(before.repos[repo]?.tree);
    const files = tree.filter((line) => known.has(line) && !line.startsWith('160000'));
    return files.map((line) =>
      join('W', repo, Buffer.from(line.slice(line.indexOf('\t') + 1), 'latin1').toString('utf8')),
    );
  });
  return new Set(paths);
}

/** How many run commits there are. */
function recorded(state: FolderState): number {
  return Object.values(state.repos).flatMap(({ commits }) =>
    commits.filter(({ subject }) => subject.startsWith('[DATALAD RUNCMD]')),
  ).length;
}

function finish(child: ChildProcess): Promise<Finished> {
  return new Promise((resolve, reject) => {
    const streams: Buffer[][] = [[], []];
    child.stdout?.on('data', (chunk: Buffer) => streams[0]?.push(chunk));
    child.stderr?.on('data', (chunk: Buffer) => streams[1]?.push(chunk));
    child.on('error', reject);
    child.on('close', (code, signal) => {
      const [stdout, stderr] = streams.map((chunks) => Buffer.concat(chunks).toString('utf8')) as [string, string];
      resolve({ code: code ?? 128 + (signal === 'SIGKILL' ? 9 : 15), stdout, stderr });
    });
  });
}
