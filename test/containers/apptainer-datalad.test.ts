/** Lines of containers between DataLad and us: what DataLad records is what we make and understand, and what we make DataLad executes. */
import { createHash } from 'node:crypto';
import { copyFileSync, existsSync, readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { defaultCallFormat, formatCall, formatExtraInputs } from '../../src/containers/call-format.ts';
import { engineCalls, replaceEngine } from '../../src/containers/command-lines.ts';
import { normaliseCommand } from '../../src/core/placeholders.ts';
import { engineEnv, testImage, testSif } from '../support/engines.ts';
import { dataladArgv, describeWith } from '../support/oracles.ts';
import { commitsOf } from '../support/runs.ts';
import { createWorld, type World } from '../support/world.ts';

const IMAGE = '.datalad/environments/bb/image';
const FORMAT = 'singularity -s exec -e -B {{dspath}} {img} {cmd}';

/** The Python that `datalad` of Debian runs on has its adapter; another one earlier on the PATH may not. */
const DEBIAN_PATH = '/usr/bin:/bin:/usr/local/bin';

describeWith(['apptainer', 'datalad-container', 'git-annex'], 'Lines of containers, with DataLad', () => {
  let world: World;
  let dataset: string;
  let env: Record<string, string>;

  beforeAll(() => {
    world = createWorld();
    env = { ...engineEnv('apptainer') };
    dataset = world.path('ds');
    world.ok(dataladArgv('datalad', ['create', '-c', 'text2git', dataset]));
    copyFileSync(testSif('busybox'), world.path('ds', IMAGE));
    world.git(dataset, 'annex', 'add', '-q', '.');
    world.ok(dataladArgv('datalad', ['containers-add', '-d', dataset, 'bb', '-i', IMAGE, '--call-fmt', FORMAT]));
    world.ok(dataladArgv('datalad', ['save', '-d', dataset]));
  });
  afterAll(() => world.remove());

  const lastRun = () => commitsOf(world, dataset, 'HEAD~1..HEAD')[0]?.record;

  test.each([
    [['sh', '-c', 'echo "a  $0" > one', "it's"]],
    [['echo "{outputs}" > two; cat < two']],
    [['--', 'touch', 'sp ace']],
  ])('DataLad records for %j what we make, and we understand it', (words) => {
    const outputs = words[0]?.startsWith('echo') ? ['-o', 'two'] : [];
    world.ok(dataladArgv('datalad', ['containers-run', '-d', dataset, '-n', 'bb', ...outputs, ...words]), {
      cwd: dataset,
      env,
    });
    const record = lastRun();
    const command = normaliseCommand(words);
    expect(record?.cmd).toBe(formatCall(FORMAT, { image: IMAGE, imageDataset: '.', command }));
    expect(engineCalls(record?.cmd ?? '', [IMAGE])).toMatchObject([{ kind: 'singularity', image: IMAGE }]);
  });

  test('DataLad executes again what we replace in its lines, with the same results', () => {
    const made = 'singularity -s exec --bind "{dspath}" .datalad/environments/bb/image md5sum < one > "out put"';
    const replaced = replaceEngine(
      made,
      [IMAGE],
      ({ image }) => `apptainer -s exec -C -B {dspath} --pwd {dspath} ${image}`,
    );
    const digest = createHash('md5')
      .update(readFileSync(`${dataset}/one`))
      .digest('hex');
    for (const line of [made, replaced as string]) {
      world.ok(dataladArgv('datalad', ['run', '-d', dataset, line]), { cwd: dataset, env });
      expect(world.ok(['cat', 'out put'], { cwd: dataset })).toBe(`${digest}  -`);
    }
  });

  test('extra inputs and formats are as in DataLad’s configuration', () => {
    expect(formatExtraInputs(['{img_dspath}/one'], { image: IMAGE, imageDataset: '.' })).toEqual(['./one']);
    expect(world.git(dataset, 'config', '-f', '.datalad/config', 'datalad.containers.bb.cmdexec')).toBe(FORMAT);
  });
});

describeWith(['docker', 'datalad-container', 'git-annex'], 'The line of an image of Docker', () => {
  let world: World;
  beforeAll(() => {
    world = createWorld();
  });
  afterAll(() => world.remove());

  test('is executed by DataLad on whichever Python has its adapter, and rerun', () => {
    const dataset = world.path('ds');
    const env = { ...engineEnv('docker'), PATH: DEBIAN_PATH };
    world.ok(dataladArgv('datalad', ['create', '-c', 'text2git', dataset]));
    world.path('ds', IMAGE);
    world.sh(dataset, `cp -rL '${testImage('busybox').archive}' ${IMAGE}`);
    world.ok(dataladArgv('datalad', ['save', '-d', dataset]));
    const values = { image: IMAGE, imageDataset: '.', command: "sh -c 'cat /proc/sys/kernel/random/uuid > out'" };
    const line = formatCall(defaultCallFormat('dhub://busybox'), values);
    expect(line).not.toMatch(/\/python|[{}]/);
    world.ok(dataladArgv('datalad', ['run', '-d', dataset, '-i', IMAGE, line]), { cwd: dataset, env });
    const first = readFileSync(`${dataset}/out`, 'utf8');
    world.ok(dataladArgv('datalad', ['rerun', '-d', dataset]), { cwd: dataset, env });
    expect(existsSync(`${dataset}/out`)).toBe(true);
    expect(readFileSync(`${dataset}/out`, 'utf8')).not.toBe(first);
    expect(commitsOf(world, dataset, 'HEAD~1..HEAD')[0]?.record?.cmd).toBe(line);
  });
});
