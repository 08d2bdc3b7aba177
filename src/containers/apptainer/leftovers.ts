/**
 * Mounts that outlive their container.
 *
 * Where Apptainer mounts a SIF file without privileges, a `squashfuse` process in a session of its own serves it. When Apptainer itself
 * is killed with SIGKILL, the container's processes die with their PID namespace, but that process stays, for good: it is alone in its
 * mount namespace then, and holds the image open. Source: namespaces(7), proc(5); measured with Apptainer 1.4.5.
 */
import { readdirSync, readlinkSync } from 'node:fs';
import { readOrNull } from '../../sys/files.ts';

/** Ends this user's mounts of an image, given by its real path, that no container uses any more; returns how many there were. */
export function endOrphanedMounts(image: string): number {
  const namespaces = new Map<number, string>();
  for (const pid of processes()) {
    const namespace = linkOf(`/proc/${pid}/ns/mnt`);
    if (namespace !== null) namespaces.set(pid, namespace);
  }
  const orphans = [...namespaces].filter(
    ([pid, namespace]) =>
      readOrNull(`/proc/${pid}/comm`)?.toString('latin1').startsWith('squashfuse') &&
      [...namespaces.values()].filter((other) => other === namespace).length === 1 &&
      opens(pid, image),
  );
  return orphans.filter(([pid]) => end(pid)).length;
}

function end(pid: number): boolean {
  try {
    return process.kill(pid, 'SIGTERM');
  } catch {
    // It ended by itself in the meantime.
    return false;
  }
}

function processes(): readonly number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number);
}

function opens(pid: number, image: string): boolean {
  try {
    return readdirSync(`/proc/${pid}/fd`).some((fd) => linkOf(`/proc/${pid}/fd/${fd}`) === image);
  } catch {
    return false;
  }
}

/** Null where the process is gone, or another user's. */
function linkOf(path: string): string | null {
  try {
    return readlinkSync(path);
  } catch {
    return null;
  }
}
