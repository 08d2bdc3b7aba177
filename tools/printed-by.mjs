/** Programs that a build starts. */
import { spawn } from 'node:child_process';

/** What a program printed if it failed, else an empty text. */
export function printedBy(program, args, options = {}) {
  return new Promise((done, fail) => {
    const child = spawn(program, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] });
    let text = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (text += chunk));
    child.on('error', fail);
    child.on('close', (code) => done(code === 0 ? '' : text || `${program} exited ${code}`));
  });
}
