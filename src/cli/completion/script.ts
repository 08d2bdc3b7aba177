/** Completion scripts, generated from the table: all that a script knows is written into it, so that completing starts nothing. */
import type { Table } from '../parameters.ts';
import { bashScript } from './bash.ts';
import { fishScript } from './fish.ts';
import type { Shell } from './shells.ts';
import { zshScript } from './zsh.ts';

/** The script for a shell. */
export function completionScript(shell: Shell, table: Table): string {
  return { bash: bashScript, zsh: zshScript, fish: fishScript }[shell](table);
}
