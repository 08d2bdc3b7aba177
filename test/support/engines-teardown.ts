/** vitest's global set-up: counts the runs that may use the container engines, so that the last one stops them. */
import { registerUser, releaseEngines } from './engines.ts';

export function setup(): void {
  registerUser();
}

export function teardown(): void {
  releaseEngines();
}
