/** The package as users get it: packed, installed into an empty folder, and used from there alone. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, type TestContext } from 'vitest';
import { parseMessage } from '../src/record/message.ts';
import { excusedByNetwork } from './support/registry.ts';
import { createWorld, type Outcome, projectRoot, type World } from './support/world.ts';

const modules = join(projectRoot, 'node_modules');
const { version } = JSON.parse(readFileSync(join(projectRoot, 'package.json'), 'utf8')) as { version: string };
let world: World;
let tarball: string;
let contents: readonly string[];

/** npm as this machine has it configured: which registry, and how it is reached, is none of our business. */
function npm(cwd: string, ...args: readonly string[]): Outcome {
  const env = Object.fromEntries(Object.entries(process.env).filter(([, value]) => value !== undefined));
  return world.exec(['npm', ...args], { cwd, env: env as Record<string, string> });
}

beforeAll(() => {
  world = createWorld();
  // The scripts would build dist/ again, which `npm test` has done.
  const packed = npm(projectRoot, 'pack', '--ignore-scripts', '--json', '--pack-destination', world.dir);
  expect(packed.code, packed.stderr).toBe(0);
  const [{ filename, files }] = JSON.parse(packed.stdout) as [{ filename: string; files: readonly { path: string }[] }];
  tarball = join(world.dir, filename);
  contents = files.map(({ path }) => path);
});
afterAll(() => world.remove());

describe('the packed package', () => {
  test('holds the program, the library with its types, the schemas and the pages, and no sources or tests', () => {
    expect(contents).toEqual(
      expect.arrayContaining([
        'LICENSE',
        'README.md',
        'CHANGELOG.md',
        'bin/reprise.js',
        'dist/cli/main.cjs',
        'dist/index.js',
        'dist/types/index.d.ts',
        'schemas/run-record.schema.json',
      ]),
    );
    expect(
      contents.filter((path) => !/^(LICENSE|[A-Z]+\.md|package\.json|(bin|dist|schemas)\/.*)$/.test(path)),
    ).toEqual([]);
  });

  test('is clean to publint', () => {
    const { code, stdout, stderr } = world.exec([
      process.execPath,
      join(modules, 'publint/src/cli.js'),
      '--strict',
      tarball,
    ]);
    expect(code, stdout + stderr).toBe(0);
  });

  test('has types that resolve wherever ES modules do', () => {
    const attw = join(modules, '@arethetypeswrong/cli/dist/index.js');
    const { code, stdout, stderr } = world.exec([
      process.execPath,
      attw,
      '--profile',
      'esm-only',
      '--no-emoji',
      tarball,
    ]);
    expect(code, stdout + stderr).toBe(0);
  });
});

