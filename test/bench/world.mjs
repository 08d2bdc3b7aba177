/** The surroundings that every contender runs in: a HOME of its own, no settings from outside, no clean-up by Git in the background. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

export const projectRoot = resolve(import.meta.dirname, '../..');
export const cli = join(projectRoot, 'bin/reprise.js');
/** Words that start the built program, without what `npm` or a shell would add. */
export const reprise = [process.execPath, cli];

const GIT_CONFIG = `[user]
\tname = Ada Example
\temail = ada@example.org
[init]
\tdefaultBranch = main
[gc]
\tauto = 0
[maintenance]
\tauto = false
[commit]
\tgpgsign = false
[safe]
\tdirectory = *
`;

/**
 * Makes a folder below the temporary folder, and the environment for all programs that are measured.
 *
 * NODE_EXTRA_CA_CERTS is not handed on: it adds about 40 ms to every start of Node 20.
 */
export function createWorld() {
  const dir = realpathSync(mkdtempSync(join(tmpdir(), 'reprise-bench-')));
  const home = join(dir, 'home');
  for (const folder of [home, join(dir, 'tmp')]) mkdirSync(folder);
  writeFileSync(join(home, '.gitconfig'), GIT_CONFIG);
  const env = {
    PATH: process.env.PATH,
    HOME: home,
    TMPDIR: join(dir, 'tmp'),
    GIT_CONFIG_NOSYSTEM: '1',
    LANG: 'C.UTF-8',
    TZ: 'UTC',
    DATALAD_UI_PROGRESSBAR: 'none',
  };
  return {
    dir,
    env,
    /** Runs a program to its end; throws with what it said unless it exits 0. Returns stdout without the final newline. */
    ok(argv, cwd = dir, input = '') {
      const result = spawnSync(argv[0], argv.slice(1), { cwd, env, input, maxBuffer: 1 << 28 });
      if (result.error) throw result.error;
      if (result.status !== 0)
        throw new Error(`${argv.join(' ')} in ${cwd}: exit ${result.status}\n${String(result.stderr)}`);
      return result.stdout.toString('utf8').replace(/\n$/, '');
    },
    remove() {
      // Folders of git-annex objects are without write permission.
      spawnSync('chmod', ['-R', 'u+rwX', dir]);
      rmSync(dir, { recursive: true, force: true, maxRetries: 3 });
    },
  };
}
