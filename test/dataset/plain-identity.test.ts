/** Who commits, told without Git: wherever that is done, it is what Git says. */
import { fc } from '../support/random.ts';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { configFrom } from '../../src/core/config.ts';
import { plainIdentity } from '../../src/dataset/plain-identity.ts';
import { createWorld, type World } from '../support/world.ts';

let world: World;
beforeAll(() => {
  world = createWorld();
});
afterAll(() => world.remove());

const ZONES = ['UTC', 'Europe/Berlin', 'America/New_York', 'Asia/Kolkata', 'America/St_Johns', 'Pacific/Auckland'];
const letters = fc.string({ unit: fc.constantFrom(...Array.from('aZ0é姓.,:;<>"\\\'_-+@ \t')), maxLength: 6 });

test('names, addresses and zones that Git does not change', () => {
  const seen = { plain: 0, asked: 0 };
  fc.assert(
    fc.property(letters, letters, fc.constantFrom(...ZONES), (name, address, zone) => {
      const config = configFrom([
        ['user.name', name],
        ['user.email', address],
      ]);
      const ours = inZone(zone, () => plainIdentity(config, { TZ: zone }));
      seen[ours === null ? 'asked' : 'plain'] += 1;
      if (ours === null) return;
      const asked = ['git', '-c', `user.name=${name}`, '-c', `user.email=${address}`, 'var', 'GIT_COMMITTER_IDENT'];
      const git = world.exec(asked, { env: { TZ: zone } });
      expect(withoutTime(ours)).toBe(withoutTime(git.stdout.trim()));
    }),
    { numRuns: 100, examples: [['Ada', 'ada@example.org', 'Asia/Kolkata']] },
  );
  expect(seen.plain).toBeGreaterThan(0);
  expect(seen.asked).toBeGreaterThan(0);
});

test.each([
  ['Ada', ''],
  ['', 'ada@example.org'],
  ['Ada,', 'ada@example.org'],
  ['A<da', 'ada@example.org'],
  ['Ada', 'ada@example.org\nx'],
])('Git is asked about %j <%j>', (name, address) => {
  const config = configFrom([
    ['user.name', name],
    ['user.email', address],
  ]);
  expect(plainIdentity(config, process.env)).toBeNull();
});

test('Git is asked about zones of other forms', () => {
  const config = configFrom([
    ['user.name', 'Ada'],
    ['user.email', 'ada@example.org'],
  ]);
  for (const zone of ['EST5EDT', 'UTC-3', ':Europe/Berlin', ''])
    expect(inZone(zone, () => plainIdentity(config, { TZ: zone }))).toBeNull();
});

function inZone<T>(zone: string, act: () => T): T {
  const before = process.env['TZ'];
  process.env['TZ'] = zone;
  try {
    return act();
  } finally {
    if (before === undefined) delete process.env['TZ'];
    else process.env['TZ'] = before;
  }
}

function withoutTime(who: string): string {
  return who.replace(/\d+( [+-]\d{4})$/, '$1');
}
