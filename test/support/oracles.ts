/**
 * The real tools that our behaviour is compared with. Each is found at run time; a test that needs one is wrapped in
 * `describe.skipIf(!oracle.present)`-style helpers, and `tools/test.mjs` counts and prints what was skipped, or forbids it
 * (`REPRISE_REQUIRE_ALL=1`, as CI sets).
 */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { describe } from 'vitest';
import { canRun, type EngineName } from './engines.ts';
import { projectRoot } from './world.ts';

export type OracleName = 'git-annex' | 'datalad' | 'datalad-container' | 'datalad-latest' | 'python3' | EngineName;

/** The tree with DataLad 1.6 that `tools/engines/datalad-latest.sh install` makes. */
export const latestTree = process.env['REPRISE_DATALAD_LATEST'] ?? '/opt/datalad-latest';

function works(argv: readonly string[]): boolean {
  const result = spawnSync(argv[0] as string, argv.slice(1), { stdio: 'ignore' });
  return result.status === 0;
}

const found: Record<OracleName, boolean> = {
  'git-annex': works(['git-annex', 'version']),
  datalad: works(['datalad', '--version']),
  // Debian's DataLad runs on Debian's Python.
  'datalad-container': existsSync('/usr/lib/python3/dist-packages/datalad_container'),
  'datalad-latest': existsSync(`${latestTree}/.ready`) && process.getuid?.() === 0,
  python3: works(['python3', '-c', 'import lzma, json, shlex']),
  docker: canRun('docker'),
  podman: canRun('podman'),
  apptainer: canRun('apptainer'),
};

export function has(name: OracleName): boolean {
  return found[name];
}

/** `describe` that runs only where the named tools are; a missing one fails the suite when REPRISE_REQUIRE_ALL is set. */
export function describeWith(needs: readonly OracleName[], title: string, body: () => void): void {
  const missing = needs.filter((name) => !found[name]);
  if (missing.length > 0 && process.env['REPRISE_REQUIRE_ALL']) {
    throw new Error(`${title}: ${missing.join(', ')} is required here (REPRISE_REQUIRE_ALL) and was not found`);
  }
  describe.skipIf(missing.length > 0)(`${title} [needs ${needs.join(', ')}]`, body);
}

/** Argument list that runs `datalad` of Debian 12 (0.18) or of the newest release (1.6) on the host's folders. Worlds must be below /tmp. */
export function dataladArgv(which: 'datalad' | 'datalad-latest', args: readonly string[]): string[] {
  if (which === 'datalad') return ['datalad', ...args];
  return ['bash', `${projectRoot}/tools/engines/datalad-latest.sh`, 'exec', latestTree, '--', 'datalad', ...args];
}
