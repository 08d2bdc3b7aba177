/**
 * The real DataLad, kept warm: one process loads it once and forks for each command line, which saves most of its start-up.
 *
 * Each command runs `datalad.cli.main.main` of the installed package, with its own folder, environment and files for the two streams.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { latestTree } from './oracles.ts';
import { pythonOfDatalad } from './python-oracle.ts';
import { projectRoot, type World } from './world.ts';

export type DataladVersion = 'datalad' | 'datalad-latest';

export interface Finished {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface WarmDatalad {
  /** Runs `datalad` with these arguments; several may run at once. */
  exec(args: readonly string[], cwd: string, env?: Record<string, string>): Promise<Finished>;
  close(): Promise<void>;
}

const SERVER = `
import json, os, signal, sys
import datalad.cli.main
import datalad.core.local.create, datalad.core.local.run, datalad.core.local.save, datalad.core.local.status
import datalad.distributed.drop, datalad.distribution.get, datalad.local.rerun, datalad.local.unlock
from datalad.cli.main import main
from datalad.support.external_versions import external_versions
# Asked once instead of by every command.
external_versions['cmd:git'], external_versions['cmd:annex']

def perform(job):
    os.chdir(job['cwd'])
    os.environ.update(job['env'])
    os.environ['PWD'] = job['cwd']
    for number, name, flags in ((0, '/dev/null', os.O_RDONLY), (1, job['out'], os.O_WRONLY | os.O_CREAT), (2, job['err'], os.O_WRONLY | os.O_CREAT)):
        opened = os.open(name, flags, 0o644)
        os.dup2(opened, number)
    sys.stdout.reconfigure(line_buffering=True)
    datalad.cfg.reload(force=True)
    sys.argv = ['datalad', *job['args']]
    main(sys.argv)

signal.signal(signal.SIGCHLD, signal.SIG_IGN)
print('ready', flush=True)
for line in sys.stdin:
    job = json.loads(line)
    if os.fork() == 0:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        child = os.fork()
        if child == 0:
            perform(job)
            sys.exit(0)
        status = os.waitpid(child, 0)[1]
        code = os.WEXITSTATUS(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status)
        os.write(1, (json.dumps([job['id'], code]) + chr(10)).encode())
        os._exit(0)
`;

/** Starts DataLad of Debian 12 (0.18) or the newest release (1.6). Folders of commands must be below /tmp. */
export async function warmDatalad(world: World, which: DataladVersion): Promise<WarmDatalad> {
  const python =
    which === 'datalad'
      ? [pythonOfDatalad()]
      : ['bash', `${projectRoot}/tools/engines/datalad-latest.sh`, 'exec', latestTree, '--', 'python3'];
  const [program, ...args] = [...python, '-W', 'ignore', '-c', SERVER];
  const child: ChildProcess = spawn(program, args, { cwd: world.dir, env: { ...world.env, PWD: world.dir } });
  const waiting = new Map<number, (code: number) => void>();
  let problem = '';
  child.stderr?.on('data', (chunk: Buffer) => {
    problem += chunk.toString('utf8');
  });
  const ended = new Promise<void>((resolve) => {
    child.on('close', () => resolve());
  });
  const ready = new Promise<void>((resolve, reject) => {
    void ended.then(() => reject(new Error(`DataLad ended: ${problem}`)));
    if (!child.stdout) return;
    createInterface({ input: child.stdout }).on('line', (line) => {
      if (line === 'ready') return resolve();
      if (!line.startsWith('[')) return;
      const [id, code] = JSON.parse(line) as [number, number];
      waiting.get(id)?.(code);
      waiting.delete(id);
    });
  });
  await ready;
  let last = 0;
  return {
    async exec(args, cwd, env = {}) {
      const id = ++last;
      const [out, err] = [world.path('streams', `${which}-${id}.out`), world.path('streams', `${which}-${id}.err`)];
      const code = await new Promise<number>((resolve) => {
        waiting.set(id, resolve);
        child.stdin?.write(`${JSON.stringify({ id, args, cwd, env, out, err })}\n`);
      });
      return { code, stdout: readFileSync(out, 'utf8'), stderr: readFileSync(err, 'utf8') };
    },
    async close() {
      child.stdin?.end();
      await ended;
    },
  };
}

/** The results among the lines of an output. */
export function tellingResults(stdout: string): readonly Record<string, unknown>[] {
  const lines = stdout.split('\n').filter((line) => line.startsWith('{"action"'));
  return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
}
