import { spawn } from 'node:child_process';
import { readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { cliPath, createWorld, projectRoot, type World } from '../support/world.ts';

const { version } = JSON.parse(readFileSync(join(projectRoot, 'package.json'), 'utf8')) as { version: string };

let world: World;
let dataset: string;
beforeAll(() => {
  world = createWorld();
  dataset = world.path('data set');
  world.git(world.dir, 'init', '-q', dataset);
  world.write(join(dataset, 'a'), 'a\n');
  world.git(dataset, 'add', 'a');
  world.git(dataset, 'commit', '-qm', 'a');
});
afterAll(() => world.remove());

describe('the program', () => {
  test('says its version, which is the package’s', () => {
    for (const argv of [['--version'], ['-f', 'json', '--version'], ['save', '--version']]) {
      expect(world.reprise(world.dir, argv)).toMatchObject({ code: 0, stdout: `reprise ${version}\n`, stderr: '' });
    }
  });

  test('loads nothing but its entry for --version', () => {
    const hook = world.path('loaded.cjs');
    world.write(
      hook,
      "const fs = require('node:fs'); process.on('exit', () => fs.writeFileSync(process.env.LOADED, JSON.stringify(process.moduleLoadList)));",
    );
    const list = (...argv: string[]) => {
      const out = world.path('loaded.json');
      world.ok([process.execPath, '--require', hook, cliPath, ...argv], { env: { LOADED: out } });
      return JSON.parse(readFileSync(out, 'utf8')) as string[];
    };
    const forVersion = list('--version');
    const forHelp = list('--help');
    expect(forVersion).not.toContain('NativeModule child_process');
    expect(forHelp).toContain('NativeModule child_process');
    expect(forVersion.length).toBeLessThan(forHelp.length);
  });

  test('takes at most twice the processor time of Node itself for --version', () => {
    const hook = world.path('used.cjs');
    world.write(
      hook,
      "const fs = require('node:fs'); process.on('exit', () => { const { user, system } = process.cpuUsage(); fs.writeFileSync(process.env.USED, String(user + system)); });",
    );
    const out = world.path('used');
    const used = (...argv: string[]): number => {
      world.ok([process.execPath, '--require', hook, ...argv], { env: { USED: out } });
      return Number(readFileSync(out, 'utf8'));
    };
    const rounds = Array.from({ length: 10 }, () => [used('-e', '0'), used(cliPath, '--version')] as const);
    // The least of several: what the machine does beside this cannot make a program faster.
    const least = (which: 0 | 1): number => Math.min(...rounds.map((round) => round[which]));
    expect(least(1) / least(0)).toBeLessThan(2);
  });

  test('prints help on stdout', () => {
    expect(world.reprise(world.dir, ['help', 'run'])).toMatchObject({ code: 0, stderr: '' });
    expect(world.reprise(world.dir, ['help', 'run']).stdout).toMatch(/^Usage: reprise run \[options\] \[--\] COMMAND/);
  });

  test('answers what it does not understand with a sentence, the usage and a hint, and exits 2', () => {
    expect(world.reprise(world.dir, ['status', '--untrackd', 'no'])).toMatchObject({
      code: 2,
      stdout: '',
      stderr:
        "reprise: error: Unknown option '--untrackd' (usage)\nusage: reprise status [options] [PATH...]\n" +
        'hint: Did you mean --untracked?\nhint: reprise status --help\n',
    });
  });

  test.each([
    [[], 2],
    [['nonsense'], 2],
    [['run', '--expand', 'x', 'true'], 2],
    [['-f', 'jsn', 'status'], 2],
    [['-f', '{', 'status'], 2],
    [['-c', 'x', 'status'], 2],
    [['-C', 'nowhere', 'status'], 1],
    [['status'], 2],
    [['get', 'a'], 2],
  ])('%j ends with %d outside a dataset', (argv, code) => {
    const outcome = world.reprise(world.dir, argv);
    expect(outcome).toMatchObject({ code, stdout: '' });
    expect(outcome.stderr).toMatch(/^reprise: error: [^\n]+ \([a-z-]+\)\n/);
    expect(outcome.stderr).not.toContain('    at ');
  });

  test('with -f json a failure is an object on stdout, too', () => {
    for (const argv of [
      ['-f', 'json', 'status'],
      ['status', '--output-format=json', '--bogus'],
    ]) {
      const outcome = world.reprise(world.dir, argv);
      expect(JSON.parse(outcome.stdout)).toMatchObject({ status: 'error', path: world.dir, exit_code: outcome.code });
      expect(outcome.stderr).toMatch(/^reprise: error: /);
    }
  });
});

describe('in a dataset', () => {
  test('results are printed, the exit code is the verb’s', () => {
    expect(world.reprise(dataset, ['status'])).toMatchObject({
      code: 0,
      stdout: 'nothing to save, working tree clean\n',
    });
    expect(world.reprise(dataset, ['get', 'none'])).toMatchObject({
      code: 1,
      stdout: 'get(impossible): none [path does not exist]\n',
    });
    expect(world.reprise(dataset, ['--on-failure', 'ignore', 'get', 'none']).code).toBe(0);
    expect(world.reprise(dataset, ['--report-status', 'ok', 'get', 'none'])).toMatchObject({ code: 1, stdout: '' });
  });

  test('-C and symbolic links: paths are those that the user sees', () => {
    symlinkSync(dataset, join(world.dir, 'link'));
    const paths = (cwd: string, ...argv: string[]) =>
      world.reprise(cwd, [...argv, '-f', '{refds}', 'status']).stdout.split('\n')[0];
    expect(paths(join(world.dir, 'link'))).toBe(join(world.dir, 'link'));
    expect(paths('/', '-C', world.dir, '-C', 'link')).toBe(join(world.dir, 'link'));
  });

  test('a word that is not UTF-8 reaches the verb as its bytes', () => {
    const argv = `exec "$0" "$1" -f '{path}' get "$(printf 'n\\351 x')" 'plain é'`;
    const { bytes } = world.exec(['/bin/sh', '-c', argv, process.execPath, cliPath], { cwd: dataset });
    expect(
      bytes.equals(
        Buffer.concat([Buffer.from(`${dataset}/n`), Buffer.from([0xe9]), Buffer.from(` x\n${dataset}/plain é\n`)]),
      ),
    ).toBe(true);
  });

  test('a folder that is gone, and one whose name is not UTF-8, are refused by name', () => {
    const inFolder = (line: string) =>
      world.exec(['/bin/sh', '-c', `${line} && exec "$0" "$1" status`, process.execPath, cliPath]);
    expect(inFolder('mkdir gone && cd gone && rmdir ../gone')).toMatchObject({
      code: 1,
      stderr: `reprise: error: The current folder, ${world.dir}/gone, does not exist (path-missing)\n`,
    });
    const odd = inFolder(`mkdir "$(printf 'o\\377')" && cd "$(printf 'o\\377')" && git init -q .`);
    expect(odd.code).toBe(1);
    expect(odd.stderr).toMatch(
      /has a name that is not UTF-8, where Node can start no program \(path-encoding\)\nhint: /,
    );
  });

  test('results that cannot be written are a failure', () => {
    const outcome = world.exec(['/bin/sh', '-c', 'exec "$0" "$1" status >/dev/full', process.execPath, cliPath], {
      cwd: dataset,
    });
    expect(outcome.code).toBe(1);
    expect(outcome.stderr).toMatch(/^reprise: error: The output could not be written: ENOSPC/);
  });

  test('a reader that goes away is no error, and the work goes on', async () => {
    const many = world.path('many');
    world.git(world.dir, 'init', '-q', many);
    for (let i = 0; i < 3000; i += 1) world.write(join(many, `a file with a long name to fill the pipe ${i}`), '');
    const child = spawn(process.execPath, [cliPath, '-f', 'json', 'status'], {
      cwd: many,
      env: world.env,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let stderr = '';
    child.stderr.on('data', (chunk: Buffer) => {
      stderr += chunk.toString();
    });
    child.stdout.once('data', () => child.stdout.destroy());
    const code = await new Promise((resolve) => child.on('close', resolve));
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  });
});
