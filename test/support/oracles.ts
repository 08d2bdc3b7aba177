/**
 * The real tools that our behaviour is compared with. Each is looked for when a run of the suite begins; a test that needs one is wrapped in
 * `describe.skipIf(!oracle.present)`-style helpers, and `tools/test.mjs` counts and prints what was skipped, or forbids it
 * (`REPRISE_REQUIRE_ALL=1`, as CI sets).
 */
import { describe, inject } from 'vitest';
import { latestTree, type OracleName } from './tools-here.ts';
import { projectRoot } from './world.ts';

export { latestTree, type OracleName };

const found = inject('tools');

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

/**
 * The versions of DataLad that we are compared with: the newest, and with REPRISE_TEST_OLD_DATALAD=1 Debian's 0.18 as well. That the two do the same
 * where we do it too was seen once, and does not change; to see it each time makes the suite half as long again.
 */
export const comparedVersions = process.env['REPRISE_TEST_OLD_DATALAD']
  ? (['datalad', 'datalad-latest'] as const)
  : (['datalad-latest'] as const);

/** Whether Debian's DataLad is among them, and here. */
export const comparesOld = comparedVersions.some((version) => version === 'datalad') && has('datalad');

/** Argument list that runs `datalad` of Debian 12 (0.18) or of the newest release (1.6) on the host's folders. Worlds must be below /tmp. */
export function dataladArgv(which: 'datalad' | 'datalad-latest', args: readonly string[]): string[] {
  if (which === 'datalad') return ['datalad', ...args];
  return ['bash', `${projectRoot}/tools/engines/datalad-latest.sh`, 'exec', latestTree, '--', 'datalad', ...args];
}
