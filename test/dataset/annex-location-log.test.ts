import { fc } from '../support/random.ts';
import { expect, test } from 'vitest';
import { addPresence, journalName, logPath } from '../../src/dataset/annex/location-log.ts';

const A = '11111111-1111-1111-1111-111111111111';
const B = '22222222-2222-2222-2222-222222222222';

test('a log lies under the lower-case hash of its key, and its name in the journal is flat', () => {
  const path = logPath('SHA256E-s3--7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed');
  expect(path).toMatch(/^[0-9a-f]{3}\/[0-9a-f]{3}\/SHA256E-s3--7692[0-9a-f]+\.log$/);
  expect(journalName('abc/def/KEY_1.log')).toBe('abc_def_KEY__1.log');
});

test('the first line of a log names the repository and the time', () => {
  expect(addPresence(null, A, 1700000000.25)).toBe(`1700000000.25s 1 ${A}\n`);
  expect(addPresence(null, A, 1700000000)).toBe(`1700000000s 1 ${A}\n`);
});

test('lines of other repositories stay, sorted by uuid', () => {
  expect(addPresence(`1.5s 1 ${B}\n`, A, 2)).toBe(`2s 1 ${A}\n1.5s 1 ${B}\n`);
});

test('a log that names the repository already is not touched', () => {
  const log = `5s 1 ${A}\n5s 1 ${B}\n3s 0 ${A}\n`;
  expect(addPresence(log, A, 9)).toBe(log);
});

test('a clock that went back is moved past the last entry', () => {
  expect(addPresence(`1800000000.5s 0 ${A}\n`, A, 1700000000)).toBe(`1800000001.5s 1 ${A}\n`);
});

test('of several lines for one repository, as a union merge leaves them, the newest counts', () => {
  expect(addPresence(`3s 1 ${B}\n5s 0 ${A}\n4s 1 ${A}\n7s 0 ${B}\n`, A, 9)).toBe(`9s 1 ${A}\n7s 0 ${B}\n`);
});

test('lines of an unknown form are kept', () => {
  expect(addPresence('what is this\n', A, 1)).toBe(`1s 1 ${A}\nwhat is this\n`);
});

test('after adding, the newest line of the repository says present, and no other repository changes', () => {
  const line = fc.tuple(fc.nat({ max: 50 }), fc.constantFrom('0', '1', 'X'), fc.constantFrom(A, B, 'c', 'd'));
  fc.assert(
    fc.property(fc.array(line, { maxLength: 8 }), fc.nat({ max: 60 }), (lines, now) => {
      const before = lines.map(([time, status, uuid]) => `${time}s ${status} ${uuid}\n`).join('');
      const after = addPresence(before, A, now);
      expect(statuses(after).get(A)).toBe('1');
      for (const [uuid, status] of statuses(before)) if (uuid !== A) expect(statuses(after).get(uuid)).toBe(status);
      expect(addPresence(after, A, now + 1)).toBe(after);
    }),
  );
});

function statuses(log: string): Map<string, string> {
  const found = new Map<string, { time: number; status: string }>();
  for (const [, time = '', status = '', uuid = ''] of log.matchAll(/^(\S+)s (.) (.*)$/gm)) {
    const known = found.get(uuid);
    if (!known || Number(time) > known.time) found.set(uuid, { time: Number(time), status });
  }
  return new Map([...found].map(([uuid, { status }]) => [uuid, status]));
}
