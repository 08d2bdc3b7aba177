/**
 * What the test suite needs beyond Node and Git: what is missing, and how to get it.
 *
 *   node tools/setup.mjs           installs what is missing (as root on Debian)
 *   node tools/setup.mjs --list    only says what is missing; exits 1 if something is
 */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';

const root = resolve(import.meta.dirname, '..');
const engine = join(root, 'tools/engines/datalad-latest.sh');
const apptainer = join(root, 'tools/engines/apptainer.sh');
const isRoot = process.getuid?.() === 0;

const runs = (...argv) => spawnSync(argv[0], argv.slice(1), { stdio: 'ignore' }).status === 0;

/** Programs by the Debian package that brings them. */
const PACKAGES = {
  'git-annex': () => runs('git-annex', 'version'),
  datalad: () => runs('datalad', '--version'),
  'datalad-container': () => existsSync('/usr/lib/python3/dist-packages/datalad_container'),
  python3: () => runs('python3', '-c', 'import lzma'),
  'xz-utils': () => runs('xz', '--version'),
  strace: () => runs('strace', '-V'),
  time: () => existsSync('/usr/bin/time'),
  zsh: () => runs('zsh', '--version'),
  fish: () => runs('fish', '--version'),
  curl: () => runs('curl', '--version'),
  'busybox-static': () => runs('busybox', 'true'),
  debootstrap: () => existsSync('/usr/sbin/debootstrap'),
  'docker.io': () => runs('dockerd', '--version'),
  iptables: () => runs('iptables', '--version'),
  podman: () => runs('podman', '--version'),
  catatonit: () => existsSync('/usr/bin/catatonit') || existsSync('/usr/libexec/podman/catatonit'),
  runc: () => runs('runc', '--version'),
  'containernetworking-plugins': () => existsSync('/usr/lib/cni/bridge'),
  'squashfs-tools': () => runs('mksquashfs', '-version'),
  'docker-registry': () => runs('docker-registry', '--version'),
};

/**
 * The tree with the newest DataLad. It is a system of its own, made and entered by root, so it is kept where such things are kept
 * for all checkouts of a machine, unless REPRISE_DATALAD_LATEST says otherwise.
 */
export function dataladTree() {
  const chosen = process.env.REPRISE_DATALAD_LATEST;
  if (chosen) return resolve(chosen);
  return ['/opt/datalad-latest', '/var/cache/reprise/datalad-latest'].find((tree, at) => at === 1 || isTree(tree));
}

const isTree = (tree) => existsSync(join(tree, '.ready'));

/** Whether this process may install: root, where apt is. */
export function mayInstall() {
  return isRoot && runs('apt-get', '--version');
}

/** What is no package of this Debian: a recipe of ours brings it. */
const RECIPES = ['apptainer', 'datalad-latest'];
const isPackage = (name) => !RECIPES.includes(name);

/** What is missing, as names of Debian packages, and of recipes of ours. */
export function missing() {
  const packages = Object.entries(PACKAGES).flatMap(([name, works]) => (works() ? [] : [name]));
  return [
    ...packages,
    ...(runs('apptainer', '--version') ? [] : ['apptainer']),
    ...(isRoot && isTree(dataladTree()) ? [] : ['datalad-latest']),
  ];
}

/** How a person gets what is missing. */
export function howToInstall(names) {
  const packages = names.filter(isPackage);
  return [
    'as root on Debian, everything:  node tools/setup.mjs',
    ...(packages.length > 0 ? [`packages:                       apt-get install ${packages.join(' ')}`] : []),
    ...(names.includes('apptainer') ? ['Apptainer (needs root):         bash tools/engines/apptainer.sh install'] : []),
    ...(names.includes('datalad-latest')
      ? ['newest DataLad (needs root):    bash tools/engines/datalad-latest.sh install']
      : []),
  ];
}

/** Installs; says what it does. Returns what is missing still. */
export function install(names) {
  const packages = names.filter(isPackage);
  if (packages.length > 0) {
    console.log(`Installing ${packages.join(', ')} ...`);
    // A second attempt, because mirrors have their moments.
    if (!aptInstall(packages)) aptInstall(packages);
  }
  if (names.includes('apptainer')) {
    console.log('Installing Apptainer ...');
    if (!loudly('bash', apptainer, 'install')) loudly('bash', apptainer, 'install');
  }
  if (names.includes('datalad-latest')) {
    console.log(`Installing the newest DataLad into ${dataladTree()} (about 1 GB, some minutes) ...`);
    if (!loudly('bash', engine, 'install', dataladTree())) loudly('bash', engine, 'install', dataladTree());
  }
  return missing();
}

function aptInstall(packages) {
  return (
    loudly('apt-get', '-qq', 'update') &&
    loudly('apt-get', 'install', '-qq', '-y', '--no-install-recommends', ...packages)
  );
}

/** Runs a program; shows what it printed only if it failed. */
function loudly(...argv) {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const done = spawnSync(argv[0], argv.slice(1), {
    encoding: 'utf8',
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
    maxBuffer: 1 << 26,
  });
  if (done.status !== 0) console.error(`${argv.join(' ')} failed\n${done.stdout ?? ''}${done.stderr ?? ''}`);
  return done.status === 0;
}

if (import.meta.filename === process.argv[1]) {
  const before = missing();
  const listOnly = process.argv.includes('--list') || (before.length > 0 && !mayInstall());
  const after = listOnly ? before : install(before);
  if (after.length === 0) console.log('Everything is there.');
  else console.log([`Missing: ${after.join(', ')}`, ...howToInstall(after).map((line) => `  ${line}`)].join('\n'));
  process.exitCode = after.length === 0 ? 0 : 1;
}
