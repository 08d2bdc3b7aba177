/**
 * The datasets that runs are measured in. Large ones are built once, kept in REPRISE_BENCH_CACHE (else in the temporary folder of this
 * benchmark), and copied for each contender, so that none pays for what another left behind.
 */
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { reprise } from './world.mjs';

/** Raise when a builder changes: older cached datasets are then not used. */
const VERSION = 1;

const BUILDERS = { empty, annexed, tracked, outputs, records, manyRecords, sleepers, history };

/** Git without git-annex's filter, which would be asked about each of 200,000 files. */
const GIT = ['git', ...['process', 'clean', 'smudge'].flatMap((step) => ['-c', `filter.annex.${step}=`])];

/** Hands out datasets: `kind` is a name of `BUILDERS`, `files` how many files it has. */
export function createStore(world, progress) {
  const cache = resolve(process.env.REPRISE_BENCH_CACHE ?? join(world.dir, 'cache'));
  mkdirSync(cache, { recursive: true });
  const copies = new Map();
  const built = (kind, files) => {
    const home = join(cache, `${kind}-${files}-v${VERSION}`);
    if (existsSync(home)) return home;
    progress(`building a dataset: ${files} files, ${kind}`);
    const partial = `${home}.${process.pid}.part`;
    BUILDERS[kind](world, partial, files);
    renameSync(partial, home);
    return home;
  };
  return {
    /** A copy of a dataset that belongs to `owner` for the rest of this benchmark. */
    copy(kind, files, owner) {
      const key = `${kind}-${files}-${owner}`;
      const known = copies.get(key);
      if (known) return known;
      const from = built(kind, files);
      const to = join(world.dir, 'datasets', key);
      progress(`copying ${kind} dataset of ${files} files for ${owner}`);
      mkdirSync(join(world.dir, 'datasets'), { recursive: true });
      world.ok(['cp', '-a', from, to]);
      // The copies are other files: Git looks at them once more, and remembers.
      world.ok([...GIT, 'status', '--porcelain'], to);
      copies.set(key, to);
      return to;
    },
    /** Deletes the copies of a dataset that no further case needs. */
    forget(kind, files) {
      for (const [key, path] of copies) {
        if (!key.startsWith(`${kind}-${files}-`)) continue;
        world.ok(['chmod', '-R', 'u+rwX', path]);
        rmSync(path, { recursive: true, force: true });
        copies.delete(key);
      }
    },
  };
}

/** A dataset with an annex and nothing in it. */
function empty(world, path) {
  world.ok([...reprise, 'create', path]);
  // Whatever a first git-annex process has to prepare is prepared.
  world.ok(['git', 'annex', 'info', '--fast', '--json'], path);
}

/** `files` annexed files with content, all in the folder `in`. */
function annexed(world, path, files) {
  empty(world, path);
  mkdirSync(join(path, 'in'));
  for (let index = 0; index < files; index += 1) writeFileSync(join(path, annexedName(index)), `sample ${index}\n`);
  world.ok([...reprise, 'save', '-m', `${files} files`], path);
  const sample = [0, files >> 1, files - 1].map(annexedName);
  world.ok(['git', 'annex', 'fsck', '--quiet', ...sample], path);
  world.ok(['git', 'gc', '--quiet'], path);
}

export function annexedName(index) {
  return `in/${String(index).padStart(5, '0')}.dat`;
}

/** `files` small files that Git tracks itself, a thousand per folder. */
function tracked(world, path, files) {
  empty(world, path);
  const lines = [
    'commit refs/heads/main',
    'committer Ada Example <ada@example.org> 1700000000 +0000',
    'data 5',
    'files',
  ];
  lines.push('from refs/heads/main^0');
  for (let index = 0; index < files; index += 1) {
    const content = `row ${index}`;
    lines.push(`M 100644 inline ${trackedName(index)}`, `data ${content.length}`, content);
  }
  world.ok(['git', 'fast-import', '--quiet'], path, `${lines.join('\n')}\n`);
  world.ok([...GIT, 'reset', '--hard', '--quiet'], path);
}

