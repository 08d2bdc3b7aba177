import type { Command } from '../parameters.ts';
import { SHELLS, type Shell } from '../completion/shells.ts';
import type { Table } from '../parameters.ts';

/** The command that prints completion scripts for a table, of which it is a part itself. */
export function completionCommand(table: () => Table): Command {
  return {
    name: 'completion',
    summary: 'Print a script that completes commands and options in a shell',
    description: ['Prints a completion script for bash, zsh or fish.'],
    examples: [
      { what: 'bash', line: 'reprise completion bash > ~/.local/share/bash-completion/completions/reprise' },
      { what: 'zsh, into a folder of $fpath', line: 'reprise completion zsh > ~/.zfunc/_reprise' },
      { what: 'fish', line: 'reprise completion fish > ~/.config/fish/completions/reprise.fish' },
    ],
    parameters: {
      shell: {
        kind: 'operand',
        argument: 'SHELL',
        choices: SHELLS,
        required: true,
        completion: 'none',
        description: `The shell: ${SHELLS.join(', ')}`,
      },
    },
    async start(values) {
      const shell = values['shell'] as Shell;
      const { completionScript } = await import('../completion/script.ts');
      return completionScript(shell, table());
    },
  };
}
