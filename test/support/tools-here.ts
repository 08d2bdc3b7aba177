/** Which of the real tools this machine has. */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import type { TestProject } from 'vitest/node';
import { canRun, type EngineName } from './engines.ts';

export type OracleName = 'git-annex' | 'datalad' | 'datalad-container' | 'datalad-latest' | 'python3' | EngineName;

/** The tree with DataLad 1.6 that `tools/engines/datalad-latest.sh install` makes. */
export const latestTree = process.env['REPRISE_DATALAD_LATEST'] ?? '/opt/datalad-latest';

function works(argv: readonly string[]): boolean {
  const result = spawnSync(argv[0] as string, argv.slice(1), { stdio: 'ignore' });
  return result.status === 0;
}

function toolsHere(): Record<OracleName, boolean> {
  return {
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
}

declare module 'vitest' {
  interface ProvidedContext {
    tools: Record<OracleName, boolean>;
  }
}

/** vitest's global set-up: some tools have to be started to know that they work, which is done once for all files. */
export function setup({ provide }: TestProject): void {
  provide('tools', toolsHere());
}
