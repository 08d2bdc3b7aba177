import { chmodSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { build } from 'esbuild';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Event, Result } from '../../src/core/result.ts';
import { drop } from '../../src/dataset/drop.ts';
import { fetchEach, ruleFor } from '../../src/dataset/fetch.ts';
import { get } from '../../src/dataset/get.ts';
import { readConfig } from '../../src/dataset/read-config.ts';
import { requireRepo } from '../../src/dataset/repo.ts';
import { unlock } from '../../src/dataset/unlock.ts';
import { contextIn } from '../interop/twins.ts';
import { describeWith } from '../support/oracles.ts';
import { createWorld, ORDINARY_UID, projectRoot, type World } from '../support/world.ts';
import { cpuMillisecondsOf } from '../support/cpu-time.ts';

/** All results of a fetch. */
async function fetched(...asked: Parameters<typeof fetchEach>): Promise<readonly Result[]> {
  const results: Result[] = [];
  for await (const result of fetchEach(...asked)) results.push(result);
  return results;
}

const ODD_NAMES = ['sp ace', '-n', 'two\nlines', 'tab\t', `q"uo'te`, '{b}', 'ü', ':(top)x', '*'];

describeWith(['git-annex'], 'content', () => {
  let world: World;
  let source: string;
  beforeAll(() => {
    world = createWorld();
    source = `${world.dir}/source`;
    mkdirSync(`${source}/many`, { recursive: true });
    world.sh(source, 'git init -q . && git annex init -q');
    for (const name of ODD_NAMES) writeFileSync(`${source}/many/${name}`, `content of ${name}`);
    writeFileSync(Buffer.concat([Buffer.from(`${source}/many/byte-`), Buffer.from([0xff])]), 'content of a byte');
    writeFileSync(`${source}/plain.dat`, 'plain');
    writeFileSync(`${source}/twin.dat`, 'plain');
    world.sh(source, 'git annex add -q . && git commit -qm data');
  });
  afterAll(() => world.remove());

  function clone(name: string): string {
    world.sh(world.dir, `git clone -q source ${name} && cd ${name} && git annex init -q`);
    return `${world.dir}/${name}`;
  }

  test('every name comes, is unlocked and dropped under its own name', async () => {
    const place = clone('odd');
    const context = contextIn(world, place);
    const expected = [...ODD_NAMES, 'byte-\udcff'].map((name) => `${place}/many/${name}`).sort();
    const files = (outcome: Awaited<ReturnType<typeof get>>) =>
      outcome.results
        .filter((result) => result.type === 'file')
        .map((result) => result.path)
        .sort();
    const got = await get({ paths: ['many'] }, context);
    expect([got.exitCode, files(got)]).toEqual([0, expected]);
    expect(readFileSync(`${place}/many/two\nlines`, 'utf8')).toBe('content of two\nlines');
    const named = await get({ paths: ODD_NAMES.map((name) => `many/${name}`) }, context);
    expect(named.results.map((result) => result.status)).toEqual(ODD_NAMES.map(() => 'notneeded'));
    const unlocked = await unlock({ paths: ['many'] }, context);
    expect([unlocked.exitCode, files(unlocked)]).toEqual([0, expected]);
    world.git(place, 'commit', '-qm', 'unlocked');
    const dropped = await drop({ paths: ['many'] }, context);
    expect([dropped.exitCode, files(dropped)]).toEqual([0, expected]);
    expect((await get({ paths: ['many'] }, context)).exitCode).toBe(0);
    expect(readFileSync(`${place}/many/two\nlines`, 'utf8')).toBe('content of two\nlines');
  });

  test('one git-annex process for all files, and none when nothing is absent', async () => {
    const place = clone('counted');
    const bin = `${world.dir}/counting`;
    mkdirSync(bin);
    const real = world.sh(world.dir, 'command -v git-annex');
    writeFileSync(`${bin}/git-annex`, `#!/bin/sh\necho "$1" >> '${world.dir}/calls'\nexec '${real}' "$@"\n`);
    chmodSync(`${bin}/git-annex`, 0o755);
    const context = contextIn(world, place, { env: { ...world.env, PATH: `${bin}:${world.env['PATH']}` } });
    const calls = () => world.sh(world.dir, 'test -e calls && grep -c "^get$" calls; rm -f calls');
    const paths = [
      'plain.dat',
      'twin.dat',
      ...ODD_NAMES.filter((name) => !name.includes('\n')).map((name) => `many/${name}`),
    ];
    await get({ paths }, context);
    expect(calls()).toBe('1');
    expect((await get({ paths }, context)).exitCode).toBe(0);
    expect(world.exec(['test', '-e', `${world.dir}/calls`]).code).toBe(1);
  });

  test('two files of one key are both there; progress ends at the total', async () => {
    const place = clone('progress');
    const events: Event[] = [];
    const context = contextIn(world, place, { emit: (event) => events.push(event) });
    const { exitCode } = await get({ paths: ['plain.dat', 'twin.dat'], jobs: 2 }, context);
    expect(exitCode).toBe(0);
    expect(readFileSync(`${place}/plain.dat`, 'utf8') + readFileSync(`${place}/twin.dat`, 'utf8')).toBe('plainplain');
    const progress = events.filter((event) => event.kind === 'progress');
    expect(progress.at(-1)).toEqual({ kind: 'progress', label: 'get', done: 5, total: 5, unit: 'bytes' });
    expect(events.some((event) => event.kind === 'progress-end')).toBe(true);
  });

  test('fetchEach reports only what was absent, and says so when a file is not to be had', async () => {
    const place = clone('fetch');
    const repo = requireRepo(place, contextIn(world, place), true);
    const first = await fetched(repo, await readConfig(repo), ['plain.dat', 'many/sp ace']);
    expect(first.map((result) => result.status)).toEqual(['ok', 'ok']);
    const again = await fetched(repo, await readConfig(repo), ['plain.dat', 'many/sp ace']);
    expect(again).toEqual([]);
    world.git(place, 'remote', 'rm', 'origin');
    const lost = await fetched(repo, await readConfig(repo), ['plain.dat', 'many/ü']);
    expect(lost.map((result) => [result.status, result['annexkey']])).toEqual([
      ['error', expect.stringMatching(/^SHA256E-s/)],
    ]);
  });

  test('content that others got after the clone was made is found once their news have been fetched', async () => {
    const place = clone('news');
    world.git(place, 'annex', 'get', '-q', 'plain.dat');
    world.write(`${source}/later.dat`, 'later');
    world.sh(source, 'git annex add -q later.dat && git commit -qm later');
    world.git(place, 'pull', '-q');
    const repo = requireRepo(place, contextIn(world, place), true);
    const [result] = await fetched(repo, await readConfig(repo), ['later.dat']);
    expect(result).toMatchObject({ status: 'ok' });
    world.sh(source, 'git reset -q --hard HEAD~1');
  });

  test('20,000 present inputs cost well under a second and start nothing', async () => {
    const place = clone('large');
    world.git(place, 'annex', 'get', '-q', 'plain.dat');
    const target = world.sh(place, 'readlink plain.dat');
    mkdirSync(`${place}/n`);
    const files = Array.from({ length: 20_000 }, (_, index) => `n/${index}`);
    for (const file of files) symlinkSync(`../${target}`, `${place}/${file}`);
    const repo = requireRepo(place, contextIn(world, place, { env: { PATH: '/nonexistent' } }), true);
    const config = await readConfig({ ...repo, context: contextIn(world, place) });
    const spent = await cpuMillisecondsOf(async () => expect(await fetched(repo, config, files)).toEqual([]));
    expect(spent).toBeLessThan(2000);
  });

  test('a preferred-content rule is read from its log, the newest of this annex', () => {
    const log =
      'u1 include=*.dat timestamp=1.5s\nu1 include=*.txt timestamp=3s\nu2 exclude=* timestamp=9s\nu1 exclude=*.x timestamp=2s\n';
    expect(ruleFor(log, 'u1')).toBe('include=*.txt');
    expect(ruleFor('u1  timestamp=4s\nu1 a timestamp=1s', 'u1')).toBe('');
    expect(ruleFor('', 'u1')).toBe('');
  });

  test('content that is not wanted here stays away, as with DataLad', async () => {
    const place = clone('picky');
    world.git(place, 'annex', 'wanted', 'here', 'include=plain.dat');
    const { exitCode } = await get({ paths: ['.'] }, contextIn(world, place));
    expect(exitCode).toBe(0);
    // The other file of the same key is there with it.
    expect(world.git(place, 'annex', 'find')).toBe('plain.dat\ntwin.dat');
  });

  test.skipIf(process.getuid?.() !== 0)('an ordinary user gets, unlocks and drops', async () => {
    const script = `${world.dir}/as-user.mjs`;
    await build({
      stdin: {
        contents: `
          import { get } from './dataset/get.ts'; import { unlock } from './dataset/unlock.ts'; import { drop } from './dataset/drop.ts';
          import { create } from './dataset/create.ts'; import { defaultContext } from './sys/context.ts';
          const context = defaultContext({ cwd: process.argv[2] }); const paths = ['plain.dat'];
          const codes = [];
          for (const step of [() => get({ paths }, context), () => unlock({ paths }, context), () => drop({ paths }, context), () => get({ paths: ['many'] }, context),
            () => create({ words: ['mine'] }, context), () => drop({ dataset: 'mine', what: 'all', reckless: 'kill', recursive: true }, context)]) codes.push((await step()).exitCode);
          const denied = await create({ words: ['/denied/x'] }, context).then(() => 'made', (error) => error.code);
          console.log(JSON.stringify([...codes, denied]));`,
        resolveDir: `${projectRoot}/src`,
        loader: 'ts',
      },
      bundle: true,
      platform: 'node',
      format: 'esm',
      external: ['simple-git'],
      outfile: script,
    });
    const place = `${world.dir}/user`;
    mkdirSync(place);
    chmodSync(place, 0o777);
    world.ok(['/bin/sh', '-ec', `git clone -q ../source ds && cd ds && git annex init -q`], {
      cwd: place,
      uid: ORDINARY_UID,
    });
    const out = world.ok([process.execPath, script, `${place}/ds`], { cwd: `${place}/ds`, uid: ORDINARY_UID });
    expect(JSON.parse(out)).toEqual([0, 0, 1, 0, 0, 0, 'permission-denied']);
    expect(world.ok(['git', 'status', '--porcelain'], { cwd: `${place}/ds`, uid: ORDINARY_UID })).toBe('T  plain.dat');
  });
});
