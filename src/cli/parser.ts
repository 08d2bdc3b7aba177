/**
 * From the words of a command line to a command and its values: the table, put into commander.
 *
 * Commander's positional options and pass-through keep the options of a wrapped command its own: the first word that is no
 * option ends option parsing, as in DataLad.
 */
import { Command as Parser, CommanderError, Option as ParserOption } from 'commander';
import { RepriseError } from '../core/errors.ts';
import { helpAfter, usageLine } from './help.ts';
import type { Globals } from './options.ts';
import {
  type Command,
  isOption,
  type Operand,
  type Option,
  type Parameter,
  type Table,
  type Values,
} from './parameters.ts';
import { parseValue } from './values.ts';

export type Parsed =
  | { readonly kind: 'command'; readonly command: Command; readonly values: Values; readonly globals: Globals }
  | { readonly kind: 'help'; readonly text: string }
  | { readonly kind: 'version' };

/** Commander keeps all values of a command in one object; those of global options are set apart by this. */
const GLOBAL = 'global.';

/**
 * Parses a command line.
 *
 * @param argv the words after the program's name
 * @param columns width for help texts
 * @throws `usage` with the usage line in `data.usage`
 */
export function parseCommandLine(table: Table, argv: readonly string[], columns: number): Parsed {
  try {
    return parse(table, argv, columns);
  } catch (error) {
    throw error instanceof RepriseError ? withUsage(error, commandIn(table, argv)) : error;
  }
}

