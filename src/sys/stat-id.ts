/** What tells one state of a file from another without reading it. */
import { lstatSync, type Stats, statSync } from 'node:fs';
import { fsPath } from '../core/bytes.ts';

export interface Look {
  /**
   * Identity of what is at a path, and of the content behind it where that is a symbolic link: inode, size, mode and time.
   *
   * Empty where nothing is. Two equal identities mean that nobody wrote in between.
   */
  readonly id: string;
  /** `link`: to a file; `folder-link`: to a folder; `dangling`: a link that leads nowhere. */
  readonly kind: 'absent' | 'folder' | 'file' | 'link' | 'folder-link' | 'dangling';
}

const ABSENT: Look = { id: '', kind: 'absent' };

/** Looks at a path with at most two system calls: inputs come by ten thousands. */
export function look(path: string): Look {
  const at = fsPath(path);
  try {
    const own = lstatSync(at, { throwIfNoEntry: false });
    if (!own) return ABSENT;
    if (!own.isSymbolicLink()) return { id: describe(own), kind: own.isDirectory() ? 'folder' : 'file' };
    const content = statSync(at, { throwIfNoEntry: false });
    if (!content) return { id: describe(own), kind: 'dangling' };
    // What is in a folder has identities of its own, and that of the folder changes with it.
    if (content.isDirectory()) return { id: describe(own), kind: 'folder-link' };
    return { id: `${describe(own)}|${describe(content)}`, kind: 'link' };
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    // A file is where a folder of the path would be, or a link points to itself.
    if (code === 'ENOTDIR' || code === 'ELOOP') return ABSENT;
    throw error;
  }
}

/** The identity of what is at a path; see `Look`. */
export function statId(path: string): string {
  return look(path).id;
}

function describe(stat: Stats): string {
  return `${stat.dev}:${stat.ino}:${stat.size}:${stat.mtimeMs}:${stat.mode}`;
}
