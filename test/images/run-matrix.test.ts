/** One analysis in a real interpreter: recorded under each runner from each form of the image, replayed under each other runner. */
import { appendFileSync, cpSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { runnersEnv, TEST_RUNNERS } from '../support/container-runs.ts';
import { recordOf } from '../support/crash-world.ts';
import { loadTestImage, testImage, testSif } from '../support/engines.ts';
import { describeWith } from '../support/oracles.ts';
import { createWorld, type Outcome, type World } from '../support/world.ts';

/** Floats, hashing, random numbers, text and bytes; and what is seen from inside. */
const ANALYSIS = `
import csv, hashlib, math, os, random, struct, sys
*tables, summary, noise = sys.argv[1:]
rows = [row for table in tables for row in csv.reader(open(table, encoding='utf-8', newline=''))]
values = [float(value) for _, value in rows]
random.seed(hashlib.sha256(repr(rows).encode()).digest())
drawn = [random.gauss(math.fsum(values) / len(values), max(values)) for _ in range(20000)]
os.makedirs(os.path.dirname(noise), exist_ok=True)
with open(noise, 'wb') as out:
    out.write(b''.join(struct.pack('<d', math.sin(value) ** 3) for value in drawn))
seen = {name: os.environ.get(name) for name in ('DATALAD_CONTAINER_NAME', 'HOME', 'SECRET')}
facts = {'tables': tables, 'names': sorted(name for name, _ in rows), 'mean': math.fsum(drawn) / len(drawn),
         'python': sys.version, 'cwd': os.getcwd(), 'uid': os.getuid(), 'root': sorted(os.listdir('/dataset')),
         'private': os.listdir('/tmp') + os.listdir(os.environ['HOME']), **seen}
with open(summary, 'w', encoding='utf-8') as out:
    out.writelines(f'{name} = {value!r}\\n' for name, value in facts.items())
print(len(rows), 'rows')
print('of', len(tables), 'tables', file=sys.stderr)
`;

const FORMATS = ['docker-archive', 'oci'] as const;

/** What tells one execution from another; all else in a record is the same under every runner. */
const OWN = ['run', 'started', 'ended', 'base', 'user_s', 'system_s', 'peak_kb'] as const;

describeWith(['docker', 'podman', 'apptainer', 'git-annex'], 'an analysis in a container', () => {
  let world: World;
  let root: string;
  let base: string;
  const env = () => ({ ...runnersEnv(), SECRET: 'of this machine' });
  // Each two after another are replayed under the runner that recorded neither.
  const cases = [
    { format: 'docker-archive', runner: 'docker' },
    { format: 'oci', runner: 'podman' },
    { format: 'docker-archive', runner: 'apptainer' },
    { format: 'oci', runner: 'docker' },
    { format: 'docker-archive', runner: 'podman' },
    { format: 'oci', runner: 'apptainer' },
    { format: 'sif', runner: 'apptainer' },
  ] as const;
  const branchOf = (runner: string) => `by-${runner}`;

  const reprise = (args: readonly string[], cwd = root): Outcome => {
    const done = world.reprise(cwd, args, { env: env() });
    expect(done, `${args.join(' ')}\n${done.stderr}`).toMatchObject({ code: 0 });
    return done;
  };
  const commits = (range: string): readonly string[] => world.git(root, 'rev-list', '--reverse', range).split('\n');

  /** A record without what belongs to one execution and to what ran it; the name of the output differs by case. */
  const plainRecord = (commit: string): Record<string, unknown> => {
    const { chain: _, ...record } = recordOf(world, root, commit) as Record<string, unknown>;
    const extension = { ...(record['reprise'] as Record<string, unknown>) };
    for (const key of OWN) delete extension[key];
    const { runner, ...container } = extension['container'] as Record<string, unknown>;
    expect(TEST_RUNNERS).toContain(runner);
    return { ...record, reprise: { ...extension, container } };
  };
  const runnerOf = (commit: string): unknown =>
    (recordOf(world, root, commit) as { readonly reprise: { readonly container: { readonly runner: string } } }).reprise
      .container.runner;

  beforeAll(() => {
    world = createWorld();
    root = world.path('data set');
    const { archive, oci } = testImage('python');
    reprise(['create', root], world.dir);
    // A layout that was put there by hand, without the manifest.json by which DataLad's adapter could load it.
    cpSync(oci, join(root, 'layout'), { recursive: true });
    reprise(['save', '-m', 'layout']);
    for (const [name, ...source] of [
      ['docker-archive', '--url', archive],
      ['oci', '--image', 'layout'],
      ['sif', '--url', testSif('python')],
    ] as const)
      reprise(['containers-add', name, ...source]);
    appendFileSync(join(root, '.gitattributes'), 'code/** annex.largefiles=nothing\n');
    world.write(join(root, 'code/analyse.py'), ANALYSIS);
    world.write(join(root, 'raw/a b.csv'), 'ä,1.5\nb,2.25\n');
    world.write(join(root, 'raw/c.csv'), 'c,-7\nd,1e3\n');
    world.write(join(root, 'study/notes.txt'), 'notes');
    reprise(['save', '-m', 'analysis']);
    base = world.git(root, 'rev-parse', 'HEAD');
    for (const engine of ['docker', 'podman'] as const) loadTestImage(engine, 'python');
    for (const { format, runner } of cases) {
      const out = `out/${format}-${runner}`;
      const options = ['-n', format, '--runner', runner, '-m', `${format} under ${runner}`];
      const files = ['-i', '../raw/*.csv', '-o', `${out}.txt`, '-o', `${out}.bin`];
      reprise(
        ['containers-run', ...options, ...files, 'python3 ../code/analyse.py {inputs} {outputs}'],
        join(root, 'study'),
      );
    }
  }, 600_000);
  afterAll(() => world.remove());

  test('gives the same bytes under every runner and from every form of the image', () => {
    const read = (name: string) => readFileSync(join(root, 'study/out', name));
    const results = cases.map(({ format, runner }) => ({
      bytes: read(`${format}-${runner}.bin`),
      facts: read(`${format}-${runner}.txt`).toString('utf8').replace(`'${format}'`, "'NAME'"),
    }));
    const [first] = results;
    const lines = first?.facts.split('\n') ?? [];
    expect(lines.filter((line) => !/^(mean|python) /.test(line))).toEqual([
      "tables = ['../raw/a b.csv', '../raw/c.csv']",
      "names = ['b', 'c', 'd', 'ä']",
      "cwd = '/dataset/study'",
      `uid = ${process.getuid?.()}`,
      "root = ['.datalad', '.git', '.gitattributes', 'code', 'layout', 'raw', 'study']",
      'private = []',
      "DATALAD_CONTAINER_NAME = 'NAME'",
      "HOME = '/home/reprise'",
      'SECRET = None',
      '',
    ]);
    for (const [at, { bytes, facts }] of results.entries()) {
      expect(bytes.equals(first?.bytes as Buffer), JSON.stringify(cases[at])).toBe(true);
      expect(facts).toBe(first?.facts);
    }
  });

  test('has the same record under every runner', () => {
    const recorded = commits(`${base}..HEAD`);
    expect(recorded.map(runnerOf)).toEqual(cases.map(({ runner }) => runner));
    for (const format of FORMATS) {
      const [first, ...others] = recorded
        .filter((_, at) => cases[at]?.format === format)
        .map((commit) => JSON.stringify(plainRecord(commit)).replaceAll(/-(docker|podman|apptainer)\./g, '-RUNNER.'));
      expect(first).toContain('-RUNNER.txt');
      for (const other of others) expect(JSON.parse(other)).toEqual(JSON.parse(first as string));
    }
    expect(plainRecord(recorded[0] as string)).toMatchObject({
      cmd: 'python3 -m datalad_container.adapters.docker run ../.datalad/environments/docker-archive/image python3 ../code/analyse.py {inputs} {outputs}',
      pwd: 'study',
      inputs: ['../raw/*.csv'],
      extra_inputs: ['../.datalad/environments/docker-archive/image'],
      reprise: { container: { format: 'docker-archive', config: testImage('python').configDigest, network: false } },
    });
    // One image in two forms.
    const container = (at: number) =>
      (plainRecord(recorded[at] as string)['reprise'] as { readonly container: Record<string, unknown> }).container;
    expect([container(1)['format'], container(1)['config']]).toEqual(['oci', container(0)['config']]);
    expect([container(6)['format'], container(6)['architecture']]).toEqual(['sif', container(0)['architecture']]);
  });

  test.each([
    [0, 'apptainer'],
    [2, 'podman'],
    [4, 'docker'],
  ] as const)(
    'is replayed from record %i on under %s, whatever ran it, with identical outputs and the same record',
    (first, by) => {
      const all = [base, ...commits(`${base}..HEAD`)];
      const [since, last] = [all[first], all[first + 2]] as [string, string];
      const range = ['--since', since, '--onto', since, '--branch', branchOf(by), last];
      const said = reprise(['rerun', '--runner', by, '--verify', ...range]);
      expect(said.stderr).toMatch(/2 runs replayed: 4 identical/);
      try {
        const replayed = commits(`${since}..${branchOf(by)}`);
        const recorded = commits(`${since}..${last}`);
        expect(world.git(root, 'rev-parse', `${branchOf(by)}^{tree}`)).toBe(
          world.git(root, 'rev-parse', `${last}^{tree}`),
        );
        expect(recorded.map(runnerOf)).not.toContain(by);
        expect(replayed.map(runnerOf)).toEqual(replayed.map(() => by));
        expect(replayed.map(plainRecord)).toEqual(recorded.map(plainRecord));
        expect(replayed.map((commit) => recordOf(world, root, commit)?.['chain'])).toEqual(
          recorded.map((one) => [one]),
        );
      } finally {
        world.git(root, 'checkout', '-q', 'main');
      }
    },
  );

  test('from a SIF is replayed under Singularity, and under Docker refused before anything is changed', () => {
    const head = world.git(root, 'rev-parse', 'HEAD');
    expect(reprise(['rerun', '--runner', 'singularity', '--verify']).stderr).toMatch(/1 run replayed: 2 identical/);
    const refused = world.reprise(root, ['rerun', '--runner', 'docker'], { env: env() });
    expect(refused.code).toBe(1);
    expect(refused.stderr).toMatch(
      /^reprise: error: docker cannot run .*, which is stored as sif \(runner-missing\)$/m,
    );
    expect([world.git(root, 'rev-parse', 'HEAD'), world.git(root, 'status', '--porcelain')]).toEqual([head, '']);
  });

  test('is replayed in a workspace by what is there', () => {
    const first = commits(`${base}..HEAD`)[0] as string;
    const only = runnersEnv('podman');
    const said = world.reprise(root, ['rerun', '--workspace', '--verify', first], {
      env: { ...only, DOCKER_HOST: 'unix:///nowhere.sock' },
    });
    expect(said, said.stderr).toMatchObject({ code: 0 });
    expect(said.stderr).toMatch(/1 run replayed: 2 identical/);
  });
});
