/** What a process and its descendants use: memory, and system calls that look at files. Linux only; null where it cannot be told. */
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { started } from './measure.mjs';

const INTERVAL_MS = 2;

/**
 * Runs a program and adds up, every few milliseconds, the resident memory of it and all its descendants. Pages that processes share count for
 * each of them, so the true figure is never above this one but for what lives between two looks.
 *
 * @returns the largest sum in MB
 */
export function peakMemoryMb(argv, options) {
  return peakOf(argv, options, treeKb);
}

/** The largest resident memory of a program alone, in MB, as the kernel notes it: what it keeps, whatever it starts meanwhile (proc(5), `VmHWM`). */
export function ownPeakMemoryMb(argv, options) {
  return peakOf(argv, options, (pid) => statusKb(pid, 'VmHWM'));
}

async function peakOf(argv, options, kbOf) {
  if (process.platform !== 'linux') return null;
  const { pid, end } = started(argv, options);
  let peak = 0;
  const timer = setInterval(() => {
    peak = Math.max(peak, kbOf(pid));
  }, INTERVAL_MS);
  const code = await end;
  clearInterval(timer);
  if (code !== 0) throw new Error(`${argv.join(' ')} exited ${code}`);
  return peak / 1024;
}

function treeKb(pid) {
  try {
    return childrenOf(pid).reduce((sum, child) => sum + treeKb(child), statusKb(pid, 'VmRSS'));
  } catch {
    // It ended between two looks.
    return 0;
  }
}

function statusKb(pid, field) {
  try {
    return Number(
      new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1] ?? 0,
    );
  } catch {
    return 0;
  }
}

function childrenOf(pid) {
  return readdirSync(`/proc/${pid}/task`).flatMap((task) => {
    const list = readFileSync(`/proc/${pid}/task/${task}/children`, 'latin1');
    return list.split(' ').filter(Boolean).map(Number);
  });
}

const LOOKS = ['stat', 'lstat', 'newfstatat', 'statx', 'open', 'openat', 'getdents64'];

/**
 * Counts the calls of a program and all its descendants that look at files or folders.
 *
 * @returns the number of each kind of call, or null without strace
 */
export function countLooks(world, argv, cwd) {
  const output = join(world.dir, 'calls');
  const wanted = LOOKS.map((name) => `?${name}`).join(',');
  const result = spawnSync('strace', ['-f', '-qq', '-c', '-e', `trace=${wanted}`, '-o', output, ...argv], {
    cwd,
    env: world.env,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  if (result.error) return null;
  if (result.status !== 0)
    throw new Error(`${argv.join(' ')} under strace: exit ${result.status}\n${String(result.stderr)}`);
  const rows = readFileSync(output, 'latin1').matchAll(/^\s*[\d.]+\s+[\d.]+\s+\d+\s+(\d+)\s+(?:\d+\s+)?(\w+)$/gm);
  const counts = Object.fromEntries([...rows].map(([, calls, name]) => [name, Number(calls)]));
  delete counts.total;
  rmSync(output);
  return counts;
}
