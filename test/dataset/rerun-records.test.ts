/** What a rerun takes over from the record that it replays, and how it gets ready what the command wrote. */
import { existsSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { describeWith } from '../support/oracles.ts';
import { attestationsIn, copyOf, printed, recordedBy, verdictsOf } from '../support/replays.ts';
import { commitsOf, type FoundRecord } from '../support/runs.ts';
import { createWorld, ORDINARY_UID, type Outcome, type World } from '../support/world.ts';

describeWith(['git-annex'], 'the record of a rerun', () => {
  let world: World;
  let template: string;
  let made = 0;

  beforeAll(() => {
    world = createWorld();
    template = world.path('template');
    world.reprise(world.dir, ['create', template]);
  });
  afterAll(() => world.remove());

  const fresh = () => copyOf(world, template, `case-${(made += 1)}`);
  const run = (dataset: string, ...args: string[]) => {
    const ended = world.reprise(dataset, ['run', ...args]);
    expect(`${ended.code} ${ended.stderr}`).toMatch(/^0 /);
    return world.git(dataset, 'rev-parse', 'HEAD');
  };
  const rerun = (dataset: string, ...args: string[]): Outcome => {
    const ended = world.reprise(dataset, ['-f', 'json', 'rerun', ...args]);
    expect(`${ended.code} ${ended.stderr}`).toMatch(/^0 /);
    return ended;
  };
  const lastRecord = (dataset: string) =>
    commitsOf(world, dataset).at(-1)?.record as FoundRecord & Record<string, unknown>;

  test('fields that nobody here knows are kept, through any number of reruns', () => {
    const dataset = fresh();
    const unknown = {
      weather: { today: 'fine', wind: [1, 2, null] },
      'with space': 'é\u0001"\\',
      slurm_job_id: 12_345_678_901,
      cmd_version: false,
    };
    const old = recordedBy(world, dataset, { cmd: 'echo >>out', pwd: '.', ...unknown }, 'echo >>out');
    rerun(dataset);
    const first = world.git(dataset, 'rev-parse', 'HEAD');
    expect(lastRecord(dataset)).toMatchObject({ ...unknown, chain: [old] });
    rerun(dataset);
    expect(lastRecord(dataset)).toMatchObject({ ...unknown, chain: [old, first] });
    expect(Object.keys(lastRecord(dataset))).toStrictEqual(Object.keys(lastRecord(dataset)).toSorted());
  });

  test('our own block is that of the replay, not of the replayed', () => {
    const dataset = fresh();
    run(dataset, 'echo >>out');
    const before = lastRecord(dataset).reprise;
    rerun(dataset);
    const after = lastRecord(dataset).reprise;
    expect(after?.run).not.toBe(before?.run);
    expect(after?.base).toBe(world.git(dataset, 'rev-parse', 'HEAD~1'));
  });

  test('the message is the old one, with all of its lines, unless another is given', () => {
    const dataset = fresh();
    const message = 'first line\n\nsecond paragraph: "quoted", é\n  indented';
    run(dataset, '-m', message, 'echo >>out');
    rerun(dataset);
    expect(world.git(dataset, 'log', '-1', '--format=%B').startsWith(`[DATALAD RUNCMD] ${message}\n\n===`)).toBe(true);
    rerun(dataset, '-m', 'another');
    expect(world.git(dataset, 'log', '-1', '--format=%s')).toBe('[DATALAD RUNCMD] another');
    const [result] = printed(world.reprise(dataset, ['-f', 'json', 'rerun', '--report', '-m', 'third']));
    expect(result).toMatchObject({ run_message: 'another', rerun_message: 'third' });
  });

  test('a literal command stays literal', () => {
    const dataset = fresh();
    run(
      dataset,
      '--no-placeholders',
      '-o',
      '{odd}.txt',
      'for x in {a,b}; do echo "$x ${x#a} {inputs}" >>{odd}.txt; done',
    );
    const before = lastRecord(dataset);
    const text = readFileSync(join(dataset, '{odd}.txt'), 'utf8');
    rerun(dataset);
    const after = lastRecord(dataset);
    expect(after).toMatchObject({ cmd: before.cmd, outputs: before.outputs, reprise: { no_placeholders: true } });
    expect(readFileSync(join(dataset, '{odd}.txt'), 'utf8')).toBe(text + text);
    rerun(dataset);
    expect(readFileSync(join(dataset, '{odd}.txt'), 'utf8')).toBe(text + text + text);
  });

  test('braces in declared names mean nothing when they are replayed', () => {
    const dataset = fresh();
    world.write(`${dataset}/{in}.txt`, 'in\n');
    world.write(`${dataset}/{}`, 'empty\n');
    world.reprise(dataset, ['save']);
    run(dataset, '-i', '{{in}}.txt', '-i', '{{}}', '-o', 'x{{y}}', 'cat {inputs} >>{outputs}');
    expect(lastRecord(dataset)).toMatchObject({ inputs: ['{in}.txt', '{}'], outputs: ['x{y}'] });
    rerun(dataset);
    expect(lastRecord(dataset)).toMatchObject({
      cmd: 'cat {inputs} >>{outputs}',
      inputs: ['{in}.txt', '{}'],
      outputs: ['x{y}'],
    });
    expect(world.sh(dataset, "cat 'x{y}'")).toBe('in\nempty\nin\nempty');
  });

  test('names of every kind', () => {
    const dataset = fresh();
    const names = [
      'with space',
      "quo'te",
      'dou"ble',
      'back\\slash',
      '-dash',
      '*star',
      'new\nline',
      'tab\t',
      'é',
      '$HOME',
      '%s',
    ];
    for (const name of names) world.write(join(dataset, 'in', name), `${name}\n`);
    world.reprise(dataset, ['save']);
    run(
      dataset,
      '-i',
      'in/*',
      '-o',
      'out/*',
      '--expand',
      'both',
      'mkdir -p out; for f in in/*; do cat "$f" >>"out/${{f#in/}}"; done',
    );
    const verdicts = verdictsOf(rerun(dataset, '--onto=', '-b', 'again'));
    expect(verdicts.toSorted()).toStrictEqual(names.map((name) => `out/${name} identical`).toSorted());
  });

  test('a name that is not valid UTF-8', () => {
    const dataset = fresh();
    run(dataset, `echo >>"$(printf 'x\\377y')"`);
    rerun(dataset);
    expect(world.git(dataset, 'status', '--porcelain')).toBe('');
    expect(world.sh(dataset, 'wc -l <"$(printf \'x\\377y\')"')).toBe('2');
  });

  test('a declared output that did not change, and whose content is not here, can be written again', () => {
    const dataset = fresh();
    run(dataset, '-o', 'same', 'echo same >same');
    const link = readlinkSync(join(dataset, 'same'));
    run(dataset, '-o', 'same', '-o', 'new', 'echo same >same; echo new >>new');
    expect(world.git(dataset, 'diff', '--name-only', 'HEAD~1')).toBe('new');
    world.git(dataset, 'annex', 'drop', '--quiet', '--force', 'same');
    rerun(dataset);
    expect(readlinkSync(join(dataset, 'same'))).toBe(link);
    expect(world.sh(dataset, 'cat same')).toBe('same');
    expect(world.git(dataset, 'status', '--porcelain')).toBe('');
  });

  test('outputs that were declared nowhere can be written again by an ordinary user', () => {
    const isRoot = process.getuid?.() === 0;
    const options = isRoot ? { uid: ORDINARY_UID } : {};
    const dataset = world.path('theirs/dataset');
    world.sh(world.dir, 'chmod 777 theirs');
    expect(world.reprise(world.path('theirs'), ['create', dataset], options).code).toBe(0);
    expect(world.reprise(dataset, ['run', 'mkdir -p a/b; echo 1 >>a/b/c'], options).code).toBe(0);
    const ended = world.reprise(dataset, ['rerun'], options);
    expect(`${ended.code} ${ended.stderr}`).toMatch(/^0 /);
    expect(world.ok(['cat', 'a/b/c'], { ...options, cwd: dataset })).toBe('1\n1');
  });

  test('what was written into a subdataset, declared nowhere, can be written again in a fresh clone', () => {
    const origin = fresh();
    world.reprise(origin, ['create', '-d', '.', 'sub']);
    world.reprise(origin, ['create', '-d', 'sub', 'sub/in ner']);
    world.reprise(origin, ['save', '-r', '-m', 'subdatasets']);
    run(origin, "echo 1 >'sub/in ner/out'; echo 2 >sub/grows; echo 3 >>sub/grows");
    const verdicts = ['sub/grows identical', 'sub/in ner/out identical'];
    for (const options of [['--workspace'], []]) {
      const clone = world.path(`clone-${(made += 1)}`);
      world.sh(world.dir, `git clone -q '${origin}' '${clone}'; git -C '${clone}' annex init -q`);
      expect(verdictsOf(rerun(clone, '--verify', ...options))).toStrictEqual(verdicts);
      expect(world.git(clone, 'status', '--porcelain')).toBe('');
      // A workspace installs nothing in the dataset itself.
      expect(existsSync(join(clone, 'sub/.git'))).toBe(options.length === 0);
    }
  });

  test('a folder that no longer exists because nothing is in it', () => {
    const dataset = fresh();
    world.sh(dataset, 'mkdir -p work/here');
    const ended = world.reprise(join(dataset, 'work/here'), ['run', '-o', '../../top', 'echo "$PWD" >>../../top']);
    expect(ended.code).toBe(0);
    world.sh(dataset, 'rm -rf work');
    rerun(dataset);
    expect(lastRecord(dataset)).toMatchObject({ pwd: 'work/here', outputs: ['../../top'] });
    expect(world.sh(dataset, 'cat top')).toBe(`${dataset}/work/here\n${dataset}/work/here`);
    expect(existsSync(join(dataset, 'work'))).toBe(false);
  });

  test('a command that commits itself, rerun on the very state that it was recorded on', () => {
    const dataset = fresh();
    const before = world.git(dataset, 'rev-parse', 'HEAD');
    const old = run(dataset, 'echo >>own; git add own; git commit -qm inner; echo >>rest');
    expect(world.git(dataset, 'rev-list', '--count', `${before}..`)).toBe('3');
    world.git(dataset, 'reset', '-q', '--hard', before);
    rerun(dataset, old);
    expect(world.git(dataset, 'status', '--porcelain')).toBe('');
    expect(world.git(dataset, 'rev-parse', 'HEAD^1')).toBe(before);
    expect(world.git(dataset, 'ls-tree', 'HEAD', 'own', 'rest')).toBe(
      world.git(dataset, 'ls-tree', old, 'own', 'rest'),
    );
  });

  test('inputs are fetched; without them nothing is executed', () => {
    const origin = fresh();
    world.write(`${origin}/in`, 'in\n');
    world.reprise(origin, ['save']);
    run(origin, '-i', 'in', '-o', 'out', 'cat in >>out');
    const clone = world.path(`clone-${(made += 1)}`);
    world.sh(world.dir, `git clone -q '${origin}' '${clone}'; git -C '${clone}' annex init -q`);
    rerun(clone);
    expect(world.sh(clone, 'cat out')).toBe('in\nin');
    const lonely = world.path(`clone-${(made += 1)}`);
    world.sh(world.dir, `git clone -q '${origin}' '${lonely}'; git -C '${lonely}' annex init -q`);
    world.git(lonely, 'remote', 'remove', 'origin');
    const head = world.git(lonely, 'rev-parse', 'HEAD');
    const ended = world.reprise(lonely, ['rerun']);
    expect(ended.code).toBe(1);
    expect(ended.stderr).toContain('(input-unavailable)');
    expect(world.git(lonely, 'rev-parse', 'HEAD')).toBe(head);
    expect(world.git(lonely, 'status', '--porcelain')).toBe('');
    expect(attestationsIn(world, lonely)).toStrictEqual([]);
  });
});
