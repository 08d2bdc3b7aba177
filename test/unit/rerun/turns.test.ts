import { describe, expect, test } from 'vitest';
import { createTurns } from '../../../src/rerun/turns.ts';

/** Lets everything that is ready go on. */
const settled = () => new Promise((resolve) => setImmediate(resolve));

describe('turns', () => {
  test('are given to so many at once, in the order of asking, an urgent one first', async () => {
    const turns = createTurns(2);
    const got: string[] = [];
    const ends = new Map<string, () => void>();
    const ask = (name: string, urgent = false) =>
      void turns.take(urgent).then((end) => {
        got.push(name);
        ends.set(name, end);
      });
    for (const name of ['a', 'b', 'c', 'd']) ask(name);
    ask('now', true);
    await settled();
    expect(got).toEqual(['a', 'b']);
    ends.get('b')?.();
    await settled();
    expect(got).toEqual(['a', 'b', 'now']);
    ends.get('a')?.();
    ends.get('now')?.();
    await settled();
    expect(got).toEqual(['a', 'b', 'now', 'c', 'd']);
  });

  test('nobody gets one after the end, and whoever waits is told', async () => {
    const turns = createTurns(1);
    const end = await turns.take();
    const waiting = turns.take().then(
      () => 'got one',
      () => 'refused',
    );
    turns.close();
    end();
    expect(await waiting).toBe('refused');
    await expect(turns.take()).rejects.toThrow('too late');
  });
});
