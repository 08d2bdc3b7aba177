/** Runs that save all that was changed, beside other runs: none records what is another's. */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { expectSentence } from '../support/crash-unchanged.ts';
import { crashModule } from '../support/crash-points.ts';
import { runBeside } from '../support/crash-world.ts';
import { commitsOf, killAll, leftovers, startReprise } from '../support/runs.ts';
import { cliPath, createWorld, type World } from '../support/world.ts';

let world: World;
let made = 0;
beforeAll(() => {
  world = createWorld();
});
afterAll(() => world.remove());

/** A dataset with a subdataset. */
function fresh(): string {
  const name = `ds-${(made += 1)}`;
  world.sh(
    world.dir,
    `git init -q ${name} && cd ${name} && git commit -q --allow-empty -m start && git init -q sub && git -C sub commit -q --allow-empty -m start && git submodule --quiet add ./sub && git commit -qm sub`,
  );
  return world.path(name);
}

/** A run that has written half of a file, and ends only when it is told to. */
async function begin(cwd: string, file: string, ...args: readonly string[]) {
  const go = world.path(`go-${(made += 1)}`);
  const command = `echo half > ${file}; echo > ${go}.begun; until [ -e ${go} ]; do sleep 0.02; done; echo whole > ${file}`;
  const going = startReprise(world, cwd, ['run', '-m', file, ...args, command]);
  while (!existsSync(`${go}.begun`)) await sleep(10);
  const end = async () => {
    writeFileSync(go, '');
    const ended = await going.done;
    expect(ended.code, ended.stderr).toBe(0);
  };
  return { going, end };
}

function lastChanges(dataset: string, count: number): readonly (readonly string[])[] {
  return commitsOf(world, dataset, `HEAD~${count}..HEAD`).map(({ changes }) => changes);
}

describe('a run without --explicit', () => {
  test('is refused while another one goes on, and leaves everything as it was', async () => {
    const dataset = fresh();
    for (const args of [[], ['--explicit', '-o', 'theirs']]) {
      const { end } = await begin(dataset, 'theirs', ...args);
      const refused = world.reprise(dataset, ['run', 'echo > mine']);
      expectSentence(refused, 'dataset-busy', 1);
      expect(refused.stderr).toMatch(/Another command is going on.*echo half > theirs/);
      expect(refused.stderr).toContain('reprise run --explicit -o OUTPUT ...');
      expect(existsSync(join(dataset, 'mine'))).toBe(false);
      await end();
      expect(lastChanges(dataset, 1)).toEqual([[args.length === 0 ? 'A theirs' : 'M theirs']]);
      world.sh(dataset, 'echo > theirs && git commit -qam again');
    }
    expect(leftovers(world, dataset)).toEqual([]);
    expect(world.reprise(dataset, ['run', 'echo > mine'])).toMatchObject({ code: 0 });
  });

  test('is refused in a subdataset of one in which another goes on, and above it', async () => {
    const dataset = fresh();
    const sub = join(dataset, 'sub');
    const above = await begin(dataset, 'theirs');
    expectSentence(world.reprise(sub, ['run', 'echo > mine']), 'dataset-busy', 1);
    expect(world.reprise(sub, ['run', '--explicit', '-o', 'mine', 'echo > mine'])).toMatchObject({ code: 0 });
    await above.end();

    const below = await begin(sub, 'theirs');
    world.git(dataset, 'commit', '--allow-empty', '-qm', 'meanwhile');
    const refused = world.reprise(dataset, ['run', '--assume-ready', 'both', 'echo > mine']);
    expect(refused.code).toBe(1);
    expect(refused.stderr).toMatch(/\((dataset-busy|dataset-dirty)\)/);
    expect(existsSync(join(dataset, 'mine'))).toBe(false);
    await below.end();
    expect(lastChanges(sub, 1)).toEqual([['A theirs']]);
    expect(leftovers(world, dataset)).toEqual([]);
  });

  test('of several that begin at the same instant, each records its own changes or is refused', async () => {
    const dataset = fresh();
    for (let round = 1; round <= 3; round += 1) {
      const before = world.git(dataset, 'rev-parse', 'HEAD');
      const files = ['a', 'b', 'c', 'd'].map((name) => `${name}${round}`);
      const ended = await Promise.all(
        files.map(
          (file) => startReprise(world, dataset, ['run', `echo half > ${file}; sleep 0.3; echo whole > ${file}`]).done,
        ),
      );
      for (const { code, stderr } of ended) if (code !== 0) expect(stderr).toMatch(/\(dataset-(busy|dirty)\)/);
      const done = files.filter((_, index) => ended[index]?.code === 0);
      const commits = commitsOf(world, dataset, `${before}..HEAD`);
      expect(commits.map(({ changes }) => changes.join()).sort()).toEqual(done.map((file) => `A ${file}`));
      expect(world.git(dataset, 'status', '--porcelain')).toBe('');
      for (const file of done) expect(readFileSync(join(dataset, file), 'utf8')).toBe('whole\n');
    }
    expect(leftovers(world, dataset)).toEqual([]);
  });

  test('leaves to explicit runs what they have declared', async () => {
    const dataset = fresh();
    const plain = await begin(dataset, 'mine');
    world.sh(dataset, 'mkdir folder');
    const explicit = await begin(join(dataset, 'folder'), 'theirs', '--explicit', '-o', '*');
    await plain.end();
    expect(lastChanges(dataset, 1)).toEqual([['A mine']]);
    expect(world.git(dataset, 'status', '--porcelain')).toBe('?? folder/');
    await explicit.end();
    expect(lastChanges(dataset, 2)).toEqual([['A mine'], ['A folder/theirs']]);
    expect(world.git(dataset, 'status', '--porcelain')).toBe('');
  });

  test('but not what it has declared itself', async () => {
    const dataset = fresh();
    const plain = await begin(dataset, 'both', '-o', 'both');
    const explicit = await begin(dataset, 'both', '--explicit', '-o', '*');
    await plain.end();
    expect(lastChanges(dataset, 1)).toEqual([['A both']]);
    await explicit.end();
    expect(commitsOf(world, dataset, 'HEAD~2..HEAD').map(({ record }) => record?.outputs)).toEqual([['both'], ['*']]);
  });
});