export function trackedName(index) {
  return `d${String(Math.floor(index / 1000)).padStart(3, '0')}/f${String(index % 1000).padStart(3, '0')}.txt`;
}

/** One record of a command that writes `files` annexed files of some kilobytes. */
function outputs(world, path, files) {
  empty(world, path);
  const program = `BEGIN { for (n = 0; n < ${files}; n++) { f = "out/" n ".dat"; for (i = 0; i < 500; i++) print n, i > f; close(f) } }`;
  writeFileSync(join(path, 'make.awk'), `${program}\n`);
  world.ok([...reprise, 'save', '--to-git', '-m', 'program'], path);
  world.ok([...reprise, 'run', '-i', 'make.awk', '-o', 'out', 'mkdir -p out && awk -f make.awk'], path);
}

/** `count` records of one small output each. */
function records(world, path, count) {
  empty(world, path);
  for (let index = 0; index < count; index += 1)
    world.ok([...reprise, 'run', '-o', `out${index}`, `echo ${index} > out${index}`], path);
}

/** `count` records of one small output each, which Git keeps itself: written at once, as executing them would take minutes. */
function manyRecords(world, path, count) {
  empty(world, path);
  const id = datasetId(world, path);
  const lines = [];
  for (let index = 0; index < count; index += 1) {
    const output = `out${index}`;
    const message = recordMessage(id, { cmd: `echo ${index} > ${output}`, inputs: [], outputs: [output] });
    lines.push(...commitLines(index, message, output, `${index}\n`));
  }
  importHistory(world, path, lines);
}

/** `count` records of commands that take a second, with an input in common and an output each. */
function sleepers(world, path, count) {
  empty(world, path);
  writeFileSync(join(path, 'in'), 'in\n');
  world.ok([...reprise, 'save', '-m', 'in'], path);
  for (let index = 0; index < count; index += 1)
    world.ok(
      [
        ...reprise,
        'run',
        '-i',
        'in',
        '-o',
        `out${index}`,
        `sleep 1; cat in > out${index}; echo ${index} >> out${index}`,
      ],
      path,
    );
}

/** `commits` commits that change one file each; every tenth has a record. */
function history(world, path, commits) {
  empty(world, path);
  const id = datasetId(world, path);
  const lines = [];
  for (let index = 0; index < commits; index += 1) {
    const file = `d${index % 100}/f${index % 10_000}`;
    const record = { cmd: `make ${index}`, inputs: [`d${index % 100}/*`], outputs: [file] };
    const message = index % 10 === 0 ? recordMessage(id, record) : `change ${index}`;
    lines.push(...commitLines(index, message, file, `row ${index}`));
  }
  importHistory(world, path, lines);
  world.ok(['git', 'commit-graph', 'write', '--reachable'], path);
}

function datasetId(world, path) {
  return world.ok(['git', 'config', '-f', '.datalad/config', 'datalad.dataset.id'], path);
}

function recordMessage(id, { cmd, inputs, outputs }) {
  const record = { chain: [], cmd, dsid: id, exit: 0, extra_inputs: [], inputs, outputs, pwd: '.' };
  const text = JSON.stringify(record, null, 1);
  return `[DATALAD RUNCMD] ${cmd}\n\n=== Do not change lines below ===\n${text}\n^^^ Do not change lines above ^^^\n`;
}

/** One commit with one file, for git-fast-import(1). */
function commitLines(index, message, file, content) {
  return [
    'commit refs/heads/main',
    `committer Ada Example <ada@example.org> ${1_700_000_000 + index} +0000`,
    `data ${Buffer.byteLength(message)}`,
    message,
    ...(index === 0 ? ['from refs/heads/main^0'] : []),
    `M 100644 inline ${file}`,
    `data ${content.length}`,
    content,
  ];
}

function importHistory(world, path, lines) {
  world.ok(['git', 'fast-import', '--quiet'], path, `${lines.join('\n')}\n`);
  world.ok([...GIT, 'reset', '--hard', '--quiet'], path);
}
