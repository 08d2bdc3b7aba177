/** What completion needs to know about a command, the same for every shell. */
import { type Command, type Completion, isOption, type Option, type Table, type Word } from '../parameters.ts';

/** One option as it can be typed at some place. */
export interface TypedOption {
  readonly option: Option;
  readonly short: string | undefined;
  readonly long: string | undefined;
}

/** The global options, as typed before the command. */
export function globalOptions(table: Table): TypedOption[] {
  return Object.values(table.globals).map((option) => ({ option, short: option.short, long: option.long }));
}

/** The options of a command, and the global ones under the names that the command leaves free. */
export function optionsOf(command: Command, table: Table): TypedOption[] {
  const own = Object.values(command.parameters)
    .filter(isOption)
    .map((option) => ({ option, short: option.short, long: option.long }));
  const taken = new Set(own.flatMap(({ short, long }) => [short, long]));
  const more = globalOptions(table)
    .map(({ option, short, long }) => ({
      option,
      short: taken.has(short as `-${string}`) ? undefined : short,
      long: taken.has(long as `--${string}`) ? undefined : long,
    }))
    .filter(({ short, long }) => short ?? long);
  return [...own, ...more];
}

/** The first word that belongs to no option. */
export function firstWordOf(command: Command): Word | undefined {
  return Object.values(command.parameters).find(
    (parameter): parameter is Word => !isOption(parameter) && parameter.kind !== 'derived',
  );
}

/** Whether everything after the first word belongs to another command, which completes itself. */
export function wrapsCommand(command: Command): boolean {
  return firstWordOf(command)?.kind === 'remainder';
}

/** The fixed words that a word may be. */
export function choicesOf(word: Word | undefined): readonly string[] {
  return word?.kind === 'operand' ? (word.choices ?? []) : [];
}

/** Whether the next word is the option's argument. */
export function takesArgument(option: Option): boolean {
  return option.kind !== 'flag' && !(option.kind === 'choice' && option.bare !== undefined);
}

/** The fixed words that an option's argument may be. */
export function wordsFor(option: Option): readonly string[] {
  if (option.kind === 'choice') return option.choices;
  if (option.kind === 'yes-no') return ['yes', 'no'];
  return option.kind === 'levels' ? option.words : [];
}

/** What kind of name an option's argument is. */
export function nameFor(option: Option): Completion {
  return 'completion' in option && option.completion ? option.completion : 'none';
}

/** One line for a menu. */
export function menuText(option: Option): string {
  return option.description.split(/[;:,.]/)[0] as string;
}
