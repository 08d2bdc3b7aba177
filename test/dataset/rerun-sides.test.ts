/** Reruns of forked histories: what was replayed on one side stays reachable, whatever becomes of the other. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { copyOf, hintsOf, isPending, keptRefs, placeOf, tracesIn } from '../support/replays.ts';
import { createWorld, type Outcome, type World } from '../support/world.ts';

let world: World;
let made = 0;

beforeAll(() => {
  world = createWorld();
});
afterAll(() => world.remove());

const rerun = (dataset: string, args: readonly string[], env: Record<string, string> = {}): Outcome =>
  world.reprise(dataset, ['rerun', ...args], { env });
const succeed = (ended: Outcome) => expect(`${ended.code} ${ended.stderr}`).toMatch(/^0 /);

/** A plain Git repository with a run on `main`, another on a side branch, and their merge; both sides append to `log`. */
function forked(main: string, side: string): string {
  const dataset = world.path(`forked-${(made += 1)}`);
  world.git(world.dir, 'init', '-q', '-b', 'main', dataset);
  world.write(`${dataset}/log`, 'start\n');
  world.git(dataset, 'add', '-A');
  world.git(dataset, 'commit', '-qm', 'start');
  world.git(dataset, 'branch', 'side');
  succeed(world.reprise(dataset, ['run', '-m', 'on main', main]));
  world.git(dataset, 'checkout', '-q', 'side');
  succeed(world.reprise(dataset, ['run', '-m', 'on side', side]));
  world.git(dataset, 'checkout', '-q', 'main');
  if (world.exec(['git', 'merge', '-q', '--no-edit', 'side'], { cwd: dataset }).code !== 0) {
    world.sh(dataset, 'git checkout --theirs log; git add log; git commit -q --no-edit');
  }
  world.git(dataset, 'branch', '-D', 'side');
  return dataset;
}

test('undone, the side that HEAD had left is kept as well', () => {
  const dataset = forked('echo main >>main', 'test ! -e "$GATE" || exit 7; echo side >>side');
  const before = placeOf(world, dataset);
  const gate = world.path('gate');
  world.write(gate, '');
  expect(rerun(dataset, ['--since='], { GATE: gate }).code).toBe(7);
  expect(world.git(dataset, 'rev-parse', 'HEAD')).toBe(before.commit);
  const ended = rerun(dataset, ['--abort']);
  succeed(ended);
  expect(placeOf(world, dataset)).toStrictEqual(before);
  const kept = keptRefs(world, dataset);
  expect(kept.map((ref) => world.git(dataset, 'cat-file', 'blob', `${ref}:main`))).toStrictEqual(['main\nmain']);
  expect(ended.stderr).toContain(kept[0]);
  expect(tracesIn(world, dataset)).toStrictEqual([]);
});

test('a side whose merge was given up is kept, and named', () => {
  const dataset = forked('echo main >>log', 'echo side >>log; echo side >>side');
  const merge = world.git(dataset, 'rev-parse', 'HEAD');
  expect(rerun(dataset, ['--since=']).stderr).toContain('(replay-conflict)');
  const given = copyOf(world, dataset, 'given-up');

  world.sh(given, `git merge --abort; git commit -q --allow-empty -C ${merge}`);
  const ended = rerun(given, ['--continue']);
  succeed(ended);
  expect(isPending(given)).toBe(false);
  expect(world.git(given, 'cat-file', 'blob', 'HEAD:side')).toBe('side');
  const kept = keptRefs(world, given);
  expect(kept.map((ref) => world.git(given, 'cat-file', 'blob', `${ref}:side`))).toStrictEqual(['side\nside']);
  expect(hintsOf(ended)).toContain(`git merge ${kept[0]}`);
  world.sh(given, `git merge -q ${kept[0]} || git checkout -q --theirs log`);
  expect(world.git(given, 'hash-object', 'side')).toBe(world.git(given, 'rev-parse', `${kept[0]}:side`));

  world.sh(dataset, 'git checkout --ours log; git add log; git commit -q --no-edit');
  const joined = rerun(dataset, ['--continue']);
  succeed(joined);
  expect(joined.stderr).not.toContain('refs/reprise');
  expect(keptRefs(world, dataset)).toStrictEqual([]);
  expect(world.git(dataset, 'cat-file', 'blob', 'HEAD:side')).toBe('side\nside');
});
