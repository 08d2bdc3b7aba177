/** Clones of annexed datasets in which git-annex has not been called yet: results go to the annex all the same, as with DataLad. */
import { chmodSync, existsSync, lstatSync, mkdirSync, readFileSync, readlinkSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { comparedVersions, dataladArgv, describeWith } from '../support/oracles.ts';
import { commitsOf, failuresOf, leftovers, startReprise } from '../support/runs.ts';
import { createWorld, type World } from '../support/world.ts';

let world: World;
let source: string;

beforeAll(() => {
  world = createWorld();
  source = world.path('source');
  const make = (folder: string, lines: string) =>
    world.sh(
      world.dir,
      `git init -q '${folder}'; cd '${folder}'; git annex init -q; git config annex.backend MD5E; ${lines}`,
    );
  make(
    source,
    "printf '*.txt annex.largefiles=nothing\\n** annex.backend=MD5E\\n' >.gitattributes; git add .gitattributes",
  );
  world.sh(
    source,
    'echo old >in.dat; echo free >loose.dat; git annex add -q .; git annex unlock -q loose.dat; git commit -qm data',
  );
  make(`${source}/sub`, 'echo deep >deep.dat; git annex add -q .; git commit -qm deep');
  world.sh(source, 'git submodule --quiet add ./sub sub 2>&1; git commit -qm sub');
});
afterAll(() => world.remove());

function clone(name: string, ...options: string[]): string {
  world.git(world.dir, 'clone', '-q', ...options, source, world.path(name));
  return world.path(name);
}

const uuidOf = (dataset: string) =>
  world.exec(['git', 'config', '--local', 'annex.uuid'], { cwd: dataset }).stdout.trim();

/** What a clone says about itself once it has an annex. */
function expectAnnexed(dataset: string, file: string): void {
  expect(uuidOf(dataset)).toMatch(/^[0-9a-f-]{36}$/);
  expect(lstatSync(join(dataset, file)).isSymbolicLink()).toBe(true);
  expect(readlinkSync(join(dataset, file))).toContain('annex/objects/');
  expect(world.git(dataset, 'ls-tree', '--format=%(objectmode)', 'HEAD', file)).toBe('120000');
  expect(world.git(dataset, 'annex', 'find', '--in=here', file)).toBe(file);
  expect(world.git(dataset, 'status', '--porcelain')).toBe('');
  expect(leftovers(world, dataset).filter((name) => name !== 'refs/reprise/attestations')).toEqual([]);
}

describeWith(['git-annex'], 'a clone without an annex of its own', () => {
  test('run stores its results in the annex; what is annexed already is updated as it is', () => {
    const dataset = clone('run');
    const command = 'cat in.dat >out.dat; echo note >note.txt; echo new >loose.dat';
    expect(world.reprise(dataset, ['run', '-i', 'in.dat', '-o', 'out.dat', command])).toMatchObject({ code: 0 });
    expectAnnexed(dataset, 'out.dat');
    expect(commitsOf(world, dataset).at(-1)?.changes).toEqual(['M loose.dat', 'A note.txt', 'A out.dat']);
    expect(world.git(dataset, 'cat-file', 'blob', 'HEAD:note.txt')).toBe('note');
    // Unlocked in the source, unlocked here: Git holds a pointer.
    expect(world.git(dataset, 'cat-file', 'blob', 'HEAD:loose.dat')).toMatch(/^\/annex\/objects\/MD5E-/);
    expect(readFileSync(join(dataset, 'loose.dat'), 'utf8')).toBe('new\n');
  });

  test('nothing is made of it by a dry run, or where only things are looked at', () => {
    const dataset = clone('looks');
    for (const args of [
      ['run', '--dry-run', 'basic', 'echo 1 >out'],
      ['status'],
      ['save'],
      ['rerun', '--report', '--since='],
    ])
      world.reprise(dataset, args);
    expect(uuidOf(dataset)).toBe('');
    expect(world.git(dataset, 'for-each-ref', 'refs/heads/git-annex')).toBe('');
  });

  test('save stores new files in the annex, in subdatasets as well', () => {
    const dataset = clone('save', '--recurse-submodules');
    world.sh(dataset, 'echo 1 >new.dat; echo 2 >sub/new.dat');
    expect(world.reprise(dataset, ['save', '-r', '-m', 'new'])).toMatchObject({ code: 0 });
    expectAnnexed(dataset, 'new.dat');
    expectAnnexed(join(dataset, 'sub'), 'new.dat');
    expect(uuidOf(dataset)).not.toBe(uuidOf(join(dataset, 'sub')));
  });

  test('a run that writes to a subdataset', () => {
    const dataset = clone('run-sub', '--recurse-submodules');
    const run = ['run', '-i', 'sub/deep.dat', '-o', 'sub/out.dat', 'cp sub/deep.dat sub/out.dat'];
    expect(world.reprise(dataset, run)).toMatchObject({ code: 0 });
    expectAnnexed(join(dataset, 'sub'), 'out.dat');
  });

  test('rerun: in the tree, side by side, and in workspaces', () => {
    const recorded = clone('recorded');
    for (const name of ['a', 'b'])
      world.reprise(recorded, [
        'run',
        '-i',
        'in.dat',
        '-o',
        `${name}.dat`,
        `cat in.dat >${name}.dat; date +%N >>${name}.dat`,
      ]);
    for (const [name, options] of [
      ['rerun', []],
      ['jobs', ['-J', '2']],
    ] as const) {
      world.git(world.dir, 'clone', '-q', recorded, world.path(name));
      world.git(world.path(name), 'remote', 'add', 'source', source);
      expect(world.reprise(world.path(name), ['rerun', '--since=origin/HEAD~2', ...options])).toMatchObject({
        code: 0,
      });
      expectAnnexed(world.path(name), 'a.dat');
      expectAnnexed(world.path(name), 'b.dat');
      expect(commitsOf(world, world.path(name), 'origin/HEAD..HEAD').map(({ changes }) => changes)).toEqual([
        ['M a.dat'],
        ['M b.dat'],
      ]);
    }
    world.sh(recorded, 'echo same >same.dat');
    world.reprise(recorded, ['save', '-m', 'same']);
    world.reprise(recorded, ['run', '-o', 'c.dat', 'echo same >c.dat']);
    world.git(world.dir, 'clone', '-q', recorded, world.path('workspace'));
    const told = world.reprise(world.path('workspace'), ['-f', 'json', 'rerun', '--workspace', '--verify']);
    expect(told).toMatchObject({ code: 0 });
    const verdicts = told.stdout
      .split('\n')
      .flatMap((line) => (line.includes('"verdict"') ? [JSON.parse(line) as { outputs: { replayed: string }[] }] : []));
    expect(verdicts[0]?.outputs[0]?.replayed).toMatch(/^annex:MD5E-/);
  });

  test('unlock, drop and get do what they do in any other clone', () => {
    const dataset = clone('content');
    expect(world.reprise(dataset, ['unlock', 'in.dat']).stdout).toContain('no content present');
    expect(world.reprise(dataset, ['drop', 'in.dat'])).toMatchObject({ code: 0 });
    expect(world.reprise(dataset, ['get', 'in.dat'])).toMatchObject({ code: 0 });
    expect(readFileSync(join(dataset, 'in.dat'), 'utf8')).toBe('old\n');
    expect(world.reprise(dataset, ['unlock', 'in.dat'])).toMatchObject({ code: 0 });
    expect(lstatSync(join(dataset, 'in.dat')).isFile()).toBe(true);
  });

  test('.noannex is respected: everything goes into Git', () => {
    const dataset = clone('noannex');
    world.sh(dataset, 'touch .noannex; git add .noannex; git commit -qm "no annex"');
    expect(world.reprise(dataset, ['run', '-o', 'out.dat', 'echo 1 >out.dat'])).toMatchObject({ code: 0 });
    expect(uuidOf(dataset)).toBe('');
    expect(world.git(dataset, 'cat-file', 'blob', 'HEAD:out.dat')).toBe('1');
  });

  test('the branch may come from a remote of any name', () => {
    const dataset = clone('remote', '-o', 'lab/server');
    expect(world.reprise(dataset, ['run', 'echo 1 >out.dat'])).toMatchObject({ code: 0 });
    expectAnnexed(dataset, 'out.dat');
  });

  test('many runs at once give the clone one identifier', async () => {
    const dataset = clone('many');
    const names = Array.from({ length: 5 }, (_, index) => `out-${index}.dat`);
    const going = names.map((name) =>
      startReprise(world, dataset, ['run', '--explicit', '-o', name, `echo ${name} >${name}`]),
    );
    expect(failuresOf(await Promise.all(going.map(({ done }) => done)))).toEqual([]);
    for (const name of names) expectAnnexed(dataset, name);
    const known = world.git(dataset, 'cat-file', 'blob', 'git-annex:uuid.log').split('\n');
    expect(known.filter((line) => line.includes(dataset))).toHaveLength(1);
  });

  test('without git-annex nothing is executed, and nothing is saved in the wrong place', () => {
    const dataset = clone('no-git-annex');
    const bin = world.path('bin');
    mkdirSync(bin);
    for (const tool of ['git', 'sh', 'touch', 'cat'])
      symlinkSync(world.ok(['/bin/sh', '-c', `command -v ${tool}`]), join(bin, tool));
    const env = { PATH: bin };
    const run = world.reprise(dataset, ['run', 'touch executed'], { env });
    expect(run).toMatchObject({ code: 1, stderr: expect.stringContaining('git-annex is not installed') });
    expect(existsSync(join(dataset, 'executed'))).toBe(false);
    world.write(join(dataset, 'new.dat'), 'new');
    expect(world.reprise(dataset, ['save'], { env })).toMatchObject({ code: 1 });
    expect(world.git(dataset, 'status', '--porcelain')).toBe('?? new.dat');
    chmodSync(bin, 0o755);
  });
});

for (const which of comparedVersions) {
  describeWith(['git-annex', which], `such a clone, as ${which} works in it`, () => {
    test('leaves the same tree, and says the same about itself', () => {
      const line = 'cat in.dat >out.dat; echo note >note.txt';
      const states = (['theirs', 'ours'] as const).map((twin) => {
        const dataset = clone(`${which}/${twin}/ds`);
        const args = ['run', '-i', 'in.dat', '-o', 'out.dat', line];
        const done =
          twin === 'ours' ? world.reprise(dataset, args) : world.exec(dataladArgv(which, args), { cwd: dataset });
        expect(done).toMatchObject({ code: 0 });
        const log = world.git(dataset, 'cat-file', 'blob', 'git-annex:uuid.log').split('\n');
        return {
          tree: world.git(dataset, 'ls-tree', '-r', 'HEAD'),
          description: log
            .filter((entry) => entry.startsWith(uuidOf(dataset)))
            .map((entry) => entry.split(' ')[1]?.replace(twin, 'W')),
          config: world.sh(dataset, "git config --local --list | grep annex | sed -E 's/[0-9a-f-]{36}/UUID/' | sort"),
        };
      });
      expect(states[1]).toEqual(states[0]);
      expect(states[0]?.description).toHaveLength(1);
    });
  });
}
