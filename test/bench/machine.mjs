/** What the numbers were measured on. */
import { spawnSync } from 'node:child_process';
import { cpus, loadavg, release, totalmem } from 'node:os';
import { reprise } from './world.mjs';

/** Facts of the machine and versions of the programs; a version is null where a program is missing. */
export function describeMachine(env) {
  const version = (argv, pattern) => {
    const result = spawnSync(argv[0], argv.slice(1), { env, encoding: 'utf8' });
    return result.status === 0 ? (pattern.exec(result.stdout + result.stderr)?.[1] ?? null) : null;
  };
  const processors = cpus();
  return {
    processor: processors[0]?.model.trim() ?? 'unknown',
    cores: processors.length,
    memoryGb: Math.round(totalmem() / 2 ** 30),
    system: `${process.platform} ${release()}`,
    versions: {
      reprise: version([...reprise, '--version'], /(\S+)\s*$/),
      node: process.version.slice(1),
      git: version(['git', '--version'], /git version (\S+)/),
      'git-annex': version(['git-annex', 'version', '--raw'], /^(\S+)/),
      datalad: version(['datalad', '--version'], /(\S+)\s*$/),
      strace: version(['strace', '--version'], /version (\S+)/),
    },
  };
}

/** Processes that wanted to run during the last minute, on average. */
export function load() {
  return Math.round(loadavg()[0] * 100) / 100;
}
