/**
 * The words in which commands and their options are described.
 *
 * A description is plain data. The parser, the help, the completion scripts and the reference page are all derived from it,
 * and the compiler checks it against the options of the verb: each must be described, with a kind that gives its type.
 */
import type { VerbOutcome } from '../core/result.ts';
import type { Context } from '../sys/context.ts';

/** What every option has. */
interface Described {
  readonly short?: `-${string}`;
  readonly long?: `--${string}`;
  readonly description: string;
  /** Whose option it is: DataLad's, under the same name and with the same meaning, or one of our own. */
  readonly origin: 'datalad' | 'reprise';
}

export type Completion = 'file' | 'directory' | 'command' | 'none';

interface WithArgument extends Described {
  /** The argument's name in help texts. */
  readonly argument: string;
  readonly completion?: Completion;
}

export interface FlagOption extends Described {
  readonly kind: 'flag';
}
export interface TextOption extends WithArgument {
  readonly kind: 'text';
}
/** Can be given more than once. */
export interface ListOption extends WithArgument {
  readonly kind: 'list';
}
export interface IntegerOption extends WithArgument {
  readonly kind: 'integer';
  readonly least: number;
  /** Words that stand for the verb's own choice. */
  readonly unset?: readonly string[];
}
/** An integer or one of some words. */
export interface LevelsOption<Word extends string = string> extends WithArgument {
  readonly kind: 'levels';
  readonly least: number;
  readonly words: readonly Word[];
}
/** `yes` or `no`, and Git's other words for them. */
export interface YesNoOption extends WithArgument {
  readonly kind: 'yes-no';
}
export interface ChoiceOption<Word extends string = string> extends WithArgument {
  readonly kind: 'choice';
  readonly choices: readonly Word[];
  /** The value when the option is given without an argument; without it an argument is needed. */
  readonly bare?: Word;
}

interface Positional {
  readonly argument: string;
  readonly description: string;
  readonly completion?: Completion;
}

/** One word that belongs to no option. */
export interface Operand extends Positional {
  readonly kind: 'operand';
  readonly required?: boolean;
  readonly choices?: readonly string[];
}
/** All words that belong to no option. */
export interface Operands extends Positional {
  readonly kind: 'operands';
}
/** From the first word that is no option on, everything belongs to somebody else, what looks like an option included. */
export interface Remainder extends Positional {
  readonly kind: 'remainder';
  /** How the words are written in usage lines. */
  readonly usage: string;
  /** Whether a `--` that ends the options is handed on, too. */
  readonly keepTerminator: boolean;
}
/** No word of its own: follows from the global options. */
export interface Derived {
  readonly kind: 'derived';
  readonly from: (globals: Values) => unknown;
}

export type Option = FlagOption | TextOption | ListOption | IntegerOption | LevelsOption | YesNoOption | ChoiceOption;
export type Word = Operand | Operands | Remainder;
export type Parameter = Option | Word | Derived;

/** Whether a parameter is an option, and not a word or a global option. */
export function isOption(parameter: Parameter): parameter is Option {
  return 'origin' in parameter;
}

/** The kinds of parameter that give a value of a type. */
type ParameterFor<Value> =
  | Derived
  | ([Value] extends [boolean]
      ? FlagOption | YesNoOption
      : [Value] extends [number]
        ? IntegerOption
        : [Value] extends [readonly string[]]
          ? ListOption | Operands | Remainder
          : string extends Value
            ? TextOption | Operand
            : number extends Value
              ? LevelsOption<Extract<Value, string>>
              : ChoiceOption<Extract<Value, string>>);

/** A parameter for each property of a verb's options. */
export type ParametersOf<Options> = { readonly [Key in keyof Options]-?: ParameterFor<NonNullable<Options[Key]>> };

export interface Example {
  readonly what: string;
  readonly line: string;
}

interface CommandDescription {
  readonly name: string;
  /** One line for lists of commands, without a full stop. */
  readonly summary: string;
  /** Paragraphs of the help text. */
  readonly description: readonly string[];
  readonly examples: readonly Example[];
  /** Exit codes beyond those that every command has. */
  readonly exitCodes?: readonly (readonly [string, string])[];
}

/** The values of a command's parameters, by property name; a parameter that was not given has none, lists are empty. */
export type Values = Readonly<Record<string, unknown>>;

export interface Command extends CommandDescription {
  readonly parameters: Readonly<Record<string, Parameter>>;
  /** Does the work, or gives the text to print. */
  readonly start: (values: Values, context: Context) => Promise<Ended | string>;
}

/** Everything the command line knows: the source of the parser, the help, the completion scripts and the reference page. */
export interface Table {
  readonly commands: readonly Command[];
  /** Options that may stand before the command, or after it where the command has no option of that name. */
  readonly globals: Readonly<Record<string, Option>>;
  /** Exit codes that every command has. */
  readonly exitCodes: readonly (readonly [string, string])[];
}

/** What a command line needs of an outcome: results have been printed as they came. */
export type Ended = Pick<VerbOutcome, 'exitCode'>;

export type Verb<Options> = (options: Options, context: Context) => Promise<Ended>;

/** `run` and `doctor` say themselves that runs were interrupted, and `recover` deals with it. */
const TELLS_ITSELF: ReadonlySet<string> = new Set(['run', 'recover', 'doctor']);

/** Tells about interrupted runs in the dataset that a command is about. */
async function announce(values: Values, context: Context): Promise<void> {
  const { announcePendingAt } = await import('./verbs.ts');
  const { dataset } = values;
  announcePendingAt(context, typeof dataset === 'string' ? dataset : undefined);
}

/** A command that is a verb of the library; `load` imports the verb when it is needed. */
export function verbCommand<Options>(
  command: CommandDescription & {
    readonly parameters: ParametersOf<Options>;
    readonly load: () => Promise<Verb<Options>>;
  },
): Command {
  const { load, parameters, ...description } = command;
  return {
    ...description,
    parameters,
    // The parser fills `values` by the kinds, and the kinds were checked against Options.
    start: async (values, context) => {
      const verb = await load();
      if (!TELLS_ITSELF.has(command.name)) await announce(values, context);
      return verb(values as Options, context);
    },
  };
}
