/**
 * A program that is killed at a given step: every change of a file is one, and the moments before and after the start of a process.
 *
 * The module that `crashModule` writes is loaded into `reprise` before everything else (`node --import`). It counts the calls that change
 * something outside the process, and ends the process with SIGKILL at the wanted one: number CRASH_AT, or the first that CRASH_ON matches,
 * after CRASH_SKIP others that it matches. Nothing else is different: the program, Git and
 * git-annex are the real ones.
 */
import { readFileSync, writeFileSync } from 'node:fs';

/** Processes that change nothing. */
const READING =
  /^git (-\S+ |\S+=\S* )*(config|status|cat-file|check-attr|check-ignore|var|diff-index|diff-tree|rev-parse|rev-list|ls-files|ls-tree|log|merge-base|for-each-ref|show) /;

const SOURCE = `
import { createRequire, syncBuiltinESMExports } from 'node:module';
const require = createRequire(import.meta.url);
const fs = require('node:fs');
const processes = require('node:child_process');
const wanted = Number(process.env.CRASH_AT ?? 0);
const pattern = process.env.CRASH_ON ? new RegExp(process.env.CRASH_ON) : undefined;
let matches = -Number(process.env.CRASH_SKIP ?? 0);
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
  if (pattern?.test(what)) matches += 1;
  if (count === wanted || matches > 0) process.kill(process.pid, 'SIGKILL');
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
const READING = ${READING};
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

/**
 * Numbers of the steps of a run at which it should be killed, so that every kind of moment is met, and no more than a few of them twice.
 *
 * A moment is what has just been done and what comes next; its kind leaves out names and numbers. A kill before a process that only reads
 * leaves what a kill at the next step leaves. `met` holds the kinds that other runs have met; of those this run meets every `every`-th again.
 */
export function stepsToKillAt(steps: readonly string[], dataset: string, met: Set<string>, every: number): number[] {
  const chosen: number[] = [];
  let last = '';
  let again = met.size;
  for (const [index, step] of steps.entries()) {
    if (READING.test(step.replace(/^before /, ''))) continue;
    const kind = kindOf(step, dataset);
    const moment = `${last}, then ${kind}`;
    last = kind;
    if (met.has(moment)) again += 1;
    if (!met.has(moment) || again % every === 0) chosen.push(index + 1);
    met.add(moment);
  }
  return chosen;
}

function kindOf(step: string, dataset: string): string {
  return step
    .replaceAll(`${dataset}/`, '//')
    .replace(/ -c \S+=\S*/g, '')
    .replace(/objects\/\S+/g, 'objects/KEY')
    .replace(/[0-9a-f-]{6,}|\d+/g, 'N')
    .replace(/\/\/(?!(\S+\/)?\.git\/)\S+/g, 'FILE')
    .slice(0, 70);
}