function parse(table: Table, argv: readonly string[], columns: number): Parsed {
  let help = '';
  let found: { readonly command: Command; readonly parser: Parser } | undefined;
  const configure = (parser: Parser): Parser =>
    parser
      .exitOverride()
      .helpOption('-h, --help', 'Show this help')
      .configureHelp({
        helpWidth: columns,
        minWidthToWrap: 20,
        optionDescription: (option) => option.description,
        subcommandTerm: (command) => command.name(),
      })
      .configureOutput({
        writeOut: (text) => {
          help += text;
        },
        writeErr: () => {},
      });

  const program = configure(new Parser('reprise'))
    .description('Records how results came to be, and replays that record.')
    .usage('[global options] COMMAND [options] ...')
    .helpCommand('help [COMMAND]', 'Show the help of a command')
    .enablePositionalOptions()
    .addHelpText('after', helpAfter([], table.exitCodes));
  addGlobals(program, table, []);
  for (const command of table.commands) {
    const parser = configure(program.command(command.name).summary(command.summary));
    parser.description(command.description.join('\n\n')).usage(usageOf(command));
    const own = Object.entries(command.parameters);
    for (const [key, parameter] of own) addParameter(parser, key, parameter);
    addGlobals(parser, table, own.map(([, parameter]) => parameter).filter(isOption));
    parser.addHelpText('after', helpAfter(command.examples, [...(command.exitCodes ?? []), ...table.exitCodes]));
    parser.action(() => {
      found = { command, parser };
    });
  }

  const wraps = hasRemainder(commandIn(table, argv));
  try {
    program.parse([...(wraps ? doubleFirstTerminator(argv) : argv)], { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (['commander.helpDisplayed', 'commander.help'].includes(error.code) && help !== '')
      return { kind: 'help', text: help };
    if (program.opts()[`${GLOBAL}version`]) return { kind: 'version' };
    throw usageError(argv, error, table);
  }
  if (!found) throw new Error('commander ended without a command');
  const { command, parser } = found;
  const globals = mergeGlobals(table, program.opts(), parser.opts());
  if (globals.version) return { kind: 'version' };
  return { kind: 'command', command, globals, values: valuesOf(command, parser, argv, globals) };
}

function usageOf(command: Command): string {
  return usageLine(command).replace(/^reprise \S+ /, '');
}

function addGlobals(parser: Parser, table: Table, taken: readonly Option[]): void {
  const flags = new Set(taken.flatMap((option) => [option.short, option.long]));
  for (const [key, option] of Object.entries(table.globals)) {
    const short = flags.has(option.short) ? undefined : option.short;
    const long = flags.has(option.long) ? undefined : option.long;
    if (short ?? long)
      parser.addOption(parserOption(`${GLOBAL}${key}`, option, short, long).helpGroup('Global options:'));
  }
}

function addParameter(parser: Parser, key: string, parameter: Parameter): void {
  if (isOption(parameter)) {
    parser.addOption(parserOption(key, parameter, parameter.short, parameter.long));
    return;
  }
  if (parameter.kind === 'derived') return;
  const word = parameter.kind === 'operand' ? parameter.argument : `${parameter.argument}...`;
  parser.argument(
    parameter.kind === 'operand' && parameter.required ? `<${word}>` : `[${word}]`,
    parameter.description,
  );
  if (parameter.kind === 'remainder') parser.passThroughOptions();
}

function parserOption(key: string, option: Option, short: string | undefined, long: string | undefined): ParserOption {
  const names = [short, long].filter((flag) => flag !== undefined).join(', ');
  if (option.kind === 'flag') return named(new ParserOption(names, option.description), key);
  const bare = option.kind === 'choice' ? option.bare : undefined;
  const name = option.kind === 'choice' ? choicesOf(option.choices, option.argument) : option.argument;
  const made = new ParserOption(`${names} ${bare === undefined ? `<${name}>` : `[${name}]`}`, describe(option));
  if (bare !== undefined) made.preset(bare);
  made.argParser((text: string, previous: unknown) => {
    const parsed = parseValue(option, text, previous);
    if ('takes' in parsed) {
      throw new RepriseError('usage', `${names} takes ${parsed.takes}, not '${text}'`);
    }
    return parsed.value;
  });
  return named(made, key);
}

function choicesOf(choices: readonly string[], argument: string): string {
  const list = choices.join('|');
  return list.length <= 30 ? list : argument;
}

function describe(option: Option): string {
  return option.kind === 'list' ? `${option.description} (can be repeated)` : option.description;
}

/** Gives an option its property name; `--no-x` is a flag like any other, not the negation of an `--x`. */
function named(option: ParserOption, key: string): ParserOption {
  option.negate = false;
  option.attributeName = () => key;
  return option;
}

/**
 * Commander drops the `--` that ends the options, but a wrapped command's words are handed on as they were typed, and there
 * it counts. With the first `--` doubled one is left over, if it was one that commander drops.
 */
function doubleFirstTerminator(argv: readonly string[]): readonly string[] {
  const at = argv.indexOf('--');
  return at === -1 ? argv : [...argv.slice(0, at), '--', ...argv.slice(at)];
}

/** The words as typed from the first that commander took for the wrapped command's, a `--` before it included. */
function remainderOf(argv: readonly string[], count: number): readonly string[] {
  const doubled = doubleFirstTerminator(argv);
  const at = doubled.length - count;
  return argv.slice(doubled === argv || at <= argv.indexOf('--') ? at : at - 1);
}

function valuesOf(command: Command, parser: Parser, argv: readonly string[], globals: Globals): Values {
  const parameters = Object.entries(command.parameters);
  const given = parser.opts();
  const words = wordsOf(
    parameters.map(([, parameter]) => parameter),
    argv,
    parser.args,
  );
  const values: Record<string, unknown> = {};
  for (const [key, parameter] of parameters) {
    const value = isOption(parameter)
      ? optionValue(parameter, given[key])
      : parameter.kind === 'derived'
        ? parameter.from(globals as Values)
        : parameter.kind === 'operand'
          ? oneWord(parameter, words.shift())
          : words;
    if (value !== undefined) values[key] = value;
  }
  return values;
}

/** Lists are empty, and what stands for the verb's own choice is absent. */
function optionValue(option: Option, value: unknown): unknown {
  if (option.kind === 'integer' && option.unset?.some((word) => word === value)) return undefined;
  return value ?? (option.kind === 'list' ? [] : undefined);
}

/** The words that belong to no option, as typed. */
function wordsOf(parameters: readonly Parameter[], argv: readonly string[], args: readonly string[]): string[] {
  const remainder = parameters.find((parameter) => parameter.kind === 'remainder');
  if (remainder === undefined) return [...args];
  const words = [...remainderOf(argv, args.length)];
  if (!remainder.keepTerminator && words[0] === '--') words.shift();
  return words;
}

function hasRemainder(command: Command | undefined): boolean {
  return command !== undefined && Object.values(command.parameters).some(({ kind }) => kind === 'remainder');
}

function oneWord(operand: Operand, word: string | undefined): string | undefined {
  if (word === undefined || (operand.choices?.includes(word) ?? true)) return word;
  throw new RepriseError('usage', `${operand.argument} is one of ${operand.choices?.join(', ')}, not '${word}'`);
}

/** What stands after the command wins; lists take both. */
function mergeGlobals(table: Table, before: Record<string, unknown>, after: Record<string, unknown>): Globals {
  const merged: Record<string, unknown> = {};
  for (const [key, option] of Object.entries(table.globals)) {
    const [first, second] = [before[GLOBAL + key], after[GLOBAL + key]];
    const both = [first, second].filter((list) => list !== undefined).flat();
    const value = option.kind !== 'list' ? (second ?? first) : both.length > 0 ? both : undefined;
    if (value !== undefined) merged[key] = value;
  }
  return merged;
}

/** Commander's complaint as one of ours. */
function usageError(argv: readonly string[], error: CommanderError, table: Table): RepriseError {
  if (error.code === 'commander.help') return withUsage(new RepriseError('usage', 'No command was given'), undefined);
  const [sentence = '', ...rest] = error.message.replace(/^error: /, '').split('\n');
  const near = /\(Did you mean (?:one of )?(.*)\?\)/.exec(rest.join(' '))?.[1];
  const message = sentence.charAt(0).toUpperCase() + sentence.slice(1);
  const hints = near === undefined ? [] : [`Did you mean ${near}?`];
  const command = error.code === 'commander.unknownCommand' ? undefined : commandIn(table, argv);
  return withUsage(new RepriseError('usage', message, { hints }), command);
}

/** The command that a command line is about, as far as one can tell without understanding it. */
function commandIn(table: Table, argv: readonly string[]): Command | undefined {
  const name = argv.find((word) => table.commands.some((command) => command.name === word));
  return table.commands.find((command) => command.name === name);
}

/** Adds to an error of the kind `usage` how the command is used; other errors stay as they are. */
export function withUsage(error: RepriseError, command: Command | undefined): RepriseError {
  if (error.code !== 'usage' || error.data['usage'] !== undefined) return error;
  const line = command === undefined ? 'reprise [global options] COMMAND [options] ...' : usageLine(command);
  const help = command === undefined ? 'reprise --help' : `reprise ${command.name} --help`;
  return new RepriseError('usage', error.message, {
    hints: [...error.hints, ...(error.hints.length < 2 ? [help] : [])],
    data: { ...error.data, usage: line },
    cause: error.cause,
    exitCode: error.exitCode,
  });
}
