import { relative } from 'node:path';
import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** What takes longest goes first: a long file that is begun last leaves the other worker with nothing to do. */
const LONGEST_FIRST = ['test/interop/', 'test/images/', 'test/rerun/', 'test/dataset/', 'test/'];

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification) => {
      const path = relative(import.meta.dirname, moduleId);
      return LONGEST_FIRST.findIndex((folder) => path.startsWith(folder));
    };
    return (await super.sort(files)).sort((one, other) => rank(one) - rank(other));
  }
}

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/support/engines-teardown.ts', 'test/support/tools-here.ts'],
    testTimeout: 240_000,
    hookTimeout: 300_000,
    maxWorkers: 2,
    // Of tests of one file at a time; more of them only get into each other's way on two cores.
    maxConcurrency: 2,
    pool: 'forks',
    sequence: { sequencer: LongestFirst },
    reporters: ['default'],
  },
});
