/** A small file system of its own, to be filled up. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface SmallDisk {
  readonly dir: string;
  /** Bytes that are free. */
  free(): number;
  /** Fills it up until only so many bytes are free. */
  leave(bytes: number): void;
  /** Takes the filling away. */
  release(): void;
  unmount(): void;
}

/** Whether file systems can be mounted here. */
export function canMount(dir: string): boolean {
  if (process.getuid?.() !== 0) return false;
  mkdirSync(dir, { recursive: true });
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', dir]).status === 0;
  if (mounted) spawnSync('umount', [dir]);
  return mounted;
}

/** Mounts a tmpfs of the given size (such as `4m`) on a folder. */
export function smallDisk(dir: string, size: string): SmallDisk {
  mkdirSync(dir, { recursive: true });
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${size},mode=777`, 'tmpfs', dir], {
    encoding: 'utf8',
  });
  if (mounted.status !== 0) throw new Error(`no tmpfs could be mounted: ${mounted.stderr}`);
  const filling = join(dir, 'filling');
  const free = () => {
    const { bavail, bsize } = statfsSync(dir);
    return bavail * bsize;
  };
  return {
    dir,
    free,
    leave(bytes) {
      const size = Math.max(0, free() - bytes);
      writeFileSync(filling, Buffer.alloc(size));
    },
    release: () => rmSync(filling, { force: true }),
    unmount() {
      spawnSync('umount', ['-l', dir]);
    },
  };
}
