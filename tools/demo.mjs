/**
 * `npm run demo`: a dataset in a temporary folder, a small analysis of published data, its record, and the same once more.
 *
 * Needs Node and Git; git-annex and DataLad are used where they are. Everything happens below the temporary folder, with a HOME
 * of its own, and is removed at the end. Exits 1 if anything is not as it should be.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, cpSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const root = resolve(import.meta.dirname, '..');
const { parseMessage } = await import('../dist/index.js');

const runs = (...argv) => spawnSync(argv[0], argv.slice(1), { stdio: 'ignore' }).status === 0;
const quote = (word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'"'"'`)}'`);

/** The environment of the demo: nothing of the user's Git or DataLad configuration, and `reprise` on the PATH. */
function makeWorld(top) {
  const inherited = Object.entries(process.env).filter(([name]) => !/^(GIT|DATALAD|REPRISE|XDG)_/.test(name));
  const bin = join(top, 'bin');
  for (const folder of [bin, join(top, 'home'), join(top, 'tmp')]) mkdirSync(folder);
  writeFileSync(
    join(bin, 'reprise'),
    `#!/bin/sh\nexec ${quote(process.execPath)} ${quote(join(root, 'bin/reprise.js'))} "$@"\n`,
  );
  chmodSync(join(bin, 'reprise'), 0o755);
  writeFileSync(
    join(top, 'home/.gitconfig'),
    '[user]\n\tname = Ada Example\n\temail = ada@example.org\n[init]\n\tdefaultBranch = main\n[core]\n\tpager = cat\n',
  );
  const own = {
    HOME: join(top, 'home'),
    TMPDIR: join(top, 'tmp'),
    GIT_CONFIG_NOSYSTEM: '1',
    PATH: `${bin}:${process.env.PATH}`,
  };
  return { ...Object.fromEntries(inherited), ...own };
}

const say = (text) => process.stdout.write(`\n# ${text}\n`);

/** Shows a shell line, runs it, shows what it prints in the order in which it does, and returns that; throws unless it exits 0. */
function shell(env, cwd, line) {
  process.stdout.write(`\n$ ${line}\n`);
  const { status, stdout } = spawnSync('/bin/sh', ['-c', `exec 2>&1\n${line}`], {
    cwd,
    env: { ...env, PWD: cwd },
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  process.stdout.write(stdout);
  assert.equal(status, 0, `exit status of: ${line}`);
  return stdout.trimEnd();
}

/** What Git says, without showing it. */
function ask(env, cwd, ...args) {
  const { status, stdout, stderr } = spawnSync('git', args, { cwd, env, encoding: 'utf8' });
  assert.equal(status, 0, stderr);
  return stdout.trimEnd();
}

/** The run record of the last commit, read as Reprise reads any. */
function recordOf(env, dataset) {
  const commit = ask(env, dataset, 'rev-parse', 'HEAD');
  const parsed = parseMessage(ask(env, dataset, 'log', '-1', '--format=%B', commit), { commit });
  assert.equal(parsed.kind, 'record', 'the last commit holds a run record');
  return { commit, record: parsed.record };
}

function demo(top) {
  const env = makeWorld(top);
  const example = join(root, 'examples/mauna-loa');
  const annex = runs('git-annex', 'version');
  const dataset = join(top, 'mauna-loa');

  say(
    annex
      ? 'A new dataset: a Git repository with an annex for content.'
      : 'A new dataset. git-annex is not installed, so it is a Git repository only.',
  );
  shell(env, top, `reprise create ${annex ? '' : '--no-annex '}mauna-loa`);

  say(
    'Monthly readings of CO2 at Mauna Loa (Scripps CO2 Program, CC BY 4.0), and a script that makes annual means of them.',
  );
  for (const file of ['co2-concentration.csv', 'code'])
    cpSync(join(example, file), join(dataset, file), { recursive: true });
  shell(env, dataset, "reprise save -m 'Readings as published, and the analysis'");
  shell(env, dataset, 'head -n 3 co2-concentration.csv');

  say('The analysis, recorded: -i names what it reads, -o what it writes.');
  shell(
    env,
    dataset,
    "reprise run -m 'Annual means of CO2' -i co2-concentration.csv -o annual.csv -o co2.svg -- node code/annual.mjs co2-concentration.csv annual.csv co2.svg",
  );
  shell(env, dataset, 'tail -n 3 annual.csv');
  for (const result of ['annual.csv', 'co2.svg'])
    assert.deepEqual(
      readFileSync(join(dataset, result)),
      readFileSync(join(example, 'expected', result)),
      `${result} is as expected`,
    );

  say('The commit: both results, and how they came to be.');
  shell(env, dataset, 'git show --stat');
  const { commit } = recordOf(env, dataset);
  assert.equal(ask(env, dataset, 'diff', '--name-only', 'HEAD~', 'HEAD'), 'annual.csv\nco2.svg');

  say('Again: everything that is needed is in the record. What comes out is compared with what the commit holds.');
  const again = shell(env, dataset, 'reprise rerun --verify');
  assert.match(again, /741 months read/, 'the command was executed again');
  const checkUnchanged = () => {
    assert.equal(ask(env, dataset, 'rev-parse', 'HEAD'), commit, 'no new commit was made');
    assert.equal(ask(env, dataset, 'status', '--porcelain'), '', 'nothing differs from the commit');
  };
  assert.match(again, /2 identical/, 'both results came out as they were');
  checkUnchanged();
  shell(env, dataset, 'reprise status');
  say('The same bytes came out, so there is nothing new to commit: the record still stands. The verdict is kept.');
  shell(env, dataset, 'reprise attestations');

  if (runs('datalad', '--version')) {
    say('DataLad is installed. It reads the same record, and reruns it.');
    shell(env, dataset, 'datalad rerun');
    checkUnchanged();
  }
  shell(env, dataset, 'git log --oneline');
}

const top = realpathSync(mkdtempSync(join(tmpdir(), 'reprise-demo-')));
try {
  demo(top);
  say('All of this was checked on the way, and is as it should be.');
} catch (error) {
  process.stderr.write(`\nThe demo failed: ${error.message}\n`);
  process.exitCode = 1;
} finally {
  // Objects of an annex are write-protected.
  spawnSync('chmod', ['-R', 'u+rwX', top], { stdio: 'ignore' });
  rmSync(top, { recursive: true, force: true, maxRetries: 3 });
}
