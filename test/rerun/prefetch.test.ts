/** `prefetch`: afterwards the places that everything came from are taken away, and runs and reruns miss nothing. */
import { existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, renameSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { describeWith } from '../support/oracles.ts';
import { createWorld, type Outcome, type World } from '../support/world.ts';

interface Told {
  readonly action: string;
  readonly status: string;
  readonly path: string;
  readonly message?: string;
}

/** The results of a `-f json` call. */
function told({ stdout }: Outcome): readonly Told[] {
  return stdout
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as Told);
}

/** `action status path` of each result, paths from the dataset. */
function lines(outcome: Outcome, root: string): readonly string[] {
  return told(outcome).map(({ action, status, path }) => `${action} ${status} ${path.slice(root.length + 1)}`);
}

describeWith(['git-annex'], 'prefetch', () => {
  let world: World;
  /** Where everything comes from. Each test clones it. */
  let source: string;
  let made = 0;

  const ok = (cwd: string, ...args: string[]): string => {
    const outcome = world.reprise(cwd, args);
    expect(outcome.code, `${args.join(' ')}\n${outcome.stdout}${outcome.stderr}`).toBe(0);
    return outcome.stdout;
  };
  const save = (dataset: string, message: string) => ok(dataset, 'save', '-r', '-m', message);
  /** As `save -r`, in one subdataset and above it, without looking anywhere else. */
  const commit = (dataset: string, sub: string, message: string) =>
    world.sh(
      dataset,
      `cd ${sub}; git annex add -q .; git add -A; git commit -qm '${message}'; cd ..; git add ${sub}; git commit -qm '${message}'`,
    );

  /** A clone without any content; its subdatasets and its content are to be had from where it was cloned from. */
  const cloneOf = (from: string): string => {
    made += 1;
    const clone = world.path(`clone-${made}`, 'ds');
    world.git(world.dir, 'clone', '-q', from, clone);
    return clone;
  };

  /** Takes the source away while something is done. */
  const without = <T>(place: string, act: () => T): T => {
    renameSync(place, `${place}.gone`);
    try {
      return act();
    } finally {
      renameSync(`${place}.gone`, place);
    }
  };

  const objects = (dataset: string): number =>
    Number(world.sh(dataset, 'find .git/annex/objects -type f 2>/dev/null | wc -l'));

  /** What a user sees of a dataset: nothing may be executed or committed. */
  const stateOf = (dataset: string) => [
    world.git(dataset, 'rev-parse', 'HEAD'),
    world.git(dataset, 'status', '--porcelain'),
    world.git(dataset, 'for-each-ref', 'refs/heads/main', 'refs/reprise'),
  ];

  beforeAll(() => {
    world = createWorld();
    source = world.path('source');
    ok(world.dir, 'create', source);
    for (const [parent, path] of [
      ['', 'sub'],
      ['sub', 'sub/deep'],
      ['', 'places/out'],
    ] as const)
      ok(join(source, parent), 'create', '-d', join(source, parent), join(source, path));
    const content = (version: string) => {
      for (const [path, text] of Object.entries({
        'raw/data.dat': 'top',
        'sub/a.dat': 'sub',
        'sub/deep/b.dat': 'deep',
      })) {
        world.sh(source, `rm -f ${path}`);
        world.write(join(source, path), `${text} ${version}\n`);
      }
    };
    content('one');
    world.write(`${source}/raw/other.dat`, 'not asked for\n');
    world.write(`${source}/work/readme`, 'where it works\n');
    save(source, 'first');
    const inputs = ['-i', '../raw/data.dat', '-i', '../sub/*.dat', '-i', '../sub/deep', '-o', '../places/out/sum'];
    const cmd = 'cat ../raw/data.dat ../sub/a.dat ../sub/deep/b.dat > ../places/out/sum';
    ok(join(source, 'work'), 'run', '--sidecar', 'yes', '-m', 'the run', ...inputs, cmd);
    // DataLad puts sidecars into the annex.
    world.git(source, 'rm', '-q', '--cached', '-r', '.datalad/runinfo');
    world.git(source, 'annex', 'add', '-q', '--force-large', '.datalad/runinfo');
    world.git(source, 'commit', '-q', '--amend', '--no-edit');
    world.git(source, 'tag', 'recorded');
    content('two');
    save(source, 'later');
    world.git(source, 'tag', 'present');
  });
  afterAll(() => world.remove());

  test('without it, neither kind of rerun works when the source is gone', () => {
    const clone = cloneOf(source);
    without(source, () => {
      for (const how of [[], ['--workspace']])
        expect(world.reprise(clone, ['rerun', ...how, '--verify', 'recorded']).code).not.toBe(0);
    });
    // Not because of the sidecar alone.
    const second = cloneOf(source);
    world.sh(second, 'git annex get -q .datalad/runinfo/*');
    without(source, () => {
      const inPlace = world.reprise(second, ['rerun', 'recorded']);
      expect(inPlace.code).not.toBe(0);
      const [verdict] = told(world.reprise(second, ['-f', 'json', 'rerun', '--workspace', 'recorded'])).slice(-1);
      expect(verdict).not.toMatchObject({ verdict: 'identical' });
    });
  });

  test('afterwards both do: with the present inputs in place, with the recorded ones in a workspace', () => {
    const clone = cloneOf(source);
    const before = stateOf(clone);
    const outcome = world.reprise(clone, ['-f', 'json', 'prefetch', 'recorded']);
    expect(outcome, outcome.stderr).toMatchObject({ code: 0 });
    const sidecar = readdirSync(join(clone, '.datalad/runinfo')).find((name) => !name.startsWith('.'));
    expect(lstatSync(join(clone, `.datalad/runinfo/${sidecar}`)).isSymbolicLink()).toBe(true);
    expect(lines(outcome, clone)).toEqual([
      `get ok .datalad/runinfo/${sidecar}`,
      'install ok places/out',
      'install ok sub',
      'install ok sub/deep',
      'get ok raw/data.dat',
      'get ok sub/a.dat',
      'get ok sub/deep/b.dat',
      'get ok raw/data.dat',
      'get ok sub/a.dat',
      'get ok sub/deep/b.dat',
    ]);
    expect(stateOf(clone)).toEqual(before);
    const again = world.reprise(clone, ['-f', 'json', 'prefetch', 'recorded']);
    expect([again.code, told(again), again.stderr]).toEqual([0, [], 'everything is here\n']);

    without(source, () => {
      const workspace = world.reprise(clone, ['rerun', '--workspace', '--verify', 'recorded']);
      expect(workspace, workspace.stderr).toMatchObject({ code: 0 });
      expect(workspace.stdout).toContain('1 identical');
      const inPlace = world.reprise(clone, ['rerun', 'recorded']);
      expect(inPlace, inPlace.stderr).toMatchObject({ code: 0 });
      expect(readFileSync(join(clone, 'places/out/sum'), 'utf8')).toBe('top two\nsub two\ndeep two\n');
    });
  });

  test('a range, and by default the last commit of the branch, are those of rerun', () => {
    const clone = cloneOf(source);
    const nothing = world.reprise(clone, ['prefetch']);
    expect([nothing.code, nothing.stderr]).toEqual([1, expect.stringContaining('No run commits found in range')]);
    world.sh(clone, 'git annex get -q .datalad/runinfo/*');
    const asked = (...words: string[]) =>
      lines(world.reprise(clone, ['-f', 'json', 'prefetch', '--dry-run', ...words]), clone);
    expect(asked('--since=')).toContain('get [dry-run] ok raw/data.dat');
    expect(asked('--since=')).toEqual(asked('recorded'));
    world.git(clone, 'checkout', '-q', '-b', 'old', 'recorded');
    expect(asked()).toContain('get [dry-run] ok raw/data.dat');
    expect(asked()).toEqual(asked('recorded'));
  });

  test('a dry run fetches nothing, and says what would be', () => {
    const clone = cloneOf(source);
    const blind = world.reprise(clone, ['-f', 'json', 'prefetch', '--dry-run', 'recorded']);
    expect([blind.code, told(blind).map(({ action }) => action)]).toEqual([0, ['get [dry-run]']]);
    expect(blind.stderr).toContain('a record that is not here');
    world.sh(clone, 'git annex get -q .datalad/runinfo/*');
    const outcome = world.reprise(clone, ['-f', 'json', 'prefetch', '--dry-run', 'recorded']);
    expect(outcome.code).toBe(0);
    expect([...lines(outcome, clone)].sort()).toEqual([
      'get [dry-run] ok raw/data.dat',
      'get [dry-run] ok raw/data.dat',
      'install [dry-run] ok places/out',
      'install [dry-run] ok sub',
    ]);
    expect([objects(clone), existsSync(join(clone, 'sub/.git'))]).toEqual([1, false]);
  });

  test('what cannot be had is told, and everything else is fetched', () => {
    const poor = world.path('poor', 'ds');
    world.sh(world.dir, `cp -a '${source}' '${poor}'`);
    // The recorded version of one input, and the present version of another.
    world.sh(poor, 'git annex drop -q --force --key="$(git show recorded:raw/data.dat | sed "s,.*/,,")"');
    world.sh(join(poor, 'sub'), 'git annex drop -q --force a.dat');
    const clone = cloneOf(poor);
    const outcome = world.reprise(clone, ['-f', 'json', 'prefetch', 'recorded']);
    expect(outcome.code).toBe(1);
    const failed = told(outcome).filter(({ status }) => status !== 'ok');
    expect(failed.map(({ action, status, path }) => [action, status, path])).toEqual([
      ['get', 'error', join(clone, 'sub/a.dat')],
      ['get', 'error', join(clone, 'raw/data.dat')],
    ]);
    expect(failed[1]?.message).toContain('as it was recorded');
    for (const path of ['raw/data.dat', 'sub/deep/b.dat']) expect(existsSync(join(clone, path)), path).toBe(true);
    const recorded = world.sh(join(clone, 'sub'), 'git show HEAD~1:a.dat | sed "s,.*/,,"');
    expect(world.sh(join(clone, 'sub'), `find .git/annex/objects -type f -name '${recorded}'`)).not.toBe('');
    expect(world.reprise(clone, ['--on-failure', 'ignore', 'prefetch', 'recorded']).code).toBe(0);
  });

  test('a record that cannot be had does not keep others from being fetched', () => {
    const poor = world.path('no-sidecar', 'ds');
    world.sh(world.dir, `cp -a '${source}' '${poor}'`);
    ok(poor, 'run', '-i', 'raw/other.dat', '-o', 'copy', 'cat raw/other.dat > copy');
    world.sh(poor, 'git annex drop -q --force .datalad/runinfo/*');
    const clone = cloneOf(poor);
    const outcome = world.reprise(clone, ['-f', 'json', 'prefetch', '--since=']);
    expect(outcome.code).toBe(1);
    expect(lines(outcome, clone)).toEqual([
      expect.stringMatching(/^get error \.datalad\/runinfo\//),
      'get ok raw/other.dat',
    ]);
    const only = world.reprise(clone, ['-f', 'json', 'prefetch', 'recorded']);
    expect([only.code, told(only).map(({ status }) => status)]).toEqual([1, ['error']]);
  });

  test('inputs are patterns as those of run, from the folder that one is in', () => {
    const clone = cloneOf(source);
    const outcome = world.reprise(join(clone, 'work'), [
      '-f',
      'json',
      'prefetch',
      '-i',
      '../raw/*',
      '-i',
      '../sub/*.dat',
    ]);
    expect(outcome.code, outcome.stderr).toBe(0);
    expect(lines(outcome, clone)).toEqual([
      'install ok sub',
      'get ok raw/data.dat',
      'get ok raw/other.dat',
      'get ok sub/a.dat',
    ]);
    // Not the record of any commit.
    expect(existsSync(join(clone, 'sub/deep/.git'))).toBe(false);
    without(source, () => ok(clone, 'run', '-i', 'sub/a.dat', '-o', 'copy', 'cat sub/a.dat > copy'));
    const miss = world.reprise(clone, ['-f', 'json', 'prefetch', '-i', 'no*', '-i', 'sub/deep']);
    expect(miss.code).toBe(1);
    expect(lines(miss, clone)).toEqual(['install ok sub/deep', 'get ok sub/deep/b.dat', 'get impossible no*']);
  });

  test('the commit of a subdataset that the clone lacks is fetched, from a branch or by its name, and stays', () => {
    const moving = world.path('moving', 'ds');
    world.sh(world.dir, `cp -a '${source}' '${moving}'`);
    const clone = cloneOf(moving);
    ok(clone, 'get', '-n', 'sub');
    const sub = join(moving, 'sub');
    for (const version of ['three', 'four']) {
      world.sh(sub, `rm a.dat; echo ${version} > a.dat`);
      commit(moving, 'sub', version);
      ok(moving, 'run', '-i', 'sub/a.dat', '-o', version, `cat sub/a.dat > ${version}`);
    }
    const [four, three] = world.git(sub, 'rev-list', '-n', '2', 'HEAD').split('\n') as [string, string];
    // The present version is the one of long ago again, and what came between is on no branch.
    world.git(sub, 'reset', '-q', '--hard', `${three}^`);
    world.git(moving, 'commit', '-q', '-a', '-m', 'back');
    world.git(clone, 'pull', '-q', '--no-recurse-submodules');
    const dry = world.reprise(clone, ['-f', 'json', 'prefetch', '--dry-run', '--since=present']);
    expect(lines(dry, clone)).toContain('fetch [dry-run] ok sub');
    const outcome = world.reprise(clone, ['-f', 'json', 'prefetch', '--since=present']);
    expect(outcome.code, outcome.stdout).toBe(0);
    expect(lines(outcome, clone).filter((line) => line.startsWith('fetch'))).toEqual(['fetch ok sub', 'fetch ok sub']);
    for (const commit of [three, four])
      expect(world.git(join(clone, 'sub'), 'for-each-ref', '--contains', commit)).not.toBe('');
    world.git(join(clone, 'sub'), 'gc', '-q', '--prune=now');
    without(moving, () => ok(clone, 'rerun', '--workspace', '--verify', '--since=present'));
  });

  test('a subdataset that is no part of the dataset any more is told', () => {
    const other = world.path('removed', 'ds');
    world.sh(world.dir, `cp -a '${source}' '${other}'`);
    world.git(other, 'rm', '-q', '-r', 'sub', '--force');
    world.git(other, 'commit', '-q', '-m', 'without sub');
    const clone = cloneOf(other);
    const outcome = world.reprise(clone, ['-f', 'json', 'prefetch', 'recorded']);
    expect(outcome.code).toBe(1);
    expect(lines(outcome, clone)).toContain('install impossible sub');
    expect(lines(outcome, clone)).toContain('get ok raw/data.dat');
  });

  test('a record that leaves the dataset is refused, and nothing is fetched for any other', () => {
    const hostile = world.path('hostile', 'ds');
    world.sh(world.dir, `cp -a '${source}' '${hostile}'`);
    const record = (inputs: string, pwd = '.') =>
      `[DATALAD RUNCMD] evil\n\n=== Do not change lines below ===\n{"chain": [], "cmd": "true", "exit": 0, "extra_inputs": [], "inputs": ["${inputs}"], "outputs": [], "pwd": "${pwd}"}\n^^^ Do not change lines above ^^^\n`;
    for (const [inputs, pwd] of [
      ['../../secret', '.'],
      ['/etc/passwd', '.'],
      ['x', '../..'],
      ['.git/config', '.'],
    ] as const) {
      world.ok(['git', 'commit', '-q', '--allow-empty', '-F', '-'], { cwd: hostile, input: record(inputs, pwd) });
      const clone = cloneOf(hostile);
      const outcome = world.reprise(clone, ['prefetch', '--since=HEAD~2']);
      expect([outcome.code, outcome.stderr]).toEqual([1, expect.stringContaining('outside the dataset')]);
      expect(objects(clone)).toBe(0);
      world.git(hostile, 'reset', '-q', '--hard', 'HEAD~1');
    }
  });

  test('where a recorded subdataset was, a link to another dataset does not lead there', () => {
    const victim = cloneOf(join(source, 'sub'));
    const linked = world.path('linked', 'ds');
    world.sh(world.dir, `cp -a '${source}' '${linked}'`);
    ok(linked, 'run', '-i', 's*/a.dat', '-o', 'copy', 'cat sub/a.dat > copy');
    world.git(linked, 'rm', '-q', '-r', '--force', 'sub');
    symlinkSync(victim, join(linked, 'sub'));
    world.git(linked, 'add', 'sub');
    world.git(linked, 'commit', '-q', '-m', 'a link in its place');
    const clone = cloneOf(linked);
    const outcome = world.reprise(clone, ['-f', 'json', 'prefetch', 'HEAD~1']);
    expect([outcome.code, lines(outcome, clone)]).toEqual([1, expect.arrayContaining(['install impossible sub'])]);
    expect(objects(victim)).toBe(0);
  });

  test('a container that needs no engine: its image of today and the one that was recorded', () => {
    const place = world.path('images', 'ds');
    ok(world.dir, 'create', place);
    ok(place, 'create', '-d', '.', 'tools');
    const add = (version: string, ...update: string[]) => {
      const script = world.path(`${version}.sh`);
      world.write(script, `#!/bin/sh\necho ${version} "$@"\n`);
      world.sh(world.dir, `chmod +x '${script}'`);
      ok(join(place, 'tools'), 'containers-add', 'tool', '-u', script, ...update);
    };
    add('v1');
    world.write(join(place, 'tools/extra.dat'), 'extra\n');
    commit(place, 'tools', 'tools');
    const config = join(place, 'tools/.datalad/config');
    world.git(place, 'config', '-f', config, 'datalad.containers.tool.extra-input', '{img_dspath}/extra.dat');
    commit(place, 'tools', 'extra input');
    ok(place, 'containers-run', '-n', 'tools/tool', '-o', 'out', 'hello > out');
    world.git(place, 'tag', 'run');
    add('v2', '--update');
    world.git(place, 'commit', '-q', '-a', '-m', 'updated');

    const named = cloneOf(place);
    const dry = world.reprise(named, ['-f', 'json', 'prefetch', '--dry-run', '-n', 'tools/tool']);
    expect([dry.code, lines(dry, named)]).toEqual([0, ['install [dry-run] ok tools']]);
    expect(existsSync(join(named, 'tools/.git'))).toBe(false);
    const outcome = world.reprise(named, ['-f', 'json', 'prefetch', '-n', 'tools/tool']);
    expect(outcome.code, outcome.stderr).toBe(0);
    const image = 'tools/.datalad/environments/tool/image';
    expect(lines(outcome, named)).toEqual([
      'install ok tools',
      `get ok ${image}`,
      'get ok tools/extra.dat',
      `prefetch notneeded ${image}`,
    ]);
    without(place, () => {
      ok(named, 'containers-run', '-n', 'tools/tool', '-o', 'new', 'hi > new');
      expect(readFileSync(join(named, 'new'), 'utf8')).toBe('v2 hi\n');
    });
    const unknown = world.reprise(named, ['prefetch', '-n', 'tools/tool', '-n', 'nothing', '-i', 'out']);
    expect([unknown.code, existsSync(join(named, 'out'))]).toEqual([1, false]);

    const clone = cloneOf(place);
    ok(clone, 'prefetch', 'run');
    without(place, () => {
      ok(clone, 'rerun', '--workspace', '--verify', 'run');
      ok(clone, 'rerun', 'run');
    });
    const blank = cloneOf(place);
    ok(blank, 'get', '-n', 'tools');
    without(place, () => expect(world.reprise(blank, ['rerun', 'run']).code).not.toBe(0));
  });

  test('an ordinary user fetches into a dataset of their own; one that may not be written is left alone', () => {
    mkdirSync(world.path('user'));
    world.sh(world.dir, 'chmod 777 user');
    if (process.geteuid?.() !== 0) return;
    const uid = 65534;
    const clone = world.path('user', 'ds');
    world.ok(['git', 'clone', '-q', source, clone], { uid });
    const outcome = world.reprise(clone, ['prefetch', '-J', '2', 'recorded'], { uid });
    expect(outcome.code, outcome.stderr).toBe(0);
    without(source, () =>
      expect(world.reprise(clone, ['rerun', '--workspace', '--verify', 'recorded'], { uid })).toMatchObject({
        code: 0,
      }),
    );
    const foreign = cloneOf(source);
    expect(world.reprise(foreign, ['prefetch', 'recorded'], { uid }).code).not.toBe(0);
    expect(objects(foreign)).toBe(0);
  });
});
