import { expect, test } from 'vitest';
import { createWorld, projectRoot } from '../support/world.ts';

test('the reference pages are what their sources give; node tools/docs.mjs writes them', () => {
  const world = createWorld();
  try {
    expect(world.exec([process.execPath, 'tools/docs.mjs', '--check'], { cwd: projectRoot })).toMatchObject({
      code: 0,
      stderr: '',
    });
  } finally {
    world.remove();
  }
});
