/** The shell blocks of a Markdown page, typed one after another, and what the page says they print. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { projectRoot, type World } from './world.ts';

export interface ShellBlock {
  readonly code: string;
  /** Lines of the `text` block that follows: each must be printed, in this order, with others in between. `...` stands for anything. */
  readonly expected: readonly string[];
}

/** Reads the `sh` blocks of a page of this project, each with the `text` block that follows it directly or after some prose. */
export function shellBlocks(page: string): readonly ShellBlock[] {
  const text = readFileSync(join(projectRoot, page), 'utf8');
  const fences = [...text.matchAll(/^```(\w*)\n(.*?)^```$/gms)].map(([, kind = '', body = '']) => ({ kind, body }));
  return fences.flatMap(({ kind, body }, at) => {
    if (kind !== 'sh') return [];
    const next = fences[at + 1];
    const expected = next?.kind === 'text' ? next.body.split('\n').filter((line) => line.trim() !== '') : [];
    return [{ code: body, expected }];
  });
}

export interface Typed {
  readonly code: string;
  readonly output: string;
}

/**
 * Types blocks into one shell after another, each starting in the folder where the one before ended; throws at the first command that fails
 * and at the first line that a page promises and that is not printed.
 */
export function typeBlocks(
  world: World,
  cwd: string,
  blocks: readonly ShellBlock[],
  env: Record<string, string>,
): readonly Typed[] {
  const where = world.path('where');
  let folder = cwd;
  return blocks.map(({ code, expected }) => {
    const script = `set -e\n${code}\npwd > '${where}'\n`;
    const { code: status, stdout, stderr } = world.exec(['/bin/sh', '-c', script], { cwd: folder, env });
    const output = stdout + stderr;
    if (status !== 0) throw new Error(`exited ${status}:\n${code}\n${output}`);
    assertPrinted(code, output, expected);
    folder = readFileSync(where, 'utf8').trimEnd();
    return { code, output };
  });
}

function assertPrinted(code: string, output: string, expected: readonly string[]): void {
  const lines = output.split('\n').map((line) => line.trim());
  let from = 0;
  for (const line of expected) {
    const parts = line
      .trim()
      .split('...')
      .map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&'));
    const pattern = new RegExp(`^${parts.join('.*')}$`);
    const at = lines.findIndex((printed, index) => index >= from && pattern.test(printed));
    if (at === -1) throw new Error(`not printed: ${line}\nby: ${code}\nbut:\n${output}`);
    from = at + 1;
  }
}

/** A `PATH` on which `reprise` is the built program. */
export function pathWithReprise(world: World): Record<string, string> {
  const folder = world.path('bin/reprise').replace(/\/reprise$/, '');
  world.write(
    `${folder}/reprise`,
    `#!/bin/sh\nexec '${process.execPath}' '${join(projectRoot, 'bin/reprise.js')}' "$@"\n`,
  );
  world.ok(['chmod', '+x', `${folder}/reprise`]);
  return { PATH: `${folder}:${process.env['PATH']}` };
}
