/** A recorded command as one word of a shell script: what only the running script knows is put in by it. */
import { RepriseError } from '../core/errors.ts';
import { formatTemplate } from '../core/format.ts';
import { quoteWord } from '../core/quote.ts';

/** Stands for a value that is known when the script runs. No command holds a NUL. */
export const RUN_TIME = '\0';

/** A command in pieces: text as it is, and shell expressions for the rest. */
export type Piece = { readonly text: string } | { readonly shell: string };

/** More elements of a list that is matched later cannot be named one by one. */
const MOST_INDEX = 100;

/** What stands for a value until the pieces are made. */
const mark = (shell: string): string => `${RUN_TIME}${shell}${RUN_TIME}`;

/**
 * Fills the placeholders of a command.
 *
 * @param lists paths that `{inputs}` and `{outputs}` stand for; null where they are patterns that are matched when the script runs
 * @throws `placeholder-unknown`, `placeholder-invalid`, also for a conversion or format of a value that is not known yet
 */
export function expandAtRunTime(
  cmd: string,
  lists: { readonly inputs: readonly string[] | null; readonly outputs: readonly string[] | null },
  substitutions: Readonly<Record<string, string | readonly string[]>>,
): readonly Piece[] {
  const unknown = ['pwd', 'dspath', 'tmpdir', ...Object.entries(lists).flatMap(([name, list]) => (list ? [] : [name]))];
  const formatted = new RegExp(`\\{(?:${unknown.join('|')})(?:\\[\\d+\\])?[!:]`).exec(cmd.replaceAll('{{', ''));
  if (formatted) {
    throw new RepriseError(
      'placeholder-invalid',
      `A script cannot hold the placeholder ${formatted[0]}...}, whose value is not known yet`,
    );
  }
  const listValue = (name: 'inputs' | 'outputs') => lists[name]?.map(quoteWord) ?? elements(name);
  const text = formatTemplate(cmd, {
    ...substitutions,
    pwd: mark('"$PWD"'),
    dspath: mark('"$dataset"'),
    tmpdir: mark('"$tmpdir"'),
    inputs: listValue('inputs'),
    outputs: listValue('outputs'),
  });
  // A list as a whole stands in the text as all its elements.
  const whole = ['inputs', 'outputs'].reduce(
    (left, name) => left.replaceAll(elements(name).join(' '), mark(`"$${name}"`)),
    text,
  );
  return whole.split(RUN_TIME).flatMap((part, index): Piece[] => {
    if (part === '') return [];
    return [index % 2 === 1 ? { shell: part } : { text: part }];
  });
}

function elements(name: string): readonly string[] {
  return Array.from({ length: MOST_INDEX }, (_, index) => mark(`"$(word ${index} "$${name}")"`));
}

/** The pieces as one word of a script. */
export function commandWord(pieces: readonly Piece[]): string {
  const words = pieces.map((piece) => ('shell' in piece ? piece.shell : quoteWord(piece.text)));
  return words.length === 0 ? "''" : words.join('');
}
