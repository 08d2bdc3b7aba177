/**
 * Files of Singularity 2: a bare squashfs or ext3 file system, as a rule behind the line `#!/usr/bin/env run-singularity`.
 *
 * Recognised as Apptainer does (github.com/apptainer/apptainer, `pkg/image/squashfs.go` and `ext3.go`). The launch line is
 * required for ext3 and not for squashfs: a bare ext3 file may be an overlay, which is no image.
 */
import { type ByteRange, readRange } from './byte-range.ts';

const LAUNCH = 'run-singularity\n';

/** Whether a file begins as an image of Singularity 2 does. */
export function isSimg(file: ByteRange): boolean {
  const start = readRange(file, 4096);
  const line = start.toString('latin1', 0, 64).indexOf(LAUNCH);
  const from = line === -1 ? 0 : line + LAUNCH.length;
  if (start.toString('latin1', from, from + 4) === 'hsqs') return true;
  // The superblock of ext3 is 1024 bytes in, its magic number 56 bytes further.
  return line !== -1 && start.length >= from + 1082 && start.readUInt16LE(from + 1080) === 0xef53;
}
