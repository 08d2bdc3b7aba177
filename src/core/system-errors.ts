/** What the operating system refuses, as an error that the user can mend. */
import { type ErrorCode, RepriseError } from './errors.ts';

const CODES: Readonly<Record<string, readonly [ErrorCode, string, readonly string[]]>> = {
  ENOSPC: ['disk-full', 'There is no space left', ['df -h .']],
  EDQUOT: ['disk-full', 'The disk quota is used up', ['quota -s']],
  EACCES: ['permission-denied', 'Access is denied', []],
  EPERM: ['permission-denied', 'The operation is not permitted', []],
  EROFS: ['permission-denied', 'The file system is read-only', []],
  ENOENT: ['path-missing', 'A file or folder does not exist', []],
  ENOTDIR: ['path-missing', 'A file is where a folder should be', []],
  EISDIR: ['path-missing', 'A folder is where a file should be', []],
  ENAMETOOLONG: ['path-missing', 'A name is too long', []],
  ELOOP: ['path-missing', 'Symbolic links lead round in a circle', []],
  EMFILE: ['permission-denied', 'Too many files are open', ['ulimit -n 4096']],
};

/** Turns an error of a file operation into one sentence that names the path; anything else comes back as it is. */
export function explainSystemError(error: unknown): unknown {
  if (!(error instanceof Error) || error instanceof RepriseError) return error;
  const { code, path, dest, syscall } = error as NodeJS.ErrnoException & { readonly dest?: unknown };
  const known = code !== undefined && syscall !== undefined ? CODES[code] : undefined;
  if (!known) return error;
  const [mapped, sentence, hints] = known;
  const where = [path, dest].filter((name) => name !== undefined).map(String);
  return new RepriseError(
    mapped,
    where.length === 0 ? `${sentence} (${syscall})` : `${sentence}: ${where.join(' -> ')}`,
    {
      cause: error,
      hints,
      data: { path: where[0] ?? null, errno: code },
    },
  );
}
