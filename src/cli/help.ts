/** The parts of help texts that commander does not write. */
import type { Command, Example } from './parameters.ts';

/** `reprise save [options] [PATH...]`. */
export function usageLine(command: Command): string {
  const words = Object.values(command.parameters).flatMap((parameter) => {
    if (parameter.kind === 'operand') return [parameter.required ? parameter.argument : `[${parameter.argument}]`];
    if (parameter.kind === 'operands') return [`[${parameter.argument}...]`];
    return parameter.kind === 'remainder' ? [parameter.usage] : [];
  });
  return ['reprise', command.name, '[options]', ...words].join(' ');
}

/** Examples and exit codes. */
export function helpAfter(examples: readonly Example[], exitCodes: readonly (readonly [string, string])[]): string {
  const width = Math.max(...exitCodes.map(([code]) => code.length));
  const blocks = [
    ...(examples.length === 0
      ? []
      : [['', 'Examples:', ...examples.flatMap(({ what, line }) => [`  # ${what}`, `  ${line}`])]]),
    ['', 'Exit codes:', ...exitCodes.map(([code, meaning]) => `  ${code.padEnd(width)}  ${meaning}`)],
  ];
  return blocks.flat().join('\n');
}
