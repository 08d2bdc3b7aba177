/** Bad input of every kind: one sentence, a stable exit code, and a dataset that is as it was. */
import { cpSync, existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { expectSentence, looksOf } from '../support/crash-unchanged.ts';
import { recordOf } from '../support/crash-world.ts';
import { describeWith } from '../support/oracles.ts';
import { cliPath, createWorld, type Outcome, type RunOptions, type World } from '../support/world.ts';

describeWith(['git-annex'], 'bad input', () => {
  let world: World;
  let template: string;
  let made = 0;

  beforeAll(() => {
    world = createWorld();
    template = world.path('template');
    world.reprise(world.dir, ['create', template]);
    world.write(`${template}/data/a.dat`, 'a');
    world.write(`${template}/data/{b}.dat`, 'b');
    world.reprise(template, ['save', '-m', 'data']);
  });
  afterAll(() => world.remove());

  const fresh = () => {
    made += 1;
    const dataset = world.path(`dataset-${made}`);
    cpSync(template, dataset, { recursive: true, verbatimSymlinks: true, preserveTimestamps: true });
    world.git(dataset, 'status');
    return dataset;
  };
  /** Runs, expects one sentence, and that nothing at all was changed or executed. */
  const refused = (
    dataset: string,
    args: readonly string[],
    code: string | RegExp,
    exit: number,
    options: RunOptions & { readonly from?: string } = {},
  ): Outcome => {
    const before = looksOf(dataset);
    const ended = world.reprise(options.from ?? dataset, args, options);
    expectSentence(ended, code, exit);
    expect(looksOf(dataset)).toStrictEqual(before);
    expect(existsSync(join(dataset, '.git/reprise/runs')) ? world.sh(dataset, 'ls .git/reprise/runs') : '').toBe('');
    return ended;
  };

  test('command lines that are not understood', () => {
    const dataset = fresh();
    const lines = [
      ['run', '--nonsense', 'true'],
      ['run', '--expand', 'sometimes', 'true'],
      ['run', '--expand'],
      ['run', '-i'],
      ['run', '--sidecar', 'maybe', 'true'],
      ['run', '-J', 'many', 'true'],
      ['run', '-J', '-3', 'true'],
      ['run', '--on-cmd-failure', 'never', 'true'],
      ['run', '--dry-run', 'wet', 'true'],
      ['run', '--log', 'neither', 'true'],
      ['-c', 'nonsense', 'run', 'true'],
      ['-c', '=x', 'run', 'true'],
      ['-f', 'nonsense', 'run', 'true'],
      ['--on-failure', 'explode', 'run', 'true'],
      ['rum', 'true'],
      ['--nonsense'],
      ['recover', '--nonsense'],
      ['create', '-c'],
      ['save', '--recursion-limit', 'x'],
      [],
    ];
    for (const line of lines) {
      const ended = refused(dataset, line, 'usage', 2);
      expect(ended.stderr, line.join(' ')).toMatch(/^(hint|usage): /m);
      expect(ended.stdout).toBe('');
    }
    expectSentence(world.reprise(dataset, ['-C', 'nowhere', 'run', 'true']), 'path-missing', 1);
    expectSentence(world.reprise(dataset, ['recover', '0123456789abcdef']), 'recovery-failed', 1);
  });

  test('an error of the command line is a result where results are JSON', () => {
    const ended = world.reprise(fresh(), ['-f', 'json', 'run', '--nonsense', 'true']);
    expect(JSON.parse(ended.stdout)).toMatchObject({ status: 'error', error_code: 'usage', exit_code: 2 });
    expect(ended.code).toBe(2);
  });

  test('a folder that is no dataset, or none to work in', () => {
    const empty = world.path('empty', '.');
    mkdirSync(empty, { recursive: true });
    const bare = world.path('bare.git');
    world.git(world.dir, 'init', '-q', '--bare', bare);
    for (const verb of [['run', 'touch x'], ['save'], ['status'], ['get', 'x'], ['recover']]) {
      expectSentence(world.reprise(empty, verb), 'no-dataset', 2);
      const inBare = world.reprise(bare, verb);
      expectSentence(inBare, /no-dataset|not-a-dataset/, inBare.stderr.includes('(no-dataset)') ? 2 : 1);
    }
    expectSentence(world.reprise(world.dir, ['run', '-d', 'nowhere', 'touch x']), 'no-dataset', 2);
    expect(existsSync(join(empty, 'x')) || existsSync(join(bare, 'x'))).toBe(false);
    const gone = world.exec([
      '/bin/sh',
      '-c',
      `mkdir gone && cd gone && rmdir ../gone && "$0" "$1" run 'echo x'`,
      process.execPath,
      cliPath,
    ]);
    expectSentence(gone, /no-dataset|path-missing/, gone.code);
    expect([1, 2]).toContain(gone.code);
  });

  test('a damaged repository', () => {
    const damages: readonly (readonly [string, (dataset: string) => void])[] = [
      ['HEAD that names nothing', (dataset) => writeFileSync(join(dataset, '.git/HEAD'), 'rubbish\n')],
      ['an empty HEAD', (dataset) => writeFileSync(join(dataset, '.git/HEAD'), '')],
      ['an index of noise', (dataset) => writeFileSync(join(dataset, '.git/index'), Buffer.alloc(400, 7))],
      [
        'a cut index',
        (dataset) =>
          writeFileSync(join(dataset, '.git/index'), readFileSync(join(dataset, '.git/index')).subarray(0, 90)),
      ],
      ['a configuration of noise', (dataset) => writeFileSync(join(dataset, '.git/config'), '[core\n\0\xff=')],
      ['a .git file to nowhere', (dataset) => world.sh(dataset, 'mv .git .hidden; echo "gitdir: nowhere" >.git')],
      ['a .git file of noise', (dataset) => world.sh(dataset, 'mv .git .hidden; printf "\\0\\1" >.git')],
    ];
    const verbs = [['run', 'touch x'], ['run', '--explicit', '-o', 'x', 'touch x'], ['save'], ['status']];
    for (const [at, [what, damage]] of damages.entries()) {
      const dataset = fresh();
      damage(dataset);
      // All verbs open a repository by the same way: every damage meets a run, and every second one each of them.
      for (const verb of at % 2 === 0 ? verbs : verbs.slice(0, 1)) {
        const before = looksOf(dataset);
        const ended = world.reprise(dataset, verb);
        expectSentence(ended, /git-failed|not-a-dataset|no-dataset|config-invalid/, ended.code);
        expect([1, 2], what).toContain(ended.code);
        expect(looksOf(dataset), what).toStrictEqual(before);
      }
    }
  });

  test('placeholders and paths that make no sense', () => {
    const dataset = fresh();
    refused(dataset, ['run', 'echo {nonsense}'], 'placeholder-unknown', 1);
    refused(dataset, ['run', 'echo {'], 'placeholder-invalid', 1);
    refused(dataset, ['run', 'echo {inputs[x]}'], /placeholder-.*/, 1);
    refused(dataset, ['run', 'echo {inputs[7]}'], /placeholder-.*/, 1);
    refused(dataset, ['run', '-i', 'data/{b}.dat', 'true'], 'placeholder-unknown', 1);
    refused(dataset, ['run', '-o', '{', 'true'], 'placeholder-invalid', 1);
    refused(dataset, ['run', '-i', 'nowhere', 'touch x'], 'input-missing', 1);
    refused(dataset, ['run', '-i', '/etc/passwd', 'touch x'], 'path-outside', 1);
    refused(dataset, ['run', '-i', '../template/data', 'touch x'], 'path-outside', 1);
    refused(dataset, ['run', '-o', '/etc/passwd', 'touch x'], 'path-outside', 1);
    refused(dataset, ['run', '-o', '../*', 'touch x'], 'path-outside', 1);
    refused(dataset, ['run', '--explicit', '-o', '../new', 'touch x'], 'path-outside', 1);
    refused(dataset, ['run', '-o', '.git/config', 'touch x'], 'path-outside', 1);
    refused(dataset, ['run', '-i', '.git/*', 'touch x'], 'path-outside', 1);
  });

  test('list files that cannot be read', () => {
    const dataset = fresh();
    refused(dataset, ['run', '--input-from', 'nowhere', 'touch x'], 'path-missing', 1);
    refused(dataset, ['run', '--output-from', 'data', 'touch x'], 'path-missing', 1);
    const list = world.path('list');
    world.write(list, 'data/a.dat\0../outside\0');
    refused(dataset, ['run', '--input-from', list, 'touch x'], /path-outside|input-missing/, 1);
    world.write(list, Buffer.from('data/a.dat\nno\xffwhere\n', 'latin1'));
    refused(dataset, ['run', '--input-from', list, 'touch x'], 'input-missing', 1);
    world.write(list, '\0\n\0data/a.dat\0\0');
    refused(dataset, ['run', '--input-from', list, 'touch x'], 'input-missing', 1);
    world.write(list, '\0data/a.dat\0\0');
    const ended = world.reprise(dataset, ['run', '--input-from', list, 'echo {inputs} >out']);
    expect(ended.code).toBe(0);
    expect(recordOf(world, dataset)).toMatchObject({ inputs: ['data/a.dat'] });
  });

  test('a hostile .datalad/config', () => {
    for (const content of [
      '[datalad "run"\nx',
      '\0\x01\x02\xff',
      '[a]\n[b',
      `[datalad "dataset"]\n\tid = ${'x'.repeat(100_000)}\n[`,
    ]) {
      const dataset = fresh();
      world.write(`${dataset}/.datalad/config`, Buffer.from(content, 'latin1'));
      world.git(dataset, 'commit', '-qam', 'hostile');
      const ended = refused(dataset, ['run', 'touch x'], /config-invalid|git-failed/, 1);
      expect(ended.stderr).toContain('.datalad/config');
    }
  });

  test('settings of the dataset that are not valid are refused before anything is executed', () => {
    const settings: readonly (readonly [string, string])[] = [
      ['datalad.run.record-sidecar', 'perhaps'],
      ['reprise.record.extension', 'some'],
      ['datalad.run.record-directory', '../outside'],
      ['datalad.run.record-directory', '.git/hooks'],
    ];
    for (const [key, value] of settings) {
      const dataset = fresh();
      world.git(dataset, 'config', '-f', '.datalad/config', key, value);
      world.git(dataset, 'commit', '-qam', 'setting');
      const sidecar = key.endsWith('directory') ? ['--sidecar', 'yes'] : [];
      const before = looksOf(dataset);
      const ended = world.reprise(dataset, ['run', ...sidecar, 'touch x']);
      expectSentence(ended, /config-invalid|path-outside/, 1);
      expect(looksOf(dataset), key).toStrictEqual(before);
      expect(existsSync(world.path('outside'))).toBe(false);
    }
  });

  test('a .gitmodules from an attacker executes and reaches nothing', () => {
    const pwned = world.path('pwned');
    const modules: readonly (readonly [name: string, path: string, url: string])[] = [
      ['x', '../x', './here'],
      ['git', '.git', './here'],
      ['hooks', '.git/hooks', './here'],
      ['a\nb', 'evil', './here'],
      ['evil', 'evil', `ext::sh -c touch% ${pwned}`],
      ['evil', 'evil', `-u touch ${pwned}`],
      ['evil', 'evil', `--upload-pack=touch ${pwned}`],
      ['../../evil', 'evil', world.path('template')],
      ['evil', 'evil\nmore', world.path('template')],
      ['evil', '-evil', world.path('template')],
    ];
    for (const [name, path, url] of modules) {
      const dataset = fresh();
      const quote = (text: string) =>
        `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')}"`;
      const section = name.replaceAll('\n', ' ');
      writeFileSync(
        join(dataset, '.gitmodules'),
        `[submodule ${quote(section)}]\n\tpath = ${quote(path)}\n\turl = ${quote(url)}\n\tupdate = !touch ${pwned}\n\tdatalad-url = ${quote(url)}\n`,
      );
      const commit = world.git(template, 'rev-parse', 'HEAD');
      world.ok(['git', 'update-index', '--add', '-z', '--index-info'], {
        cwd: dataset,
        input: ['evil', 'evil\nmore', '-evil'].map((place) => `160000 ${commit}\t${place}\0`).join(''),
      });
      world.ok(['git', 'add', '.gitmodules'], { cwd: dataset });
      world.git(dataset, 'commit', '-qm', 'hostile', '--no-verify');
      world.sh(dataset, 'mkdir -p evil ./-evil "$(printf "evil\\nmore")"');
      const around = world.sh(world.dir, 'ls -A');
      for (const args of [
        ['run', '-i', 'evil/*', '-i', 'data/a.dat', 'touch x'],
        ['run', '-i', '*/*/*', 'touch y'],
        ['get', '-n', 'evil'],
        ['get', '-n', '-r', '.'],
      ]) {
        const ended = world.reprise(dataset, args);
        expect(ended.stderr + ended.code).not.toMatch(/internal error|255$/);
        expect(existsSync(pwned), `${name} ${path} ${url}`).toBe(false);
      }
      expect(world.sh(world.dir, 'ls -A')).toBe(around);
      expect(world.sh(dataset, 'ls .git/hooks')).toBe(world.sh(template, 'ls .git/hooks'));
    }
  });

  test('records of an attacker in the history that is made while a command runs', () => {
    const block = (body: string) =>
      `[DATALAD RUNCMD] x\n\n=== Do not change lines below ===\n${body}\n^^^ Do not change lines above ^^^\n`;
    const bodies = [
      'not json',
      '[]',
      'null',
      '"../../../../etc/passwd"',
      '{"cmd": 5}',
      '{"cmd": "x", "exit": 0, "chain": [], "inputs": [], "outputs": [], "pwd": ".", "reprise": {"run": {"toString": 1}, "parent": []}}',
      '{"__proto__": {"polluted": 1}, "cmd": "x", "exit": 0, "chain": [], "inputs": [], "outputs": [], "pwd": "../.."}',
      `${'['.repeat(50_000)}${']'.repeat(50_000)}`,
    ];
    const dataset = fresh();
    for (const [index, body] of bodies.entries()) {
      const message = world.path(`message-${index}`);
      world.write(message, block(body));
      const ended = world.reprise(dataset, [
        'run',
        `git commit -q --allow-empty -F ${message}; echo ${index} >out-${index}`,
      ]);
      expect(`${ended.code} ${ended.stderr}`).toMatch(/^0 /);
      expect(recordOf(world, dataset)).toMatchObject({ exit: 0, cmd: expect.stringContaining(message) });
      expect(world.git(dataset, 'status', '--porcelain')).toBe('');
    }
  });

  test('a folder for records, or for logs, that is a link to somewhere else', () => {
    const outside = world.path('elsewhere', '.');
    mkdirSync(outside, { recursive: true });
    for (const [link, option] of [
      ['.datalad/runinfo', ['--sidecar', 'yes']],
      ['.reprise', ['--log', 'both']],
      ['.reprise/log', ['--log', 'both']],
    ] as const) {
      const dataset = fresh();
      mkdirSync(join(dataset, '.reprise'), { recursive: true });
      if (link === '.reprise') world.sh(dataset, 'rmdir .reprise');
      symlinkSync(outside, join(dataset, link));
      world.git(dataset, 'add', '-A');
      world.git(dataset, 'commit', '-qm', 'hostile', '--no-verify');
      const ended = world.reprise(dataset, ['run', ...option, 'echo 1 >out; echo hello']);
      expectSentence(ended, /path-outside|save-failed|config-invalid/, 1);
      expect(world.sh(outside, 'ls -A'), link).toBe('');
    }
    const dataset = fresh();
    writeFileSync(join(dataset, '.datalad/runinfo'), 'a file');
    world.git(dataset, 'add', '-A');
    world.git(dataset, 'commit', '-qm', 'a file');
    const ended = world.reprise(dataset, ['run', '--sidecar', 'yes', 'echo 1 >out']);
    expectSentence(ended, /path-outside|save-failed|config-invalid|target-exists/, 1);
  });

  test('an output behind a link that leads out of the dataset', () => {
    const dataset = fresh();
    const other = fresh();
    symlinkSync(other, join(dataset, 'link'));
    world.git(dataset, 'add', '-A');
    world.git(dataset, 'commit', '-qm', 'link');
    const before = looksOf(other);
    for (const output of ['link/data/a.dat', 'link/data/*', 'link/data', 'link/new'])
      refused(dataset, ['run', '-o', output, 'true'], 'path-outside', 1);
    expect(looksOf(other)).toStrictEqual(before);
  });

  test('Git, git-annex or an identity is missing', () => {
    const nothing = world.path('nothing', '.');
    mkdirSync(nothing, { recursive: true });
    const ended = refused(fresh(), ['run', 'true'], 'git-missing', 1, { env: { PATH: nothing } });
    expect(ended.stderr).toContain('hint: ');

    const noAnnex = world.path('no-annex', '.');
    world.sh(
      world.dir,
      `mkdir -p no-annex; for tool in git sh rm mkdir echo cat; do ln -sf "$(command -v $tool)" no-annex/$tool; done`,
    );
    refused(fresh(), ['unlock', 'data/a.dat'], 'annex-missing', 1, { env: { PATH: noAnnex } });
    const lacking = fresh();
    const result = world.reprise(lacking, ['run', '-o', 'data/a.dat', 'echo new >data/a.dat'], {
      env: { PATH: noAnnex },
    });
    if (result.code === 0) {
      expect(world.git(lacking, 'status', '--porcelain')).toBe('');
      expect(world.git(lacking, 'annex', 'find', 'data/a.dat')).toBe('data/a.dat');
      world.git(lacking, 'annex', 'fsck', '--quiet');
    } else expectSentence(result, 'annex-missing', 1);

    const anonymous = fresh();
    const config = world.path('anonymous');
    world.write(config, '[user]\n\tuseConfigOnly = true\n');
    const nobody = { env: { HOME: nothing, XDG_CONFIG_HOME: nothing, GIT_CONFIG_GLOBAL: config } };
    const first = world.reprise(
      anonymous,
      ['run', '-o', 'out', 'echo run >>../anonymous.counter; echo 1 >out'],
      nobody,
    );
    expectSentence(first, /identity-missing|save-failed/, 1);
    expect(first.stderr).toMatch(/Git does not know who commits/);
    expect(first.stderr).toContain('user.email');
    if (first.stderr.includes('(save-failed)')) {
      expect(world.reprise(anonymous, ['recover']).code).toBe(0);
      expect(recordOf(world, anonymous)).toMatchObject({ exit: 0, outputs: ['out'] });
      expect(readFileSync(world.path('anonymous.counter'), 'utf8')).toBe('run\n');
    }
  });

  test('a temporary folder that cannot be written to', () => {
    const ended = refused(fresh(), ['run', 'echo {tmpdir} >out'], /path-missing|permission-denied/, 1, {
      env: { TMPDIR: '/proc/nowhere' },
    });
    expect(ended.stderr).toContain('/proc/nowhere');
  });

  test('nobody listens: closed streams and broken pipes', () => {
    const lines: readonly string[] = [
      '"$N" "$C" run "echo text; echo 1 >out" >&-',
      '"$N" "$C" run "echo 1 >out" 2>&-',
      '"$N" "$C" run "echo 1 >out" <&- >&- 2>&-',
      '{ sleep 0.2; "$N" "$C" run "echo 1 >out"; echo $? >../code; } | true; exit "$(cat ../code)"',
      '{ sleep 0.2; "$N" "$C" -f json run --log out "seq 20000; echo 1 >out"; echo $? >../code; } | true; exit "$(cat ../code)"',
      '{ sleep 0.2; "$N" "$C" run "echo 1 >out" 2>&1; echo $? >../code; } | true; exit "$(cat ../code)"',
    ];
    for (const line of lines) {
      const dataset = fresh();
      const ended = world.exec(['/bin/sh', '-c', line], { cwd: dataset, env: { N: process.execPath, C: cliPath } });
      expect(`${line}: ${ended.code} ${ended.stderr}`).toMatch(/: 0 /);
      expect(ended.stderr).not.toMatch(/internal error/);
      expect(readFileSync(join(dataset, 'out'), 'utf8')).toBe('1\n');
      expect(recordOf(world, dataset)).toMatchObject({ exit: 0 });
      expect(world.git(dataset, 'status', '--porcelain')).toBe('');
    }
  });

  test('a command of 200 KB and a record of 300 KB', () => {
    const dataset = fresh();
    const words = Array.from({ length: 20_000 }, (_, index) => `word${index}`);
    const long = world.reprise(dataset, ['run', 'echo', ...words]);
    expect(long.code).toBe(0);
    expect(long.stdout.startsWith(`${words.join(' ')}\n`)).toBe(true);
    const written = world.reprise(dataset, ['run', '--', 'sh', '-c', 'echo "$#" >wide', 'sh', ...words]);
    expect(`${written.code} ${written.stderr}`).toMatch(/^0 /);
    expect(readFileSync(join(dataset, 'wide'), 'utf8')).toBe('20000\n');
    expect((recordOf(world, dataset) as { cmd: string }).cmd.length).toBeGreaterThan(180_000);
    const list = world.path('long-list');
    world.write(list, words.map((word) => `${word}-output-name\n`).join(''));
    const wide = world.reprise(dataset, ['run', '--output-from', list, 'echo 2 >out']);
    expect(`${wide.code} ${wide.stderr.slice(0, 500)}`).toMatch(/^0 /);
    expect((recordOf(world, dataset) as { outputs: string[] }).outputs).toHaveLength(20_000);
    expect(world.git(dataset, 'status', '--porcelain')).toBe('');
  });
});