describe('a run of another host', () => {
  /** Gives a journal or lock an owner on another host. */
  function moveElsewhere(file: string): void {
    const value = JSON.parse(readFileSync(file, 'utf8')) as { owner?: object };
    const host = 'node7.example.org';
    writeFileSync(
      file,
      JSON.stringify(value.owner ? { ...value, owner: { ...value.owner, host } } : { ...value, host }),
    );
  }

  /** A run that was killed, as it looks from elsewhere. */
  async function killedElsewhere(): Promise<{ readonly dataset: string; readonly id: string }> {
    const dataset = fresh();
    const { going } = await begin(dataset, 'theirs', '--explicit', '-o', 'theirs');
    const runs = join(dataset, '.git/reprise/runs');
    const id = readdirSync(runs).flatMap((name) => /^([0-9a-f]{16})\.json$/.exec(name)?.[1] ?? [])[0] as string;
    await killAll(going);
    moveElsewhere(join(runs, `${id}.json`));
    return { dataset, id };
  }

  test('may be gone, which only the user can tell', async () => {
    const { dataset, id } = await killedElsewhere();
    const listed = world.reprise(dataset, ['-f', 'json', 'recover', '--list']);
    expect(JSON.parse(listed.stdout)).toMatchObject({ run: id, state: 'active', host: 'node7.example.org' });
    const asked = world.reprise(dataset, ['recover']);
    expect(asked).toMatchObject({ code: 0 });
    expect(asked.stderr).toContain(`run ${id} may be going on on node7.example.org`);
    expect(asked.stderr).toContain(`reprise recover --assume-gone ${id}`);
    expect(readFileSync(join(dataset, 'theirs'), 'utf8')).toBe('half\n');

    const recovered = world.reprise(dataset, ['-f', 'json', 'recover', '--assume-gone', id]);
    expect(recovered).toMatchObject({ code: 0 });
    expect(JSON.parse(recovered.stdout)).toMatchObject({ run: id, state: 'cut-off', status: 'ok' });
    expect(world.git(dataset, 'show', `refs/reprise/unfinished/${id}:theirs`)).toBe('half');
    expect(world.git(dataset, 'status', '--porcelain')).toBe('');
    expect(leftovers(world, dataset)).toEqual([`refs/reprise/unfinished/${id}`]);
    expect(world.reprise(dataset, ['recover']).stderr).toContain('nothing to recover');
  });

  test('that was killed while its commit landed is recorded, and its locks go', async () => {
    const dataset = fresh();
    const crash = crashModule(world.path('crash.mjs'));
    const argv = [process.execPath, '--import', crash, cliPath, 'run', '--explicit', '-o', 'theirs', 'echo > theirs'];
    const killed = await runBeside(world, argv, { cwd: dataset, env: { CRASH_ON: '^before git update-ref' } });
    expect(killed.signal).toBe('SIGKILL');
    const git = join(dataset, '.git');
    const journals = readdirSync(join(git, 'reprise/runs')).filter((name) => name.endsWith('.json'));
    const held = [...journals.map((name) => `reprise/runs/${name}`), 'reprise/save.lock', 'index.lock'];
    for (const file of held) moveElsewhere(join(git, file));

    expect(world.reprise(dataset, ['recover', '--assume-gone'])).toMatchObject({ code: 0 });
    expect(lastChanges(dataset, 1)).toEqual([['A theirs']]);
    expect(world.git(dataset, 'status', '--porcelain')).toBe('');
    expect(leftovers(world, dataset)).toEqual([]);
  });

  test('does not keep others from working', async () => {
    const { dataset, id } = await killedElsewhere();
    world.sh(dataset, 'rm theirs');
    const ran = world.reprise(dataset, ['run', 'echo > mine']);
    expect(ran).toMatchObject({ code: 0 });
    expect(ran.stderr).toContain('a run on node7.example.org may be going on');
    expect(ran.stderr).toContain(`reprise recover --assume-gone ${id}`);
    expect(lastChanges(dataset, 1)).toEqual([['A mine']]);
  });

  test('of this host is never taken for gone', async () => {
    const dataset = fresh();
    const { end } = await begin(dataset, 'mine');
    expect(world.reprise(dataset, ['recover', '--assume-gone']).stderr).toMatch(/is still going on: echo half > mine/);
    await end();
    expect(lastChanges(dataset, 1)).toEqual([['A mine']]);
  });
});
