/** What is in a work tree: names, kinds, link targets and content, read by this process, as tests look at it again and again. */
import { createHash } from 'node:crypto';
import { lstatSync, readdirSync, readFileSync, readlinkSync, type Stats } from 'node:fs';

/** A line for all that is not a `.git`, in the order of the names, which are those of the bytes on the disk. */
export function linesOfTree(folder: string, { modes }: { readonly modes: boolean }): readonly string[] {
  const lines: string[] = [];
  const walk = (path: Buffer, name: string): void => {
    const stat = lstatSync(path);
    const [kind, content] = kindAndContent(path, stat);
    lines.push([kind, ...(modes ? [(stat.mode & 0o7777).toString(8)] : []), name, content].join(' '));
    if (!stat.isDirectory()) return;
    for (const entry of readdirSync(path, { encoding: 'buffer' }).sort((one, other) => Buffer.compare(one, other)))
      if (!entry.equals(GIT_DIR)) walk(Buffer.concat([path, SLASH, entry]), `${name}/${entry.toString('latin1')}`);
  };
  walk(Buffer.from(folder), '.');
  return lines;
}

/** The digest of a file's content, or `none`. */
export function digestOf(path: string | Buffer): string {
  try {
    return createHash('sha256').update(readFileSync(path)).digest('hex');
  } catch (error) {
    if (/^(ENOENT|ENOTDIR)$/.test((error as NodeJS.ErrnoException).code ?? '')) return 'none';
    throw error;
  }
}

const GIT_DIR = Buffer.from('.git');
const SLASH = Buffer.from('/');

function kindAndContent(path: Buffer, stat: Stats): readonly [kind: string, content: string] {
  if (stat.isDirectory()) return ['d', ''];
  if (stat.isSymbolicLink()) return ['l', readlinkSync(path, { encoding: 'buffer' }).toString('latin1')];
  if (stat.isFile()) return ['f', `${stat.size} ${digestOf(path)}`];
  return ['other', ''];
}
