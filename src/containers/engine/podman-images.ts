/** Images of Podman through its command line (podman-image-inspect(1), podman-load(1), podman-rmi(1)). */
import type { Readable } from 'node:stream';
import { execute, start } from '../../sys/proc.ts';

/** What Podman knows of an image, or null if it has none of this name. */
export async function inspectByCommand(name: string, env: NodeJS.ProcessEnv): Promise<unknown> {
  const done = await execute(['podman', 'image', 'inspect', '--format=json', name], { cwd: '/', env });
  if (done.code !== 0) return null;
  return (JSON.parse(done.stdout.toString('utf8')) as readonly unknown[])[0] ?? null;
}

/** Loads a tar file. */
export async function loadByCommand(
  tar: Readable,
  env: NodeJS.ProcessEnv,
): Promise<{ readonly text: string; readonly error: string | null }> {
  const child = start(['podman', 'load', '--quiet'], { cwd: '/', env, stdio: ['pipe', 'pipe', 'pipe'] });
  const texts = { stdout: '', stderr: '' };
  child.stdout?.on('data', (chunk: Buffer) => (texts.stdout += chunk.toString('utf8')));
  child.stderr?.on('data', (chunk: Buffer) => (texts.stderr += chunk.toString('utf8')));
  if (child.stdin) {
    // Podman may find out before the end that it does not want the rest.
    child.stdin.on('error', () => {});
    tar.pipe(child.stdin);
  }
  const code = await new Promise<number | null>((resolve, reject) => {
    tar.once('error', (error) => {
      child.kill();
      reject(error);
    });
    child.once('error', reject);
    child.once('close', resolve);
  });
  tar.destroy();
  return { text: texts.stdout.trim(), error: code === 0 ? null : lastLine(texts.stderr) };
}

/** Removes an image by its name. @returns whether there was one that no container uses */
export async function removeImageByCommand(name: string, env: NodeJS.ProcessEnv): Promise<boolean> {
  const done = await execute(['podman', 'rmi', name], { cwd: '/', env });
  return done.code === 0 && done.stdout.length > 0;
}

function lastLine(text: string): string {
  return text.trim().split('\n').at(-1) ?? '';
}
