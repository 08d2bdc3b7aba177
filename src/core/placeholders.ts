/** What placeholders mean in the commands and the declared inputs and outputs of a run. Source: DataLad's `core.local.run`. */
import { formatTemplate, placeholderNames, type Values } from './format.ts';
import { quoteWord, quoteWords } from './quote.ts';

/**
 * The one-string form of a command, which is recorded and given to the shell.
 *
 * A single word is a shell line already; several words are quoted one by one, after one leading `--` is dropped.
 */
export function normaliseCommand(words: readonly string[] | string): string {
  if (typeof words === 'string') return words;
  if (words.length === 1 && words[0] !== '--') return words[0] as string;
  return quoteWords(words[0] === '--' ? words.slice(1) : words);
}

/**
 * Expands the placeholders in declared inputs or outputs.
 *
 * A value that is nothing but the name of a list (`{outputs}`, or a setting with several values) is replaced by the elements
 * of the list, as they are. DataLad does so for a list that is the only value; elsewhere it writes the list as Python shows it.
 *
 * @param specs the values as declared
 * @param substitutions the `datalad.run.substitutions.*` settings
 * @param lists `inputs`, `outputs` and `extra_inputs` as declared; an empty one does not exist for placeholders
 * @throws `placeholder-unknown`, `placeholder-invalid`
 */
export function expandIoSpecs(
  specs: readonly string[],
  substitutions: Values,
  lists: Readonly<Record<string, readonly string[]>>,
): string[] {
  const declared = Object.entries(lists).filter(([, list]) => list.length > 0);
  const values: Values = { ...substitutions, ...Object.fromEntries(declared) };
  return specs.flatMap((spec) => {
    const name = /^\{([^{}[\].:!]+)\}$/.exec(spec)?.[1];
    const value = name !== undefined && Object.hasOwn(values, name) ? values[name] : undefined;
    return typeof value === 'object' ? value : [formatTemplate(spec, values, { lists: 'refuse' })];
  });
}

export interface CommandValues {
  /** Expanded paths of the inputs, without `.`; quoted here. */
  readonly inputs: readonly string[];
  /** Expanded paths of the outputs, without `.`; quoted here. */
  readonly outputs: readonly string[];
  /** Absolute path of the folder that the command runs in; not quoted. */
  readonly pwd: string;
  /** Absolute path of the dataset; not quoted. */
  readonly dspath: string;
  /** A fresh temporary folder, or '' for a command that does not use it; not quoted. */
  readonly tmpdir: string;
  /** The `datalad.run.substitutions.*` settings; the names above win over them. */
  readonly substitutions: Values;
}

/**
 * The command line that the shell gets.
 *
 * @throws `placeholder-unknown`, `placeholder-invalid`
 */
export function expandCommand(cmd: string, given: CommandValues): string {
  return formatTemplate(cmd, {
    ...given.substitutions,
    pwd: given.pwd,
    dspath: given.dspath,
    tmpdir: given.tmpdir,
    inputs: given.inputs.map(quoteWord),
    outputs: given.outputs.map(quoteWord),
  });
}

/**
 * Whether a command needs a temporary folder.
 *
 * @throws `placeholder-invalid`
 */
export function usesTmpdir(cmd: string): boolean {
  return placeholderNames(cmd).has('tmpdir');
}

/** A text that expands to the given one: braces doubled. */
export function escapeBraces(text: string): string {
  return text.replaceAll(/[{}]/g, '$&$&');
}

/** What a text with doubled braces expands to. */
export function unescapeBraces(text: string): string {
  return text.replaceAll(/\{\{|\}\}/g, (pair) => pair.charAt(0));
}
