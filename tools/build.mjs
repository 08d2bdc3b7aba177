// Builds dist/: the program and the library with esbuild, the types with tsc. Started by `npm run build`, before tests and before packing.
//
// dist/ never passes through a half-built state: new files are written beside the old ones, the entry points last and each
// in one step, and what is no longer needed is removed at the end. So tests may use it while it is built again.
import { mkdir, mkdtemp, readFile, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join, relative, resolve } from 'node:path';
import { build } from 'esbuild';
import { program } from './build-program.mjs';
import { printedBy } from './printed-by.mjs';

const root = resolve(import.meta.dirname, '..');
const dist = join(root, 'dist');
const { version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'));

/** Bundled CommonJS libraries ask for Node's own modules through `require`, which a module has to make itself. */
const REQUIRE =
  "import { createRequire as __createRequire } from 'node:module';\nconst require = __createRequire(import.meta.url);\n";

/** Libraries with native code, which cannot be part of a bundle. */
const EXTERNAL = ['lzma-native'];

/**
 * What dockerode needs for things that are never asked of it here (building images, logging in through SSH): 40 packages that would
 * be loaded each time. Calling into one of them is a TypeError.
 */
const UNUSED = /^(?:ssh2|@grpc\/grpc-js|@grpc\/proto-loader|protobufjs|tar-fs|@balena\/dockerignore)$/;

const withoutUnused = {
  name: 'without-unused',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: UNUSED }, ({ path }) => ({ path, namespace: 'unused' }));
    onLoad({ filter: /.*/, namespace: 'unused' }, () => ({ contents: 'module.exports = {};', loader: 'js' }));
  },
};

const COMMON = {
  absWorkingDir: root,
  bundle: true,
  platform: 'node',
  target: 'node20',
  define: { __VERSION__: JSON.stringify(version) },
  external: EXTERNAL,
  plugins: [withoutUnused],
  write: false,
  logLevel: 'warning',
};

/** The library: ES modules, split so that a program loads only what it uses. */
async function library() {
  const { outputFiles } = await build({
    ...COMMON,
    entryPoints: ['src/index.ts'],
    outbase: 'src',
    outdir: dist,
    splitting: true,
    format: 'esm',
    chunkNames: 'chunks/[name]-[hash]',
  });
  return outputFiles.map(({ path, text }) => [
    relative(dist, path),
    text.includes('Dynamic require of') ? REQUIRE + text : text,
  ]);
}

/** The client process of the container engines: small, so that compiling it takes no time that matters. */
async function engineClient() {
  const { outputFiles } = await build({
    ...COMMON,
    entryPoints: ['src/cli/engine-client.ts'],
    outfile: 'engine-client.cjs',
    supported: { 'dynamic-import': false },
    format: 'cjs',
  });
  return [[join('cli', 'engine-client.cjs'), outputFiles[0].text]];
}

/** Types, written by tsc into a folder of this process. Returns them with what tsc found wrong. */
async function types() {
  const folder = await mkdtemp(join(root, 'node_modules/.reprise-types-'));
  try {
    const tsc = join(root, 'node_modules/typescript/bin/tsc');
    const complaints = await printedBy(process.execPath, [tsc, '-p', 'tsconfig.types.json', '--outDir', folder]);
    const names = (await readdir(folder, { recursive: true })).filter((name) => name.endsWith('.d.ts'));
    const files = await Promise.all(
      names.map(async (name) => [join('types', name), await readFile(join(folder, name), 'utf8')]),
    );
    return { files: new Map(files), complaints };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** How long files of an earlier build are kept for programs that run meanwhile. */
const GRACE_MS = 10 * 60 * 1000;

async function install(files) {
  const isEntry = (name) => name === 'index.js' || name === join('cli', 'main.cjs');
  const inOrder = [...files].sort(([a], [b]) => Number(isEntry(a)) - Number(isEntry(b)));
  for (const [name, text] of inOrder) {
    const path = join(dist, name);
    if (Buffer.from(text).equals(await readFile(path).catch(() => Buffer.alloc(0)))) continue;
    const partial = `${path}.${process.pid}.part`;
    await mkdir(dirname(path), { recursive: true });
    await writeFile(partial, text);
    await rename(partial, path);
  }
  const old = await readdir(dist, { recursive: true, withFileTypes: true });
  for (const entry of old) {
    const path = join(entry.parentPath, entry.name);
    if (!entry.isFile() || files.has(relative(dist, path))) continue;
    // A program that was started before may still want to load its parts.
    const age = Date.now() - (await stat(path).catch(() => ({ mtimeMs: 0 }))).mtimeMs;
    if (process.argv.includes('--clean') || age > GRACE_MS) await rm(path, { force: true });
  }
}

const [modules, commonjs, client, { files, complaints }] = await Promise.all([
  library(),
  program(COMMON),
  engineClient(),
  types(),
]);
await install(new Map([...modules, ...commonjs, ...client, ...files]));
if (complaints) {
  process.stderr.write(complaints);
  process.exitCode = 1;
}
