/**
 * A program that is killed at a given step: every change of a file is one, and the moments before and after the start of a process.
 *
 * The module that `crashModule` writes is loaded into `reprise` before everything else (`node --import`). It counts the calls that change
 * something outside the process, and ends the process with SIGKILL at the wanted one. Nothing else is different: the program, Git and
 * git-annex are the real ones.
 */
import { readFileSync, writeFileSync } from 'node:fs';

const SOURCE = `
import { createRequire, syncBuiltinESMExports } from 'node:module';
const require = createRequire(import.meta.url);
const fs = require('node:fs');
const processes = require('node:child_process');
const wanted = Number(process.env.CRASH_AT ?? 0);
const listFile = process.env.CRASH_LIST;
const { appendFileSync, lstatSync } = fs;
let count = 0;
let inside = 0;
const step = (what) => {
  count += 1;
  if (listFile) {
    inside += 1;
    appendFileSync(listFile, what.replaceAll('\\n', ' ').slice(0, 160) + '\\n');
    inside -= 1;
  }
  if (count === wanted) process.kill(process.pid, 'SIGKILL');
};
const patch = (name, changes) => {
  const original = fs[name];
  fs[name] = function (...args) {
    if (inside === 0 && changes(...args)) step(name + ' ' + args.filter((arg) => typeof arg === 'string' || arg instanceof Buffer).join(' '));
    inside += 1;
    try {
      return original.apply(this, args);
    } finally {
      inside -= 1;
    }
  };
};
const exists = (path) => lstatSync(path, { throwIfNoEntry: false }) !== undefined;
const writes = (flags) => typeof flags === 'string' ? /[wa+]/.test(flags) : typeof flags === 'number' && (flags & 3) !== 0;
patch('writeSync', (fd) => fd > 2);
patch('openSync', (path, flags) => writes(flags));
patch('mkdirSync', (path) => !exists(path));
for (const name of ['rmSync', 'rmdirSync', 'unlinkSync']) patch(name, exists);
for (const name of ['writeFileSync', 'appendFileSync', 'renameSync', 'linkSync', 'symlinkSync', 'copyFileSync', 'chmodSync', 'fchmodSync',
  'utimesSync', 'futimesSync', 'lutimesSync', 'mkdtempSync', 'truncateSync', 'ftruncateSync']) patch(name, () => true);
const READING = /^git (-\\S+ |\\S+=\\S* )*(config|status|cat-file|check-attr|check-ignore|var|diff-index|diff-tree|rev-parse|rev-list|ls-files|ls-tree|log|merge-base|for-each-ref|show) /;
const { spawn } = processes;
processes.spawn = (...args) => {
  const what = [args[0], ...(args[1] ?? [])].join(' ');
  step('before ' + what);
  const child = spawn(...args);
  if (!READING.test(what)) step('after ' + what);
  return child;
};
syncBuiltinESMExports();
`;

/** Writes the module to a path that ends in `.mjs`. */
export function crashModule(path: string): string {
  writeFileSync(path, SOURCE);
  return path;
}

/** Reads the list of steps that a program with `CRASH_LIST` has left. */
export function readSteps(path: string): readonly string[] {
  return readFileSync(path, 'utf8').split('\n').slice(0, -1);
}
