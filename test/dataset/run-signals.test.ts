/** Signals: to the terminal's foreground group, to Reprise alone, to the command, to the shell that watches it. */
import { cpSync, existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  type Ended,
  expectSound,
  journalsIn,
  leftovers,
  recordOf,
  recoverAll,
  runBeside,
  timesExecuted,
} from '../support/crash-world.ts';
import { describeWith } from '../support/oracles.ts';
import { cliPath, createWorld, type World } from '../support/world.ts';

describeWith(['git-annex', 'python3'], 'signals during a run', () => {
  let world: World;
  let template: string;
  let made = 0;

  beforeAll(() => {
    world = createWorld();
    template = world.path('template');
    world.reprise(world.dir, ['create', template]);
    world.write(`${template}/a.dat`, 'old a');
    world.write(`${template}/b.dat`, 'old b');
    world.reprise(template, ['save', '-m', 'data']);
    // Runs a program on a terminal of its own; Ctrl-C is typed as soon as the program has said "ready".
    world.write(
      world.path('terminal.py'),
      `
import os, pty, sys
pid, fd = pty.fork()
if pid == 0:
    os.execvp(sys.argv[1], sys.argv[1:])
seen, typed = b'', False
while True:
    try:
        data = os.read(fd, 4096)
    except OSError:
        break
    if not data:
        break
    seen += data
    if not typed and b'ready' in seen.replace(b'echo ready', b''):
        os.write(fd, b'\\x03')
        typed = True
_, status = os.waitpid(pid, 0)
sys.stdout.buffer.write(seen)
sys.exit(os.waitstatus_to_exitcode(status) & 255)
`,
    );
  });
  afterAll(() => world.remove());

  const fresh = () => {
    made += 1;
    const dataset = world.path(`dataset-${made}`);
    cpSync(template, dataset, { recursive: true, verbatimSymlinks: true, preserveTimestamps: true });
    world.git(dataset, 'status');
    return dataset;
  };
  const running = async (file: string) => {
    for (let waited = 0; !existsSync(file) || readFileSync(file, 'utf8') === ''; waited += 10) {
      if (waited > 20_000) throw new Error(`${file} never came`);
      await sleep(10);
    }
    return Number(readFileSync(file, 'utf8'));
  };
  const isAlive = (pid: number) => {
    try {
      const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
      return stat.slice(stat.lastIndexOf(')') + 2, stat.lastIndexOf(')') + 3) !== 'Z';
    } catch {
      return false;
    }
  };
  /** Starts a run whose command notes its process id in a file beside the dataset, and hands both ids over. */
  const disturbed = async (
    dataset: string,
    args: readonly string[],
    command: string,
    disturb: (reprise: number, command: number) => void | Promise<void>,
  ): Promise<Ended> => {
    let reprise = 0;
    const end = runBeside(
      world,
      [
        process.execPath,
        cliPath,
        'run',
        ...args,
        `echo run >>"${dataset}.counter"; echo $$ >"${dataset}.pid"; ${command}`,
      ],
      { cwd: dataset, started: (pid) => void (reprise = pid) },
    );
    const pid = await running(`${dataset}.pid`);
    await sleep(30);
    await disturb(reprise, pid);
    return end;
  };

  test('Ctrl-C on a terminal ends the command; nothing is recorded, and what it did not touch is as it was', () => {
    const dataset = fresh();
    const head = world.git(dataset, 'rev-parse', 'HEAD');
    const line = 'echo partial >a.dat; sleep 0.3; echo ready; exec sleep 30';
    const ended = world.exec(
      ['python3', world.path('terminal.py'), process.execPath, cliPath, 'run', '-o', '*.dat', line],
      { cwd: dataset },
    );
    expect(ended.stdout).toMatch(/\(interrupted\)/);
    expect(ended.code).toBe(130);
    expect(world.git(dataset, 'rev-parse', 'HEAD')).toBe(head);
    expect(readFileSync(join(dataset, 'a.dat'), 'utf8')).toBe('partial\n');
    expect(world.git(dataset, 'status', '--porcelain')).toBe(' T a.dat');
    expect(world.sh(dataset, 'test -L b.dat && cat b.dat')).toBe('old b');
    expect(journalsIn(dataset)).toStrictEqual([]);
  });

  test('a command that traps Ctrl-C and ends well is recorded', async () => {
    const dataset = fresh();
    const line = `trap 'echo trapped >a.dat; exit 0' INT; sleep 0.3; echo ready; sleep 30 & wait; exit 3`;
    const ended = world.exec(
      ['python3', world.path('terminal.py'), process.execPath, cliPath, 'run', '-o', 'a.dat', line],
      { cwd: dataset },
    );
    expect(`${ended.code} ${ended.stdout}`).toMatch(/^0 /);
    expect(recordOf(world, dataset)).toMatchObject({ exit: 0, outputs: ['a.dat'] });
    expect(readFileSync(join(dataset, 'a.dat'), 'utf8')).toBe('trapped\n');
    expect(world.git(dataset, 'status', '--porcelain')).toBe('');
    await expectSound(world, dataset);
  });

  test.for([
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ] as const)('%s to Reprise ends the command with it', async ([signal, code]) => {
    const inner = (dataset: string) => `sh -c 'echo $$ >"${dataset}.inner"; sleep 600; echo late >late'; true`;
    const shapes = [inner, () => 'exec sleep 600', () => 'sleep 600; echo late >late'];
    // How the command is made up matters to who gets a signal, not to which one it is.
    for (const commandIn of signal === 'SIGINT' ? shapes : shapes.slice(0, 1)) {
      const dataset = fresh();
      const command = commandIn(dataset);
      const head = world.git(dataset, 'rev-parse', 'HEAD');
      let pid = 0;
      const ended = await disturbed(dataset, ['-o', '*.dat'], command, (reprise, own) => {
        pid = own;
        process.kill(reprise, signal);
      });
      expect(`${command}: ${ended.code} ${ended.stderr}`).toMatch(new RegExp(`: ${code} [\\s\\S]*\\(interrupted\\)`));
      expect(isAlive(pid)).toBe(false);
      if (existsSync(`${dataset}.inner`)) expect(isAlive(await running(`${dataset}.inner`))).toBe(false);
      expect(world.git(dataset, 'rev-parse', 'HEAD')).toBe(head);
      expect(world.git(dataset, 'status', '--porcelain')).toBe('');
      expect(world.sh(dataset, 'test -L a.dat && test -L b.dat && echo links')).toBe('links');
      expect(journalsIn(dataset)).toStrictEqual([]);
    }
  });

  test('a command that is killed is a failed command: its results stay, with a message to save them', async () => {
    const dataset = fresh();
    const head = world.git(dataset, 'rev-parse', 'HEAD');
    const ended = await disturbed(dataset, ['-o', '*.dat'], 'echo partial >a.dat; exec sleep 30', async (_, pid) => {
      await sleep(100);
      process.kill(pid, 'SIGKILL');
    });
    expect(ended.code).toBe(137);
    expect(world.git(dataset, 'rev-parse', 'HEAD')).toBe(head);
    expect(readFileSync(join(dataset, 'a.dat'), 'utf8')).toBe('partial\n');
    expect(world.sh(dataset, 'test -L b.dat && cat b.dat')).toBe('old b');
    expect(readFileSync(join(dataset, '.git/COMMIT_EDITMSG'), 'utf8')).toMatch(/"exit": -9/);
    expect(journalsIn(dataset)).toStrictEqual([]);
    expect(world.reprise(dataset, ['save', '-F', '.git/COMMIT_EDITMSG']).code).toBe(0);
    expect(recordOf(world, dataset)).toMatchObject({ exit: -9 });
  });

  test('the shell that watches the command is killed: the command goes on, and nothing is lost or put in its way', async () => {
    const dataset = fresh();
    const head = world.git(dataset, 'rev-parse', 'HEAD');
    let reprisePid = 0;
    const ended = await disturbed(
      dataset,
      ['-o', '*.dat'],
      'echo partial >a.dat; sleep 3; echo whole >a.dat',
      async (reprise, pid) => {
        reprisePid = reprise;
        await sleep(200);
        const parents = [pid];
        for (let at = pid; at !== reprise; ) {
          const stat = readFileSync(`/proc/${at}/stat`, 'utf8');
          at = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
          if (at !== reprise) parents.push(at);
        }
        for (const one of parents.slice(1).reverse()) process.kill(one, 'SIGKILL');
      },
    );
    expect(reprisePid).toBeGreaterThan(0);
    expect(ended.code, ended.stderr).not.toBe(0);
    expect(ended.stderr).not.toMatch(/internal error/);
    expect(world.git(dataset, 'rev-parse', 'HEAD')).toBe(head);
    // The command may still be going on: what it wrote so far is not taken for its result, and it is announced.
    const next = world.reprise(dataset, ['run', '--explicit', 'true']);
    if (journalsIn(dataset).length > 0)
      expect(next.stderr + world.reprise(dataset, ['recover', '--list']).stdout).toMatch(/recover/);
    await recoverAll(world, dataset);
    expect(timesExecuted(`${dataset}.counter`)).toBe(1);
    const kept = world.git(dataset, 'for-each-ref', '--format=%(refname)', 'refs/reprise/unfinished');
    if (kept !== '') {
      expect(world.git(dataset, 'annex', 'find', `--branch=${kept}`, 'a.dat')).toContain('a.dat');
      expect(world.git(dataset, 'status', '--porcelain')).toBe('');
    } else expect(readFileSync(join(dataset, 'a.dat'), 'utf8')).toMatch(/partial|whole/);
    expect(leftovers(world, dataset)).toStrictEqual([]);
    await expectSound(world, dataset);
  });

  test('only Reprise is killed: the command goes on, its end is known, and recover records it', async () => {
    const dataset = fresh();
    const head = world.git(dataset, 'rev-parse', 'HEAD');
    let pid = 0;
    const ended = await disturbed(
      dataset,
      ['-o', '*.dat'],
      `echo partial >a.dat; while [ ! -e "${dataset}.go" ]; do sleep 0.05; done; echo whole >a.dat; exit 0`,
      (reprise, own) => {
        pid = own;
        process.kill(reprise, 'SIGKILL');
      },
    );
    expect(ended.signal).toBe('SIGKILL');
    expect(isAlive(pid)).toBe(true);
    const early = world.reprise(dataset, ['recover']);
    expect(`${early.code} ${early.stderr}`).toMatch(/^0 .*is still going on/);
    expect(world.reprise(dataset, ['recover', '--list']).stdout).toMatch(/running/);
    world.write(`${dataset}.go`, '');
    await recoverAll(world, dataset);
    expect(isAlive(pid)).toBe(false);
    expect(recordOf(world, dataset)).toMatchObject({ exit: 0, outputs: ['*.dat'] });
    expect(world.git(dataset, 'rev-parse', 'HEAD~1')).toBe(head);
    expect(world.git(dataset, 'diff', '--name-only', 'HEAD~1')).toBe('a.dat');
    expect(readFileSync(join(dataset, 'a.dat'), 'utf8')).toBe('whole\n');
    expect(timesExecuted(`${dataset}.counter`)).toBe(1);
    await expectSound(world, dataset);
  });

  test('Reprise and command are killed: the next command says so, recover keeps what is there and restores the rest', async () => {
    const dataset = fresh();
    const head = world.git(dataset, 'rev-parse', 'HEAD');
    await disturbed(
      dataset,
      ['-o', '*.dat', '-m', 'half'],
      'echo partial >a.dat; mkdir d; echo new >d/new; exec sleep 30',
      async (reprise, pid) => {
        while (!existsSync(join(dataset, 'd/new'))) await sleep(10);
        const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
        const watcher = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
        const above = readFileSync(`/proc/${watcher}/stat`, 'utf8');
        const top = Number(above.slice(above.lastIndexOf(')') + 2).split(' ')[1]);
        for (const one of [reprise, ...(top === reprise ? [] : [top]), watcher, pid]) process.kill(one, 'SIGKILL');
      },
    );
    for (const verb of [['run', 'true'], ['save'], ['status'], ['get', 'b.dat']]) {
      const next = world.reprise(dataset, verb);
      expect(next.stderr, verb.join(' ')).toMatch(/interrupted and waits? to be recovered/);
      if (verb[0] === 'save') world.git(dataset, 'reset', '-q', '--soft', head);
    }
    world.git(dataset, 'reset', '-q', head);
    const recovered = await recoverAll(world, dataset);
    expect(recovered.code, recovered.stderr).toBe(0);
    const kept = world.git(dataset, 'for-each-ref', '--format=%(refname)', 'refs/reprise/unfinished');
    expect(kept).toMatch(/^refs\/reprise\/unfinished\/[0-9a-f]{16}$/);
    expect(world.git(dataset, 'diff', '--name-only', head, kept)).toBe('a.dat\nd/new');
    expect(world.git(dataset, 'log', '-1', '--format=%s', kept)).toContain('half');
    expect(world.git(dataset, 'rev-parse', 'HEAD')).toBe(head);
    expect(world.git(dataset, 'status', '--porcelain')).toBe('');
    expect(existsSync(join(dataset, 'd'))).toBe(false);
    expect(readFileSync(join(dataset, 'a.dat'), 'utf8')).toBe('old a');
    expect((await recoverAll(world, dataset)).stderr).toContain('nothing to recover');
    await expectSound(world, dataset);
  });
});
