/**
 * Completes package-lock.json with the packages for other platforms that npm left out.
 *
 *   node tools/complete-lock.mjs        after every `npm install` that changed dependencies
 *
 * npm writes down only what the registry in use can deliver, and a registry that mirrors on demand has not got the packages of
 * platforms that nobody asked for. `npm ci` then calls the lock file incomplete, there and everywhere else. An entry for another
 * platform needs a version and the platform, no more: it is never installed here.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

const SYSTEMS = ['android', 'darwin', 'freebsd', 'linux', 'openharmony', 'win32'];
const PROCESSORS = ['arm64', 'arm', 'ia32', 'ppc64', 'riscv64', 's390x', 'x64'];

/** The platform that the name of a package ends in: `@biomejs/cli-linux-x64-musl`. */
function platformOf(name) {
  const words = name.split(/[/-]/);
  const at = words.findIndex((word) => SYSTEMS.includes(word));
  const processor = words[at + 1];
  if (at === -1 || !PROCESSORS.includes(processor)) throw new Error(`${name} does not name its platform`);
  const library = words.at(-1).startsWith('musl') ? ['musl'] : words.at(-1).startsWith('gnu') ? ['glibc'] : null;
  return { cpu: [processor], ...(library && { libc: library }), os: [words[at]] };
}

const path = join(resolve(import.meta.dirname, '..'), 'package-lock.json');
const lock = JSON.parse(readFileSync(path, 'utf8'));
const missing = Object.entries(lock.packages).flatMap(([where, from]) =>
  Object.entries(from.optionalDependencies ?? {})
    .map(([name, version]) => ({ name, version, key: `node_modules/${name}`, dev: from.dev }))
    .filter(({ key, version }) => /^\d/.test(version) && !lock.packages[key] && !lock.packages[`${where}/${key}`]),
);
for (const { name, version, key, dev } of missing) {
  const { cpu, ...rest } = platformOf(name);
  lock.packages[key] = { version, cpu, ...(dev && { dev }), optional: true, ...rest };
}
const packages = Object.fromEntries(Object.entries(lock.packages).sort(([a], [b]) => a.localeCompare(b, 'en')));
writeFileSync(path, `${JSON.stringify({ ...lock, packages }, null, 2)}\n`);
console.log(`${missing.length} entries added`);