describe('the package in an empty folder [needs a package registry]', () => {
  let folder: string;
  let unreachable: string | null = null;

  beforeAll(() => {
    folder = world.path('user', 'package.json').replace(/\/package\.json$/, '');
    world.write(join(folder, 'package.json'), '{"private":true,"type":"module"}\n');
    const { code, stdout, stderr } = npm(folder, 'install', '--prefer-offline', '--no-audit', '--no-fund', tarball);
    const reason = code === 0 ? null : stderr + stdout;
    if (reason !== null && !excusedByNetwork(reason)) throw new Error(reason);
    unreachable = reason;
  }, 300_000);

  const installed = (title: string, body: () => void) =>
    test(title, (context: TestContext) => {
      context.skip(unreachable !== null, 'no package registry can be reached');
      body();
    });
  const reprise = (...args: readonly string[]) =>
    world.exec(['npx', '--no', '--', 'reprise', ...args], { cwd: folder });

  installed('tells its version', () => {
    const outcome = reprise('--version');
    expect(outcome).toMatchObject({ code: 0, stdout: `reprise ${version}\n` });
  });

  installed('records a run in a plain Git dataset, with and without a sidecar', () => {
    const program = join(folder, 'node_modules/.bin/reprise');
    const dataset = join(world.dir, 'plain');
    world.ok([program, 'create', '--no-annex', dataset]);
    world.ok([program, 'run', '-o', 'out.txt', 'echo one > {outputs}'], { cwd: dataset });
    expect(parseMessage(world.git(dataset, 'log', '-1', '--format=%B'), { commit: 'HEAD' })).toMatchObject({
      kind: 'record',
      record: { cmd: 'echo one > {outputs}', outputs: ['out.txt'], exit: 0 },
    });
    world.ok([program, 'run', '--sidecar', 'yes', 'echo two > out.txt'], { cwd: dataset });
    expect(parseMessage(world.git(dataset, 'log', '-1', '--format=%B'), { commit: 'HEAD' }).kind).toBe('sidecar');
    expect(world.git(dataset, 'status', '--porcelain')).toBe('');
  });

  installed('is a library', () => {
    const dataset = join(world.dir, 'library');
    world.write(
      join(folder, 'use.js'),
      `import { create, defaultContext, run } from 'reprise';
const cwd = ${JSON.stringify(dataset)};
await create({ words: [cwd], noAnnex: true }, defaultContext());
const events = [];
const context = defaultContext({ cwd, emit: (event) => events.push(event.kind) });
const outcome = await run({ cmd: ['echo three > out.txt'], outputs: ['out.txt'], message: 'from a program' }, context);
console.log(JSON.stringify({ exitCode: outcome.exitCode, actions: outcome.results.map(({ action }) => action), events: events.includes('result') }));
`,
    );
    expect(JSON.parse(world.ok([process.execPath, 'use.js'], { cwd: folder }))).toEqual({
      exitCode: 0,
      actions: ['run', 'add', 'save'],
      events: true,
    });
    expect(world.git(dataset, 'log', '-1', '--format=%s')).toBe('[DATALAD RUNCMD] from a program');
  });

  installed('has types that a strict compiler accepts, and that refuse what is wrong', () => {
    const options = {
      strict: true,
      module: 'nodenext',
      target: 'es2023',
      noEmit: true,
      exactOptionalPropertyTypes: true,
    };
    const compile = (source: string) => {
      world.write(join(folder, 'check/use.ts'), source);
      const types = { types: ['node'], typeRoots: [join(modules, '@types')] };
      world.write(
        join(folder, 'check/tsconfig.json'),
        JSON.stringify({ compilerOptions: { ...options, ...types }, files: ['use.ts'] }),
      );
      return world.exec([process.execPath, join(modules, 'typescript/bin/tsc'), '-p', 'check'], { cwd: folder });
    };
    const good = `import { defaultContext, parseMessage, RepriseError, run, type RunOptions, type RunRecord, type VerbOutcome } from 'reprise';
const options: RunOptions = { cmd: ['true'], inputs: ['a'], explicit: true };
export async function use(text: string): Promise<RunRecord | null> {
  const outcome: VerbOutcome = await run(options, defaultContext());
  if (outcome.exitCode !== 0) throw new RepriseError('command-failed', 'it failed');
  const parsed = parseMessage(text, { commit: 'HEAD' });
  return parsed.kind === 'record' ? parsed.record : null;
}
`;
    expect(compile(good)).toMatchObject({ code: 0, stdout: '' });
    const bad = compile(
      `import { defaultContext, run } from 'reprise';\nawait run({ cmd: 'true' }, defaultContext());\n`,
    );
    expect(bad.code).not.toBe(0);
    expect(bad.stdout).toContain("'string' is not assignable to type 'readonly string[]'");
  });

  installed('says through npx what is wrong, with the exit code of the error', () => {
    const outcome = reprise('-C', world.dir, 'run', 'true');
    expect(outcome.code).toBe(2);
    expect(outcome.stderr).toContain('(no-dataset)');
  });
});
