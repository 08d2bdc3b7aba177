/** Git's output as it comes, record by record, for answers that are too long to hold. */
import { RepriseError } from '../core/errors.ts';
import { start, startError } from '../sys/proc.ts';
import { gitEnv, type Repo } from './repo.ts';

/** Git writes its answers one by one into a pipe, for those who wait for each; here they may come in large pieces (git(1), `GIT_FLUSH`). */
const IN_PIECES = { GIT_FLUSH: '0' };

/**
 * Runs Git and hands on each NUL-terminated record of its output, without the NUL.
 *
 * For commands that call no filter: git-annex's own processes would wait for answers that Git holds back.
 *
 * @param input what Git reads; written while its output is read, so that neither waits for the other
 * @throws `git-failed`; whatever `each` throws ends Git
 */
export function streamGit(
  repo: Repo,
  args: readonly string[],
  each: (record: Buffer) => void,
  input: Iterable<string> = [],
): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = start(['git', ...args], {
      cwd: repo.root,
      env: gitEnv(repo.context, IN_PIECES),
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    let rest: Buffer[] = [];
    let words = '';
    child.stdout?.on('data', (chunk: Buffer) => {
      try {
        let from = 0;
        for (let at = chunk.indexOf(0); at !== -1; at = chunk.indexOf(0, from)) {
          each(rest.length === 0 ? chunk.subarray(from, at) : Buffer.concat([...rest, chunk.subarray(from, at)]));
          rest = [];
          from = at + 1;
        }
        if (from < chunk.length) rest.push(chunk.subarray(from));
      } catch (error) {
        child.kill();
        reject(error);
      }
    });
    child.stderr?.on('data', (chunk: Buffer) => (words += chunk.toString('utf8')));
    child.on('error', (cause) => reject(startError('git', repo.root, cause)));
    child.on('close', (code) => {
      if (code === 0) {
        if (rest.length > 0) each(Buffer.concat(rest));
        resolve();
      } else {
        const reason = words.trim().split('\n').slice(-3).join(' ') || 'no message';
        reject(
          new RepriseError(
            'git-failed',
            `git ${args.find((arg) => /^[a-z]/.test(arg))} exited ${code} in ${repo.root}: ${reason}`,
            {
              data: { argv: ['git', ...args], stderr: words },
            },
          ),
        );
      }
    });
    feed(child.stdin as NodeJS.WritableStream, input[Symbol.iterator]());
  });
}

/** Writes pieces as fast as they are taken. */
function feed(stream: NodeJS.WritableStream, pieces: Iterator<string>): void {
  // A Git that ends without reading everything is told from by its exit code.
  stream.on('error', () => {});
  const write = (): void => {
    for (let next = pieces.next(); ; next = pieces.next()) {
      if (next.done === true) {
        stream.end();
        return;
      }
      if (!stream.write(next.value)) {
        stream.once('drain', write);
        return;
      }
    }
  };
  write();
}
